"""Annotations read from the source: what a value has to be, as JSON Schema, with nothing imported.

What cannot be told from the source is shown as text: the method's own annotation checks it when it is called.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from ..dispatch.json_schema import Schema

FILE: Schema = {"type": "string", "format": "binary"}
DEEPEST = 12

_NAMES: dict[str, Schema] = {
    "str": {"type": "string"},
    "int": {"type": "integer"},
    "float": {"type": "number"},
    "Decimal": {"type": "number"},
    "bool": {"type": "boolean"},
    "bytes": {"type": "string"},
    "date": {"type": "string", "format": "date"},
    "datetime": {"type": "string", "format": "date-time"},
    "time": {"type": "string", "format": "time"},
    "timedelta": {"type": "string", "format": "duration"},
    "UUID": {"type": "string", "format": "uuid"},
    "EmailStr": {"type": "string", "format": "email"},
    "AnyUrl": {"type": "string", "format": "uri"},
    "HttpUrl": {"type": "string", "format": "uri"},
    "SecretStr": {"type": "string", "format": "password"},
    "PositiveInt": {"type": "integer", "exclusiveMinimum": 0},
    "NonNegativeInt": {"type": "integer", "minimum": 0},
    "PositiveFloat": {"type": "number", "exclusiveMinimum": 0},
    "NonNegativeFloat": {"type": "number", "minimum": 0},
    "FileStorage": FILE,
    "None": {"type": "null"},
}
_LISTS = frozenset(
    {"list", "set", "frozenset", "tuple", "List", "Set", "FrozenSet", "Tuple", "Sequence", "Iterable"}
)
_MAPPINGS = frozenset({"dict", "Dict", "Mapping", "MutableMapping"})
_ENUMS = frozenset({"Enum", "IntEnum", "StrEnum"})
_RECORDS = frozenset({"BaseModel", "TypedDict", "NamedTuple"})
_LIMITS = {
    "ge": "minimum",
    "gt": "exclusiveMinimum",
    "le": "maximum",
    "lt": "exclusiveMaximum",
    "multiple_of": "multipleOf",
    "min_length": "minLength",
    "max_length": "maxLength",
    "pattern": "pattern",
    "description": "description",
}
_ITEM_LIMITS = {"minLength": "minItems", "maxLength": "maxItems"}


@dataclass(frozen=True, slots=True)
class Namespace:
    """The names of a source file: its classes, its plain assignments, and how to look up what it imports."""

    classes: dict[str, ast.ClassDef]
    values: dict[str, ast.expr]
    imported: Callable[[str], tuple[Namespace, str] | None]

    def find(self, name: str, hops: int = 0) -> tuple[Namespace, ast.ClassDef | ast.expr] | None:
        """What a name stands for, and the file in which that is written."""
        found = self.classes.get(name) or self.values.get(name)
        if found is not None:
            return self, found
        elsewhere = self.imported(name) if hops < DEEPEST else None
        return elsewhere[0].find(elsewhere[1], hops + 1) if elsewhere else None


def make_namespace(tree: ast.Module, imported: Callable[[str], tuple[Namespace, str] | None]) -> Namespace:
    """The names at the top level of a file."""
    classes = {node.name: node for node in tree.body if isinstance(node, ast.ClassDef)}
    values = {
        target.id: node.value
        for node in tree.body
        if isinstance(node, ast.Assign)
        for target in node.targets
        if isinstance(target, ast.Name)
    }
    return Namespace(classes, values, imported)


def read_annotation(node: ast.expr | None, names: Namespace, depth: int = 0) -> Schema:
    """The schema of an annotation; {} where the source does not tell."""
    if node is None or depth > DEEPEST:
        return {}
    if isinstance(node, ast.Constant):
        return _read_constant(node, names, depth)
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.BitOr):
        return _union([node.left, node.right], names, depth)
    if isinstance(node, ast.Subscript):
        return _read_subscript(node, names, depth)
    return _read_name(_last_name(node), names, depth)


def _read_constant(node: ast.Constant, names: Namespace, depth: int) -> Schema:
    if node.value is None:
        return {"type": "null"}
    if not isinstance(node.value, str):
        return {}
    try:
        return read_annotation(ast.parse(node.value, mode="eval").body, names, depth + 1)
    except SyntaxError:
        return {}


def _last_name(node: ast.expr) -> str:
    return node.attr if isinstance(node, ast.Attribute) else getattr(node, "id", "")


def _read_name(name: str, names: Namespace, depth: int) -> Schema:
    found = names.find(name)
    if found is not None:
        where, what = found
        if isinstance(what, ast.ClassDef):
            return _read_class(what, where, depth + 1)
        return read_annotation(what, where, depth + 1)
    if name in _LISTS:
        return {"type": "array", "items": {"type": "string"}}
    if name in _MAPPINGS:
        return {"type": "object"}
    return dict(_NAMES.get(name, {}))


def _read_subscript(node: ast.Subscript, names: Namespace, depth: int) -> Schema:
    name = _last_name(node.value)
    inside = node.slice.elts if isinstance(node.slice, ast.Tuple) else [node.slice]
    if name == "Literal":
        return _choices(_literal(item) for item in inside)
    if name == "Optional":
        return _union([*inside, ast.Constant(None)], names, depth)
    if name == "Union":
        return _union(inside, names, depth)
    if name == "Annotated":
        return _constrain(read_annotation(inside[0], names, depth + 1), inside[1:])
    if name in _LISTS:
        items = [read_annotation(item, names, depth + 1) or {"type": "string"} for item in inside]
        if name in ("tuple", "Tuple") and not (isinstance(inside[-1], ast.Constant) and inside[-1].value is ...):
            return {"type": "array", "prefixItems": items, "minItems": len(items), "maxItems": len(items)}
        return {"type": "array", "items": items[0]}
    if name in _MAPPINGS:
        values = read_annotation(inside[-1], names, depth + 1)
        return {"type": "object"} | ({"additionalProperties": values} if values else {})
    return {}


def _union(nodes: list[ast.expr], names: Namespace, depth: int) -> Schema:
    options: list[Schema] = []
    for node in nodes:
        schema = read_annotation(node, names, depth + 1)
        options.extend(schema.get("anyOf", [schema]))
    return {"anyOf": options}


def _choices(values: Iterator[Any]) -> Schema:
    found = [value for value in values if value is not ... and isinstance(value, str | int | bool | None)]
    return {"enum": found} if found else {}


def _literal(node: ast.expr) -> Any:
    """The value of a literal; an ellipsis for what is none."""
    try:
        return ast.literal_eval(node)
    except (ValueError, TypeError):
        return ...


def _constrain(schema: Schema, extras: list[ast.expr]) -> Schema:
    """The limits of Annotated[…, Field(ge=1)], or of annotated_types' Ge(1)."""
    for extra in extras:
        if not isinstance(extra, ast.Call):
            continue
        limits = {keyword.arg or "": keyword.value for keyword in extra.keywords}
        called = _last_name(extra.func)
        if called.lower() in _LIMITS and extra.args:
            limits[called.lower()] = extra.args[0]
        for name, node in limits.items():
            value = _literal(node)
            if name in _LIMITS and value is not ... and value is not None:
                key = _LIMITS[name]
                schema[_ITEM_LIMITS.get(key, key) if schema.get("type") == "array" else key] = value
    return schema


def _read_class(node: ast.ClassDef, names: Namespace, depth: int) -> Schema:
    bases = {_last_name(base.value if isinstance(base, ast.Subscript) else base) for base in node.bases}
    if bases & _ENUMS:
        return _choices(
            _literal(item.value)
            for item in node.body
            if isinstance(item, ast.Assign) and not _target(item).startswith("_")
        )
    decorators = {_last_name(item.func if isinstance(item, ast.Call) else item) for item in node.decorator_list}
    if bases & _RECORDS or "dataclass" in decorators or any(names.find(base) for base in bases):
        return _read_record(node, names, depth)
    return {}


def _target(node: ast.Assign) -> str:
    return getattr(node.targets[0], "id", "_")


def _read_record(node: ast.ClassDef, names: Namespace, depth: int) -> Schema:
    properties: Schema = {}
    required: list[str] = []
    for base in node.bases:
        above = _read_name(_last_name(base), names, depth + 1)
        properties |= above.get("properties", {})
        required += above.get("required", [])
    for item in node.body:
        if isinstance(item, ast.AnnAssign) and isinstance(item.target, ast.Name):
            name = item.target.id
            properties[name] = read_annotation(item.annotation, names, depth + 1)
            required = [*required, name] if item.value is None else required
            if item.value is not None and _literal(item.value) is not ...:
                properties[name] = properties[name] | {"default": _literal(item.value)}
    return {"type": "object", "title": node.name, "properties": properties} | (
        {"required": required} if required else {}
    )


def read_default(node: ast.expr, names: Namespace) -> Any:
    """The value of a default as JSON would write it; its source where it is no literal."""
    value = _literal(node)
    if value is not ...:
        return list(value) if isinstance(value, tuple | set) else value
    if isinstance(node, ast.Attribute):  # Colour.RED
        found = names.find(_last_name(node.value))
        body = found[1].body if found and isinstance(found[1], ast.ClassDef) else []
        for item in body:
            if isinstance(item, ast.Assign) and _target(item) == node.attr:
                return _literal(item.value)
    return ast.unparse(node)
