"""The methods of a class and of its bases, read from the source."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

from .folder import Folder, is_public
from .library import Library
from .outline import ClassOutline, MethodOutline
from .source import Reading


class Reader(Protocol):
    """Reads and finds files, from one state of the catalogue."""

    def read(self, library: Library) -> Reading:
        """A file's outline, or why it has none."""

    def find(self, name: str) -> Folder | Library | None:
        """The folder or library of a dotted name, or None."""


@dataclass(frozen=True, slots=True)
class Base:
    library: Library
    outline: ClassOutline


@dataclass(frozen=True, slots=True)
class FoundMethod:
    """A method, the class in whose body it stands, and that class's file."""

    outline: MethodOutline
    owner: ClassOutline
    library: Library


class Inheritance:
    """Finds the methods that the dispatcher would find in a class, if its bases are in the catalogue."""

    def __init__(self, reader: Reader) -> None:
        self._reader = reader

    def methods_of(self, library: Library, outline: ClassOutline) -> dict[str, FoundMethod]:
        """The reachable methods of a class by name, the exposed ones of its bases too, and its tasks."""
        found = {
            name: FoundMethod(item, outline, library)
            for name, item in outline.methods.items()
            if is_public(name) and (item.is_task or not item.hidden)
        }
        decided = set(outline.methods)
        for base in self._bases(library, outline, {(library.name, outline.name)}):
            for name, item in base.outline.methods.items():
                is_exposed = item.is_decorated("expose") and not item.hidden and is_public(name)
                if is_exposed and name not in decided:
                    found[name] = FoundMethod(item, base.outline, base.library)
            decided.update(base.outline.methods)
        return found

    def _bases(self, library: Library, outline: ClassOutline, seen: set[tuple[str, str]]) -> Iterator[Base]:
        """The classes that a class is made of, nearest first, as far as the catalogue holds them."""
        for written in outline.bases:
            base = self._find_base(library, written)
            if base is None or (base.library.name, base.outline.name) in seen:
                continue
            seen.add((base.library.name, base.outline.name))
            yield base
            yield from self._bases(base.library, base.outline, seen)

    def _find_base(self, library: Library, written: str) -> Base | None:
        """The class that a base is, as it is written: of the same file, or imported from the catalogue."""
        outline = self._reader.read(library).outline
        if outline is None:
            return None
        if written in outline.classes:
            return Base(library, outline.classes[written])
        first, _, rest = written.partition(".")
        source = outline.imported.get(first)
        if source is None:
            return None
        above, _, member = source.partition(":")
        joint = "." if member and not above.endswith(".") else ""  # "from . import near" is ".:near"
        module, _, name = ".".join(filter(None, (f"{above}{joint}{member}", rest))).rpartition(".")
        for candidate in full_names(library, module):
            place = self._reader.find(candidate)
            if isinstance(place, Library):
                inner = self._reader.read(place).outline
                found = inner.classes.get(name) if inner else None
                return Base(place, found) if found else None
        return None


def full_names(library: Library, module: str) -> Iterator[str]:
    """What a module is called in full that a library imports: relative, absolute, or of the same folder."""
    package = library.package.__name__
    if module.startswith("."):
        dots = len(module) - len(module.lstrip("."))
        parts = package.split(".")
        yield ".".join([*parts[: len(parts) - dots + 1], *filter(None, module.lstrip(".").split("."))])
    else:
        yield module
        yield f"{package}.{module}"
