"""Why a path leads to no method, as the development server explains it, and what would make it lead to one.

It formats the Stop of the dispatcher's own walk: names and outlines are read, no code of the site is run.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from ..catalog.folder import Folder, is_name
from ..catalog.outline import ClassOutline
from ..dispatch.routing import find_class
from ..dispatch.walk import Stop
from .remedies import Remedy, more_parameters, new_class, new_library, new_method
from .suggestions import MOST_CHOICES, Choice, class_choices, folder_choices, method_choices, methods_named, near


@dataclass(frozen=True, slots=True)
class Step:
    """A segment of the path and what it names (folder, library, class, method or nothing).

    `segment` is empty where the path has none and a default is used.
    """

    segment: str
    kind: str
    found: bool
    path: str = ""
    line: int = 0
    note: str = ""


@dataclass(frozen=True, slots=True)
class Explanation:
    """Why a path leads to no method.

    `near` are the choices of a similar name, with the rest of the path; `watched` the files and folders in which
    a change may make the path work.
    """

    reason: str
    steps: tuple[Step, ...] = ()
    near: tuple[Choice, ...] = ()
    choices: tuple[Choice, ...] = ()
    remedy: Remedy | None = None
    watched: tuple[str, ...] = ()


def explain(stop: Stop) -> Explanation:
    """Why a walk stopped. A segment that no step could use is explained at the outermost of them."""
    steps = list(_steps(stop))
    if stop.library is None or (stop.segment and stop.position == len(stop.folders) - 1):
        return _no_such_library(stop, steps[: len(stop.folders) - 1])
    if not stop.controller:
        return _no_such_class(stop, steps)
    if stop.endpoint is None or (stop.segment and stop.position == stop.method_position):
        return _no_such_method(stop, [step for step in steps if step.kind != "method"])
    return _too_many(stop, steps)


def _steps(stop: Stop) -> Iterable[Step]:
    """What the walk reached, one step each."""
    for segment, folder in zip(stop.segments, stop.folders[1:], strict=False):
        yield Step(segment, "folder", True, folder.path)
    library, version = stop.library, stop.version
    if library is None or version is None:
        return
    at = len(stop.folders) - 1
    default = stop.class_position == at
    yield Step(_segment(stop, at, default), "library", True, library.path, 1, "the folder's index" * default)
    if stop.controller:
        line = version.outline.classes[stop.controller].line
        default = stop.method_position == stop.class_position
        note = f"{stop.controller}, the default class of {library.short_name}" * default
        yield Step(_segment(stop, stop.class_position, default), "class", True, library.path, line, note)
    if stop.endpoint:
        method = stop.endpoint.outline
        default = _segment(stop, stop.method_position, False) != method.name
        path = stop.endpoint.function.__code__.co_filename
        segment = _segment(stop, stop.method_position, default)
        yield Step(segment, "method", True, path, method.line, "the default method" * default)


def _segment(stop: Stop, position: int, is_default: bool) -> str:
    return "" if is_default else "".join(stop.segments[position : position + 1])


def _explanation(
    stop: Stop, steps: Iterable[Step], reason: str, choices: Iterable[Choice] = (), remedy: Remedy | None = None
) -> Explanation:
    """The steps made, then the segment that failed, then those that were not read."""
    rest = stop.segments[stop.position + 1 :]
    failed = Step(stop.segment, "nothing", False, note=reason)
    unread = [Step(segment, "unread", False) for segment in rest]
    offered = tuple(choices)
    watched = [folder.path for folder in stop.folders] + ([stop.library.path] if stop.library else [])
    return Explanation(
        reason,
        (*steps, failed, *unread),
        near(stop.segment, offered, rest),
        offered[:MOST_CHOICES],
        remedy,
        tuple(watched),
    )


def _no_such_library(stop: Stop, steps: Iterable[Step]) -> Explanation:
    folder, name, here = stop.folders[-1], stop.segment, _relative(stop)
    index = folder.libraries.get("index")
    if not name:
        reason = f"{here} has no index.py, which answers the URL of the folder itself"
    elif fault := _why_no_name(name):
        reason = fault
    else:
        also = ", and index.py there has no class or method of that name" if index is not None else ""
        reason = f"{here} has no folder and no library {name}{also}"
    reason += _why_not_reached(folder, name)
    choices = folder_choices(folder, index, stop.segments[: stop.position])
    return _explanation(stop, steps, reason, choices, new_library(stop))


def _no_such_class(stop: Stop, steps: Iterable[Step]) -> Explanation:
    library, version = stop.loaded
    before = stop.segments[: stop.position]
    choices = [
        *methods_named(stop.segment, version, library, before),
        *class_choices(version, library, before),
    ]
    return _explanation(stop, steps, _why_no_class(stop), choices, new_class(stop))


def _no_such_method(stop: Stop, steps: list[Step]) -> Explanation:
    library, version = stop.loaded
    found = find_class(version, stop.controller)
    assert found is not None  # noqa: S101 - the walk found it
    before = stop.segments[: stop.class_position]
    named = stop.segments[stop.class_position : stop.method_position]
    choices = [
        *methods_named(stop.segment, version, library, before),
        *method_choices(version, library, *found, (*before, *named)),
        *class_choices(version, library, before, leaving_out=stop.controller if named else ""),
    ]
    return _explanation(stop, steps, _why_no_method(stop, *found), choices, new_method(stop))


def _too_many(stop: Stop, steps: Iterable[Step]) -> Explanation:
    assert stop.endpoint  # noqa: S101 - the walk stopped behind a method
    outline, most = stop.endpoint.outline, stop.endpoint.signature.positional or 0
    taken = "no further segments" if most == 0 else f"at most {most} further segment{'s' if most > 1 else ''}"
    reason = f"{outline.name}({outline.signature}) takes {taken}"
    return _explanation(stop, steps, reason, (), more_parameters(stop))


def _why_not_reached(folder: Folder, name: str) -> str:
    """The file of a folder that was meant, where its name is none of a library: my-shop.py, shop.py.txt."""
    for file in sorted(os.listdir(folder.path)):
        stem, _, ending = file.partition(".")
        meant = re.sub(r"\W+", "_", stem)
        is_python = ending.lower() in ("py", "py.txt", "pyw") and file != f"{meant}.py"
        if is_python and is_name(meant) and _letters(meant) == _letters(name) != "":
            return f"; no URL reaches the file {file} there: rename it to {meant}.py"
    return ""


def _letters(name: str) -> str:
    return re.sub(r"[\W_]", "", name).lower()


def _why_no_name(segment: str) -> str:
    if segment.startswith("_"):
        return f"{segment} starts with an underscore: such names are private and no URL reaches them"
    if not is_name(segment):
        return f"{segment!r} cannot be a name: write a-z, A-Z, 0-9 and _, no digit first"
    return ""


def _why_no_class(stop: Stop) -> str:
    library, version = stop.loaded
    file, outline, name = os.path.basename(library.path), version.outline, stop.segment
    names = vars(version.module)
    if not name:
        return f"{file} has no class named like it and no class index, which would answer its own URL"
    if fault := _why_no_name(name):
        return fault
    if name in outline.imported:
        return (
            f"{name} is imported into {file} (from {outline.imported[name].replace(':', ', ')}), not written there"
        )
    for outer in outline.classes:
        controller = names.get(outer)
        if isinstance(controller, type) and isinstance(vars(controller).get(name), type):
            return f"{name} is a class inside {outer}: only classes at the top of the file are reachable"
    if callable(names.get(name)):
        return f"{name} is a function at the top of {file}: put it into a class"
    return f"{file} has no class {name}"


def _why_no_method(stop: Stop, controller: type, outline: ClassOutline) -> str:
    library, version = stop.loaded
    name, own = stop.segment, outline.methods.get(stop.segment)
    if not name:
        return f"{outline.name} has no method index, which would answer the URL of the class itself"
    if fault := _why_no_name(name):
        return fault
    if own is not None:
        return f"{name} {own.hidden or 'is not a plain method: a decorator replaced it by something else'}"
    if name in vars(controller):
        made = "a class inside the class" if isinstance(vars(controller)[name], type) else "an attribute"
        return f"{name} is {made}, not a method written with def in {outline.name}"
    for base in controller.__mro__[1:]:
        if name in vars(base):
            return f"{name} is inherited from {base.__name__}: write @expose above it there, or a def of it here"
    if name in version.outline.imported or callable(vars(version.module).get(name)):
        return _why_no_class(stop)
    return f"{outline.name} has no method {name}, and {os.path.basename(library.path)} no class of that name"


def _relative(stop: Stop) -> str:
    """A folder's path from the site's folder on, as its author writes it."""
    root, folder = stop.folders[0].path, stop.folders[-1].path
    inside = os.path.relpath(folder, root)
    return "/".join([*Path(root).parts[-2:], *([] if inside == "." else inside.split(os.sep))])
