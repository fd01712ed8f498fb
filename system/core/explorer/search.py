"""Finding methods by name, as one types, in a catalogue of any size."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

from ..catalog.folder import Folder
from ..catalog.library import Library
from .listing import ListedLibrary, ListedMethod, Listing

MOST_FOUND = 50

Found = ListedMethod | ListedLibrary


class Finder:
    """Finds methods and libraries whose address has every word of a query.

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
        return sorted(found, key=lambda one: _rank(one, words))[:most]

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


def _rank(found: Found, words: list[str]) -> tuple[int, int, str]:
    place = found.place if isinstance(found, ListedMethod) else found.name
    return _order(found.name.lower(), words[-1]), len(place), place


def _order(name: str, word: str) -> int:
    return 0 if name == word else 1 if name.startswith(word) else 2 if word in name else 3
