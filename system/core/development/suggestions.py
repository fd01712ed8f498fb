"""Suggestions for the segment at which a path failed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from ..catalog.execution import Version
from ..catalog.folder import Folder, is_public
from ..catalog.library import Library
from ..catalog.outline import ClassOutline
from ..catalog.source import Broken, Reading, read_file
from ..dispatch.routing import find_class, find_method
from ..errors import LibraryError
from ..spelling import near_names

MOST_CHOICES = 60


@dataclass(frozen=True, slots=True)
class Choice:
    """A name that could replace the failed segment: `segments` is the path that leads to it."""

    name: str
    kind: str
    segments: tuple[str, ...]
    signature: str = ""
    summary: str = ""
    path: str = ""
    line: int = 0


def near(failed: str, choices: Sequence[Choice], rest: tuple[str, ...]) -> tuple[Choice, ...]:
    """The choices of a similar name, each with the rest of the path."""
    by_name = {choice.name: choice for choice in reversed(choices)}
    names = near_names(failed, (choice.name for choice in choices))
    return tuple(replace(by_name[name], segments=by_name[name].segments + rest) for name in names)


def folder_choices(folder: Folder, index: Library | None, before: tuple[str, ...]) -> list[Choice]:
    """What a folder contains: folders, libraries, and the methods of its index.py."""
    choices = [
        Choice(name, "folder", (*before, name), path=below.path) for name, below in sorted(folder.folders.items())
    ]
    for name, library in sorted(folder.libraries.items()):
        if not name.startswith("_"):
            summary = _summary(library) if len(choices) < MOST_CHOICES else ""
            choices.append(Choice(name, "library", (*before, name), "", summary, library.path, 1))
    if index is not None:
        choices += _default_methods(index, before)
    return choices


def _default_methods(index: Library, before: tuple[str, ...]) -> list[Choice]:
    try:
        version = index.current(index.policy.now())
    except LibraryError:
        return []
    default = version.outline.default_class("index")
    found = find_class(version, default) if default else None
    return method_choices(version, index, *found, before) if found else []


def class_choices(
    version: Version, library: Library, before: tuple[str, ...], leaving_out: str = ""
) -> list[Choice]:
    """The classes of a library that a URL reaches, but for one."""
    return [
        Choice(name, "class", (*before, name), "", _first_line(outline.doc), library.path, outline.line)
        for name, outline in version.outline.classes.items()
        if name != leaving_out and is_public(name) and find_class(version, name) is not None
    ]


def method_choices(
    version: Version, library: Library, controller: type, outline: ClassOutline, before: tuple[str, ...]
) -> list[Choice]:
    """The methods of a class that a URL reaches."""
    choices = []
    inherited = (name for base in controller.__mro__[1:-1] for name in vars(base))
    for name in dict.fromkeys([*outline.methods, *inherited]):
        reached = find_method(version, controller, outline, name) if is_public(name) else None
        if reached is not None and not reached[1].is_task:
            method = reached[1]
            shown, path = f"({method.signature})", reached[0].__code__.co_filename
            choices.append(Choice(name, "method", (*before, name), shown, method.summary, path, method.line))
    return choices


def methods_named(name: str, version: Version, library: Library, before: tuple[str, ...]) -> list[Choice]:
    """The methods of this name in all classes of a library, for a URL that leaves out the class."""
    found = [(owner, find_class(version, owner)) for owner in version.outline.classes]
    methods = (method_choices(version, library, *pair, (*before, owner)) for owner, pair in found if pair)
    return [choice for choices in methods for choice in choices if choice.name == name]


def _summary(library: Library) -> str:
    """The first line of a library's docstring, or its fault; read from its source without running it."""
    is_current = library.version is not None and library.error is None
    reading = Reading(library.version.outline) if library.version and is_current else read_file(library.path)
    outline, broken = reading.outline, reading.broken or Broken("")
    if outline is None:
        return f"cannot be read: {broken.detail}" + (f", line {broken.line}" if broken.line else "")
    default = outline.default_class(library.short_name)
    doc = outline.doc or (outline.classes[default].doc if default else "")
    return _first_line(doc) or ", ".join(name for name in outline.classes if is_public(name))


def _first_line(doc: str) -> str:
    return doc.strip().partition("\n")[0]
