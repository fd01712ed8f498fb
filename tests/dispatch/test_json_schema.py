"""What a schema asks for, in words."""

from __future__ import annotations

from typing import Any

import pytest

from system.core.dispatch.json_schema import in_words


@pytest.mark.parametrize(
    ("schema", "words"),
    [
        ({"type": "integer"}, "a whole number"),
        ({"type": "number", "exclusiveMinimum": 0, "maximum": 9.5}, "a number, at most 9.5, more than 0"),
        ({"type": "string", "minLength": 1, "maxLength": 5}, "text, at least 1 character, at most 5 characters"),
        ({"type": "boolean"}, "true or false"),
        ({"type": "string", "format": "date"}, "a date such as 2026-01-31"),
        ({"type": "string", "format": "binary"}, "a file"),
        ({"enum": ["m", "cm"]}, "one of m, cm"),
        ({"const": 1}, "1"),
        ({"anyOf": [{"type": "integer"}, {"type": "null"}]}, "a whole number"),
        ({"anyOf": [{"type": "integer"}, {"enum": ["all", "none"]}]}, "a whole number or one of all, none"),
        (
            {"type": "array", "items": {"type": "integer"}, "minItems": 2},
            "a list, each a whole number, at least 2 items",
        ),
        ({"$ref": "#/$defs/Colour", "$defs": {"Colour": {"enum": ["red", "blue"]}}}, "one of red, blue"),
        (
            {
                "oneOf": [{}, {}],
                "discriminator": {"propertyName": "kind", "mapping": {"cat": "#/c", "dog": "#/d"}},
            },
            "an object whose kind is one of cat, dog",
        ),
        ({"oneOf": [{"type": "integer"}, {"type": "object"}]}, "a whole number or an object"),
        ({}, "a value"),
    ],
)
def test_a_schema_in_words(schema: dict[str, Any], words: str) -> None:
    assert sorted(in_words(schema).split(", ")) == sorted(words.split(", "))
