"""Markdown as HTML: pages of the documentation, and docstrings. HTML in it is escaped."""

from __future__ import annotations

import re
from functools import lru_cache
from itertools import pairwise
from typing import TYPE_CHECKING

from markupsafe import Markup

if TYPE_CHECKING:
    from markdown_it import MarkdownIt
    from markdown_it.token import Token

# a docstring is a part of a page: it has no headings and loads nothing; its indentation and prompts (>>>) are text
_NOT_IN_DOCSTRINGS = ["heading", "lheading", "image", "code", "blockquote", "hr", "html_block", "html_inline"]


@lru_cache(2)
def _parser(name: str) -> MarkdownIt:
    from markdown_it import MarkdownIt  # a site without these pages does not import it

    parser = MarkdownIt("commonmark", {"html": False, "breaks": name == "docstring"}).enable("table")
    return parser.disable(_NOT_IN_DOCSTRINGS) if name == "docstring" else parser


def render_page(source: str) -> str:
    """A page of the documentation: headings get ids."""
    tokens = _parse("page", source)
    for opening, content in pairwise(tokens):
        if opening.type == "heading_open":
            opening.attrSet("id", heading_id(content.content))
    # so that the keyboard can scroll a wide table
    rendered = _render("page", tokens).replace("<table>", '<div class="table" tabindex="0"><table>')
    return rendered.replace("</table>", "</table></div>")


def heading_id(heading: str) -> str:
    """The id that GitHub gives a heading."""
    return re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")


def render_docstring(source: str) -> Markup:
    """A docstring: paragraphs with their line ends, lists, code, tables, emphasis and links."""
    return Markup(_render("docstring", _parse("docstring", source)))  # noqa: S704 - the library escaped it


def render_line(source: str) -> Markup:
    """The first line of a docstring: code and emphasis, without links, since it may be inside one."""
    rendered = _parser("docstring").renderInline(source)
    return Markup(re.sub(r"</?a\b[^>]*>", "", rendered))  # noqa: S704 - the library escaped it


def _parse(name: str, source: str) -> list[Token]:
    tokens = _parser(name).parse(source)
    for opening, content, closing in zip(tokens, tokens[1:], tokens[2:], strict=False):
        if opening.type == "th_open" and not content.content:
            opening.tag = closing.tag = "td"  # a header without text says nothing to a screen reader
    return tokens


def _render(name: str, tokens: list[Token]) -> str:
    parser = _parser(name)
    rendered: str = parser.renderer.render(tokens, parser.options, {})
    return rendered.replace("<pre>", '<pre tabindex="0">')  # so that the keyboard can scroll it
