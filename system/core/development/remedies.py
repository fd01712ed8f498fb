"""The code that would make a path lead to a method, and the file that it belongs in.

No remedy changes the answer of a URL that works: where one might, there is none.
"""

from __future__ import annotations

import ast
import builtins
import keyword
import os
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise, takewhile

from ..catalog.folder import is_public
from ..catalog.outline import HOOKS, MethodOutline
from ..catalog.source import parse
from ..dispatch.routing import find_class
from ..dispatch.walk import Stop

LONGEST_NAME = 100


@dataclass(frozen=True, slots=True)
class Remedy:
    """`code` belongs in the file `path`; `where` says at which place of it."""

    path: str
    where: str
    code: str


def new_library(stop: Stop) -> Remedy | None:
    """The file that the rest of a path asks for: [folders, library, class,] method, then arguments."""
    names, arguments = _split(stop)
    if _is_ambiguous(stop) or (stop.segment and not names):
        return None
    *folders, library = names[:-2] if len(names) > 2 else names[:1] or ("index",)
    controller, method = _named(names[len(folders) + 1 :], library)
    if method in HOOKS:
        return None
    path = os.path.join(stop.folders[-1].path, *folders, f"{library}.py")
    code = f"from kernkoa import *\n\n\nclass {controller}:\n{_indent(_method(method, arguments))}"
    return Remedy(path, "a new file", code)


def new_class(stop: Stop) -> Remedy | None:
    """A class of a library; None where its name has another meaning there or changes the default class."""
    library, version = stop.loaded
    names, arguments = _split(stop, most=2)
    if _is_ambiguous(stop) or (stop.segment and not names):
        return None
    outline = version.outline
    controller, method = _named(names, library.short_name)
    default = outline.default_class(library.short_name)
    known = {*vars(version.module), *vars(builtins), *outline.classes}
    if method in HOOKS or controller in known or default is not None:
        return None
    return Remedy(library.path, "at its end", f"class {controller}:\n{_indent(_method(method, arguments))}")


def new_method(stop: Stop) -> Remedy | None:
    """A method of a class, or `self` for one without; None where its name has another meaning there."""
    library, version = stop.loaded
    found = find_class(version, stop.controller)
    names, arguments = _split(stop, most=1)
    name = names[0] if names else "index"
    if found is None or _is_ambiguous(stop) or (stop.segment and not names):
        return None
    controller, outline = found
    own = outline.methods.get(name)
    if own is not None and "self" in own.hidden and not own.decorators:
        return Remedy(library.path, f"in place of line {own.line}", _def_line(own, arguments, add_self=True))
    if name in {*HOOKS, *version.outline.imported} or _is_taken(name, controller):
        return None
    if name in _names_in_body(library.path, outline.name):
        return None
    return Remedy(library.path, f"in class {outline.name}, line {outline.line}", _method(name, arguments))


def more_parameters(stop: Stop) -> Remedy | None:
    """Optional parameters for the segments that a method does not take; None where they would change its calls."""
    assert stop.endpoint  # noqa: S101 - the walk stopped behind a method
    endpoint, outline = stop.endpoint, stop.endpoint.outline
    code = endpoint.function.__code__
    is_decorated = bool(outline.decorators) or code.co_name.rpartition(".")[2] != outline.name
    if _is_ambiguous(stop) or is_decorated or endpoint.signature.style == "params":
        return None
    more = len(stop.segments) - stop.position
    return Remedy(code.co_filename, f"in place of line {outline.line}", _def_line(outline, more))


def class_name(library: str) -> str:
    """The default class of a library, spelled as PEP 8 has it: order_items is OrderItems."""
    return "".join(part[:1].upper() + part[1:] for part in library.split("_")) if library != "index" else "index"


def _is_ambiguous(stop: Stop) -> bool:
    """Whether a folder on the way shares its name with a file: the folder's URLs hide the file's."""
    return any(inner.name.rpartition(".")[2] in outer.libraries for outer, inner in pairwise(stop.folders))


def _split(stop: Stop, most: int | None = None) -> tuple[tuple[str, ...], int]:
    """The unused segments that may be names, `most` of them, and how many arguments remain."""
    rest = stop.segments[stop.position :]
    names = tuple(takewhile(_can_name, rest))
    names = names[:most]
    return names, len(rest) - len(names)


def _can_name(segment: str) -> bool:
    return is_public(segment) and not keyword.iskeyword(segment) and len(segment) <= LONGEST_NAME


def _named(rest: Sequence[str], library: str) -> tuple[str, str]:
    """The class and method that the segments after a library name; a lone one in lower case is a method."""
    if len(rest) > 1:
        return rest[0], rest[1]
    if rest:
        return (rest[0], "index") if rest[0][0].isupper() else (class_name(library), rest[0])
    return class_name(library), "index"


def _is_taken(name: str, controller: type) -> bool:
    """Whether a class, or one derived from it, uses the name for something else."""
    derived = [controller]
    for each in derived:
        derived += each.__subclasses__()
    return any(hasattr(each, name) for each in derived)


def _names_in_body(path: str, controller: str) -> set[str]:
    """The names that the body of a class reads when it is executed: defaults, annotations, decorators."""
    tree = parse(path)
    parts: list[ast.AST] = []
    for node in tree.body if tree else ():
        for item in node.body if isinstance(node, ast.ClassDef) and node.name == controller else ():
            if isinstance(item, ast.FunctionDef | ast.AsyncFunctionDef):
                parts += [item.args, *item.decorator_list, *([item.returns] if item.returns else [])]
            else:
                parts.append(item)
    return {node.id for part in parts for node in ast.walk(part) if isinstance(node, ast.Name)}


def _method(name: str, arguments: int) -> str:
    if not arguments:
        return f'def {name}(self, params=None):\n    return "{name} works"'
    names = ", ".join(f"argument{number}" for number in range(1, arguments + 1))
    return f"def {name}(self, {names}):\n    return argument1"


def _def_line(method: MethodOutline, more: int, add_self: bool = False) -> str:
    """The def line of a method with so many optional parameters more; its body stays."""
    node = ast.parse(f"def {method.name}({method.signature}): ...").body[0]
    assert isinstance(node, ast.FunctionDef)  # noqa: S101 - it was written so above
    arguments = node.args
    if add_self:
        arguments.args.insert(0, ast.arg("self"))
    taken = {argument.arg for argument in (*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs)}
    free = (f"argument{number}" for number in range(1, 2 * more + len(taken) + 2))
    for name in [name for name in free if name not in taken][:more]:
        arguments.args.append(ast.arg(name))
        arguments.defaults.append(ast.Constant(None))
    return f"def {method.name}({ast.unparse(arguments)}):"


def _indent(code: str) -> str:
    return "\n".join("    " + line for line in code.splitlines())
