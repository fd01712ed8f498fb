"""`python kernkoa.py check`: find what would fail at request time."""

from __future__ import annotations

import logging
import os
import re
import sys
import unicodedata
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from ..catalog.execution import Version
from ..catalog.folder import GUARD, Folder, is_name
from ..catalog.library import Library
from ..catalog.source import collection_paused
from ..catalog.tree import Catalog
from ..catalog.writes import writers_of
from ..dispatch.routing import kept_names
from ..dispatch.signature_check import find_wrong_fields
from ..errors import LibraryError
from ..explorer.access import PUBLIC
from ..explorer.descriptions import Descriptions
from ..explorer.listing import Listing
from ..settings import Settings
from ..tasks.schedules import list_schedules
from ..web.application import KernKoa
from .check_sources import check_source
from .check_templates import check_template


@dataclass(frozen=True, slots=True, order=True)
class Finding:
    """One fault: the file, the line (0 for the whole file) and a description."""

    path: str
    line: int
    what: str

    def __str__(self) -> str:
        return f"{self.path}:{self.line}: {self.what}" if self.line else f"{self.path}: {self.what}"


@collection_paused()
def check_site(app: KernKoa, catalog: Catalog, settings: Settings) -> list[Finding]:
    """Load every library and compile every template; returns all faults, sorted by file."""
    with _quiet():
        findings = {*_check_libraries(catalog), *_check_names(catalog), *_check_tree(catalog.roots["controller"])}
        findings |= {*_check_guards(catalog, catalog.roots["controller"]), *_check_schedules(catalog)}
        findings |= {*_check_annotations(catalog, settings), *_check_sources(app, catalog)}
    own = settings.folder(settings.templatePath)
    for name in app.jinja_env.list_templates():
        if (own / name).is_file():
            findings |= {Finding(str(own / name), line, what) for line, what in check_template(app, name)}
    return sorted(findings)


def find_notes(catalog: Catalog, settings: Settings) -> Iterator[Finding | str]:
    """Warnings: no controllers, an explorer that is open to everyone, methods that accept GET and write."""
    controllers = settings.folder(settings.libs["controller"])
    if not controllers.is_dir():
        yield f"{controllers} is missing, the folder of the controllers: create it, or correct libs in config.py."
    if settings.explorer == PUBLIC:
        yield "explorer = 'public': in production everyone can read the explorer, and start, see and cancel tasks."
    for library in catalog.libraries("controller", catalog.now()):
        for writer in writers_of(catalog, library):
            yield Finding(library.path, writer.line, str(writer))


@contextmanager
def _quiet() -> Iterator[None]:
    """Silence the catalogue's log: the findings report the same errors."""
    loggers = [logging.getLogger(name) for name in ("kernkoa", "kernkoa.catalog")]
    before = [logger.disabled for logger in loggers]
    for logger in loggers:
        logger.disabled = True
    try:
        yield
    finally:
        for logger, was in zip(loggers, before, strict=True):
            logger.disabled = was


def _check_libraries(catalog: Catalog) -> Iterator[Finding]:
    for kind in catalog.roots:
        for library in catalog.libraries(kind, catalog.now(), hidden=True):
            error = _error_of(library)
            if error is not None:
                said = error.detail.rpartition(f"{error.path}, line {error.line}: ")[2]
                yield Finding(error.path or library.path, error.line, said)
            elif library.version is not None:
                wrong = find_wrong_fields(library.version)
                yield from (Finding(library.path, line, what) for line, what in wrong)
                if kind == "controller":
                    yield from _check_methods(library.path, library.version)


def _error_of(library: Library) -> LibraryError | None:
    """The error of the file as it is on disk, even if an older version still serves."""
    try:
        library.current(library.policy.now())
    except LibraryError as error:
        return error
    return library.error


def _check_methods(path: str, version: Version) -> Iterator[Finding]:
    for controller in version.outline.classes.values():
        for method in controller.methods.values():
            if "self" in method.hidden:
                yield Finding(path, method.line, f"{controller.name}.{method.name} {method.hidden}")


def _check_names(catalog: Catalog) -> Iterator[Finding]:
    root = catalog.roots["controller"]
    for name, path in kept_names(root):
        yield Finding(path, 0, f"not reachable: the name {name} is reserved")


def _check_guards(catalog: Catalog, folder: Folder) -> Iterator[Finding]:
    """Guards that were removed or cannot be read: their folders respond with 503."""
    folder.refresh(catalog.now())
    if folder.fault:
        yield Finding(os.path.join(folder.path, f"{GUARD}.py"), 0, f"its folder is closed: {folder.fault}")
    for inner in folder.list_folders(catalog.now()):
        yield from _check_guards(catalog, inner)


def _check_tree(root: Folder) -> Iterator[Finding]:
    """Files and folders of Python that no URL can name."""
    for place, folders, files in os.walk(root.path):
        folders[:] = [name for name in folders if not name.startswith((".", "_"))]
        for name in [*folders, *(name.removesuffix(".py") for name in files if name.endswith(".py"))]:
            if not is_name(name) and not name.startswith((".", "_")):
                path = os.path.join(place, name if name in folders else f"{name}.py")
                what = f"not reachable: {name} cannot be part of a URL. A name that can: {_reachable_name(name)}"
                yield Finding(path, 0, what)


def _reachable_name(name: str) -> str:
    """A valid name for a URL that is similar to another name."""
    plain = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode()
    better = re.sub(r"\W+", "_", plain).strip("_")
    return better if better[:1].isalpha() else f"n{better}"


def _check_schedules(catalog: Catalog) -> Iterator[Finding]:
    faults: list[Finding] = []
    list_schedules(catalog, lambda path, line, what: faults.append(Finding(path, line, what)))
    yield from faults


def _check_annotations(catalog: Catalog, settings: Settings) -> Iterator[Finding]:
    """Methods whose signature cannot be used: they would fail when they are called."""
    listing = Listing(catalog, settings.home)
    descriptions = Descriptions(listing)
    for listed in listing.walk(catalog.now()):
        if listed.broken is not None or _error_of(listed.library) is not None:
            continue  # _check_libraries reports it
        for found in descriptions.of_library(listed, catalog.now()).methods.values():
            if found.fault:
                file, line = found.method.origin, found.method.line
                yield Finding(file, line, found.fault.removeprefix(f"{file}, line {line}: "))


def _check_sources(app: KernKoa, catalog: Catalog) -> Iterator[Finding]:
    face = frozenset(getattr(sys.modules.get("kernkoa"), "__all__", ()))
    for kind in catalog.roots:
        for library in catalog.libraries(kind, catalog.now(), hidden=True):
            yield from (Finding(library.path, line, what) for line, what in check_source(app, library, face))
