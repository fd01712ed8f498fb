"""How the files of the catalogue are imported: each import gives the file as it is on disk now."""

from __future__ import annotations

import builtins
import importlib
import os
import sys
import types
from collections.abc import Mapping, Sequence
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from importlib.util import resolve_name
from typing import Any

from .folder import Folder, folder_of
from .library import Library, moment_of_look, note_missing
from .policy import LivePolicy


class Imports(MetaPathFinder, Loader):
    """Answers imports of the catalogue: `statement` those in its libraries, the finder those of any other code.

    `roots` are the folders by kind.
    """

    def __init__(self, policy: LivePolicy, roots: Mapping[str, Folder]) -> None:
        self._policy = policy
        self._roots = roots
        self._importlib = _Importlib(self)

    def find(self, name: str, now: float) -> Folder | Library | None:
        """The folder or library of a dotted name (catalog.model.shop.stock), or None."""
        for root in self._roots.values():
            if name == root.name:
                return root
            if name.startswith(f"{root.name}."):
                return _descend(root, name[len(root.name) + 1 :].split("."), now)
        return None

    def find_file(self, path: str, now: float) -> Library | None:
        """The library that a path names, or None."""
        path = os.path.abspath(path)
        for root in self._roots.values():
            inside = path.removeprefix(os.path.join(root.path, ""))
            if not os.path.isabs(inside):
                found = _descend(root, inside.removesuffix(".py").split(os.sep), now)
                return found if isinstance(found, Library) else None
        return None

    def install(self) -> None:
        """Add the finder to the import system."""
        sys.meta_path.insert(0, self)
        for root in self._roots.values():
            _register(root)

    def remove(self) -> None:
        """Remove the finder and the catalogue's modules from the import system."""
        if self in sys.meta_path:
            sys.meta_path.remove(self)
        prefixes = tuple(f"{root.name}." for root in self._roots.values())
        for name in [name for name in sys.modules if name.startswith(prefixes)]:
            del sys.modules[name]

    def statement(
        self,
        name: str,
        globals: Mapping[str, Any] | None = None,
        locals: Mapping[str, Any] | None = None,
        fromlist: Sequence[str] | None = (),
        level: int = 0,
    ) -> types.ModuleType:
        """The import statement of a library: live for files of the catalogue, unchanged for everything else.

        A name that no package on this machine has may be that of a file or folder beside the library.
        """
        package = str((globals or {}).get("__package__", ""))
        absolute = resolve_name("." * level + name, package) if level else name
        if self.owns(absolute):
            module = self.module(absolute)
            return sys.modules[name.partition(".")[0]] if not level and not fromlist else module
        try:
            found = builtins.__import__(name, globals, locals, fromlist or (), level)
        except ModuleNotFoundError as error:
            sibling = f"{package}.{name.partition('.')[0]}"
            if level or error.name != name.partition(".")[0] or self._find_again(sibling) is None:
                raise
            module = self.module(f"{package}.{name}")
            return module if fromlist else self.module(sibling)
        return self._importlib if found is importlib else found

    def module(self, name: str) -> types.ModuleType:
        """The module of a folder, or of a library as it is now. Raises ModuleNotFoundError."""
        place = self._find_again(name)
        if place is None:
            raise ModuleNotFoundError(f"No module named {name!r} in the catalogue", name=name)
        if isinstance(place, Folder):
            _register(place)
            return place.module
        _register(folder_of(place.package))
        return place.use(self._policy.now())

    def _find_again(self, name: str) -> Folder | Library | None:
        """What a name leads to now; a missing name is looked up again without waiting for the next check."""
        now = moment_of_look(self._policy.now())
        found = self.find(name, now) or self.find(name, self._policy.after_every_look())
        if found is None:
            note_missing(name)
        return found

    def owns(self, name: str) -> bool:
        """Whether a dotted name is one of the catalogue's."""
        root = next((root for root in self._roots.values() if f"{name}.".startswith(f"{root.name}.")), None)
        inner = name[len(root.name) + 1 :].partition(".")[0] if root else ""
        return root is not None and not (inner and root.has_package(inner))

    def find_spec(
        self, fullname: str, path: Sequence[str] | None = None, target: types.ModuleType | None = None
    ) -> ModuleSpec | None:
        place = self._find_again(fullname) if self.owns(fullname) else None
        return ModuleSpec(fullname, self, is_package=isinstance(place, Folder)) if place else None

    def create_module(self, spec: ModuleSpec) -> types.ModuleType:
        return self.module(spec.name)

    def exec_module(self, module: types.ModuleType) -> None:
        """Does nothing: the catalogue has run the module already."""


class _Importlib(types.ModuleType):
    """The `importlib` of a library: Python's, with an import_module that checks the disk again."""

    def __init__(self, imports: Imports) -> None:
        super().__init__("importlib", importlib.__doc__)
        self._imports = imports

    def __getattr__(self, name: str) -> Any:
        return getattr(importlib, name)

    def import_module(self, name: str, package: str | None = None) -> types.ModuleType:
        """The module of a dotted name, relative to `package` where it begins with a dot."""
        absolute = resolve_name(name, package)
        return (
            self._imports.module(absolute) if self._imports.owns(absolute) else importlib.import_module(absolute)
        )


def _descend(root: Folder, names: Sequence[str], now: float) -> Folder | Library | None:
    folder = root
    for name in names[:-1]:
        folder.refresh(now)
        if name not in folder.folders:
            return None
        folder = folder.folders[name]
    folder.refresh(now)
    return folder.folders.get(names[-1]) or folder.libraries.get(names[-1])


def _register(folder: Folder) -> None:
    """Put a folder's package, and those above it, where the import system and pickle look."""
    place: Folder | None = folder
    while place is not None and sys.modules.get(place.name) is not place.module:
        sys.modules[place.name] = place.module
        if place.above is None:
            top, _, last = place.name.rpartition(".")
            parent = sys.modules.setdefault(top, types.ModuleType(top))
            vars(parent).setdefault("__path__", [])
            setattr(parent, last, place.module)
        place = place.above
