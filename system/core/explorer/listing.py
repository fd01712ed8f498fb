"""What the catalogue offers: its libraries, classes and methods with their URLs, read from the source.

Nothing is imported. A file is read when it is asked for, and again when it changed. A method is listed where the
dispatcher would find it, and only there.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from ..catalog.folder import Folder, is_public
from ..catalog.inheritance import Inheritance, full_names
from ..catalog.library import Library
from ..catalog.outline import ClassOutline, find_function
from ..catalog.source import Broken, parse
from ..catalog.tree import Catalog
from ..dispatch.routing import VERBS, complete_verbs
from .annotations import Namespace, make_namespace
from .inference import ReadParameters, read_parameters
from .urls import Addresses


@dataclass(frozen=True, slots=True)
class ListedMethod:
    """A method that a URL reaches, or one that `exeTask` starts (`is_task`: its `url` is empty).

    `url` is the whole address, /shop/orders/Orders/show, `short_url` the shortest that leads there too. Both are
    without the site's base. `library` (shop/orders) and `path` are of the file that the URL names; `origin` is the
    file in which an inherited method is written and `origin_name` its module, `defined_in` the class there.
    """

    name: str
    controller: str
    library: str
    path: str
    url: str
    short_url: str
    verbs: tuple[str, ...]
    signature: str
    doc: str
    line: int
    is_task: bool
    origin: str
    origin_name: str
    defined_in: str

    @property
    def summary(self) -> str:
        return self.doc.partition("\n")[0]

    @property
    def place(self) -> str:
        """shop/orders/Orders/show."""
        return f"{self.library}/{self.controller}/{self.name}"


@dataclass(frozen=True, slots=True)
class ListedClass:
    """A class and those of its methods that are reachable."""

    name: str
    doc: str
    line: int
    methods: tuple[ListedMethod, ...]


@dataclass(frozen=True, slots=True)
class ListedLibrary:
    """A file of catalog/controller: its classes, or why it is broken. `name` is shop/orders."""

    name: str
    path: str
    doc: str
    classes: tuple[ListedClass, ...]
    broken: Broken | None = None

    @property
    def methods(self) -> Iterator[ListedMethod]:
        for listed in self.classes:
            yield from listed.methods


class Listing:
    """Lists the controllers of a catalogue. `home` is the path that / answers, where a setting says so."""

    def __init__(self, catalog: Catalog, home: str = "") -> None:
        self.catalog = catalog
        self._inheritance = Inheritance(catalog)
        self._addresses = Addresses(catalog, self._inheritance, home)

    def walk(
        self,
        now: float,
        folder: Folder | None = None,
        admits: Callable[[Folder], bool] = lambda folder: True,
    ) -> Iterator[ListedLibrary]:
        """Every library of a folder and of the folders in it, by name; none of a folder that `admits` refuses."""
        for library in self.catalog.libraries("controller", now, admits, folder):
            yield self.list_library(library, now)

    def list_library(self, library: Library, now: float) -> ListedLibrary:
        """A library with its reachable classes and methods."""
        reading = self.catalog.read(library)
        if reading.outline is None:
            return ListedLibrary(library.place, library.path, "", (), reading.broken)
        classes = tuple(
            ListedClass(item.name, item.doc, item.line, tuple(self._list_class(library, item, now)))
            for item in reading.outline.classes.values()
            if is_public(item.name)
        )
        shown = tuple(item for item in classes if item.methods)
        return ListedLibrary(library.place, library.path, reading.outline.doc, shown)

    def parameters(self, method: ListedMethod, now: float) -> ReadParameters:
        """What a listed method takes, read from the file in which it is written."""
        library = self.catalog.find(method.origin_name, now)
        tree = parse(library.path) if isinstance(library, Library) else None
        if tree is None or not isinstance(library, Library):
            return ReadParameters()
        node = find_function(tree, method.defined_in, method.name)
        return read_parameters(node, self._namespace(library, tree, now)) if node else ReadParameters()

    def _namespace(self, library: Library, tree: ast.Module, now: float) -> Namespace:
        """The names of a file; those that it imports from the catalogue are looked up there."""

        def find_imported(name: str) -> tuple[Namespace, str] | None:
            outline = self.catalog.read(library).outline
            module, _, inner = (outline.imported.get(name, "") if outline else "").rpartition(":")
            for candidate in full_names(library, module) if module else ():
                place = self.catalog.find(candidate, now)
                inside = parse(place.path) if isinstance(place, Library) and place is not library else None
                if inside is not None and isinstance(place, Library):
                    return self._namespace(place, inside, now), inner
            return None

        return make_namespace(tree, find_imported)

    def _list_class(self, library: Library, outline: ClassOutline, now: float) -> Iterator[ListedMethod]:
        for name, found in self._inheritance.methods_of(library, outline, now).items():
            url, short = "", ""
            if not found.outline.is_task:
                url, short = self._addresses.of(library, outline.name, name, now)
                if not url:
                    continue
            yield ListedMethod(
                name=name,
                controller=outline.name,
                library=library.place,
                path=library.path,
                url=url,
                short_url=short,
                verbs=tuple(sorted(complete_verbs(frozenset(found.outline.verbs or VERBS)))),
                signature=found.outline.signature,
                doc=found.outline.doc,
                line=found.outline.line,
                is_task=found.outline.is_task,
                origin=found.library.path,
                origin_name=found.library.name,
                defined_in=found.owner.name,
            )
