"""The user's folders, each a tree of live libraries.

A folder is scanned when a request comes to it, and again when it changed. Each library has one true name made of
the tree (catalog.controller.sales.orders), which is its key in sys.modules. Nothing is put on sys.path.
"""

from __future__ import annotations

import builtins
import os
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Literal

from ..settings import DEFAULT_LIBS
from .folder import Folder
from .imports import Imports
from .last_good import LastGood
from .library import Library
from .policy import LivePolicy
from .source import Reading, SourceCache

# what each kind of folder is called as a package
PACKAGES: Mapping[str, str] = {kind: folder.replace("/", ".") for kind, folder in DEFAULT_LIBS.items()}


class Catalog:
    """The user's folders, each a tree of live libraries: `roots` by kind, `sources` what was read of their files.

    `now()` is the moment of a request, taken once, so that each file is looked at once; `find(name, now)` is the
    folder or library of a dotted name (catalog.model.shop.stock), or None.

    `folders` maps a kind (controller, model, print, language, addon) to its path. `live_seconds` is how
    long a look at a file holds: 0 looks every time, "off" never again. In `development` a broken file is an
    error even where an older version of it runs. `last_good` keeps the last version of each library that loaded
    for other processes.
    """

    def __init__(
        self,
        folders: Mapping[str, Path],
        live_seconds: float | Literal["off"] = 1,
        development: bool = False,
        last_good: LastGood | None = None,
        strict_verbs: bool = False,
    ) -> None:
        self.policy = LivePolicy(
            float("inf") if live_seconds == "off" else live_seconds,
            development,
            last_good or LastGood(),
            frozenset({"GET"} if strict_verbs else {"GET", "POST"}),
        )
        real_roots = tuple(os.path.join(os.path.realpath(path), "") for path in folders.values())
        self.roots = {
            kind: Folder(self.policy, PACKAGES[kind], str(path), real_roots) for kind, path in folders.items()
        }
        self.sources = SourceCache()
        self._imports = Imports(self.policy, self.roots)
        self.policy.builtins = {**vars(builtins), "__import__": self._imports.statement}
        self.now, self.find = self.policy.now, self._imports.find
        self.policy.find, self.policy.find_file = self.find, self._imports.find_file
        self._imports.install()

    def close(self) -> None:
        """Take the catalogue out of the import system; tests make many."""
        self._imports.remove()

    def read(self, library: Library) -> Reading:
        """The outline of a library as its file is now; nothing is run."""
        return self.sources.read(library.path)

    def libraries(
        self,
        kind: str,
        now: float,
        admits: Callable[[Folder], bool] = lambda folder: True,
        folder: Folder | None = None,
        hidden: bool = False,
    ) -> Iterator[Library]:
        """Every library of a kind that is public, by folder and name; none of a folder that `admits` refuses.

        Public is what a URL may name: no name on the way begins with an underscore; `hidden` adds all others.
        `folder` narrows it to that one and those in it.
        """
        folder = folder or self.roots[kind]
        if not admits(folder):
            return
        yield from folder.list_libraries(now, hidden)
        for inner in folder.list_folders(now, hidden):
            yield from self.libraries(kind, now, admits, inner, hidden)
