"""The scanned tree of the user's folders: what is in it, and how its files import one another.

A folder is scanned when a request comes to it, and again when its time stamp changed. Each library has
one true name made of the tree (catalog.controller.sales.orders), under which it stands in sys.modules.
Nothing is put on sys.path.
"""

from __future__ import annotations

import builtins
import importlib
import logging
import os
import sys
import threading
import time
import types
from collections.abc import Mapping, Sequence
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from importlib.util import resolve_name
from pathlib import Path
from typing import Any, Literal

from .library import RACY_NS, Library

log = logging.getLogger("kernkoa.catalog")

# what each kind of folder is called as a package
PACKAGES = {
    "controller": "catalog.controller",
    "model": "catalog.model",
    "print": "catalog.print",
    "language": "catalog.language",
    "addon": "system.addons",
}


def is_name(text: str) -> bool:
    """Whether a text can name a folder, library, class or method: an ASCII identifier."""
    return text.isascii() and text.isidentifier()


class Folder:
    """A folder of the catalogue: the folders and libraries in it, by name."""

    __slots__ = ("_mtime", "catalog", "due", "folders", "libraries", "module", "path")

    def __init__(self, catalog: Catalog, name: str, path: str) -> None:
        self.catalog = catalog
        self.path = path
        self.module = types.ModuleType(name)
        self.module.__path__ = [path]
        self.folders: dict[str, Folder] = {}
        self.libraries: dict[str, Library] = {}
        self.due = -1.0
        self._mtime = -1

    @property
    def name(self) -> str:
        return self.module.__name__

    def refresh(self, now: float) -> None:
        """Scan the folder again if it is time to look and its time stamp changed."""
        if now < self.due:
            return
        try:
            mtime = os.stat(self.path).st_mtime_ns
        except OSError:
            mtime = 0
        if mtime != self._mtime:
            with self.catalog.lock:
                self._scan()
            settled = mtime == 0 or time.time_ns() - mtime > RACY_NS
            self._mtime = mtime if settled else -1
        self.due = self.catalog.next_check(now)

    def _scan(self) -> None:
        folders: dict[str, Folder] = {}
        libraries: dict[str, Library] = {}
        try:
            with os.scandir(self.path) as entries:
                for entry in entries:
                    self._sort_in(entry, folders, libraries)
        except OSError as error:
            if not isinstance(error, FileNotFoundError | NotADirectoryError):
                log.error("The folder %s cannot be read: %s", self.path, error)
        gone: list[Folder | Library] = [
            *(library for name, library in self.libraries.items() if name not in libraries),
            *(folder for name, folder in self.folders.items() if name not in folders),
        ]
        self.folders, self.libraries = folders, libraries
        for item in gone:
            item.forget()

    def forget(self) -> None:
        """The folder is gone: so are the modules of what was in it."""
        inside: list[Folder | Library] = [*self.libraries.values(), *self.folders.values()]
        for item in inside:
            item.forget()
        if sys.modules.get(self.name) is self.module:
            del sys.modules[self.name]

    def _sort_in(self, entry: os.DirEntry[str], folders: dict[str, Folder], libraries: dict[str, Library]) -> None:
        stem, suffix = os.path.splitext(entry.name)
        if not is_name(stem) or stem.startswith("__") or not self._is_inside(entry):
            return
        if suffix == ".py" and entry.is_file():
            libraries[stem] = self.libraries.get(stem) or Library(
                self.catalog, self, f"{self.name}.{stem}", entry.path
            )
        elif not suffix and entry.is_dir() and not self.catalog.is_package(f"{self.name}.{stem}"):
            folders[stem] = self.folders.get(stem) or Folder(self.catalog, f"{self.name}.{stem}", entry.path)

    def _is_inside(self, entry: os.DirEntry[str]) -> bool:
        """A symbolic link counts only where it leads to a place in the same tree."""
        return not entry.is_symlink() or self.catalog.holds(os.path.realpath(entry.path))


class Catalog:
    """The user's folders, each a tree of live libraries.

    `folders` maps a kind (controller, model, print, language, addon) to its path. `live_seconds` is how
    long a look at a file counts: 0 looks every time, "off" never again. In `development` a broken file is an
    error even where an older version of it runs. `keep_in` is where the last version of each library that
    loaded is kept for processes to come; None keeps nothing.
    """

    def __init__(
        self,
        folders: Mapping[str, Path],
        live_seconds: float | Literal["off"] = 1,
        development: bool = False,
        keep_in: Path | None = None,
    ) -> None:
        self.development = development
        self.lock = threading.RLock()
        self.builtins: dict[str, Any] = {**vars(builtins), "__import__": self._import}
        self._live_seconds = float("inf") if live_seconds == "off" else live_seconds
        self.may_wait = not development and self._live_seconds > 0
        self._keep_in = keep_in
        self._real_roots = tuple(os.path.realpath(path) + os.sep for path in folders.values())
        self.roots = {kind: Folder(self, PACKAGES[kind], str(path)) for kind, path in folders.items()}
        self._finder = CatalogFinder(self)
        sys.meta_path.insert(0, self._finder)
        for root in self.roots.values():
            _register_package(root)

    def close(self) -> None:
        """Take the catalogue out of the import system; tests make many."""
        if self._finder in sys.meta_path:
            sys.meta_path.remove(self._finder)
        prefixes = tuple(f"{root.name}." for root in self.roots.values())
        for name in [name for name in sys.modules if name.startswith(prefixes)]:
            del sys.modules[name]

    def now(self) -> float:
        """The moment of a request: taken once, so that its files are looked at once."""
        return time.monotonic()

    def next_check(self, now: float) -> float:
        """When a file that was looked at now is looked at again."""
        return now + self._live_seconds if self._live_seconds else time.monotonic()

    def holds(self, real_path: str) -> bool:
        return real_path.startswith(self._real_roots)

    def find(self, name: str, now: float) -> Folder | Library | None:
        """The folder or library of a dotted name (catalog.model.shop.stock), or None."""
        for root in self.roots.values():
            if name == root.name:
                return root
            if name.startswith(f"{root.name}."):
                return _descend(root, name[len(root.name) + 1 :].split("."), now)
        return None

    def is_package(self, name: str) -> bool:
        """Whether a dotted name is in a package of system/addons: Python imports these itself, and once."""
        root, prefix = self.roots.get("addon"), f"{PACKAGES['addon']}."
        if root is None or not name.startswith(prefix):
            return False
        first = name.removeprefix(prefix).partition(".")[0]
        return os.path.isfile(os.path.join(root.path, first, "__init__.py"))

    def keep(self, library: Library, source: bytes) -> None:
        """Keep the source of a version that loaded, for a process that starts while the file is broken."""
        if self._keep_in is None:
            return
        kept = self._keep_in / f"{library.name}.py"
        try:
            if kept.is_file() and kept.read_bytes() == source:
                return
            kept.parent.mkdir(parents=True, exist_ok=True)
            aside = kept.with_name(f".{kept.name}.{os.getpid()}")
            aside.write_bytes(source)
            os.replace(aside, kept)
        except OSError as error:
            log.warning("%s cannot be kept: %s", kept, error)

    def kept(self, library: Library) -> bytes | None:
        """The source of the last version of a library that loaded, in any process; None without one."""
        if self._keep_in is None:
            return None
        try:
            return (self._keep_in / f"{library.name}.py").read_bytes()
        except OSError:
            return None

    def _import(
        self,
        name: str,
        globals: Mapping[str, Any] | None = None,
        locals: Mapping[str, Any] | None = None,
        fromlist: Sequence[str] | None = (),
        level: int = 0,
    ) -> types.ModuleType:
        """The import statement of a library: the catalogue's files live, anything else as ever.

        What no package on this machine is called may name a file of the same folder.
        """
        package = str((globals or {}).get("__package__", ""))
        absolute = resolve_name("." * level + name, package) if level else name
        importer = str((globals or {}).get("__name__", ""))
        if self._owns(absolute) and not self.is_package(absolute):
            return self._import_own(absolute, tuple(fromlist or ()), importer, whole=level == 0)
        try:
            return builtins.__import__(name, globals, locals, fromlist or (), level)
        except ModuleNotFoundError as error:
            sibling = f"{package}.{name}"
            if error.name != name or "." in name or not isinstance(self.find(sibling, self.now()), Library):
                raise
            self._import_own(sibling, tuple(fromlist or ()), importer, whole=False)
            return sys.modules[sibling]

    def _owns(self, name: str) -> bool:
        return any(name == root.name or name.startswith(f"{root.name}.") for root in self.roots.values())

    def _import_own(self, name: str, fromlist: tuple[str, ...], importer: str, whole: bool) -> types.ModuleType:
        module = self._module(name, importer)
        place = self.find(name, self.now())
        if isinstance(place, Folder):
            for item in fromlist:
                if item in place.libraries or item in place.folders:
                    self._module(f"{name}.{item}", importer)
                elif self.is_package(f"{name}.{item}"):
                    importlib.import_module(f"{name}.{item}")
        return sys.modules[name.partition(".")[0]] if whole and not fromlist else module

    def _module(self, name: str, importer: str) -> types.ModuleType:
        """The module of a folder, or of a library as it is now."""
        now = self.now()
        place = self.find(name, now)
        if place is None:
            raise ModuleNotFoundError(f"No module named {name!r} in the catalogue", name=name)
        if isinstance(place, Folder):
            _register_package(place)
            return place.module
        _register_package(place.folder)
        importing = self.find(importer, now) if self._owns(importer) else None
        try:
            return place.loading or place.current(now).module
        finally:
            if isinstance(importing, Library):
                importing.note_import(place, now)


class CatalogFinder(MetaPathFinder, Loader):
    """Answers the imports of code outside the catalogue (a test, pickle, importlib) with the live modules."""

    def __init__(self, catalog: Catalog) -> None:
        self._catalog = catalog

    def find_spec(
        self, fullname: str, path: Sequence[str] | None = None, target: types.ModuleType | None = None
    ) -> ModuleSpec | None:
        place = self._catalog.find(fullname, self._catalog.now())
        return ModuleSpec(fullname, self, is_package=isinstance(place, Folder)) if place else None

    def create_module(self, spec: ModuleSpec) -> types.ModuleType:
        return self._catalog._module(spec.name, "")

    def exec_module(self, module: types.ModuleType) -> None:
        """The catalogue has run it."""


def _descend(root: Folder, names: Sequence[str], now: float) -> Folder | Library | None:
    folder = root
    for name in names[:-1]:
        folder.refresh(now)
        if name not in folder.folders:
            return None
        folder = folder.folders[name]
    folder.refresh(now)
    return folder.folders.get(names[-1]) or folder.libraries.get(names[-1])


def _register_package(folder: Folder) -> None:
    """Put a folder's package, and those above it, where the import system and pickle look."""
    child: types.ModuleType = folder.module
    name = folder.name
    while sys.modules.get(name) is not child:
        sys.modules[name] = child
        above, _, last = name.rpartition(".")
        if not above:
            return
        parent = sys.modules.get(above) or types.ModuleType(above)
        parent.__dict__.setdefault("__path__", [])
        setattr(parent, last, child)
        name, child = above, parent
