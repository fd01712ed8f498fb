"""Neither the layout of a print format nor its data reach Python's internals, files or URLs, or fill the memory."""

from __future__ import annotations

import sys
import time
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from system.addons.pdfgen import draw
from system.addons.print_text import fill
from system.core.errors import PrintError


class Thing:
    _hidden = "SECRET"
    shown = "shown"
    module = sys

    def method(self) -> str:
        return "SECRET"


def function() -> None: ...


VALUES: dict[str, Any] = {
    "x": Thing(),
    "kind": Thing,
    "f": function,
    "g": (letter for letter in "ab"),
    "s": "text",
    "n": 1.5,
    "i": 7,
    "d": Decimal(1),
    "l": [1],
    "m": {"a": 1},
    "e": ValueError("x"),
    "mod": sys,
}
PLACEHOLDERS = [
    "{x.__class__}",
    "{x.__class__.__mro__[1].__subclasses__}",
    "{x[__class__]}",
    "{x.__init__.__globals__}",
    "{x.__dict__}",
    "{x._hidden}",
    "{x[_hidden]}",
    "{x.method.__func__.__globals__}",
    "{x.method.__self__}",
    "{kind.mro}",
    "{kind.__subclasses__}",
    "{f.__globals__[sys]}",
    "{f.__code__}",
    "{f.__closure__}",
    "{g.gi_frame.f_globals}",
    "{g.gi_code}",
    "{s.__doc__}",
    "{s.format.__self__}",
    "{s.__add__}",
    "{i.real.__class__}",
    "{l.__class__}",
    "{e.__traceback__}",
    "{mod.modules}",
    "{mod.modules[os].environ}",
    "{x.module}",
    "{x.module.modules[os].environ}",
    "{n:{x._hidden}}",
    "{s:{s.__class__}}",
    "{x.__class__!r}",
    "{x._hidden!a}",
    "{x.nothing!r}",
    "{m[nothing]!r}",
    "{}",
    "{0}",
    "{0.__class__}",
    "{s:{s:{s}}}",
    "{s" + ".a" * 5000 + "}",
    "{s[" * 3000,
    "{s:" + "{s:" * 50 + "}" * 51,
    "{s:>99999999}",
    "{i:099999999}",
    "{n:.2147483647f}",
    "{d:.999999999f}",
    "{s:{wide}}",
]
MARKUP = [
    "<img src='http://127.0.0.1:1/x.png'/>",
    "<img src='file:///etc/passwd'/>",
    "<img src='../secret.png'/>",
    "<img src='//host/x.png'/>",
    "<img src='data:image/png;base64,AA'/>",
    "<img src='a\0b.png'/>",
    "<a href='javascript:alert(1)'>x</a>",
    "<a href='JaVaScRiPt:x'>x</a>",
    "<a href='file:///etc/passwd'>x</a>",
    "<a href=' http://x'>y</a>",
    "<onDraw name='x' label='y'/>",
    "<para>x</para>",
    "<seq/>",
    "<unichar code='60'/>",
    "<link href='file:///x'>y</link>",
    "<font name='x'>y</font>",
    "<font face='../../x'>y</font>",
    "<font color='[[[].__class__]]'>y</font>",
    "<font color='red(1)'>y</font>",
    "<script>x</script>",
    "<svg onload=x>",
    "<b/onclick=x>y</b>",
    "<b x=1>y</b>",
    "<b>" * 900 + "x",
]
# markup of other kinds is text, or nothing
HARMLESS = [
    "<!DOCTYPE x [<!ENTITY e SYSTEM 'file:///etc/passwd'>]>&e;",
    "<!ENTITY a 'b'>",
    "<?xml version='1.0'?>x",
    "<![CDATA[<onDraw/>]]>",
    "<!--<onDraw/>-->x",
    "&lt;onDraw/&gt;",
    "&#60;onDraw/&#62;",
    "&amp;lt;b&amp;gt;",
]


@pytest.mark.parametrize("text", PLACEHOLDERS, ids=lambda text: text[:40])
def test_a_placeholder_reaches_no_internals_and_makes_no_huge_text(text: str) -> None:
    with pytest.raises(PrintError):
        fill(text, {**VALUES, "wide": ">99999999"})


def test_what_a_layout_is_for_still_works() -> None:
    text = "{x.shown} {m[a]} {i:>9,.2f} {s!r} {s:{i}} {l[0]:04d}"
    assert fill(text, VALUES) == "shown 1      7.00 'text' text    0001"


@pytest.mark.parametrize("markup", MARKUP, ids=lambda markup: markup[:40])
def test_markup_reaches_no_file_no_url_and_no_code(markup: str, tmp_path: Path) -> None:
    (tmp_path / "secret.png").write_bytes(b"")
    (tmp_path / "images").mkdir()
    with pytest.raises(PrintError):
        draw({"body": [{"paragraph": markup}]}, {}, images=tmp_path / "images")


@pytest.mark.parametrize("markup", HARMLESS)
def test_entities_and_declarations_are_no_markup(markup: str) -> None:
    assert draw({"body": [{"paragraph": markup}]}, {}).startswith(b"%PDF")


@pytest.mark.parametrize("letter", ["\n", "<", "&", ">", "x\n", "<b>"])
def test_a_clients_text_costs_no_more_than_it_is_long(letter: str) -> None:
    began = time.thread_time()
    with pytest.raises(PrintError, match="several paragraphs"):
        draw({"body": [{"paragraph": "{text}"}]}, {"text": letter * 50_000})
    assert time.thread_time() - began < 1
