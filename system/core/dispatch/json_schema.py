"""The requirements of a value, as JSON Schema and in words."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

Schema = dict[str, Any]
ANYTHING: Schema = {}

FORMATS = {
    "date": "a date such as 2026-01-31",
    "date-time": "a date with a time, such as 2026-01-31T14:30:00",
    "time": "a time such as 14:30",
    "duration": "a duration such as PT90S",
    "uuid": "a UUID",
    **{f"uuid{version}": f"a UUID of version {version}" for version in range(1, 9)},
    "email": "an e-mail address",
    "uri": "a URL",
    "binary": "a file",
    "password": "a text that is not shown",
}
_TYPES = {
    "string": "text",
    "integer": "a whole number",
    "number": "a number",
    "boolean": "true or false",
    "array": "a list",
    "object": "an object",
    "null": "nothing",
}
_LIMITS = {
    "minimum": "at least {}",
    "exclusiveMinimum": "more than {}",
    "maximum": "at most {}",
    "exclusiveMaximum": "less than {}",
    "multipleOf": "a multiple of {}",
    "minLength": "at least {} characters",
    "maxLength": "at most {} characters",
    "minItems": "at least {} items",
    "maxItems": "at most {} items",
    "pattern": "in the form {}",
}
_ONE = re.compile(r"( 1 \w+)s$")


def in_words(schema: Mapping[str, Any], definitions: Mapping[str, Schema] | None = None) -> str:
    """A schema in words, for people: "a whole number, at least 1", "one of m, cm"."""
    known = definitions if definitions is not None else schema.get("$defs", {})
    schema = follow(schema, known)
    if "enum" in schema or "const" in schema:
        choices = schema.get("enum", [schema.get("const")])
        names = ", ".join(_show(choice) for choice in choices)
        return f"one of {names}" if len(choices) > 1 else names
    if schema.get("discriminator", {}).get("mapping"):
        name, kinds = schema["discriminator"]["propertyName"], schema["discriminator"]["mapping"]
        return f"an object whose {name} is {'one of ' if len(kinds) > 1 else ''}{', '.join(kinds)}"
    if "anyOf" in schema or "oneOf" in schema:
        choices = schema.get("anyOf") or schema["oneOf"]
        options = [in_words(option, known) for option in choices if option.get("type") != "null"]
        return " or ".join(dict.fromkeys(options))
    words = FORMATS.get(schema.get("format", "")) or _TYPES.get(str(schema.get("type", "")), "a value")
    if schema.get("type") == "array" and schema.get("items"):
        words = f"a list, each {in_words(schema['items'], known)}"
    limits = [text.format(_show(schema[key])) for key, text in _LIMITS.items() if key in schema]
    return ", ".join([words, *(_ONE.sub(r"\1", limit) for limit in limits)])


def step(schema: Mapping[str, Any], part: int | str, known: Mapping[str, Schema]) -> Mapping[str, Any] | None:
    """The schema of an item or a property; None where there is none, as for pydantic's names of types."""
    found = (_inside(option, part) for option in _options(schema, known))
    return next((inner for inner in found if inner is not None), None)


def _options(schema: Mapping[str, Any], known: Mapping[str, Schema]) -> list[Mapping[str, Any]]:
    schema = follow(schema, known)
    choices = [*schema.get("anyOf", ()), *schema.get("oneOf", ())]
    return [option for choice in choices for option in _options(choice, known)] or [schema]


def _inside(schema: Mapping[str, Any], part: int | str) -> Mapping[str, Any] | None:
    """The schema of an item or a property; None where there is none of that name."""
    if isinstance(part, int):
        items: Sequence[Mapping[str, Any]] = schema.get("prefixItems", ())
        if part < len(items):
            return items[part]
        return schema.get("items", ANYTHING) if schema.get("type") == "array" else None
    if part in schema.get("properties", {}):
        inner: Mapping[str, Any] = schema["properties"][part]
        return inner
    others = schema.get("additionalProperties")
    return others if isinstance(others, dict) else None


def follow(schema: Mapping[str, Any], definitions: Mapping[str, Schema]) -> Mapping[str, Any]:
    """The schema that a reference leads to; any other as it is."""
    while "$ref" in schema:
        schema = definitions.get(str(schema["$ref"]).rpartition("/")[2], {})
    if len(schema.get("allOf", ())) == 1:
        return follow(schema["allOf"][0], definitions)
    return schema


def _show(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value)
