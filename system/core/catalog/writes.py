"""Methods that change something and answer GET, found in the source: for `check` and the developer."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

_SQL = re.compile(r"\s*(insert|update|delete|replace|merge|create|alter|drop|truncate)\b", re.I)
_SESSION = frozenset({"clear", "pop", "popitem", "setdefault", "update"})
_FILES = frozenset({"write_text", "write_bytes", "unlink", "mkdir", "rmdir", "rename", "touch", "symlink_to"})
_MODULES = {
    "os": frozenset(
        {"remove", "unlink", "rename", "replace", "mkdir", "makedirs", "rmdir", "symlink", "truncate"}
    ),
    "shutil": frozenset({"rmtree", "move", "copy", "copy2", "copyfile", "copytree"}),
}

Function = ast.FunctionDef | ast.AsyncFunctionDef


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


def find_writers(tree: ast.Module) -> list[Writer]:
    """The methods of a library that change something and do not say which verbs they answer.

    Private methods of the same class that they call are looked into; models and other files are not.
    """
    classes = [node for node in tree.body if isinstance(node, ast.ClassDef)]
    return sorted(found for node in classes for found in _writers_of(node))


def _writers_of(node: ast.ClassDef) -> Iterator[Writer]:
    methods: dict[str, Function] = {
        item.name: item for item in node.body if isinstance(item, ast.FunctionDef | ast.AsyncFunctionDef)
    }
    for name, method in methods.items():
        if name.startswith("_") or name in ("before", "after") or _says_verbs(method) or _is_task(method):
            continue
        found = _what_it_changes(method, methods, {name})
        if found is not None:
            yield Writer(method.lineno, node.name, name, found)


def _says_verbs(method: Function) -> bool:
    called = (item.func if isinstance(item, ast.Call) else item for item in method.decorator_list)
    return any("allow" in (getattr(item, "id", ""), getattr(item, "attr", "")) for item in called)


def _is_task(method: Function) -> bool:
    arguments = method.args
    names = {item.arg for item in (*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs)}
    return "celery_instance" in names


def _what_it_changes(method: Function, methods: Mapping[str, Function], seen: set[str]) -> str | None:
    for node in ast.walk(method):
        found = _change(node)
        if found is not None:
            return found
        name = _own_call(node)
        if name in methods and name not in seen:
            found = _what_it_changes(methods[name], methods, seen | {name})
            if found is not None:
                return found
    return None


def _own_call(node: ast.AST) -> str:
    """The name of a method that is called on self."""
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and _is_name(node.func.value, "self"):
        return node.func.attr
    return ""


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
    mode = (
        call.args[1]
        if len(call.args) > 1
        else next((word.value for word in call.keywords if word.arg == "mode"), None)
    )
    return isinstance(mode, ast.Constant) and any(letter in str(mode.value) for letter in "wax+")


def _is_write(node: ast.AST) -> bool:
    """Whether a text, plain or the beginning of a formatted one, is a statement that writes."""
    if isinstance(node, ast.JoinedStr) and node.values:
        node = node.values[0]
    if isinstance(node, ast.BinOp):
        return _is_write(node.left)
    return isinstance(node, ast.Constant) and isinstance(node.value, str) and bool(_SQL.match(node.value))


def _is_name(node: ast.AST, name: str) -> bool:
    return isinstance(node, ast.Name) and node.id == name
