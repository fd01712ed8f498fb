"""Which functions of the site a function calls: read from the source, for `writes`."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator
from functools import cached_property
from typing import NamedTuple

from .outline import imported_in
from .tree import PACKAGES

Function = ast.FunctionDef | ast.AsyncFunctionDef
# the source of a library by its dotted name, None for what is not a library of the site
Read = Callable[[str], ast.Module | None]


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
        self.functions: dict[tuple[str, str], Function] = dict(_functions_in(tree.body, ""))
        for name, node in self.classes.items():
            self.functions |= dict(_functions_in(node.body, name))

    @cached_property
    def _imported(self) -> dict[str, str]:
        return {name: origin.replace(":", ".") for name, origin in imported_in(ast.walk(self.tree))}

    @cached_property
    def _loaded(self) -> dict[str, str]:
        return dict(_loaded_in(self.tree))

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


def _functions_in(body: list[ast.stmt], controller: str) -> Iterator[tuple[tuple[str, str], Function]]:
    for node in body:
        if isinstance(node, Function):
            yield (controller, node.name), node


def _loaded_in(tree: ast.Module) -> Iterator[tuple[str, str]]:
    """Each name or attribute that load.model or load.controller is assigned to, and the library."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Assign):
            loaded = _loaded_by(node.value)
            yield from ((ast.unparse(target), loaded) for target in node.targets if loaded)


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
