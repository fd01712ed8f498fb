"""What a method takes and answers as JSON Schemas of the type object, as tools want them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from system.core.dispatch.json_schema import Schema, follow
from system.core.explorer.answers import JSON, Answer
from system.core.explorer.components import Components
from system.core.explorer.parameters import Parameter

_DEFINITION = "#/$defs/{model}"
_NO_OBJECTS = ("array", "string", "number", "integer", "boolean")


def input_schema(parameters: Iterable[Parameter], library: str) -> Schema:
    """What a tool takes. The fields of a record that is the whole body stand beside the other arguments."""
    definitions = Components({}, _DEFINITION)
    properties: dict[str, Any] = {}
    required: list[str] = []
    for parameter in parameters:
        if parameter.is_file:
            continue
        schema = definitions.take(parameter.schema, library)
        fields = _fields(schema, definitions.schemas) if parameter.is_body else None
        if fields is None:
            properties[parameter.name] = schema
            required += [parameter.name] if parameter.required else []
        else:
            properties |= fields.get("properties", {})
            required += fields.get("required", []) if parameter.required else []
    made: Schema = {"type": "object", "properties": properties}
    if required:
        made["required"] = required
    return made | ({"$defs": definitions.schemas} if definitions.schemas else {})


def output_schema(answers: Sequence[Answer], library: str) -> Schema | None:
    """The schema of the structured content; None without a return annotation, or with several results.

    The protocol requires an object, so any other value is under the name `result`.
    """
    if len(answers) != 1 or answers[0].media != JSON or answers[0].schema is None:
        return None
    definitions = Components({}, _DEFINITION)
    schema = definitions.take(answers[0].schema, library)
    kind = follow(schema, definitions.schemas).get("type")
    if kind in _NO_OBJECTS:
        schema = {"type": "object", "properties": {"result": schema}, "required": ["result"]}
    elif kind != "object":
        return None
    return {"type": "object"} | schema | ({"$defs": definitions.schemas} if definitions.schemas else {})


def _fields(schema: Schema, definitions: dict[str, Schema]) -> Schema | None:
    """The schema of a record with its fields; None for what is not an object of named fields."""
    found = dict(follow(schema, definitions))
    return found if found.get("type") == "object" and "properties" in found else None
