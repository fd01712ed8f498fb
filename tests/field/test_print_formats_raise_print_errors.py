"""What people put into print formats and their data: a PDF or a PrintError, and no file or URL is read by markup."""

from __future__ import annotations

import contextlib
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image
from pypdf import PdfReader

from system.addons.pdfgen import draw
from system.core.errors import PrintError

SECRET = "the-password-of-the-database"


class Customer:
    name = "Ann"
    _hidden = SECRET

    def method(self) -> str:
        return SECRET


class Unprintable:
    def __repr__(self) -> str:
        return "Unprintable"

    def __str__(self) -> str:
        raise RuntimeError("no text")

    __format__ = None  # type: ignore[assignment]


@pytest.fixture
def images(tmp_path: Path) -> Path:
    folder = tmp_path / "images"
    folder.mkdir()
    Image.new("RGB", (20, 10), "black").save(folder / "logo.png")
    Image.new("RGB", (20, 10), "black").save(tmp_path / "outside.png")
    (folder / "way_out.png").symlink_to(tmp_path / "outside.png")
    whole = (folder / "logo.png").read_bytes()
    (folder / "half.png").write_bytes(whole[: len(whole) // 2])
    (folder / "header.png").write_bytes(whole[:20])
    (folder / "empty.png").write_bytes(b"")
    (folder / "text.png").write_text("no picture")
    (folder / "folder.png").mkdir()
    return folder


def paragraph(text: str) -> dict[str, Any]:
    return {"body": [{"paragraph": text}]}


def words(pdf: bytes) -> str:
    return " ".join(" ".join(page.extract_text() for page in PdfReader(BytesIO(pdf)).pages).split())


@pytest.mark.parametrize(
    "markup",
    [
        '<img src="/etc/passwd"/>',
        '<img src="../outside.png"/>',
        '<img src="way_out.png"/>',
        '<img src="file:///etc/passwd"/>',
        '<IMG SRC="http://127.0.0.1:1/x.png"/>',
        '<img src="data:image/png;base64,aGVsbG8="/>',
        "<img src=nothing.png>",
        "<img/>x",
        '<ondraw name="saveState" label="x"/>',
        '<onDraw name="save"/>',
        '<para backColor="red">x</para>',
        '<font color="[x for x in ().__class__.__base__.__subclasses__()]">x</font>',
        '<font color="open(1)">x</font>',
        '<font size="9e9">x</font>',
        '<font face="nobody has this">x</font>',
        '<a href="javascript:alert(1)">x</a>',
        '<a href="file:///etc/passwd">x</a>',
        '<seq id="a"/>',
        "<script>x</script>",
        "<b>unclosed",
        "</b>",
        "<b><i>x</b></i>",
        "<unknown>",
    ],
)
def test_markup_that_is_not_listed_is_refused(images: Path, markup: str) -> None:
    with pytest.raises(PrintError):
        draw(paragraph(markup), {}, images=images)
    with pytest.raises(PrintError):
        draw({"placed": [{"text": markup, "at": (20, 20), "width": 50}]}, {}, images=images)


def test_no_markup_opens_a_connection(images: Path) -> None:
    asked = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            self.send_error(404)

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        url = f"http://127.0.0.1:{server.server_port}/x.png"
        for markup in (f'<img src="{url}"/>', f"<img src='{url}'>", f'<font face="{url}">x</font>'):
            with pytest.raises(PrintError):
                draw(paragraph(markup), {}, images=images)
        with pytest.raises(PrintError):
            draw({"body": [{"image": url}]}, {}, images=images)
        server.shutdown()
        thread.join()
    assert asked == []


@pytest.mark.parametrize(
    ("markup", "text"),
    [
        ("<b>a</b> <i>b</i> <u>c</u> <strike>d</strike>", "a b c d"),
        ("<strong>a</strong><em>b</em>", "ab"),
        ("H<sub>2</sub>O m<super>2</super>", "H2O m2"),
        ("one<br/>two<br>three", "one two three"),
        ('<font size="8" color="#5a6675">small</font> <font color="red" face="Helvetica">red</font>', "small red"),
        ('<a href="https://example.com/?a=1&amp;b=2" color="blue">link</a>', "link"),
        ('<a href="mailto:ann@example.com">mail</a>', "mail"),
        ("1 &lt; 2 &amp; 3 &gt; 2 &euro; &#233;", "1 < 2 & 3 > 2 € é"),
        ("Fish & Chips, 1 < 2", "Fish & Chips, 1 < 2"),
        ('<img src="logo.png" width="10" height="5" valign="middle"/> logo', "logo"),
        ("<B>upper</B>", "upper"),
    ],
)
def test_markup_that_is_listed_is_printed(images: Path, markup: str, text: str) -> None:
    assert words(draw(paragraph(markup), {}, images=images)) == text


@pytest.mark.parametrize(
    "name",
    [
        "{user.__class__}",
        "{user.__class__.__init__.__globals__}",
        "{user._hidden}",
        "{user[__class__]}",
        "{user.method.__globals__}",
        "{user.method.__func__}",
        "{function.__globals__[SECRET]}",
        "{function.__code__}",
        "{generator.gi_frame.f_globals}",
        "{kind.mro}",
    ],
)
def test_a_placeholder_cannot_walk_to_pythons_internals(name: str) -> None:
    def function() -> str:
        return SECRET

    data = {"user": Customer(), "function": function, "generator": (x for x in "a"), "kind": Customer}
    for layout in (
        paragraph(name),
        {"title": name},
        {"placed": [{"text": name, "at": (20, 20)}]},
        {"body": [{"table": "rows", "columns": [{"value": name, "width": 20}]}]},
        {"body": [{"image": name}]},
    ):
        with pytest.raises(PrintError):
            draw(layout, {**data, "rows": [data]})


def test_public_attributes_and_entries_are_values() -> None:
    data = {"user": Customer(), "order": {"lines": [{"what": "Tea"}]}}
    assert (
        words(draw(paragraph("{user.name} {order[lines][0][what]} {order.lines[0].what}"), data)) == "Ann Tea Tea"
    )


ODD_DATA = [
    ("{}", {}),
    ("{0}", {}),
    ("{name:d}", {"name": "x"}),
    ("{name:,.2f}", {"name": None}),
    ("{name:%Y}", {"name": 5}),
    ("{name!z}", {"name": 5}),
    ("{name", {"name": 5}),
    ("name}", {"name": 5}),
    ("{name[}", {"name": 5}),
    ("{name.}", {"name": 5}),
    ("{name[x]}", {"name": 5}),
    ("{name[5]}", {"name": [1]}),
    ("{name:{width}}", {"name": 5}),
    ("{name}", {5: "x"}),
    ("{name}", None),
    ("{name}", []),
    ("{name}", "text"),
    ("{name:x}", {"name": Ellipsis}),
    ("{name}", {"name": Unprintable()}),
]


@pytest.mark.parametrize(("text", "data"), ODD_DATA, ids=str)
def test_a_placeholder_without_a_fitting_value_is_a_print_error(text: str, data: Any) -> None:
    with pytest.raises(PrintError):
        draw(paragraph(text), data)


@pytest.mark.parametrize("rows", [None, 5, "text", [1], [None], [["x"]], {"a": 1}, Ellipsis], ids=repr)
def test_rows_that_are_no_list_of_dicts_are_a_print_error(rows: Any) -> None:
    layout = {"body": [{"table": "rows", "columns": [{"value": "{x}", "width": 20}]}]}
    with pytest.raises(PrintError):
        draw(layout, {"rows": rows})


@pytest.mark.parametrize(
    "name", ["half.png", "header.png", "empty.png", "text.png", "folder.png", "way_out.png", "\0", ""]
)
def test_a_picture_that_cannot_be_read_is_named(images: Path, name: str) -> None:
    for layout in ({"body": [{"image": name}]}, {"placed": [{"image": name, "at": (10, 10), "width": 5}]}):
        with pytest.raises(PrintError):
            draw(layout, {}, images=images)


@pytest.mark.parametrize(
    "layout",
    [
        None,
        [],
        "text",
        {"margins": (150, 150, 150, 150), "body": [{"paragraph": "x"}]},
        {"margins": (20, 500, 20, 500), "body": [{"paragraph": "x"}]},
        {"body": [{"paragraph": "x", "size": 1e9}]},
        {"body": [{"space": 1e9}]},
        {"body": [{"space": float("inf")}]},
        {"body": [{"space": float("nan")}]},
        {"body": [{"image": "logo.png", "width": 1e6}]},
        {"placed": [{"text": "x", "at": (float("inf"), 0)}]},
        {"body": [{"table": "rows", "columns": [{"value": "x", "width": 1}], "foot": [["a", "b", "c"]]}]},
        {"fonts": {"regular": "/etc/passwd"}, "body": [{"paragraph": "x"}]},
        {"fonts": {"regular": "/"}, "body": [{"paragraph": "x"}]},
        {"title": "\ud83d"},
    ],
    ids=repr,
)
def test_a_format_that_no_page_holds_is_a_print_error_or_a_document(images: Path, layout: Any) -> None:
    with contextlib.suppress(PrintError):
        assert draw(layout, {"rows": [{}]}, images=images).startswith(b"%PDF")


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(text=st.text(st.sampled_from("<>/&;{}\"'=abipru \n\ud83d\x00é"), max_size=25))
def test_any_text_is_drawn_or_refused(text: str) -> None:
    with contextlib.suppress(PrintError):
        draw(paragraph(text), {"a": 1, "b": "<i>"})
    plain = draw(paragraph("{value}"), {"value": text.encode("utf-8", "replace").decode()})
    assert plain.startswith(b"%PDF")


@pytest.mark.parametrize("file", ["text", 5])
def test_the_file_may_be_given_as_text_and_is_refused_as_anything_else(tmp_path: Path, file: Any) -> None:
    if file == 5:
        with pytest.raises(PrintError):
            draw(paragraph("x"), {}, file=file)
    else:
        draw(paragraph("x"), {}, file=str(tmp_path / file))  # type: ignore[arg-type]
        assert (tmp_path / file).is_file()
