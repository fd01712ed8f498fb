"""Who may look at what: the `before` hooks guard the catalogue's pages as they guard its methods."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

from flask import Response
from werkzeug.exceptions import HTTPException

from ..catalog.library import Library
from ..catalog.tree import Catalog, Folder
from ..dispatch.hooks import Hooks, class_hooks, folder_hooks
from ..dispatch.params import Params
from ..dispatch.responses import respond
from ..dispatch.routing import find_class
from ..errors import KernKoaError

log = logging.getLogger("kernkoa")


class Visitor:
    """The hooks that stand between a visitor and the places of the catalogue, each run once a request.

    Where it is not guarded there are none: the developer sees everything, and nothing is imported.
    """

    def __init__(self, catalog: Catalog, read: Callable[[], Params], is_guarded: bool) -> None:
        self._catalog = catalog
        self._read = read
        self._params: Params | None = None
        self._answers: dict[str, Any] = {}
        self.is_guarded = is_guarded

    def answer(self, folder: Folder) -> Any:
        """What the `before` of a folder's _folder.py returns; None lets the visitor in.

        Raises what the hook raises.
        """
        folder.refresh(self._catalog.now())
        if not self.is_guarded:
            return None
        if folder.name not in self._answers:
            self._answers[folder.name] = self._run(folder_hooks(folder), _Explorer())
        return self._answers[folder.name]

    def response(self, folders: tuple[Folder, ...]) -> Response | None:
        """The answer of the outermost folder that does not let the visitor in."""
        for folder in folders:
            answer = self.answer(folder)
            if answer is not None:
                return respond(answer)
        return None

    def admits(self, folder: Folder) -> bool:
        """Whether the visitor may see what is in a folder; a hook that raises does not let them."""
        return self._is_open(lambda: self.answer(folder))

    def admits_class(self, library: Library, name: str) -> bool:
        """Whether the `before` of a class lets the visitor in."""
        return not self.is_guarded or self._is_open(lambda: self._class_answer(library, name))

    def _class_answer(self, library: Library, name: str) -> Any:
        found = find_class(library.current(self._catalog.now()), name)
        if found is None:
            return "not there"
        controller = found[0]
        hooks = class_hooks(controller)
        return self._run(hooks, controller()) if hooks else None

    def _run(self, hooks: Hooks, controller: object) -> Any:
        hook = hooks.get("before")
        if hook is None:
            return None
        if self._params is None:
            self._params = self._read()
        return hook(controller, self._params)

    def _is_open(self, ask: Callable[[], Any]) -> bool:
        try:
            return ask() is None
        except (HTTPException, KernKoaError):
            return False
        except Exception as error:
            log.error("A guard failed, so the catalogue shows nothing behind it: %s", error, exc_info=error)
            return False


class _Explorer:
    """What the hook of a folder receives as its controller while the catalogue is looked at."""
