"""Searches methods by name, then by docstring, while the user types."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from itertools import islice
from pathlib import Path

from ..catalog.folder import Folder
from ..catalog.library import Library
from .listing import ListedLibrary, ListedMethod, Listing

MOST_FOUND = 50
# how many files are read for words of docstrings, and how many of those that have them are parsed
MOST_READ = 2_000
MOST_PARSED = 100

Found = ListedMethod | ListedLibrary


class Finder:
    """Finds methods and libraries that have every word of a query: in the address, or in docstring and parameters.

    A file is searched for the names that it defines before it is parsed.
    """

    def __init__(self, listing: Listing) -> None:
        self._listing = listing

    def find(
        self, query: str, now: float, admits: Callable[[Folder], bool], most: int = MOST_FOUND
    ) -> list[Found]:
        """The best matches first: those whose own name begins with the last word. `admits` guards the folders."""
        words = [word for word in re.split(r"[\s/.]+", query.lower()) if word]
        if not words:
            return []
        found: list[Found] = []
        for _, _, library in sorted(self._candidates(words, now, admits), key=lambda one: one[:2]):
            if len(found) >= most:
                break
            found.extend(self._matches(library, words, now))
        found = sorted(found, key=lambda one: _rank(one, words))[:most]
        known = {one.place for one in found if isinstance(one, ListedMethod)}
        described = (one for one in self._described(words, now, admits) if one.place not in known)
        return [*found, *islice(described, most - len(found))]

    def _described(self, words: list[str], now: float, admits: Callable[[Folder], bool]) -> Iterator[ListedMethod]:
        """The methods whose docstring, parameters and place have every word; files without them are not parsed."""
        libraries = islice(self._listing.catalog.libraries("controller", now, admits), MOST_READ)
        for library in islice((one for one in libraries if _has_words(one, words)), MOST_PARSED):
            for method in self._listing.list_library(library, now).methods:
                text = f"{method.place} {method.doc} {method.signature}".lower()
                if all(word in text for word in words):
                    yield method

    def _candidates(
        self, words: list[str], now: float, admits: Callable[[Folder], bool]
    ) -> Iterator[tuple[int, str, Library]]:
        """The libraries that may hold a match, each with how good it can be; none is parsed for that."""
        catalog = self._listing.catalog
        for library in catalog.libraries("controller", now, admits):
            place = library.place.lower()
            names = catalog.sources.names(library.path).defined
            if all(word in place or any(word in name for name in names) for word in words):
                yield min((_order(name, words[-1]) for name in names), default=3), place, library

    def _matches(self, library: Library, words: list[str], now: float) -> Iterator[Found]:
        listed = self._listing.list_library(library, now)
        if listed.broken and all(word in listed.name.lower() for word in words):
            yield listed
        for method in listed.methods:
            place = method.place.lower()
            if all(word in place for word in words):
                yield method


def _has_words(library: Library, words: list[str]) -> bool:
    try:
        text = Path(library.path).read_text(encoding="utf-8", errors="replace").lower()
    except OSError:
        return False
    place = library.place.lower()
    return all(word in text or word in place for word in words)


def _rank(found: Found, words: list[str]) -> tuple[int, int, str]:
    place = found.place if isinstance(found, ListedMethod) else found.name
    return _order(found.name.lower(), words[-1]), len(place), place


def _order(name: str, word: str) -> int:
    return 0 if name == word else 1 if name.startswith(word) else 2 if word in name else 3
