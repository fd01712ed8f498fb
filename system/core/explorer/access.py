"""Access to the pages: the `before` hooks guard the catalogue's pages as they guard its methods."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from dataclasses import replace
from functools import partial
from types import SimpleNamespace
from typing import Any

from flask import abort, current_app
from werkzeug.exceptions import Forbidden, HTTPException

from ..catalog.folder import Folder
from ..catalog.library import Library
from ..catalog.tree import Catalog
from ..dispatch.calling import Hooks, class_hooks, folder_hooks
from ..dispatch.coroutines import finish
from ..dispatch.params import Params
from ..dispatch.request import request
from ..dispatch.responses import respond
from ..dispatch.routing import find_class
from ..errors import KernKoaError
from ..settings import Settings
from .listing import ListedClass, ListedLibrary, ListedMethod

# the value of the setting `explorer` that opens it to everyone
PUBLIC = "public"
UNGUARDED = (
    "With explorer = True in config.py a guard decides who sees this page, and there is none. Write a `before` "
    "in _folder.py at the root of the catalogue, name a role of the addon auth, or set explorer = 'public'."
)

log = logging.getLogger("kernkoa")


class Visitor:
    """The hooks that stand between a visitor and the places of the catalogue, each run once a request.

    Where it is not guarded there are none: the developer sees everything, and nothing is imported.
    """

    def __init__(self, catalog: Catalog, settings: Settings) -> None:
        self._catalog = catalog
        self._settings = settings
        self._params: Params | None = None
        self._answers: dict[str, Any] = {}
        self._shown: dict[str, ListedLibrary] = {}
        self.is_developer = settings.development and request.is_local
        self.is_guarded = not self.is_developer

    def _answer(self, folder: Folder) -> Any:
        """What the `before` of a folder's _folder.py returns; None lets the visitor in.

        Raises what the hook raises.
        """
        folder.refresh(self._catalog.now())
        if not self.is_guarded:
            return None
        if folder.name not in self._answers:
            self._answers[folder.name] = self._run(folder_hooks(folder), SimpleNamespace(), folder.place)
        return self._answers[folder.name]

    def enter(self, folders: Iterable[Folder]) -> None:
        """End the request with the answer of the outermost folder that does not let the visitor in."""
        answer = self._ask_setting()
        for folder in folders:
            answer = self._answer(folder) if answer is None else answer
        if answer is not None:
            abort(respond(answer))

    def _ask_setting(self) -> Any:
        """What the setting `explorer` answers to a visitor: a role asks the addon auth, True asks for a guard."""
        wanted = self._settings.explorer
        if not self.is_guarded or wanted == PUBLIC:
            return None
        if isinstance(wanted, str):
            return _ask_for_role(wanted)
        if not self._settings.development:
            self._require_guard()
        return None

    def _require_guard(self) -> None:
        """Raises Forbidden unless the root of the catalogue has a `before`."""
        root = self._catalog.roots["controller"]
        root.refresh(self._catalog.now())
        if "before" not in folder_hooks(root):
            raise Forbidden(UNGUARDED)

    def admits(self, *folders: Folder) -> bool:
        """Whether the visitor may see what is in all of these folders; a hook that raises does not let them."""
        return all(self._is_open(partial(self._answer, folder)) for folder in folders)

    def has_role(self) -> bool:
        """Whether the setting `explorer` lets the visitor in, such as the role that it names."""
        return self._is_open(self._ask_setting)

    def show(self, listed: ListedLibrary) -> ListedLibrary:
        """A library without the classes and methods whose `before` does not let the visitor in."""
        if not self.is_guarded:
            return listed
        path = listed.library.path
        if path not in self._shown:
            shown = (self._show_class(listed.library, item) for item in listed.classes.values())
            self._shown[path] = replace(listed, classes={item.name: item for item in shown if item.methods})
        return self._shown[path]

    def _show_class(self, library: Library, listed: ListedClass) -> ListedClass:
        controller: list[type] = []
        if not self._is_open(lambda: self._class_answer(library, listed.name, controller)):
            return replace(listed, methods={})
        admitted = {
            name: method for name, method in listed.methods.items() if self._admits_method(controller[0], method)
        }
        return replace(listed, methods=admitted)

    def _class_answer(self, library: Library, name: str, controller: list[type]) -> Any:
        found = find_class(library.current(self._catalog.now()), name)
        if found is None:
            return "not there"
        controller.append(found[0])
        hooks = class_hooks(found[0])
        return self._run(hooks, found[0](), f"{library.place}/{name}") if hooks else None

    def _admits_method(self, controller: type, method: ListedMethod) -> bool:
        """Whether the guards of a method itself let the visitor in."""
        guards = getattr(getattr(controller, method.name, None), "koa_before", ())
        asks = [partial(self._run, {"before": guard}, controller(), method.place) for guard in guards]
        return all(map(self._is_open, asks))

    def _run(self, hooks: Hooks, controller: object, place: str) -> Any:
        hook = hooks.get("before")
        if hook is None:
            return None
        if self._params is None:
            self._params = request.params()
        request.looked_at = place
        try:
            return finish(hook(controller, self._params))
        finally:
            request.looked_at = None

    def _is_open(self, ask: Callable[[], Any]) -> bool:
        try:
            return ask() is None
        except (HTTPException, KernKoaError):
            return False
        except Exception as error:
            log.error("A guard failed, so the catalogue shows nothing behind it: %s", error, exc_info=error)
            return False


def _ask_for_role(role: str) -> Any:
    require = current_app.extensions.get("auth.require")
    if require is None:
        raise Forbidden(f"explorer = {role!r} in config.py is a role: it needs the addon auth.")
    return require(role).check()
