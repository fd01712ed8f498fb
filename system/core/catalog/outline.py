"""The outline of a library: its classes and methods, read from the syntax tree. Runs nothing."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

HOOKS = frozenset({"before", "after"})
TASK_PARAMETER = "celery_instance"
_DESCRIPTORS = {
    "property": "is a property",
    "cached_property": "is a property",
    "staticmethod": "is a static method",
    "classmethod": "is a class method",
    "cache": "is not a plain function",
    "lru_cache": "is not a plain function",
    "partialmethod": "is not a plain function",
    "singledispatchmethod": "is not a plain function",
}


@dataclass(frozen=True, slots=True)
class Decorator:
    """A decorator: its last name, and its positional arguments where they are literals."""

    name: str
    values: tuple[object, ...] | None


@dataclass(frozen=True, slots=True)
class MethodOutline:
    """A function in the body of a class; `hidden` is the reason why no URL reaches it, empty if one does.

    `segments` are the names of the parameters that take the remaining segments of a path; the last is "*" and its
    name where it takes any number of them. `lines` are its first line, decorators included, and its last.
    """

    name: str
    line: int
    doc: str
    signature: str
    decorators: tuple[Decorator, ...]
    is_task: bool
    hidden: str
    segments: tuple[str, ...] = ()
    lines: tuple[int, int] = (0, 0)

    @property
    def summary(self) -> str:
        return self.doc.partition("\n")[0]

    @property
    def positional(self) -> int | None:
        """How many remaining segments of a path the method accepts; None for any number."""
        return None if self.segments and self.segments[-1][0] == "*" else len(self.segments)

    @property
    def verbs(self) -> tuple[str, ...] | None:
        """The verbs of `@allow("…")` as written; None without one, or where they are not literals."""
        for decorator in self.decorators:
            if decorator.name == "allow" and decorator.values is not None:
                return tuple(str(value).upper() for value in decorator.values)
        return None

    def is_decorated(self, name: str) -> bool:
        return any(decorator.name == name for decorator in self.decorators)


@dataclass(frozen=True, slots=True)
class ClassOutline:
    """A class at the top level of a library; `bases` are the names of its bases as they are written.

    `guarded`: it has a `before`, written as a method or assigned, or a decorator `@require`.
    """

    name: str
    line: int
    doc: str
    bases: tuple[str, ...]
    methods: dict[str, MethodOutline]
    guarded: bool = False


@dataclass(frozen=True, slots=True)
class Outline:
    """A library: its classes, and where each name that it imports comes from."""

    doc: str
    classes: dict[str, ClassOutline]
    imported: dict[str, str]

    def default_class(self, library: str) -> str | None:
        """The class of the library's own URL: named like it (case and underscores ignored), or index."""
        wanted = _plain(library)
        named = [name for name in self.classes if not name.startswith("_") and _plain(name) == wanted]
        if library in named:
            return library
        return named[0] if named else ("index" if "index" in self.classes else None)


def read_outline(tree: ast.Module) -> Outline:
    """Read the outline of a library from its syntax tree."""
    classes = {node.name: _read_class(node) for node in _statements(tree.body) if isinstance(node, ast.ClassDef)}
    return Outline(ast.get_docstring(tree) or "", classes, dict(imported_in(_statements(tree.body))))


def _plain(name: str) -> str:
    return name.replace("_", "").lower()


def _statements(body: Iterable[ast.AST]) -> Iterator[ast.AST]:
    """The statements of a body, also those under `if`, `try` and `with`, which bind names at the same level."""
    for node in body:
        yield node
        if isinstance(node, ast.If | ast.Try | ast.ExceptHandler | ast.With):
            yield from _statements(ast.iter_child_nodes(node))


def _read_class(node: ast.ClassDef) -> ClassOutline:
    methods = {
        item.name: _read_method(item)
        for item in _statements(node.body)
        if isinstance(item, ast.FunctionDef | ast.AsyncFunctionDef)
    }
    bases = tuple(ast.unparse(base) for base in node.bases)
    guarded = "before" in methods or any(map(_is_guard, [*node.body, *node.decorator_list]))
    return ClassOutline(node.name, node.lineno, ast.get_docstring(node) or "", bases, methods, guarded)


def _is_guard(node: ast.AST) -> bool:
    """Whether it is `before = …` in a class, or the decorator `@require(…)` of one."""
    if isinstance(node, ast.Assign):
        return any(isinstance(target, ast.Name) and target.id == "before" for target in node.targets)
    return isinstance(node, ast.expr) and _read_decorator(node).name == "require"


def _read_method(node: ast.FunctionDef | ast.AsyncFunctionDef) -> MethodOutline:
    decorators = tuple(_read_decorator(item) for item in node.decorator_list)
    doc = (ast.get_docstring(node) or "").strip()
    arguments = node.args
    every = [*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs]
    is_task = any(argument.arg == TASK_PARAMETER for argument in every)
    return MethodOutline(
        name=node.name,
        line=node.lineno,
        doc=doc,
        signature=ast.unparse(arguments),
        decorators=decorators,
        is_task=is_task,
        hidden=_why_hidden(node, decorators, is_task),
        segments=tuple(_segments(arguments)),
        lines=(min(item.lineno for item in (node, *node.decorator_list)), node.end_lineno or 0),
    )


def _segments(arguments: ast.arguments) -> Iterator[str]:
    for item in [*arguments.posonlyargs, *arguments.args][1:]:
        if item.arg not in (TASK_PARAMETER, "params"):
            yield item.arg
    if arguments.vararg is not None:
        yield f"*{arguments.vararg.arg}"


def _why_hidden(
    node: ast.FunctionDef | ast.AsyncFunctionDef, decorators: Sequence[Decorator], is_task: bool
) -> str:
    if node.name.startswith("_"):
        return "its name starts with an underscore"
    if node.name in HOOKS:
        return "is a hook"
    for decorator in decorators:
        if decorator.name in _DESCRIPTORS:
            return _DESCRIPTORS[decorator.name]
    if not (node.args.posonlyargs or node.args.args or node.args.vararg):
        return "has no self: write def " + node.name + "(self)"
    return "is a task method: start it with exeTask" if is_task else ""


def _read_decorator(node: ast.expr) -> Decorator:
    called = node.func if isinstance(node, ast.Call) else node
    name = called.attr if isinstance(called, ast.Attribute) else getattr(called, "id", "")
    if not isinstance(node, ast.Call):
        return Decorator(name, ())
    try:
        return Decorator(name, tuple(ast.literal_eval(value) for value in node.args))
    except ValueError:
        return Decorator(name, None)


def imported_in(nodes: Iterable[ast.AST]) -> Iterator[tuple[str, str]]:
    """Each name that an import among these binds, and where it comes from: `module`, or `module:name`."""
    for node in nodes:
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield (alias.asname or alias.name.partition(".")[0]), alias.name
        elif isinstance(node, ast.ImportFrom):
            source = "." * node.level + (node.module or "")
            for alias in node.names:
                name = f"*{source}" if alias.name == "*" else alias.asname or alias.name
                yield name, f"{source}:{alias.name}"
