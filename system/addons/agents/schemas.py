"""The arguments of a method as one JSON Schema of the type object, as tools want it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from system.core.dispatch.json_schema import Schema
from system.core.explorer.components import Components
from system.core.explorer.parameters import Parameter

_DEFINITION = "#/$defs/{model}"


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


def _fields(schema: Schema, definitions: dict[str, Schema]) -> Schema | None:
    """The schema of a record with its fields; None for what is no object of named fields."""
    reference = schema.get("$ref", "")
    if reference.startswith("#/$defs/"):
        return _fields(definitions.get(reference.removeprefix("#/$defs/"), {}), definitions)
    return schema if schema.get("type") == "object" and "properties" in schema else None
