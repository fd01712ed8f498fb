"""Runs the source of a library as a new module; the old one continues to serve."""

from __future__ import annotations

import ast
import inspect
import sys
import types
from collections import Counter
from collections.abc import Iterator, Set
from contextlib import contextmanager
from dataclasses import dataclass, field
from importlib.machinery import ModuleSpec
from typing import Any

from .outline import Outline, read_outline
from .source import collection_paused


@dataclass(frozen=True, slots=True, eq=False)
class Version:
    """A library as it ran once. A request in progress keeps the version it started with."""

    module: types.ModuleType
    outline: Outline
    endpoints: dict[tuple[str, str], Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Compiled:
    """A compiled source."""

    code: types.CodeType
    outline: Outline


def compile_source(source: bytes, path: str) -> Compiled:
    """Compile a source. Raises SyntaxError, ValueError."""
    with collection_paused():
        tree = ast.parse(source, path)
        code, outline = compile(tree, path, "exec", dont_inherit=True), read_outline(tree)
        del tree  # or the collector walks through it when it is back
        repeated = set(_repeated(outline))
        return Compiled(_named_by_class(code, repeated) if repeated else code, outline)


def _repeated(outline: Outline) -> Iterator[str]:
    """The decorated methods, as Class.method, whose name a method of another class of the file has too."""
    counts = Counter(name for kind in outline.classes.values() for name in kind.methods)
    for kind in outline.classes.values():
        for method in kind.methods.values():
            if counts[method.name] > 1 and method.decorators and not method.hidden:
                yield f"{kind.name}.{method.name}"


def _named_by_class(code: types.CodeType, methods: Set[str]) -> types.CodeType:
    """A code whose `methods` have the `__name__` Class.method.

    Extensions keep methods by module and name: @csrf.exempt on one would exempt the others of that name too.
    """
    if code.co_flags & inspect.CO_OPTIMIZED:  # a function
        return code.replace(co_name=code.co_qualname) if code.co_qualname in methods else code
    consts = [
        _named_by_class(each, methods) if isinstance(each, types.CodeType) else each for each in code.co_consts
    ]
    return code.replace(co_consts=tuple(consts))


def execute(compiled: Compiled, module: types.ModuleType) -> Version:
    """Run a source as a module, in sys.modules meanwhile: dataclasses and pydantic look there.

    Raises what the source raises; sys.modules is then as before.
    """
    with restored(module.__name__):
        sys.modules[module.__name__] = module
        exec(compiled.code, vars(module))  # noqa: S102 - a file of the user's own catalogue
    return Version(module, compiled.outline)


@contextmanager
def restored(*names: str) -> Iterator[None]:
    """Put these modules of sys.modules back where the block raises."""
    before = {name: sys.modules.get(name) for name in names}
    try:
        yield
    except BaseException:
        for name, module in before.items():
            if module is None:
                sys.modules.pop(name, None)
            else:
                sys.modules[name] = module
        raise


def new_module(path: str, name: str, builtins: dict[str, Any]) -> types.ModuleType:
    """An empty module for the source of a library."""
    module = types.ModuleType(name)
    vars(module).update(
        __file__=path,
        __package__=name.rpartition(".")[0],
        __spec__=ModuleSpec(name, None, origin=path),
        __builtins__=builtins,
    )
    return module
