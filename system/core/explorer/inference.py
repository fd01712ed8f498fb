"""What the body of a method reads of its Params and of Flask's request, found in the source; nothing is imported.

`params["user"]` is a required text, `params.get("n", 5)` an optional number, `int(params["n"])` a number,
`params.files["photo"]` a file; `request.args`, `request.form` and `request.files` count as well.
"""

from __future__ import annotations

import ast
import logging
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from ..catalog.outline import TASK_PARAMETER
from ..dispatch.json_schema import Schema
from .parameters import FILE, Parameter, Where
from .plain_json import plain_json

log = logging.getLogger("kernkoa")

Function = ast.FunctionDef | ast.AsyncFunctionDef

_NO_DEFAULT: Any = object()
_PARTS: dict[str, Where] = {"get": "query", "post": "body", "data": "body"}
_REQUEST_PARTS: dict[str, Where] = {"args": "query", "form": "body", "values": "any", "files": "body"}
_CONVERSIONS: dict[str, Schema] = {
    "int": {"type": "integer"},
    "float": {"type": "number"},
    "Decimal": {"type": "number"},
    "fromisoformat": {"type": "string", "format": "date"},
}
_READS = frozenset({"get", "pop", "setdefault", "getlist"})


@dataclass(frozen=True, slots=True)
class MethodSource:
    """What the source of a method shows.

    `parameters` are those that its body reads. `is_open`: it may read others too.
    `is_typed`: its signature has typed parameters. `is_live`: its live class knows more of it.
    `refusals` are the statuses of 400 and above that its source names: `abort(404)`, `return page, 422`;
    `returned` are the names in the dicts that it returns, where it returns nothing else.
    """

    parameters: tuple[Parameter, ...] = ()
    is_open: bool = False
    is_typed: bool = False
    is_live: bool = False
    refusals: frozenset[int] = frozenset()
    returned: tuple[str, ...] = ()


def read_method(source: str) -> MethodSource:
    """What the lines of a method show, indented as they stand in its class.

    One that is nested too deep to be read may read any name.
    """
    try:
        nodes = ast.walk(ast.parse(f"if 1:\n{source}\n"))
        return next((_read(node) for node in nodes if isinstance(node, Function)), MethodSource())
    except (SyntaxError, ValueError):  # the file is being edited: the next request reads it again
        return MethodSource()
    except RecursionError as error:
        log.warning("A method cannot be described: %s: %s", error, source.strip().partition("\n")[0])
        return MethodSource(is_open=True)


def _read(node: Function) -> MethodSource:
    arguments = node.args
    named = [*arguments.posonlyargs, *arguments.args][1:] + arguments.kwonlyargs
    declared = [item for item in named if item.arg != TASK_PARAMETER]
    params = [item.arg for item in declared if _is_params(item)]
    body = _Body(params[-1] if params else "")
    body.visit_all(node.body)
    known = {item.arg for item in declared}
    inner = list(ast.walk(node))
    is_typed = len(declared) > len(params) or bool(arguments.vararg or arguments.kwarg)
    return MethodSource(
        parameters=tuple(item for item in body.parameters() if item.name not in known),
        is_open=body.is_open or arguments.kwarg is not None,
        is_typed=is_typed,
        is_live=is_typed or node.returns is not None,
        refusals=frozenset(_refusals(inner)),
        returned=_returned(inner),
    )


def _refusals(nodes: list[ast.AST]) -> Iterator[int]:
    for inner in nodes:
        said: ast.expr | None = None
        if isinstance(inner, ast.Call) and getattr(inner.func, "id", "") == "abort" and inner.args:
            said = inner.args[0]
        elif isinstance(inner, ast.Return) and isinstance(inner.value, ast.Tuple) and len(inner.value.elts) > 1:
            said = inner.value.elts[1]
        status = said.value if isinstance(said, ast.Constant) else None
        if isinstance(status, int) and 400 <= status < 600:
            yield status


def _returned(nodes: list[ast.AST]) -> tuple[str, ...]:
    """The names in the dicts that a method returns, written out; none where it returns anything else."""
    values = [inner.value for inner in nodes if isinstance(inner, ast.Return)]
    names: dict[str, None] = {}
    for value in values:
        if not isinstance(value, ast.Dict):
            return ()
        keys = [key.value for key in value.keys if isinstance(key, ast.Constant) and isinstance(key.value, str)]
        if len(keys) < len(value.keys):
            return ()
        names |= dict.fromkeys(keys)
    return tuple(names)


def _is_params(item: ast.arg) -> bool:
    written = ast.unparse(item.annotation) if item.annotation else ""
    plain = written.partition("[")[0].rpartition(".")[2] in ("", "Params", "dict", "Any", "Mapping")
    return written.rpartition(".")[2].strip("'\"") == "Params" or (item.arg == "params" and plain)


@dataclass(slots=True)
class _Seen:
    """What the body of a method does with one name."""

    schema: Schema = field(default_factory=dict)
    required: bool = False
    default: Any = _NO_DEFAULT
    where: Where = "any"


class _Body(ast.NodeVisitor):
    """Collects what a body reads of its Params, and of Flask's request."""

    def __init__(self, params_name: str) -> None:
        self._params = params_name
        self._seen: dict[str, _Seen] = {}
        self._variables: dict[str, str] = {}
        self._tested: set[str] = set()
        self._may_be_none = False
        self.is_open = False

    def visit_all(self, body: list[ast.stmt]) -> None:
        for statement in body:
            self.visit(statement)

    def parameters(self) -> Iterator[Parameter]:
        for name, seen in self._seen.items():
            required = seen.required and name not in self._tested and not self._may_be_none
            schema = seen.schema or _schema_of(seen.default) or {"type": "string"}
            default = plain_json({} if seen.default is _NO_DEFAULT else {"default": seen.default})
            yield Parameter(name, schema | default, required, seen.where)

    def visit_Assign(self, node: ast.Assign) -> None:
        read = self._read(node.value)
        if read and isinstance(node.targets[0], ast.Name):
            self._variables[node.targets[0].id] = read
        self.generic_visit(node)

    def visit_Compare(self, node: ast.Compare) -> None:
        """`"x" in params` makes x optional, `params == None` all of them."""
        if any(self._part(other) for other in node.comparators) and isinstance(node.left, ast.Constant):
            self._tested.add(str(node.left.value))
            self._note(str(node.left.value), "any")
            return
        if self._is_params(node.left) and isinstance(node.comparators[0], ast.Constant):
            self._may_be_none = True
            return
        self.generic_visit(node)

    def visit_If(self, node: ast.If) -> None:
        self._visit_test(node.test)
        self.visit_all([*node.body, *node.orelse])

    def visit_IfExp(self, node: ast.IfExp) -> None:
        self._visit_test(node.test)
        self.visit(node.body)
        self.visit(node.orelse)

    def _visit_test(self, test: ast.expr) -> None:
        inner = test.operand if isinstance(test, ast.UnaryOp) else test
        if self._is_params(inner):
            self._may_be_none = True
        else:
            self.visit(test)

    def visit_Subscript(self, node: ast.Subscript) -> None:
        if not self._read(node):
            self.generic_visit(node)

    def visit_Call(self, node: ast.Call) -> None:
        name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
        if name in _CONVERSIONS and node.args:
            read = self._read(node.args[0]) or self._variables.get(getattr(node.args[0], "id", ""))
            if read:
                self._seen[read].schema = self._seen[read].schema or _conversion(node.func, name)
                return
        if not self._read(node):
            self.generic_visit(node)

    def visit_Name(self, node: ast.Name) -> None:
        """Params used as a whole: handed on, or walked through."""
        if node.id == self._params:
            self.is_open = True

    def visit_Attribute(self, node: ast.Attribute) -> None:
        if self._is_params(node.value) and node.attr in ("files", "query", "form", "json"):
            self.is_open = self.is_open or node.attr != "files"
            return
        self.generic_visit(node)

    def _is_params(self, node: ast.expr) -> bool:
        return isinstance(node, ast.Name) and bool(self._params) and node.id == self._params

    def _part(self, node: ast.expr) -> tuple[Where, bool] | None:
        """Where a mapping of parameters comes from and whether it holds files; None for another thing."""
        if self._is_params(node):
            return "any", False
        if isinstance(node, ast.Attribute):
            if self._is_params(node.value) and node.attr in ("files", "query", "form"):
                return ("query" if node.attr == "query" else "body"), node.attr == "files"
            of_request = isinstance(node.value, ast.Name) and node.value.id == "request"
            if of_request and node.attr in _REQUEST_PARTS:
                return _REQUEST_PARTS[node.attr], node.attr == "files"
        if isinstance(node, ast.Subscript) and self._is_params(node.value):
            key = node.slice.value if isinstance(node.slice, ast.Constant) else None
            return (_PARTS[key], False) if isinstance(key, str) and key in _PARTS else None
        return None

    def _read(self, node: ast.expr) -> str:
        """The name that an expression reads, which is noted; empty where it reads none."""
        if isinstance(node, ast.Subscript):
            part = self._part(node.value)
            key = node.slice.value if isinstance(node.slice, ast.Constant) else None
            if part and isinstance(key, str) and not (part[0] == "any" and key in (*_PARTS, "urlpath")):
                return self._note(key, part[0], required=True, schema=FILE if part[1] else None)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in _READS:
            return self._read_call(node, node.func)
        return ""

    def _read_call(self, node: ast.Call, function: ast.Attribute) -> str:
        part = self._part(function.value)
        key = node.args[0].value if node.args and isinstance(node.args[0], ast.Constant) else None
        if part is None or not isinstance(key, str):
            return ""
        item: Schema | None = dict(FILE) if part[1] else None
        if function.attr == "getlist":
            return self._note(key, part[0], schema={"type": "array", "items": item or {"type": "string"}})
        keywords = {keyword.arg: keyword.value for keyword in node.keywords}
        converted = _CONVERSIONS.get(getattr(keywords.get("type"), "id", ""))
        default = node.args[1] if len(node.args) > 1 else keywords.get("default")
        value = _value(default)
        return self._note(key, part[0], schema=item or converted, default=value)

    def _note(
        self,
        name: str,
        where: Where,
        required: bool = False,
        schema: Schema | None = None,
        default: Any = _NO_DEFAULT,
    ) -> str:
        seen = self._seen.setdefault(name, _Seen(where=where))
        seen.required = seen.required or required
        seen.schema = seen.schema or dict(schema or {})
        if default is not _NO_DEFAULT:
            seen.default = default
        return name


def _value(node: ast.expr | None) -> Any:
    if node is None:
        return _NO_DEFAULT
    try:
        value = ast.literal_eval(node)
    except (ValueError, TypeError):
        return _NO_DEFAULT
    return _NO_DEFAULT if value is None or not isinstance(value, str | int | float | bool | list) else value


def _conversion(function: ast.expr, name: str) -> Schema:
    of_datetime = isinstance(function, ast.Attribute) and getattr(function.value, "id", "") == "datetime"
    return {"type": "string", "format": "date-time"} if of_datetime else dict(_CONVERSIONS[name])


def _schema_of(default: Any) -> Schema:
    names = {bool: "boolean", int: "integer", float: "number", str: "string"}
    return {"type": names[type(default)]} if type(default) in names else {}
