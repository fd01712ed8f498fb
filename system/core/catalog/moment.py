"""One look at the catalogue, which remembers what it read: what was made of that is kept until it changes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from importlib.util import resolve_name

from .folder import Folder, is_public
from .library import Library
from .outline import ClassOutline, MethodOutline
from .source import Reading
from .tree import Catalog

Place = Folder | Library | None
_Class = tuple[Library, ClassOutline]
_Contents = tuple[Mapping[str, Folder], Mapping[str, Library]]


@dataclass(frozen=True, slots=True, eq=False)
class Used:
    """The files, folders and names from which something was computed, in their state then."""

    catalog: Catalog
    files: tuple[tuple[Library, Reading], ...]
    folders: tuple[tuple[Folder, _Contents], ...]
    places: tuple[tuple[str, Place], ...]

    def is_current(self, now: float) -> bool:
        """Whether all of them are still the same."""
        return (
            all(self.catalog.read(library) is reading for library, reading in self.files)
            and all(_holds(folder, contents, now) for folder, contents in self.folders)
            and all(self.catalog.find(name, now) is place for name, place in self.places)
        )


@dataclass(frozen=True, slots=True)
class FoundMethod:
    """A method, the class in whose body it stands, and that class's file."""

    outline: MethodOutline
    owner: ClassOutline
    library: Library


class Moment:
    """The catalogue as it is at `now`. Each file and folder is looked at once."""

    def __init__(self, catalog: Catalog, now: float) -> None:
        self.now = now
        self._catalog = catalog
        self._files: dict[Library, Reading] = {}
        self._folders: dict[Folder, _Contents] = {}
        self._places: dict[str, Place] = {}
        self._methods: dict[tuple[Library, str], dict[str, FoundMethod]] = {}

    def read(self, library: Library) -> Reading:
        """A file's outline, or why it has none."""
        if library not in self._files:
            self._files[library] = self._catalog.read(library)
        return self._files[library]

    def find(self, name: str) -> Place:
        """The folder or library of a dotted name (catalog.model.shop.stock), or None."""
        if name not in self._places:
            self._places[name] = self._catalog.find(name, self.now)
        return self._places[name]

    def contents(self, folder: Folder) -> _Contents:
        """The folders and the libraries in a folder, by name."""
        if folder not in self._folders:
            folder.refresh(self.now)
            self._folders[folder] = folder.folders, folder.libraries
        return self._folders[folder]

    def methods_of(self, library: Library, outline: ClassOutline) -> dict[str, FoundMethod]:
        """The reachable methods of a class by name, the exposed ones of its bases too, and its tasks."""
        key = library, outline.name
        if key not in self._methods:
            self._methods[key] = self._find_methods(library, outline)
        return self._methods[key]

    def used(self) -> Used:
        """What was looked at."""
        files, folders, places = self._files.items(), self._folders.items(), self._places.items()
        return Used(self._catalog, tuple(files), tuple(folders), tuple(places))

    def _find_methods(self, library: Library, outline: ClassOutline) -> dict[str, FoundMethod]:
        found = {
            name: FoundMethod(item, outline, library)
            for name, item in outline.methods.items()
            if is_public(name) and (item.is_task or not item.hidden)
        }
        decided = set(outline.methods)
        for place, base in self._bases(library, outline, {(library.name, outline.name)}):
            for name, item in base.methods.items():
                is_exposed = item.is_decorated("expose") and not item.hidden and is_public(name)
                if is_exposed and name not in decided:
                    found[name] = FoundMethod(item, base, place)
            decided.update(base.methods)
        return found

    def _bases(self, library: Library, outline: ClassOutline, seen: set[tuple[str, str]]) -> Iterator[_Class]:
        """The bases of a class, nearest first, each with its file, as far as the catalogue holds them."""
        for written in outline.bases:
            found = self._find_base(library, written)
            if found is None or (found[0].name, found[1].name) in seen:
                continue
            seen.add((found[0].name, found[1].name))
            yield found
            yield from self._bases(*found, seen)

    def _find_base(self, library: Library, written: str) -> _Class | None:
        """The class that a base is, as it is written: of the same file, or imported from the catalogue."""
        outline = self.read(library).outline
        if outline is None:
            return None
        if written in outline.classes:
            return library, outline.classes[written]
        first, _, rest = written.partition(".")
        source = outline.imported.get(first)
        if source is None:
            return None
        above, _, member = source.partition(":")
        joint = "." if member and not above.endswith(".") else ""  # "from . import near" is ".:near"
        module, _, name = ".".join(filter(None, (f"{above}{joint}{member}", rest))).rpartition(".")
        for candidate in _full_names(library, module):
            place = self.find(candidate)
            if isinstance(place, Library):
                inner = self.read(place).outline
                found = inner.classes.get(name) if inner else None
                return (place, found) if found else None
        return None


def _holds(folder: Folder, contents: _Contents, now: float) -> bool:
    """Whether a folder still has these contents; cheap for the same two, as tuples compare identities first."""
    folder.refresh(now)
    return (folder.folders, folder.libraries) == contents


def _full_names(library: Library, module: str) -> list[str]:
    """What a module is called in full that a library imports: relative, absolute, or of the same folder."""
    package = library.package.__name__
    if not module.startswith("."):
        return [module, f"{package}.{module}"]
    try:
        return [resolve_name(module, package)]
    except ImportError:  # it leads out of the catalogue
        return []
