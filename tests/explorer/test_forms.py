"""The field that a parameter gets, and the ways in which a form is sent."""

from __future__ import annotations

from typing import Any

import pytest

from system.core.explorer.forms import Field, example_of, make_form
from system.core.explorer.parameters import Parameter

BOTH = ("GET", "HEAD", "OPTIONS", "POST")
FILE = {"type": "string", "format": "binary"}
INTEGER = {"type": "integer"}


def field_of(schema: dict[str, Any], default: Any = None) -> Field:
    given = {} if default is None else {"default": default}
    return make_form([Parameter("x", schema | given, default is None)], BOTH).fields[0]


@pytest.mark.parametrize(
    ("schema", "control", "kind"),
    [
        ({"type": "string"}, "text", "string"),
        ({}, "text", "string"),
        (INTEGER, "number", "number"),
        ({"type": "boolean"}, "checkbox", "boolean"),
        ({"type": "string", "format": "date"}, "date", "string"),
        ({"type": "string", "format": "date-time"}, "datetime-local", "string"),
        ({"type": "string", "format": "password"}, "password", "string"),
        ({"enum": ["m", "cm"]}, "select", "string"),
        ({"enum": [1, 2]}, "select", "json"),
        ({"type": "array", "items": {"type": "string"}}, "lines", "strings"),
        ({"type": "array", "items": INTEGER}, "lines", "numbers"),
        ({"type": "array", "items": {"type": "object"}}, "json", "json"),
        ({"type": "object"}, "json", "json"),
        (FILE, "file", "file"),
        ({"type": "array", "items": FILE}, "file", "files"),
        ({"anyOf": [INTEGER, {"type": "null"}]}, "number", "number"),
        ({"anyOf": [INTEGER, {"type": "string"}]}, "text", "string"),
        ({"anyOf": [{"type": "object"}, {"type": "null"}]}, "json", "json"),
    ],
)
def test_the_control_of_a_schema(schema: dict[str, Any], control: str, kind: str) -> None:
    field = field_of(schema)
    assert (field.control, field.kind) == (control, kind)


def test_limits_become_attributes() -> None:
    assert field_of({"type": "integer", "minimum": 1, "maximum": 9}).attributes == {
        "min": "1",
        "max": "9",
        "step": "1",
    }
    assert field_of({"type": "number", "exclusiveMinimum": 0}).attributes == {"step": "any"}
    assert field_of({"type": "string", "maxLength": 5}).attributes == {"maxlength": "5"}
    assert field_of({"type": "array", "items": FILE}).attributes == {"multiple": "multiple"}


def test_defaults_are_written_as_they_are_sent() -> None:
    assert field_of({"enum": [1, 2]}, 2).default == "2"
    assert field_of({"type": "boolean"}, True).is_checked
    assert field_of({"type": "string"}, "a").default == "a"
    assert field_of({"type": "string", "default": None}).default == ""


@pytest.mark.parametrize(
    ("schema", "where", "verbs", "first"),
    [
        (INTEGER, "any", BOTH, "GET query"),
        (INTEGER, "body", BOTH, "POST form"),
        (FILE, "body", BOTH, "POST form"),
        ({"type": "object"}, "any", BOTH, "POST json"),
        (INTEGER, "any", ("PUT", "OPTIONS"), "PUT form"),
        (INTEGER, "any", ("DELETE", "OPTIONS"), "DELETE query"),
    ],
)
def test_the_fitting_way_comes_first(
    schema: dict[str, Any], where: Any, verbs: tuple[str, ...], first: str
) -> None:
    parameter = Parameter("x", schema, True, where, is_record=schema == {"type": "object"})
    assert make_form([parameter], verbs).ways[0][0] == first


def test_a_record_begins_with_an_example() -> None:
    properties = {"name": {"type": "string"}, "n": {"type": "integer", "default": 3}, "tags": {"type": "array"}}
    assert example_of({"type": "object", "properties": properties}, {}) == {"name": "", "n": 3, "tags": [""]}
