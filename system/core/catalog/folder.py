"""A folder of the catalogue: the folders and libraries in it, scanned again when the folder changed."""

from __future__ import annotations

import importlib
import logging
import os
import sys
import time
import types
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from ..errors import FolderClosed, LibraryError
from .contents import Contents
from .library import Library, moment_of_look, note_missing
from .live_file import RACY_NS, was_just_emptied
from .policy import LivePolicy
from .source import Stamp, stamp_of

# the library whose `before` and `after` hold for all that is in its folder
GUARD = "_folder"
# the folder that may hold packages of plain Python
ADDONS = "system.addons"

log = logging.getLogger("kernkoa.catalog")


def is_name(text: str) -> bool:
    """Whether a text can name a folder, library, class or method: an ASCII identifier."""
    return text.isascii() and text.isidentifier()


def is_public(name: str) -> bool:
    """Whether a segment of a URL may be this name."""
    return is_name(name) and not name.startswith("_")


class Package(types.ModuleType):
    """A folder as Python sees it: its folders and libraries are attributes, each as it is on disk now."""

    def __init__(self, folder: Folder) -> None:
        super().__init__(folder.name)
        vars(self).update(__path__=[folder.path], __folder__=folder)

    def __getattr__(self, name: str) -> Any:
        folder = folder_of(self)
        if is_name(name) and folder.has_package(name):
            return importlib.import_module(f"{folder.name}.{name}")
        if name == "__all__":  # of a star import
            folder.refresh(folder.policy.now())
            return sorted(filter(is_public, {*folder.folders, *folder.libraries}))
        found = None if name.startswith("__") else folder.module_of(name)
        if found is None:
            raise AttributeError(f"module {self.__name__!r} has no attribute {name!r}")
        return found

    def __setattr__(self, name: str, value: object) -> None:
        """The import system binds a module to its package; a live one is looked up instead."""
        folder = folder_of(self)
        if name not in folder.libraries and name not in folder.folders:
            super().__setattr__(name, value)


def folder_of(package: types.ModuleType) -> Folder:
    """The folder of a package."""
    folder: Folder = vars(package)["__folder__"]
    return folder


@dataclass(slots=True, eq=False, repr=False)
class Folder:
    """A folder of the catalogue: the folders and libraries in it, by name.

    `name` is its dotted name, catalog.controller.shop. `fault` says why it is closed, empty for an open one;
    `is_guarded` is whether `guard` has anything to say. `_roots` are the real paths, each with a separator at its
    end, that a symbolic link may lead into.
    """

    policy: LivePolicy
    name: str
    path: str
    _roots: tuple[str, ...]
    above: Folder | None = None
    _is_linked: bool = False
    module: types.ModuleType = field(init=False)
    folders: Contents[Folder] = field(init=False)
    libraries: Contents[Library] = field(init=False)
    due: float = -1.0
    is_guarded: bool = False
    fault: str = ""
    _stamp: Stamp | None = None
    _looked_at: float = -1.0

    def __post_init__(self) -> None:
        self.folders, self.libraries = Contents(self._make_folder), Contents(self._make_library)
        self.module = Package(self)

    @property
    def place(self) -> str:
        """The path below its root, shop/europe; empty for the root."""
        return "/".join(self.name.split(".")[2:])

    def list_libraries(self, now: float, hidden: bool = False) -> list[Library]:
        """The libraries that a URL may name, by name; `hidden` adds all others."""
        self.refresh(now)
        return [library for name, library in sorted(self.libraries.items()) if hidden or is_public(name)]

    def list_folders(self, now: float, hidden: bool = False) -> list[Folder]:
        """The folders that a URL may name, by name; `hidden` adds all others."""
        self.refresh(now)
        return [folder for name, folder in sorted(self.folders.items()) if hidden or is_public(name)]

    def module_of(self, name: str) -> types.ModuleType | None:
        """The module of a folder or library in this one as it is now; None where there is none."""
        for now in (moment_of_look(self.policy.now()), self.policy.after_every_look()):
            self.refresh(now)
            if name in self.folders:
                return self.folders[name].module
            if name in self.libraries:
                return self.libraries[name].use(now)
        note_missing(f"{self.name}.{name}")
        return None

    def guard(self) -> types.ModuleType | None:
        """The module of the folder's `_folder.py`; None for a folder that never had one.

        Raises FolderClosed for one that cannot be read, does not load, or is not there any more. Where the version
        before of one that does not load has a `before`, it holds instead.
        """
        library = self.libraries.get(GUARD)
        if self.fault or (library and library.version is None and was_just_emptied(library.path)):
            raise FolderClosed
        if library is None:
            return None
        try:
            module = library.current(self.policy.now()).module
        except LibraryError as error:
            raise FolderClosed from error
        if library.error is not None and not hasattr(module, "before"):
            raise FolderClosed from library.error
        return module

    def has_package(self, name: str) -> bool:
        """Whether a name is an addon with an `__init__.py`, which Python itself imports, once."""
        return self.name == ADDONS and os.path.isfile(os.path.join(self.path, name, "__init__.py"))

    def refresh(self, now: float) -> None:
        """Scan the folder again if it is time to look and its stamp changed; once for each moment."""
        if now < self.due or now == self._looked_at:
            return
        stamp = stamp_of(self.path)
        if stamp != self._stamp:
            with self.policy.loading():
                self._scan()
            settled = time.time_ns() - max(stamp.modified_ns, stamp.changed_ns) > RACY_NS
            self._stamp = stamp if settled else None
        self.due, self._looked_at = now if self.fault else self.policy.next_look(now), now

    def _scan(self) -> None:
        folder_names: set[str] = set()
        library_names: set[str] = set()
        try:
            with os.scandir(self.path) as entries:
                for entry in entries:
                    self._sort_in(entry, folder_names, library_names)
        except OSError as error:
            if not isinstance(error, FileNotFoundError | NotADirectoryError):
                log.error("The folder %s cannot be read: %s", self.path, error)
        guard = os.path.join(self.path, f"{GUARD}.py")
        if os.path.isfile(guard) and not os.path.islink(guard):
            library_names.add(GUARD)  # also where it was replaced during the scan
        folders, gone_folders = self.folders.listed_again(folder_names)
        libraries, gone_libraries = self.libraries.listed_again(library_names)
        if GUARD in libraries:
            self.policy.guards[self.name] = libraries[GUARD]
        fault = "" if GUARD in libraries else self._fault_without_guard()
        self.fault = fault or self.fault  # closed before it is swapped in, opened after
        self.is_guarded = self.is_guarded or bool(fault) or GUARD in libraries
        self.folders, self.libraries = folders, libraries
        self.fault, self.is_guarded = fault, bool(fault) or GUARD in libraries
        if self.above is None and self.policy.open_mark:
            _mark(self.policy.open_mark, not self.is_guarded)
        gone: list[Folder | Library] = [*gone_libraries, *gone_folders]
        for item in gone:
            item.forget()

    def _fault_without_guard(self) -> str:
        """Why a folder without a readable guard is closed; empty if it never had a guard."""
        path = os.path.join(self.path, f"{GUARD}.py")
        # this process, or an earlier one (see var/loaded), saw a guard here
        had_guard = self.name in self.policy.guards or self.policy.last_good.holds(f"{self.name}.{GUARD}")
        if os.path.lexists(path):
            fault = "it is not a regular file, or leads out of the catalogue"
        elif had_guard and os.path.isdir(self.path):
            fault = "it was there and is gone; to open the folder put an empty one in its place"
        else:
            return ""
        self.policy.guards.setdefault(self.name)
        if fault != self.fault:
            log.error("%s cannot be read, so its folder is closed: %s", path, fault)
        return fault

    def forget(self) -> None:
        """Remove the modules of a folder that no longer exists."""
        inside: list[Folder | Library] = [*self.libraries.made.values(), *self.folders.made.values()]
        for item in inside:
            item.forget()
        if sys.modules.get(self.name) is self.module:
            del sys.modules[self.name]

    def _sort_in(self, entry: os.DirEntry[str], folders: set[str], libraries: set[str]) -> None:
        stem, dot, suffix = entry.name.partition(".")
        if not is_name(stem) or stem.startswith("__") or (entry.is_symlink() and self._leads_out(entry)):
            return
        if suffix == "py" and entry.is_file():
            libraries.add(stem)
        elif not dot and entry.is_dir() and not self.has_package(stem) and not self._goes_round(entry):
            folders.add(stem)

    def _make_folder(self, name: str) -> Folder:
        path = os.path.join(self.path, name)
        is_linked = self._is_linked or os.path.islink(path)
        return Folder(self.policy, f"{self.name}.{name}", path, self._roots, self, is_linked)

    def _make_library(self, name: str) -> Library:
        former = self.policy.guards.get(self.name) if name == GUARD else None
        path = os.path.join(self.path, f"{name}.py")
        return former or Library(self.policy, self.module, f"{self.name}.{name}", path)

    def _leads_out(self, link: os.DirEntry[str]) -> bool:
        """Whether a symbolic link leads to a place outside of the catalogue: it is ignored."""
        return not os.path.realpath(link.path).startswith(self._roots)

    def _goes_round(self, entry: os.DirEntry[str]) -> bool:
        """Whether a link would make the tree endless: it leads upwards, or is behind another link."""
        if not entry.is_symlink():
            return False
        target = os.path.join(os.path.realpath(entry.path), "")
        return self._is_linked or os.path.join(os.path.realpath(self.path), "").startswith(target)


def _mark(path: str, is_open: bool) -> None:
    """Make the file which tells nginx that no guard holds for the files it serves, or remove it."""
    try:
        if is_open:
            os.close(os.open(path, os.O_CREAT | os.O_WRONLY, 0o644))
        else:
            with suppress(FileNotFoundError):
                os.unlink(path)
    except OSError as error:
        log.error("%s, by which nginx knows whether there is a guard, cannot be changed: %s", path, error)
