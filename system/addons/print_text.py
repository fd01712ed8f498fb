"""The texts of a print format: placeholders filled from data, and markup limited to safe tags."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from html.parser import HTMLParser
from types import ModuleType
from typing import Any
from xml.sax.saxutils import escape, quoteattr

from jinja2 import StrictUndefined, TemplateRuntimeError
from jinja2.sandbox import SandboxedEnvironment, SandboxedFormatter
from reportlab.lib.colors import getAllNamedColors

from system.core.errors import PrintError

COLOR = re.compile(r"#[0-9a-fA-F]{6}|" + "|".join(sorted(getAllNamedColors())))
NUMBER = re.compile(r"\d{1,4}(\.\d{1,3})?")
# the tags of paragraphs and the values of their attributes; ReportLab has others, which read files or run code
TAGS: dict[str, dict[str, re.Pattern[str]]] = {
    **{name: {} for name in ("b", "strong", "i", "em", "u", "strike", "sub", "sup", "super", "br")},
    "font": {"size": NUMBER, "color": COLOR, "face": re.compile(r"[\w -]{1,60}")},
    "a": {"href": re.compile(r"(https?://|mailto:)[^\s\"'<>]+"), "color": COLOR},
    "img": {
        "src": re.compile(r".+"),
        "width": NUMBER,
        "height": NUMBER,
        "valign": re.compile("top|middle|bottom"),
    },
}


# the tags, line ends and escaped letters (&, <, >) of a paragraph: ReportLab needs quadratic time for them
MOST_PIECES = 2_000
# a width or a precision of five digits could produce megabytes of text
_TOO_WIDE = re.compile(r"\d{5}")


def fill(text: str, values: Mapping[str, Any], markup: bool = False) -> str:
    """The text with its placeholders replaced; in markup the values are escaped.

    Attributes with a leading underscore, those that lead to Python's internals, and modules are refused.
    Raises PrintError for a placeholder without a value, or one that its format does not fit.
    """
    try:
        return (_MARKUP if markup else _PLAIN).vformat(text, (), values)
    except (LookupError, AttributeError, ValueError, TypeError, TemplateRuntimeError) as error:
        raise PrintError(f"{text!r} cannot be filled from the data: {error!r}") from error


class _Missing(StrictUndefined):
    __repr__ = StrictUndefined.__str__  # {name.nothing!r} must fail too


class _Sandbox(SandboxedEnvironment):
    def is_safe_attribute(self, obj: Any, attr: str, value: Any) -> bool:
        is_module = isinstance(obj, ModuleType) or isinstance(value, ModuleType)
        return not is_module and super().is_safe_attribute(obj, attr, value)


class _Plain(SandboxedFormatter):
    def format_field(self, value: Any, format_spec: str) -> Any:
        if _TOO_WIDE.search(format_spec):
            raise ValueError(f"the format {format_spec!r} is wider than 9999")
        return super().format_field(value, format_spec)


class _Markup(_Plain):
    """Fills markup: escapes values, and turns their line ends into <br/>."""

    def format_field(self, value: Any, format_spec: str) -> Any:
        return escape(str(super().format_field(value, format_spec))).replace("\n", "<br/>")


_SANDBOX = _Sandbox(undefined=_Missing)
_PLAIN, _MARKUP = _Plain(_SANDBOX), _Markup(_SANDBOX)


def clean(markup: str, image: Callable[[str], str]) -> str:
    """The markup, with the path of each image looked up by `image`.

    Raises PrintError for any other tag, and for more than MOST_PIECES tags, line ends and escaped letters.
    """
    pieces = markup.count("<") + markup.count("&")
    if pieces > MOST_PIECES:
        raise PrintError(
            f"A paragraph has {pieces} tags, line ends and letters such as &; at most {MOST_PIECES} are allowed. "
            "Print it as several paragraphs."
        )
    cleaner = _Cleaner(image)
    cleaner.feed(markup)
    cleaner.close()
    return "".join(cleaner.parts)


class _Cleaner(HTMLParser):
    """Writes markup again: the known tags and attributes, everything else escaped or refused."""

    def __init__(self, image: Callable[[str], str]) -> None:
        super().__init__()
        self.parts: list[str] = []
        self._image = image

    def handle_data(self, data: str) -> None:
        self.parts.append(escape(data))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        written = "".join(f" {name}={quoteattr(self._value(tag, name, value or ''))}" for name, value in attrs)
        _check(tag)
        self.parts.append(f"<{tag}{written}{'/' if tag in ('br', 'img') else ''}>")

    def handle_endtag(self, tag: str) -> None:
        _check(tag)
        if tag not in ("br", "img"):
            self.parts.append(f"</{tag}>")

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        self.handle_endtag(tag)

    def _value(self, tag: str, name: str, value: str) -> str:
        allowed = _check(tag)
        if name not in allowed:
            raise PrintError(f"<{tag}> has no attribute {name}, only: {', '.join(allowed) or 'none'}.")
        if not allowed[name].fullmatch(value):
            raise PrintError(f'<{tag} {name}="{value}"> cannot be printed: see docs/print-formats.md, Texts.')
        return self._image(value) if name == "src" else value


def _check(tag: str) -> dict[str, re.Pattern[str]]:
    if tag not in TAGS:
        raise PrintError(f"<{tag}> is not one of the tags of a print format: {', '.join(TAGS)}.")
    return TAGS[tag]
