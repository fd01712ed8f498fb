"""The JSON Schema of an annotation, made by pydantic."""

from __future__ import annotations

from decimal import Decimal
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
        return {"type": "number", **found}

    def encode_default(self, dft: Any) -> Any:
        """A default as JSON; that of a number is a number."""
        is_number = isinstance(dft, Decimal) and self.mode == "validation"
        return float(dft) if is_number else super().encode_default(dft)
