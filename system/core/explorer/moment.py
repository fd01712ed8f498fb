"""One look at the catalogue, which remembers what it read: what was made of that is kept until it changes."""

from __future__ import annotations

from dataclasses import dataclass

from ..catalog.folder import Folder
from ..catalog.inheritance import FoundMethod, Inheritance
from ..catalog.library import Library
from ..catalog.outline import ClassOutline
from ..catalog.source import Reading
from ..catalog.tree import Catalog

Place = Folder | Library | None
_Contents = tuple[dict[str, Folder], dict[str, Library]]


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


class Moment:
    """The catalogue as it is at `now`. Each file and folder is looked at once."""

    def __init__(self, catalog: Catalog, now: float) -> None:
        self.now = now
        self._catalog = catalog
        self._inheritance = Inheritance(self)
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
            self._methods[key] = self._inheritance.methods_of(library, outline)
        return self._methods[key]

    def used(self) -> Used:
        """What was looked at."""
        files, folders, places = self._files.items(), self._folders.items(), self._places.items()
        return Used(self._catalog, tuple(files), tuple(folders), tuple(places))


def _holds(folder: Folder, contents: _Contents, now: float) -> bool:
    folder.refresh(now)
    return (folder.folders is contents[0] or folder.folders == contents[0]) and (
        folder.libraries is contents[1] or folder.libraries == contents[1]
    )
