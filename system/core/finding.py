"""Finding methods by name, as one types, in a catalogue of any size."""

from __future__ import annotations

import heapq
import os
import re
from collections import OrderedDict
from collections.abc import Callable, Iterator
from pathlib import Path

from .catalog import Folder
from .library import Library
from .listing import ListedLibrary, ListedMethod, Listing, folders_in, libraries_in

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
        self._names: OrderedDict[str, tuple[tuple[int, int], str]] = OrderedDict()

    def find(
        self, query: str, now: float, admits: Callable[[Folder], bool], most: int = MOST_FOUND
    ) -> list[Found]:
        """The best matches first: those whose own name begins with the last word. `admits` guards the folders."""
        words = [word for word in re.split(r"[\s/.]+", query.lower()) if word]
        if not words:
            return []
        root = self._listing.catalog.roots["controller"]
        every = self._candidates(root, "", words, now, admits)
        return heapq.nsmallest(most, every, key=lambda found: _rank(found, words))

    def _candidates(
        self, folder: Folder, above: str, words: list[str], now: float, admits: Callable[[Folder], bool]
    ) -> Iterator[Found]:
        if not admits(folder):
            return
        for library in libraries_in(folder, now):
            place = f"{above}{library.short_name}".lower()
            rest = [word for word in words if word not in place]
            if not rest or all(word in self._names_of(library) for word in rest):
                yield from self._matches(library, words, now)
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

    def _names_of(self, library: Library) -> str:
        """The lower-cased names that a file defines."""
        try:
            status = os.stat(library.path)
            stamp = (status.st_mtime_ns, status.st_size)
            known = self._names.get(library.path)
            if known is None or known[0] != stamp:
                names = b" ".join(_DEFINED.findall(Path(library.path).read_bytes()))
                known = stamp, names.decode("utf-8", "replace").lower()
                self._names[library.path] = known
                if len(self._names) > MOST_REMEMBERED:
                    self._names.popitem(last=False)
        except OSError:
            return ""
        return known[1]


def _rank(found: Found, words: list[str]) -> tuple[int, int, str]:
    name = found.name.lower()
    place = found.place.lower() if isinstance(found, ListedMethod) else name
    last = words[-1]
    order = 0 if name == last else 1 if name.startswith(last) else 2 if last in name else 3
    return order, len(place), place
