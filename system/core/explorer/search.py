"""Finding methods by name, as one types, in a catalogue of any size."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

from ..catalog.library import Library
from ..catalog.source import folders_in, libraries_in
from ..catalog.tree import Folder
from .kept import Kept
from .listing import ListedLibrary, ListedMethod, Listing

MOST_FOUND = 50
# as many files' names are remembered, some hundred bytes each
MOST_REMEMBERED = 50_000
_DEFINED = re.compile(rb"^[ \t]*(?:async[ \t]+)?(?:def|class)[ \t]+(\w+)", re.MULTILINE)

Found = ListedMethod | ListedLibrary


class Finder:
    """Finds methods and libraries whose address has every word of a query.

    A file is searched for the names that it defines before it is parsed; of what it defines, only the lower-cased
    names are remembered.
    """

    def __init__(self, listing: Listing) -> None:
        self._listing = listing
        self._names: Kept[tuple[str, ...]] = Kept(MOST_REMEMBERED)

    def find(
        self, query: str, now: float, admits: Callable[[Folder], bool], most: int = MOST_FOUND
    ) -> list[Found]:
        """The best matches first: those whose own name begins with the last word. `admits` guards the folders."""
        words = [word for word in re.split(r"[\s/.]+", query.lower()) if word]
        if not words:
            return []
        root = self._listing.catalog.roots["controller"]
        found: list[Found] = []
        for _, _, library in sorted(self._candidates(root, "", words, now, admits), key=lambda one: one[:2]):
            if len(found) >= most:
                break
            found.extend(self._matches(library, words, now))
        return sorted(found, key=lambda one: _rank(one, words))[:most]

    def _candidates(
        self, folder: Folder, above: str, words: list[str], now: float, admits: Callable[[Folder], bool]
    ) -> Iterator[tuple[int, str, Library]]:
        """The libraries that may hold a match, each with how good it can be; none is parsed for that."""
        if not admits(folder):
            return
        for library in libraries_in(folder, now):
            place = f"{above}{library.short_name}".lower()
            names = self._names_of(library)
            if all(word in place or any(word in name for name in names) for word in words):
                yield min((_order(name, words[-1]) for name in names), default=3), place, library
        for inner in folders_in(folder, now):
            yield from self._candidates(inner, f"{above}{inner.name.rpartition('.')[2]}/", words, now, admits)

    def _matches(self, library: Library, words: list[str], now: float) -> Iterator[Found]:
        listed = self._listing.list_library(library, now)
        if listed.broken and all(word in listed.name.lower() for word in words):
            yield listed
        for method in listed.methods:
            place = method.place.lower()
            if all(word in place for word in words):
                yield method

    def _names_of(self, library: Library) -> tuple[str, ...]:
        """The lower-cased names that a file defines."""
        try:
            status = os.stat(library.path)
            stamp = (status.st_mtime_ns, status.st_size, status.st_ino)
            return self._names.get(library.path, stamp, lambda: _read_names(library.path))
        except OSError:
            return ()


def _read_names(path: str) -> tuple[str, ...]:
    names = dict.fromkeys(_DEFINED.findall(Path(path).read_bytes()))
    return tuple(sys.intern(name.decode("utf-8", "replace").lower()) for name in names)


def _rank(found: Found, words: list[str]) -> tuple[int, int, str]:
    place = found.place if isinstance(found, ListedMethod) else found.name
    return _order(found.name.lower(), words[-1]), len(place), place


def _order(name: str, word: str) -> int:
    return 0 if name == word else 1 if name.startswith(word) else 2 if word in name else 3
