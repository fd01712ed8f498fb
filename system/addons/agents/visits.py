"""The client and what it may see: the setting `agents` and the `before` hooks decide."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from system.core.catalog.library import Library
from system.core.catalog.tree import Catalog
from system.core.explorer.access import Visitor
from system.core.settings import Settings


@dataclass
class Visit:
    """One request of an assistant. `environ` is the WSGI environment that its calls are made with.

    `needs_guard`: only methods with a `before` hook are shown; `is_guarded`: the hooks are run.
    """

    catalog: Catalog
    settings: Settings
    environ: Mapping[str, Any]
    is_guarded: bool
    needs_guard: bool = False

    @cached_property
    def visitor(self) -> Visitor:
        """Made when the hooks are asked, which needs the context of a request."""
        visitor = Visitor(self.catalog, self.settings)
        visitor.is_guarded = self.is_guarded
        return visitor

    def admits(self, library: Library) -> bool:
        """Whether the guards of the folders on the way to a library let the visitor in."""
        folders = [self.catalog.roots["controller"]]
        for name in library.place.split("/")[:-1]:
            folders.append(folders[-1].folders[name])
        return self.visitor.admits(*folders)
