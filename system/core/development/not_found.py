"""Why a path leads nowhere: the same walk as routing's, told step by step, and what would make it lead somewhere.

Pure but for what the catalogue does to know its files: it reads names and outlines, and calls nothing.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from ..catalog.folder import Folder, is_name, is_public
from ..catalog.library import Library, Version
from ..catalog.outline import ClassOutline, MethodOutline
from ..catalog.tree import Catalog
from ..dispatch.routing import find_class, find_method
from ..dispatch.signature import read_signature
from ..errors import LibraryError
from .remedies import Remedy, more_parameters, new_class, new_library, new_method
from .suggestions import MOST_CHOICES, Choice, class_choices, folder_choices, method_choices, near


@dataclass(frozen=True, slots=True)
class Step:
    """A segment of the path and what it names (folder, library, class, method or nothing).

    `segment` is empty where the path says nothing and a default stands in.
    """

    segment: str
    kind: str
    found: bool
    path: str = ""
    line: int = 0
    note: str = ""


@dataclass(frozen=True, slots=True)
class Explanation:
    """Why a path leads nowhere.

    `near` are the choices of a similar name, the rest of the path kept; `watched` the files and folders in which
    a change may make the path work.
    """

    reason: str
    steps: tuple[Step, ...] = ()
    near: tuple[Choice, ...] = ()
    choices: tuple[Choice, ...] = ()
    remedy: Remedy | None = None
    watched: tuple[str, ...] = ()

    @property
    def depth(self) -> int:
        return sum(step.found for step in self.steps)


def explain(catalog: Catalog, segments: Sequence[str], now: float) -> Explanation:
    """Why the segments of a path lead to no method."""
    trail = _Trail(tuple(segments), catalog.roots["controller"], now)
    return _in_folder(trail, trail.root, 0)


@dataclass(frozen=True, slots=True)
class _Trail:
    """How far the walk has come."""

    segments: tuple[str, ...]
    root: Folder
    now: float
    steps: tuple[Step, ...] = ()
    watched: tuple[str, ...] = field(default=())

    def name_at(self, position: int) -> str:
        return self.segments[position] if position < len(self.segments) else ""

    def plus(self, step: Step, *watched: str) -> _Trail:
        return replace(self, steps=(*self.steps, step), watched=(*self.watched, *watched))

    def fail(
        self, position: int, reason: str, choices: Iterable[Choice] = (), remedy: Remedy | None = None
    ) -> Explanation:
        """The walk ends here: the segment at `position` is the one that fails, the others are not read."""
        failed = self.name_at(position)
        steps = [*self.steps, Step(failed, "nothing", False, note=reason)]
        steps += [Step(segment, "unread", False) for segment in self.segments[position + 1 :]]
        offered = tuple(choices)
        close = near(failed, offered, self.segments[position + 1 :])
        return Explanation(reason, tuple(steps), close, offered[:MOST_CHOICES], remedy, self.watched)


def _in_folder(trail: _Trail, folder: Folder, position: int) -> Explanation:
    folder.refresh(trail.now)
    trail = replace(trail, watched=(*trail.watched, folder.path))
    name = trail.name_at(position)
    ways = []
    if is_public(name):
        if name in folder.folders:
            below = folder.folders[name]
            step = Step(name, "folder", True, below.path)
            ways.append(_in_folder(trail.plus(step), below, position + 1))
        if name in folder.libraries:
            library = folder.libraries[name]
            step = Step(name, "library", True, library.path, 1)
            ways.append(_in_library(trail.plus(step, library.path), library, position + 1))
    if ways:
        return max(ways, key=lambda way: way.depth)
    index = folder.libraries.get("index")
    if index is not None and not name:
        step = Step("", "library", True, index.path, 1, "the folder's own library")
        return _in_library(trail.plus(step, index.path), index, position)
    return _no_such_library(trail, folder, index, position)


def _no_such_library(trail: _Trail, folder: Folder, index: Library | None, position: int) -> Explanation:
    name, here = trail.name_at(position), _relative(folder, trail)
    if not name:
        reason = f"{here} has no index.py, which answers the URL of the folder itself"
    elif fault := _why_no_name(name):
        reason = fault
    else:
        also = ", and index.py there has no class or method of that name" if index is not None else ""
        reason = f"{here} has no folder and no library {name}{also}"
    choices = folder_choices(folder, index, trail.segments[:position], trail.now)
    return trail.fail(position, reason, choices, new_library(folder.path, trail.segments[position:]))


def _in_library(trail: _Trail, library: Library, position: int) -> Explanation:
    try:
        version = library.current(trail.now)
    except LibraryError as error:
        return trail.fail(position, error.detail)
    name = trail.name_at(position)
    found = find_class(version, name) if is_public(name) else None
    if found is not None:
        step = Step(name, "class", True, library.path, found[1].line)
        return _in_class(trail.plus(step), library, version, name, position + 1)
    default = version.outline.default_class(library.short_name)
    if default is not None and find_class(version, default) is not None:
        line = version.outline.classes[default].line
        step = Step("", "class", True, library.path, line, f"{default}, the default class of {library.short_name}")
        return _in_class(trail.plus(step), library, version, default, position)
    reason = _why_no_class(version, library, name)
    choices = class_choices(version, library, trail.segments[:position])
    return trail.fail(position, reason, choices, new_class(library, version, trail.segments[position:]))


def _in_class(trail: _Trail, library: Library, version: Version, name: str, position: int) -> Explanation:
    found = find_class(version, name)
    assert found is not None  # noqa: S101 - the caller found it
    controller, outline = found
    method = trail.name_at(position)
    for candidate, rest in ((method, position + 1), ("index", position)):
        reached = find_method(version, controller, outline, candidate) if is_public(candidate) else None
        if reached is not None and not reached[1].is_task and (candidate == method or not method):
            return _too_many(trail, library, reached, rest, is_default=candidate != method)
    choices = [
        *method_choices(version, library, controller, outline, trail.segments[:position]),
        *_other_classes(trail, library, version, name, position),
    ]
    reason = _why_no_method(version, controller, outline, method, library)
    remedy = new_method(library, outline, _taken(version, controller, outline), trail.segments[position:])
    return trail.fail(position, reason, choices, remedy)


def _taken(version: Version, controller: type, outline: ClassOutline) -> set[str]:
    """The names that stand for something else than a method: a def of that name would hide it."""
    return {*version.outline.imported, *vars(controller)} - set(outline.methods)


def _too_many(
    trail: _Trail, library: Library, reached: tuple[Any, MethodOutline], rest: int, is_default: bool
) -> Explanation:
    function, outline = reached
    most = read_signature(function, outline.signature).positional or 0
    note = "the default method" if is_default else ""
    step = Step("" if is_default else outline.name, "method", True, library.path, outline.line, note)
    taken = "no further segments" if most == 0 else f"at most {most} further segment{'s' if most > 1 else ''}"
    reason = f"{outline.name}({outline.signature}) takes {taken}"
    remedy = more_parameters(library, outline, len(trail.segments) - rest)
    return trail.plus(step).fail(rest + most, reason, (), remedy)


def _why_no_name(segment: str) -> str:
    if segment.startswith("_"):
        return f"{segment} starts with an underscore: such names are private and no URL reaches them"
    if not is_name(segment):
        return f"{segment!r} can name nothing: a name is made of a-z, A-Z, 0-9 and _, and no digit comes first"
    return ""


def _why_no_class(version: Version, library: Library, name: str) -> str:
    file = os.path.basename(library.path)
    if not name:
        return f"{file} has no class named like it and no class index, which would answer its own URL"
    if fault := _why_no_name(name):
        return fault
    if name in version.outline.imported:
        source = version.outline.imported[name].replace(":", ", ")
        return f"{name} is imported into {file} (from {source}), not written there"
    for outer in version.outline.classes:
        controller = vars(version.module).get(outer)
        if isinstance(controller, type) and isinstance(vars(controller).get(name), type):
            return f"{name} is a class inside {outer}: only classes at the top of the file are reachable"
    if callable(vars(version.module).get(name)):
        return f"{name} is a function at the top of {file}: put it into a class"
    return f"{file} has no class {name}"


def _why_no_method(version: Version, controller: type, outline: ClassOutline, name: str, library: Library) -> str:
    if not name:
        return f"{outline.name} has no method index, which would answer the URL of the class itself"
    if fault := _why_no_name(name):
        return fault
    own = outline.methods.get(name)
    if own is not None:
        return f"{name} {own.hidden or 'is no plain method: a decorator made something else of it'}"
    if name in vars(controller):
        made = "a class inside the class" if isinstance(vars(controller)[name], type) else "an attribute"
        return f"{name} is {made}, not a method written with def in {outline.name}"
    for base in controller.__mro__[1:]:
        if name in vars(base):
            return f"{name} is inherited from {base.__name__}: write @expose above it there, or a def of it here"
    if name in version.outline.imported or callable(vars(version.module).get(name)):
        return _why_no_class(version, library, name)
    return f"{outline.name} has no method {name}, and {os.path.basename(library.path)} no class of that name"


def _other_classes(trail: _Trail, library: Library, version: Version, name: str, position: int) -> list[Choice]:
    """The classes that the path could have named instead: all of them where it named none."""
    if trail.steps[-1].segment:
        return class_choices(version, library, trail.segments[: position - 1], leaving_out=name)
    return class_choices(version, library, trail.segments[:position])


def _relative(folder: Folder, trail: _Trail) -> str:
    """A folder's path from the site's root on, as its author calls it."""
    inside = os.path.relpath(folder.path, trail.root.path)
    return "/".join([*Path(trail.root.path).parts[-2:], *([] if inside == "." else inside.split(os.sep))])
