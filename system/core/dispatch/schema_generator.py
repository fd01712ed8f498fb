"""The JSON Schema of an annotation, made by pydantic."""

from __future__ import annotations

from decimal import Decimal
from enum import Flag
from typing import Any

from pydantic.json_schema import GenerateJsonSchema, JsonSchemaValue
from pydantic_core import core_schema


class Schemas(GenerateJsonSchema):
    """Pydantic's schemas; a Decimal that is sent is a number, without the pattern of its spelling as text.

    In an answer it is text, as the JSON encoder writes it.
    """

    def decimal_schema(self, schema: core_schema.DecimalSchema) -> JsonSchemaValue:
        if self.mode == "serialization":
            return {"type": "string"}
        limits = {"ge": "minimum", "gt": "exclusiveMinimum", "le": "maximum", "lt": "exclusiveMaximum"}
        found = {name: float(schema[key]) for key, name in limits.items() if key in schema}  # type: ignore[literal-required]
        return {"type": "number", **_limits_of_digits(schema), **found}

    def enum_schema(self, schema: core_schema.EnumSchema) -> JsonSchemaValue:
        """The values of an Enum; of flags a number, as several can be set."""
        made = super().enum_schema(schema)
        if issubclass(schema["cls"], Flag):
            del made["enum"]
            made.update({"type": "integer", "minimum": 0, "maximum": sum(flag.value for flag in schema["cls"])})
        return made

    def encode_default(self, dft: Any) -> Any:
        """A default as JSON; that of a number is a number."""
        is_number = isinstance(dft, Decimal) and self.mode == "validation"
        return float(dft) if is_number else super().encode_default(dft)


def _limits_of_digits(schema: core_schema.DecimalSchema) -> dict[str, float]:
    """What `decimal_places` and `max_digits` mean for a number. `max_digits` alone limits only its size here."""
    places, digits = schema.get("decimal_places"), schema.get("max_digits")
    found = {} if places is None else {"multipleOf": 10.0**-places if places else 1}
    if digits is not None:
        whole = digits - (places or 0)
        bound: float = 10**whole if 0 <= whole <= 15 else 10.0**whole
        found |= {"exclusiveMinimum": -bound, "exclusiveMaximum": bound}
    return found
