"""What the catalogue offers: its libraries, classes and methods with their URLs, read from the source.

Nothing is imported. A file is read when it is asked for, and again when it changed. A method is listed where the
dispatcher would find it, and only there.
"""

from __future__ import annotations

import ast
import os
from collections import OrderedDict
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from .catalog import Catalog, Folder, is_name
from .declared import Namespace, make_namespace
from .inferred import ReadParameters, read_parameters
from .library import Library
from .outline import ClassOutline, MethodOutline, Outline, find_function, read_outline
from .routing import MAX_PATH, RESERVED, VERBS, complete_verbs, match

# how many files' outlines are remembered
MOST_REMEMBERED = 4096

Stamp = tuple[int, int, int]


@dataclass(frozen=True, slots=True)
class Broken:
    """Why a file cannot be read: the message, and the line that it is about (0 where unknown)."""

    detail: str
    line: int = 0
    text: str = ""


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


@dataclass(frozen=True, slots=True)
class _Reading:
    """A file as it was when its time stamp, size and inode were these."""

    stamp: Stamp
    outline: Outline | None
    broken: Broken | None = field(default=None)


class Listing:
    """Lists the controllers of a catalogue. `home` is the path that / answers, where a setting says so."""

    def __init__(self, catalog: Catalog, home: str = "") -> None:
        self.catalog = catalog
        self._home = home
        self._readings: OrderedDict[str, _Reading] = OrderedDict()
        self._checked: OrderedDict[str, tuple[Stamp, bool]] = OrderedDict()

    def walk(
        self,
        now: float,
        folder: Folder | None = None,
        admits: Callable[[Folder], bool] = lambda folder: True,
    ) -> Iterator[ListedLibrary]:
        """Every library of a folder and of the folders in it, by name; none of a folder that `admits` refuses."""
        folder = folder or self.catalog.roots["controller"]
        if not admits(folder):
            return
        for library in libraries_in(folder, now):
            yield self.list_library(library, now)
        for inner in folders_in(folder, now):
            yield from self.walk(now, inner, admits)

    def list_library(self, library: Library, now: float) -> ListedLibrary:
        """A library with its reachable classes and methods."""
        reading = self.read(library)
        name = "/".join(library.name.split(".")[2:])
        if reading.outline is None:
            return ListedLibrary(name, library.path, "", (), reading.broken)
        classes = tuple(
            ListedClass(item.name, item.doc, item.line, tuple(self._list_class(library, item, now)))
            for item in reading.outline.classes.values()
            if is_public(item.name)
        )
        shown = tuple(item for item in classes if item.methods)
        return ListedLibrary(name, library.path, reading.outline.doc, shown)

    def parameters(self, method: ListedMethod, now: float) -> ReadParameters:
        """What a listed method takes, read from the file in which it is written."""
        library = self.catalog.find(method.origin_name, now)
        tree = _parse(library.path) if isinstance(library, Library) else None
        if tree is None or not isinstance(library, Library):
            return ReadParameters()
        node = find_function(tree, method.defined_in, method.name)
        return read_parameters(node, self._namespace(library, tree, now)) if node else ReadParameters()

    def _namespace(self, library: Library, tree: ast.Module, now: float) -> Namespace:
        """The names of a file; those that it imports from the catalogue are looked up there."""

        def find_imported(name: str) -> tuple[Namespace, str] | None:
            outline = self.read(library).outline
            module, _, inner = (outline.imported.get(name, "") if outline else "").rpartition(":")
            for candidate in _absolute(library, module) if module else ():
                place = self.catalog.find(candidate, now)
                inside = _parse(place.path) if isinstance(place, Library) and place is not library else None
                if inside is not None and isinstance(place, Library):
                    return self._namespace(place, inside, now), inner
            return None

        return make_namespace(tree, find_imported)

    def read(self, library: Library) -> _Reading:
        """A file's outline, or why it has none."""
        stamp = _stamp(library.path)
        known = self._readings.get(library.path)
        if known is None or known.stamp != stamp:
            known = _read(library.path, stamp)
            self._readings[library.path] = known
            if len(self._readings) > MOST_REMEMBERED:
                self._readings.popitem(last=False)
        return known

    def is_broken(self, library: Library) -> bool:
        """Whether a file does not compile; found out once for each state of it."""
        stamp = _stamp(library.path)
        known = self._checked.get(library.path)
        if known is None or known[0] != stamp:
            known = stamp, _parse(library.path) is None
            self._checked[library.path] = known
            if len(self._checked) > MOST_REMEMBERED:
                self._checked.popitem(last=False)
        return known[1]

    def methods_of(self, library: Library, outline: ClassOutline, now: float) -> dict[str, _Found]:
        """The reachable methods of a class by name, the exposed ones of its bases too, and its tasks."""
        found = {
            name: _Found(item, outline, library)
            for name, item in outline.methods.items()
            if is_public(name) and (item.is_task or not item.hidden)
        }
        decided = set(outline.methods)
        for base in self._bases(library, outline, now, {(library.name, outline.name)}):
            for name, item in base.outline.methods.items():
                if name not in decided and _is_exposed(item):
                    found[name] = _Found(item, base.outline, base.library)
            decided.update(base.outline.methods)
        return found

    def _bases(
        self, library: Library, outline: ClassOutline, now: float, seen: set[tuple[str, str]]
    ) -> Iterator[_Base]:
        """The classes that a class is made of, nearest first, as far as the catalogue holds them."""
        for written in outline.bases:
            base = self._find_base(library, written, now)
            if base is None or (base.library.name, base.outline.name) in seen:
                continue
            seen.add((base.library.name, base.outline.name))
            yield base
            yield from self._bases(base.library, base.outline, now, seen)

    def _find_base(self, library: Library, written: str, now: float) -> _Base | None:
        """The class that a base is, as it is written: of the same file, or imported from the catalogue."""
        outline = self.read(library).outline
        if outline is None:
            return None
        if written in outline.classes:
            return _Base(library, outline.classes[written])
        first, _, rest = written.partition(".")
        source = outline.imported.get(first)
        if source is None:
            return None
        dotted = source.replace(":", "." if not source.endswith(":") else "") + (f".{rest}" if rest else "")
        module, _, name = dotted.rpartition(".")
        for candidate in _absolute(library, module):
            place = self.catalog.find(candidate, now)
            if isinstance(place, Library):
                inner = self.read(place).outline
                found = inner.classes.get(name) if inner else None
                return _Base(place, found) if found else None
        return None

    def _list_class(self, library: Library, outline: ClassOutline, now: float) -> Iterator[ListedMethod]:
        for name, found in self.methods_of(library, outline, now).items():
            url, short = "", ""
            if not found.outline.is_task:
                url, short = self._urls(library, outline.name, name, now)
                if not url:
                    continue
            yield ListedMethod(
                name=name,
                controller=outline.name,
                library="/".join(library.name.split(".")[2:]),
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

    def _urls(self, library: Library, controller: str, method: str, now: float) -> tuple[str, str]:
        """The whole and the shortest address of a method; empty where nothing leads to it."""
        folders = library.name.split(".")[2:-1]
        wanted = (library, controller, method)
        whole = (*folders, library.short_name, controller, method)
        lands = [segments for segments in _shorter(whole, len(folders)) if self.find(segments, now) == wanted]
        if not lands:
            return "", ""
        short = min(lands, key=len)
        if self._home and self.find((), now) == wanted:
            short = ()
        return "/" + "/".join(whole if whole in lands else lands[0]), "/" + "/".join(short)

    def find(self, segments: tuple[str, ...], now: float) -> tuple[Library, str, str] | None:
        """The method that a path leads to when none of its segments is left over, as routing.resolve finds it."""
        if not segments and self._home:
            segments = match(self._home).segments
        if (segments and segments[0] in RESERVED) or sum(map(len, segments)) + len(segments) > MAX_PATH:
            return None
        found = self._in_folder(self.catalog.roots["controller"], segments, 0, now)
        return found[:3] if found and not found[3] else None

    def _in_folder(self, folder: Folder, segments: tuple[str, ...], at: int, now: float) -> _Landing | None:
        folder.refresh(now)
        name = _name_at(segments, at)
        if name in folder.folders:
            found = self._in_folder(folder.folders[name], segments, at + 1, now)
            if found or name not in folder.libraries:
                return found
        library = folder.libraries.get(name)
        if library is not None:
            return self._in_library(library, segments, at + 1, now)
        library = folder.libraries.get("index")
        return self._in_library(library, segments, at, now) if library else None

    def _in_library(self, library: Library, segments: tuple[str, ...], at: int, now: float) -> _Landing | None:
        outline = self.read(library).outline
        if outline is None:  # the dispatcher answers with its error
            return library, "", "", 0
        name = _name_at(segments, at)
        if name in outline.classes:
            return self._in_class(library, outline.classes[name], segments, at + 1, now)
        default = outline.default_class(library.short_name)
        return self._in_class(library, outline.classes[default], segments, at, now) if default else None

    def _in_class(
        self, library: Library, outline: ClassOutline, segments: tuple[str, ...], at: int, now: float
    ) -> _Landing | None:
        methods = self.methods_of(library, outline, now)
        for name, rest in ((_name_at(segments, at), at + 1), ("index", at)):
            found = methods.get(name)
            if found is not None and not found.outline.is_task:
                left = len(segments) - rest
                most = found.outline.positional
                return (library, outline.name, name, left) if most is None or left <= most else None
        return None


@dataclass(frozen=True, slots=True)
class _Base:
    library: Library
    outline: ClassOutline


@dataclass(frozen=True, slots=True)
class _Found:
    """A method, the class in whose body it stands, and that class's file."""

    outline: MethodOutline
    owner: ClassOutline
    library: Library


# library, class, method, and how many segments are left over
_Landing = tuple[Library, str, str, int]


def libraries_in(folder: Folder, now: float) -> list[Library]:
    """The libraries of a folder that a URL may name, by name."""
    folder.refresh(now)
    return [library for name, library in sorted(folder.libraries.items()) if is_public(name)]


def folders_in(folder: Folder, now: float) -> list[Folder]:
    """The folders of a folder that a URL may name, by name."""
    folder.refresh(now)
    return [inner for name, inner in sorted(folder.folders.items()) if is_public(name)]


def is_public(name: str) -> bool:
    """Whether a segment of a URL may be this name."""
    return is_name(name) and not name.startswith("_")


def _name_at(segments: tuple[str, ...], at: int) -> str:
    return segments[at] if at < len(segments) and is_public(segments[at]) else ""


def _is_exposed(method: MethodOutline) -> bool:
    return method.is_decorated("expose") and not method.hidden and is_public(method.name)


def _shorter(whole: tuple[str, ...], folders: int) -> Iterator[tuple[str, ...]]:
    """The address, and what may be left of it when its library, class or method need not be said."""
    above, (library, controller, method) = whole[:folders], whole[folders:]
    for last in ((method,), ()) if method == "index" else ((method,),):
        for middle in ((controller,), ()):
            for first in ((library,), ()) if library == "index" else ((library,),):
                yield (*above, *first, *middle, *last)


def _absolute(library: Library, module: str) -> Iterator[str]:
    """What a module is called in full that a library imports: relative, absolute, or of the same folder."""
    package = library.folder.name
    if module.startswith("."):
        dots = len(module) - len(module.lstrip("."))
        parts = package.split(".")
        yield ".".join([*parts[: len(parts) - dots + 1], *filter(None, module.lstrip(".").split("."))])
    else:
        yield module
        yield f"{package}.{module}"


def _stamp(path: str) -> Stamp:
    """What changes with a file; zeros where it is gone."""
    try:
        status = os.stat(path)
    except OSError:
        return 0, 0, 0
    return status.st_mtime_ns, status.st_size, status.st_ino


def _read(path: str, stamp: Stamp) -> _Reading:
    try:
        return _Reading(stamp, read_outline(ast.parse(Path(path).read_bytes(), path)))
    except SyntaxError as error:
        text = (error.text or "").rstrip("\n")
        return _Reading(stamp, None, Broken(f"{type(error).__name__}: {error.msg}", error.lineno or 0, text))
    except (OSError, ValueError, RecursionError) as error:
        return _Reading(stamp, None, Broken(f"{type(error).__name__}: {error}"))


def _parse(path: str) -> ast.Module | None:
    try:
        return ast.parse(Path(path).read_bytes(), path)
    except (OSError, ValueError, SyntaxError, RecursionError):
        return None
