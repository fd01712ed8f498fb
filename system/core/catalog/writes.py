"""Methods that change something and answer GET, found in the source: for `check` and the developer."""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

from .library import Library
from .outline import imported_in, read_outline
from .source import parse
from .tree import PACKAGES, Catalog

Function = ast.FunctionDef | ast.AsyncFunctionDef
# the source of a library by its dotted name, None for what is not a library of the site
Read = Callable[[str], ast.Module | None]

_SQL = re.compile(r"\s*(insert|update|delete|replace|merge|create|alter|drop|truncate)\b", re.I)
_SESSION = frozenset({"clear", "pop", "popitem", "setdefault", "update"})
_FILES = frozenset({"write_text", "write_bytes", "unlink", "mkdir", "rmdir", "rename", "touch", "symlink_to"})
_MODULES = {
    "os": frozenset(
        {"remove", "unlink", "rename", "replace", "mkdir", "makedirs", "rmdir", "symlink", "truncate"}
    ),
    "shutil": frozenset({"rmtree", "move", "copy", "copy2", "copyfile", "copytree"}),
}


@dataclass(frozen=True, slots=True, order=True)
class Writer:
    """A method without `@allow` that changes something: its class and name, the line, and what it does."""

    line: int
    controller: str
    method: str
    what: str

    def __str__(self) -> str:
        return (
            f"{self.controller}.{self.method} {self.what} and answers GET, which a link on any page can send. "
            'Write @allow("POST") above it, or @allow("GET", "POST") if that is meant.'
        )


def writers_of(catalog: Catalog, library: Library) -> list[Writer]:
    """The methods of a library that change something and do not say which verbs they answer.

    Functions of the site that they call are looked into: of the class and its bases, the file, models, other
    controllers and what is imported from the catalogue. Of a library that cannot be read there are none.
    """

    def read(name: str) -> ast.Module | None:
        found = catalog.find(name, catalog.now())
        return parse(found.path) if isinstance(found, Library) else None

    tree = parse(library.path)
    return find_writers(tree, library.name, read) if tree else []


def find_writers(tree: ast.Module, module: str = "", read: Read = lambda name: None) -> list[Writer]:
    """The same of a source; `read` gives those of other libraries."""
    sources, found = Sources(Source(module, tree), read), []
    for controller, outline in read_outline(tree).classes.items():
        for name, method in outline.methods.items():
            if not method.hidden and not method.is_decorated("allow"):
                what = sources.what_it_changes(Callee(module, controller, name), set())
                found += [Writer(method.line, controller, name, what)] if what else []
    return sorted(found)


class Callee(NamedTuple):
    """A function by its module (catalog.model.orders), class (empty for none) and name."""

    module: str
    controller: str
    name: str


class Source:
    """One file: its functions by class and name, and the meaning of its names in other files."""

    def __init__(self, module: str, tree: ast.Module) -> None:
        self.module = module
        self.tree = tree
        self.classes = {node.name: node for node in tree.body if isinstance(node, ast.ClassDef)}
        bodies = {"": tree.body, **{name: node.body for name, node in self.classes.items()}}
        self.functions = {
            (name, node.name): node for name, body in bodies.items() for node in body if isinstance(node, Function)
        }

    @cached_property
    def _imported(self) -> dict[str, str]:
        return {name: origin.replace(":", ".") for name, origin in imported_in(ast.walk(self.tree))}

    @cached_property
    def _loaded(self) -> dict[str, str]:
        """Each name or attribute that load.model or load.controller is assigned to, and the library."""
        assigned = (node for node in ast.walk(self.tree) if isinstance(node, ast.Assign))
        loaded = ((node.targets, _loaded_by(node.value)) for node in assigned)
        return {ast.unparse(target): library for targets, library in loaded if library for target in targets}

    def callee(self, call: ast.Call, caller: Callee) -> Callee | None:
        """The function of the site that a call in `caller`, written in this file, leads to, by the names."""
        function = call.func
        if isinstance(function, ast.Name):
            return self._callee_named(function.id)
        if not isinstance(function, ast.Attribute):
            return None
        owner, name = function.value, function.attr
        text = ast.unparse(owner)
        if text == "self":
            return caller._replace(name=name)  # the class itself, of which this may be a base
        loaded = _loaded_by(owner) or self._loaded.get(text)
        if loaded:
            return Callee(loaded, loaded.rpartition(".")[2], name)
        return Callee(self._imported.get(text, text), "", name)

    def bases(self, controller: str) -> Iterator[tuple[str, str]]:
        """The module and the name of each class that a class inherits from."""
        for base in self.classes[controller].bases if controller in self.classes else ():
            if isinstance(base, ast.Name):
                module, _, name = self._imported.get(base.id, f"{self.module}.{base.id}").rpartition(".")
                yield module, name

    def _callee_named(self, name: str) -> Callee | None:
        if ("", name) in self.functions:
            return Callee(self.module, "", name)
        module, _, own_name = self._imported.get(name, "").rpartition(".")
        return Callee(module, "", own_name) if module else None


class Sources:
    """The source of a library, and those of the libraries that its methods call."""

    def __init__(self, own: Source, read: Read) -> None:
        self._read = read
        self._sources: dict[str, Source | None] = {own.module: own}

    def what_it_changes(self, callee: Callee, seen: set[Callee]) -> str | None:
        """What a function changes itself or by what it calls, none of them `seen` before; None for nothing."""
        source, function = self._find(callee)
        if source is None or function is None or callee in seen:
            return None
        seen.add(callee)
        for node in ast.walk(function):
            found = _change(node)
            called = source.callee(node, callee) if isinstance(node, ast.Call) else None
            if found is None and called is not None:
                found = self.what_it_changes(called, seen)
            if found is not None:
                return found
        return None

    def _find(self, callee: Callee) -> tuple[Source | None, Function | None]:
        """A function and its source, through the bases of its class."""
        waiting, met = [(callee.module, callee.controller)], set()
        while waiting:
            place = module, controller = waiting.pop(0)
            source = self._source(module)
            if source is None or place in met:
                continue
            met.add(place)
            if (controller, callee.name) in source.functions:
                return source, source.functions[controller, callee.name]
            waiting += source.bases(controller)
        return None, None

    def _source(self, module: str) -> Source | None:
        if module not in self._sources:
            tree = self._read(module) if module.startswith("catalog.") else None
            self._sources[module] = Source(module, tree) if tree is not None else None
        return self._sources[module]


def _change(node: ast.AST) -> str | None:
    if isinstance(node, ast.Call):
        return _change_by_call(node)
    if isinstance(node, ast.Assign | ast.AugAssign | ast.Delete):
        targets = [node.target] if isinstance(node, ast.AugAssign) else node.targets
        if any(isinstance(item, ast.Subscript) and _is_name(item.value, "session") for item in targets):
            return "changes the session"
    return None


def _change_by_call(call: ast.Call) -> str | None:
    function = call.func
    if _is_name(function, "exeTask"):
        return "starts a task"
    if _is_name(function, "open") and _opens_for_writing(call):
        return "writes a file"
    if not isinstance(function, ast.Attribute):
        return None
    owner = function.value
    if function.attr == "query" and call.args and _is_write(call.args[0]):
        return "writes to a database"
    if _is_name(owner, "session") and function.attr in _SESSION:
        return "changes the session"
    is_module_call = isinstance(owner, ast.Name) and function.attr in _MODULES.get(owner.id, ())
    if is_module_call or (function.attr in _FILES and not isinstance(owner, ast.Constant)):
        return "writes a file"
    return None


def _opens_for_writing(call: ast.Call) -> bool:
    modes = (*call.args[1:2], *(word.value for word in call.keywords if word.arg == "mode"))
    return any(isinstance(mode, ast.Constant) and not set("wax+").isdisjoint(str(mode.value)) for mode in modes)


def _is_write(node: ast.AST) -> bool:
    """Whether a text, plain or the beginning of a formatted one, is a statement that writes."""
    if isinstance(node, ast.JoinedStr) and node.values:
        node = node.values[0]
    if isinstance(node, ast.BinOp):
        return _is_write(node.left)
    return isinstance(node, ast.Constant) and isinstance(node.value, str) and bool(_SQL.match(node.value))


def _is_name(node: ast.AST, name: str) -> bool:
    return isinstance(node, ast.Name) and node.id == name


def _loaded_by(node: ast.expr) -> str:
    """The library that `load.model("name", "folder")` gives; empty for another expression."""
    if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Attribute):
        return ""
    kind, words = node.func.attr, [*node.args[:2], *(word.value for word in node.keywords if word.arg == "folder")]
    texts = [word.value for word in words if isinstance(word, ast.Constant) and isinstance(word.value, str)]
    if kind not in ("model", "controller") or ast.unparse(node.func.value) != "load" or not texts:
        return ""
    folder = [part for text in texts[1:] for part in text.replace("/", ".").split(".") if part]
    return ".".join([PACKAGES[kind], *folder, texts[0]])
