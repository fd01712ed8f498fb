"""`load`: models, controllers, print formats, languages and addons, each as its file is now."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from typing import Any

from ..errors import LoadError
from ..spelling import did_you_mean
from .folder import is_public
from .library import Library
from .shared_state import imported_names
from .tree import PACKAGES, Catalog


class Loader:
    """Reaches the files of the catalogue by name; `folder` is written with slashes: "sales/europe".

    Every method raises LoadError, with near names, for a missing name, and LibraryError for a broken file.
    """

    def __init__(self, catalog: Catalog) -> None:
        self._catalog = catalog

    def model(self, name: str, folder: str | None = None, *args: Any, **kwargs: Any) -> Any:
        """An instance of the class `name` of catalog/model/<folder>/<name>.py, made with the further arguments."""
        return self.find("model", name, folder)(*args, **kwargs)

    def controller(self, name: str, folder: str | None = None, *args: Any, **kwargs: Any) -> Any:
        """An instance of the class `name` of catalog/controller/<folder>/<name>.py."""
        return self.find("controller", name, folder)(*args, **kwargs)

    def printFormat(self, name: str, folder: str | None = None) -> Any:
        """The object `name` of catalog/print/<folder>/<name>.py."""
        return self.find("print", name, folder)

    def language(self, name: str, folder: str | None = None) -> Any:
        """The object `name` of catalog/language/<folder>/<name>.py."""
        return self.find("language", name, folder)

    def addon(self, module: str, component: str) -> Any:
        """The object `component` of system/addons/<module>.py, or of the `__all__` of the package <module>/.

        A file gives what it defines itself and what its `__all__` names, not what it imports.
        """
        root = self._catalog.roots["addon"]
        if not (is_public(module) and root.has_package(module)):
            return self._own_component(self._library("addon", module, None), component)
        package = importlib.import_module(f"{root.name}.{module}")
        public = {name: vars(package)[name] for name in getattr(package, "__all__", ())}
        return _component(public, component, str(package.__file__))

    def find(self, kind: str, name: str, folder: str | None = None, attribute: str | None = None) -> Any:
        """The object `attribute`, by default `name`, of <name>.py of a kind such as "model"."""
        library = self._library(kind, name, folder)
        module = library.use(self._catalog.now())
        return _component(vars(module), attribute or name, library.path)

    def _own_component(self, library: Library, component: str) -> Any:
        names = vars(library.use(self._catalog.now()))
        outline = library.current(self._catalog.now()).outline
        foreign = {name for name, _ in imported_names(names, outline.imported)} - {*names.get("__all__", ())}
        own = {name: value for name, value in names.items() if name not in foreign and not name.startswith("__")}
        return _component(own, component, library.path)

    def _library(self, kind: str, name: str, folder: str | None) -> Library:
        place: Any = self._catalog.roots[kind]
        now = self._catalog.now()
        parts = [part for part in (folder or "").replace(".", "/").split("/") if part]
        for part in parts:
            place.refresh(now)
            if part not in place.folders:
                near = did_you_mean(part, place.folders)
                raise LoadError(f"There is no folder {part!r} in {PACKAGES[kind]} ({place.path}).{near}")
            place = place.folders[part]
        place.refresh(now)
        if name not in place.libraries:
            near = did_you_mean(name, filter(is_public, place.libraries))
            raise LoadError(f"There is no {name}.py in {place.path}.{near}")
        library: Library = place.libraries[name]
        return library


def _component(names: Mapping[str, Any], wanted: str, path: str) -> Any:
    try:
        return names[wanted]
    except KeyError:
        near = did_you_mean(wanted, filter(is_public, names))
        raise LoadError(f"{path} defines no {wanted!r}.{near}") from None
