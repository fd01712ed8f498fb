"""The rules of docs/parameters.md, held everywhere in a value: in parameters, fields, nested fields, list items.

Pydantic has no setting for them that reaches the fields of a site's own models, so they are written into the core
schema of an annotation, from which pydantic makes its validators.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from enum import Flag
from itertools import islice
from typing import Any, cast

from pydantic import TypeAdapter, ValidationError
from pydantic_core import PydanticCustomError, SchemaError, SchemaValidator

from .json_schema import FORMATS
from .json_text import MOST_DIGITS

CoreSchema = dict[str, Any]

_ISO_8601 = {
    "date": re.compile(r"\d{4}-\d\d-\d\d"),
    "datetime": re.compile(r"\d{4}-\d\d-\d\d"),
    "time": re.compile(r"\d\d:\d\d"),
    "timedelta": re.compile(r"[+-]?P"),
}
_FORMAT_OF = {"date": "date", "datetime": "date-time", "time": "time", "timedelta": "duration"}
# the keys of a core schema that hold no schema
_NO_SCHEMA = frozenset({"metadata", "default", "default_factory", "cls", "expected", "members", "serialization"})
_LISTS = frozenset({"list", "tuple", "set", "frozenset"})
_LENGTHS = frozenset({"min_length", "max_length"})
PIECE = 500  # items of a dict that are checked at once


def make_validator(adapter: TypeAdapter[Any], fail_fast: bool = False) -> Any:
    """A validator that follows the rules; with `fail_fast` it stops at the first wrong item of a list, or at the
    first items of a dict of which one is wrong.

    Not-a-number and infinity are refused, dates are ISO 8601 text, a Literal's or Enum's numbers may be text, an
    Iterable is a list.
    """
    schema: Any = _apply(dict(adapter.core_schema), fail_fast)
    try:
        return SchemaValidator(schema, None, _use_prebuilt=False)
    except SchemaError:
        return adapter.validator


def _apply(schema: Any, fail_fast: bool) -> Any:
    if isinstance(schema, list | tuple):
        return type(schema)(_apply(item, fail_fast) for item in schema)
    if not isinstance(schema, dict):
        return schema
    kind = schema.get("type")
    if not isinstance(kind, str):  # the fields of a model, the choices of a union: schemas by name
        return {name: _apply(item, fail_fast) for name, item in schema.items()}
    made = {
        key: value if key in _NO_SCHEMA else _apply_named(key, value, fail_fast) for key, value in schema.items()
    }
    if kind == "float":
        return {"allow_inf_nan": False, **made}
    if kind == "generator":  # of an Iterable: pydantic would check its items when the method reads them
        made = made | {"type": "list"}
    if made["type"] in _LISTS and fail_fast:
        return made | {"fail_fast": True}
    if kind == "dict" and fail_fast and _LENGTHS.isdisjoint(made):
        return _wrap("function-wrap", _check_in_pieces, made)
    if kind in _ISO_8601:
        return _before(_iso_only(kind), made)
    if kind == "enum" and issubclass(schema["cls"], Flag):
        return _before(_known_flags(schema["cls"]), made)
    if kind in ("literal", "enum") and (spelled := _spellings(made)):
        return _before(lambda value: spelled.get(value, value) if type(value) is str else value, made)
    return made


def _apply_named(key: str, value: Any, fail_fast: bool) -> Any:
    """`fields` and `choices` map names to schemas, and a field may be called "type"."""
    if key in ("fields", "choices") and isinstance(value, dict):
        return {name: _apply(item, fail_fast) for name, item in value.items()}
    return _apply(value, fail_fast)


def _check_in_pieces(value: Any, check: Callable[[Any], Any]) -> Any:
    """Checks a long dict up to the first piece with faults: pydantic would list those of the whole."""
    if not isinstance(value, dict) or len(value) <= PIECE:
        return check(value)
    items, checked = iter(value.items()), {}
    while piece := dict(islice(items, PIECE)):
        checked.update(check(piece))
    return checked


def _before(function: Callable[[Any], Any], schema: CoreSchema) -> CoreSchema:
    return _wrap("function-before", function, schema)


def _wrap(kind: str, function: Callable[..., Any], schema: CoreSchema) -> CoreSchema:
    wrapped = {"type": kind, "function": {"type": "no-info", "function": function}, "schema": schema}
    if "ref" in schema:  # the name under which other places of the schema find it
        wrapped["ref"] = schema.pop("ref")
    return wrapped


def _iso_only(kind: str) -> Callable[[Any], Any]:
    pattern, expected = _ISO_8601[kind], FORMATS[_FORMAT_OF[kind]]

    def check(value: Any) -> Any:
        is_text = isinstance(value, str | bytes)
        text = value.decode("utf-8", "replace") if isinstance(value, bytes) else value
        if isinstance(value, bool | int | float) or (is_text and not pattern.match(text)):
            raise PydanticCustomError("iso_8601", "Input should be {expected}", {"expected": expected})
        return value

    return check


def _known_flags(flags: type[Flag]) -> Callable[[Any], Any]:
    """Reads one or several flags as a number or as its text; Python would keep every unknown one for ever."""
    most = sum(flag.value for flag in flags)

    def check(value: Any) -> Any:
        is_digits = type(value) is str and value.isdecimal() and len(value) <= MOST_DIGITS
        number = int(value) if is_digits else value
        if type(number) is int and (number < 0 or number & ~most):
            raise PydanticCustomError("flags", "Input should be a sum of flags, at most {most}", {"most": most})
        return number

    return check


def _spellings(schema: CoreSchema) -> Mapping[Any, Any]:
    """How the values of a Literal or an Enum are written in a URL or a form, where they are not text."""
    choices = schema["members"] if schema["type"] == "enum" else schema["expected"]
    values = (choice.value if schema["type"] == "enum" else choice for choice in choices)
    return {_spell(value): value for value in values if not isinstance(value, str)}


def _spell(choice: object) -> str:
    return str(choice).lower() if isinstance(choice, bool) else str(getattr(choice, "value", choice))


# the schemas of classes with fields
_RECORDS = frozenset({"model", "dataclass", "typed-dict"})
# how pydantic names a constraint that it cannot apply
_CONSTRAINT = re.compile("constraint '(\\w+)'")
# a value of each plain type, to try a constraint on
_SAMPLES: dict[str, Any] = {
    "str": "a",
    "bytes": b"a",
    "int": 1,
    "float": 1.0,
    "bool": True,
    "list": [],
    "dict": {},
}


def check_constraints(schema: Any) -> None:
    """Raises TypeError for a constraint that its type cannot have, such as `gt` of a text."""
    for _, place, reason in find_wrong_constraints(schema):
        raise TypeError(f"{place}: {reason}" if place else reason)


def find_wrong_constraints(schema: Any) -> Iterator[tuple[type | None, str, str]]:
    """The constraints that their types cannot have: the model, its name and the field (Person.age), the reason.

    Pydantic finds that out with the first value. Only its own checks are tried, no code of the site.
    """
    for node, owner, field in _nodes(schema):
        first, check = (node.get("steps") or [None])[0], (node.get("steps") or [None])[-1]
        if node["type"] == "function-after":
            first, check = node["schema"], node
        if isinstance(first, dict) and first.get("type") in _SAMPLES and _is_constraint(check):
            try:
                SchemaValidator(cast("Any", node)).validate_python(_SAMPLES[first["type"]])
            except ValidationError:
                continue
            except TypeError as error:
                named = _CONSTRAINT.search(str(error))
                reason = f"a value of type {first['type']} cannot have {named[1]}" if named else str(error)
                yield owner, ".".join(filter(None, (getattr(owner, "__name__", ""), field))), reason


def _is_constraint(node: CoreSchema) -> bool:
    """Whether a step is a constraint that pydantic checks in Python, as the type has none of this name."""
    function: Any = node.get("function", {}).get("function")
    module = getattr(getattr(function, "func", None), "__module__", "")
    return module == "pydantic._internal._validators" or "_apply_constraint" in getattr(
        function, "__qualname__", ""
    )


def _nodes(item: Any, owner: type | None = None, field: str = "") -> Iterator[tuple[CoreSchema, type | None, str]]:
    """Every node of a core schema, with the model and the field that it is in."""
    if isinstance(item, list | tuple):
        for inner in item:
            yield from _nodes(inner, owner, field)
    if not isinstance(item, dict):
        return
    if item.get("type") in _RECORDS:
        owner = item["cls"]
    elif item.get("type") == "dataclass-field":
        field = item["name"]
    if isinstance(item.get("type"), str):
        yield item, owner, field
    for key, value in item.items():
        if key == "fields" and isinstance(value, dict):
            for name, inner in value.items():
                yield from _nodes(inner, owner, name)
        elif key not in _NO_SCHEMA:
            yield from _nodes(value, owner, field)
