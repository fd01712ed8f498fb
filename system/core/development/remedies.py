"""The lines that would make a path lead somewhere, and the file that they belong in."""

from __future__ import annotations

import keyword
import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from ..catalog.folder import is_public
from ..catalog.library import Library, Version
from ..catalog.outline import ClassOutline, MethodOutline


@dataclass(frozen=True, slots=True)
class Remedy:
    """`code` belongs in the file `path`; `where` says in which place of it."""

    path: str
    where: str
    code: str


def new_library(folder: str, segments: tuple[str, ...]) -> Remedy | None:
    """The file that the rest of a path asks for: [folders, library, class,] method, then arguments."""
    count = next((at for at, name in enumerate(segments) if not _can_name(name)), len(segments))
    names, arguments = segments[:count], segments[count:]
    if segments and not names:
        return None
    *folders, library = names[:-2] if len(names) > 2 else names[:1] or ("index",)
    rest = names[len(folders) + 1 :] if names else ()
    path = os.path.join(folder, *folders, f"{library}.py")
    controller, method = _named(rest, library)
    code = f"from kernkoa import *\n\n\nclass {controller}:\n{_indent(_method(method, len(arguments)))}"
    return Remedy(path, "a new file", code)


def _named(rest: Sequence[str], library: str) -> tuple[str, str]:
    """The class and method that the segments after a library name; a lone one in lower case is a method."""
    if len(rest) > 1:
        return rest[0], rest[1]
    if rest:
        return (rest[0], "index") if rest[0][0].isupper() else (class_name(library), rest[0])
    return class_name(library), "index"


def class_name(library: str) -> str:
    """The default class of a library, spelled as PEP 8 has it: order_items is OrderItems."""
    return "".join(part[:1].upper() + part[1:] for part in library.split("_")) if library != "index" else "index"


def new_class(library: Library, version: Version, segments: tuple[str, ...]) -> Remedy | None:
    """A class of a library; None where its name is something else there."""
    name = segments[0] if segments else ""
    if (name and not _can_name(name)) or name in vars(version.module):
        return None
    names = [segment for segment in segments if _can_name(segment)]
    controller, method = _named(names, library.short_name)
    arguments = max(len(segments) - 2, 0) if len(names) > 1 else 0
    code = f"class {controller}:\n{_indent(_method(method, arguments))}"
    return Remedy(library.path, "at its end", code)


def new_method(
    library: Library, outline: ClassOutline, taken: Iterable[str], segments: tuple[str, ...]
) -> Remedy | None:
    """A method of a class; None where the name is `taken` by something else."""
    name = segments[0] if segments else "index"
    own = outline.methods.get(name)
    if not _can_name(name) or name in taken or (own is not None and "self" not in own.hidden):
        return None
    where = f"line {own.line}" if own else f"in class {outline.name}, line {outline.line}"
    return Remedy(library.path, where, _method(name, max(len(segments) - 1, 0)))


def _can_name(segment: str) -> bool:
    return is_public(segment) and not keyword.iskeyword(segment)


def _method(name: str, arguments: int) -> str:
    if not arguments:
        return f'def {name}(self, params=None):\n    return "{name} works"'
    names = ", ".join(f"argument{number}" for number in range(1, arguments + 1))
    return f"def {name}(self, {names}):\n    return argument1"


def _indent(code: str) -> str:
    return "\n".join("    " + line for line in code.splitlines())


def more_parameters(library: Library, outline: MethodOutline, count: int) -> Remedy:
    """A method that takes as many segments as the path has left over."""
    where = f"line {outline.line}: give {outline.name} parameters for the segments"
    return Remedy(library.path, where, _method(outline.name, count))
