"""What the catalogue offers: its libraries, classes and methods with their URLs, read from the source.

Nothing is imported. What was read of a library is kept until a file or a folder that it was read from changes. A
method is listed where the dispatcher would find it, and only there.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from ..catalog.folder import Folder, is_public
from ..catalog.library import Library
from ..catalog.moment import Moment, Used
from ..catalog.outline import TASK_PARAMETER, ClassOutline, MethodOutline
from ..catalog.source import Broken, collection_paused, read_lines
from ..catalog.tree import Catalog
from ..dispatch.routing import complete_verbs
from .inference import MethodSource, read_method
from .kept import Kept
from .plain_json import plain_json
from .urls import Addresses

log = logging.getLogger("kernkoa")

# for how many files the lines are cached: the methods of a file are described one after another
MOST_SOURCES = 8


@dataclass(frozen=True, slots=True)
class ListedMethod:
    """A method that a URL reaches, or one that `exeTask` starts (`is_task`: its `url` is empty).

    `url` is the whole address, /shop/orders/Orders/show, `short_url` the shortest that leads there too. Both are
    without the site's base, and end with `{name}` where only a path with arguments leads to the method. `library`
    (shop/orders) and `path` are of the file that the URL names; `origin` is the file in which
    an inherited method is written and `origin_name` its module, `defined_in` the class there.
    `is_background`: a request may ask for it to run in a worker. `is_guarded`: it has
    its own guard. `schedules`: 5m, 0 2 * * *.
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
    is_background: bool
    is_guarded: bool
    schedules: tuple[str, ...]
    origin: str
    origin_name: str
    defined_in: str

    @property
    def summary(self) -> str:
        return self.doc.partition("\n")[0]

    @property
    def shown_signature(self) -> str:
        """(id: int, unit: str='m'): without self and what only the kernel fills."""
        parts = self.signature.split(", ")
        return f"({', '.join(part for part in parts[1:] if not part.startswith(TASK_PARAMETER))})"

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
    methods: dict[str, ListedMethod]
    is_guarded: bool = False


@dataclass(frozen=True, slots=True, eq=False)
class ListedLibrary:
    """A file of catalog/controller: its classes, or why it is broken. `name` is shop/orders."""

    name: str
    library: Library
    doc: str
    classes: dict[str, ListedClass]
    broken: Broken | None = None

    @property
    def summary(self) -> str:
        """The first line of the docstring of the file, or of its first class that has one."""
        docs = (self.doc, *(item.doc for item in self.classes.values()))
        return next(filter(None, docs), "").partition("\n")[0]

    @property
    def methods(self) -> Iterator[ListedMethod]:
        for listed in self.classes.values():
            yield from listed.methods.values()

    def find(self, controller: str, method: str) -> ListedMethod | None:
        """A method by its class and name."""
        listed = self.classes.get(controller)
        return listed.methods.get(method) if listed else None


class Listing:
    """Lists the controllers of a catalogue. `home` is the path that / answers, where a setting says so."""

    def __init__(self, catalog: Catalog, home: str = "") -> None:
        self.catalog = catalog
        self._home = home
        self._libraries: Kept[ListedLibrary] = Kept(50_000)
        self._lines: Kept[list[str]] = Kept(MOST_SOURCES)

    def walk(self, now: float, admits: Callable[[Folder], bool] = lambda folder: True) -> Iterator[ListedLibrary]:
        """Every library by folder and name; none of a folder that `admits` refuses."""
        for library in self.catalog.libraries("controller", now, admits):
            yield self.list_library(library, now)

    def list_library(self, library: Library, now: float) -> ListedLibrary:
        """A library with its reachable classes and methods; the same object while nothing changed."""
        known = self._libraries.find(library.path)
        if known is not None and isinstance(known[0], Used) and known[0].is_current(now):
            return known[1]
        moment = Moment(self.catalog, now)
        try:
            with collection_paused():
                listed = self._list(library, moment)
        except Exception as error:  # one faulty library must not break the list
            log.error("%s cannot be listed: %s", library.path, error, exc_info=error)
            listed = ListedLibrary(library.place, library, "", {}, Broken(f"{type(error).__name__}: {error}"))
        self._libraries.put(library.path, moment.used(), listed)
        return listed

    def outline_of(self, method: ListedMethod, now: float) -> tuple[Library, MethodOutline] | None:
        """The file in which a method is written and its outline there; None if it is gone."""
        library = self.catalog.find(method.origin_name, now)
        outline = self.catalog.read(library).outline if isinstance(library, Library) else None
        owner = outline.classes.get(method.defined_in) if outline else None
        found = owner.methods.get(method.name) if owner else None
        return (library, found) if isinstance(library, Library) and found else None

    def source_of(self, method: ListedMethod, now: float) -> MethodSource:
        """What the source of a method shows, in the file in which it is written."""
        written = self.outline_of(method, now)
        if written is None:
            return MethodSource()
        library, outline = written
        lines = self._lines.get(library.path, self.catalog.read(library), lambda: read_lines(library.path))
        first, last = outline.lines
        return read_method("\n".join(lines[first - 1 : last]))

    def _list(self, library: Library, moment: Moment) -> ListedLibrary:
        reading = moment.read(library)
        if reading.outline is None:
            return ListedLibrary(library.place, library, "", {}, reading.broken)
        addresses = Addresses(moment, self.catalog.roots["controller"], self._home)
        classes = {}
        for outline in filter(lambda outline: is_public(outline.name), reading.outline.classes.values()):
            methods = {method.name: method for method in _list_class(library, outline, moment, addresses)}
            if methods:
                doc = plain_json(outline.doc)
                classes[outline.name] = ListedClass(outline.name, doc, outline.line, methods, outline.guarded)
        return ListedLibrary(library.place, library, plain_json(reading.outline.doc), classes)


def _schedules(outline: MethodOutline) -> Iterator[str]:
    for decorator in outline.decorators:
        if decorator.name in ("every", "cron") and decorator.values:
            yield str(decorator.values[0])


def _list_class(
    library: Library, outline: ClassOutline, moment: Moment, addresses: Addresses
) -> Iterator[ListedMethod]:
    for name, found in moment.methods_of(library, outline).items():
        url, short = ("", "") if found.outline.is_task else addresses.of(library, outline.name, found)
        if url or found.outline.is_task:
            yield ListedMethod(
                name=name,
                controller=outline.name,
                library=library.place,
                path=library.path,
                url=url,
                short_url=short,
                verbs=_verbs_of(library, found.outline.verbs),
                signature=found.outline.signature,
                doc=plain_json(found.outline.doc),
                line=found.outline.line,
                is_task=found.outline.is_task,
                is_background=found.outline.is_decorated("background"),
                is_guarded=found.outline.is_decorated("require"),
                schedules=tuple(_schedules(found.outline)),
                origin=found.library.path,
                origin_name=found.library.name,
                defined_in=found.owner.name,
            )


def _verbs_of(library: Library, said: Iterable[str] | None) -> tuple[str, ...]:
    return tuple(sorted(complete_verbs(frozenset(said or ()) or library.policy.plain_verbs)))
