"""The search of /_koa/docs/: which sections of the documentation hold all words of a query."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from .markdown import heading_id

MOST_FOUND = 30
MOST_WORDS = 10
EXCERPT = 180

_HEADING = re.compile(r"(?m)^#{1,4} +(.+)$")
_FENCE = re.compile(r"(?ms)^```.*?^```$")


class Section(NamedTuple):
    """A heading of a page and the text below it; `heading` is empty above the first one of a page."""

    path: str
    title: str
    heading: str
    text: str

    @property
    def anchor(self) -> str:
        """The id of the heading; empty for the start of the page."""
        return heading_id(self.heading) if self.heading else ""


class Found(NamedTuple):
    """A section that holds the words of a query, and the text around the first of them."""

    section: Section
    excerpt: str


def sections_of(path: str, source: str) -> Iterator[Section]:
    """The sections of a page; a `#` in a block of code is not a heading."""
    hidden = _FENCE.sub(lambda block: re.sub("[^\n]", "x", block[0]), source)
    headings = [*_HEADING.finditer(hidden)]
    title = plain(headings[0][1]) if headings else path
    ends = [*(heading.start() for heading in headings[1:]), len(source)]
    for number, (heading, end) in enumerate(zip(headings, ends, strict=False)):
        yield Section(path, title, plain(heading[1]) if number else "", source[heading.end() : end])


def find(sections: Iterable[Section], query: str) -> list[Found]:
    """The sections that hold all words, the best first: words in a title or heading count most."""
    words = query.lower().split()[:MOST_WORDS]
    scored = [(score, section) for section in sections if words and (score := _score(section, words))]
    scored.sort(key=lambda each: -each[0])
    return [Found(section, _excerpt(section.text, words)) for _, section in scored[:MOST_FOUND]]


def _score(section: Section, words: list[str]) -> int:
    """How well a section fits; 0 if a word is nowhere in it."""
    title, heading, text = section.title.lower(), section.heading.lower(), section.text.lower()
    total = 0
    for word in words:
        score = 20 * (word in heading) + 10 * (word in title) + min(5, text.count(word))
        if not score:
            return 0
        total += score
    return total


def _excerpt(text: str, words: list[str]) -> str:
    flat = " ".join(plain(text).split())
    first = min((at for word in words if (at := flat.lower().find(word)) >= 0), default=0)
    start = max(0, first - EXCERPT // 3)
    return ("…" if start else "") + flat[start : start + EXCERPT] + ("…" if len(flat) > start + EXCERPT else "")


def plain(text: str) -> str:
    """Markdown without its marks."""
    return re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", text).replace("`", "").replace("**", "")
