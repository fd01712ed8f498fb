"""The field that a parameter gets, and the ways in which a form is sent."""

from __future__ import annotations

from typing import Any

import pytest

from system.core.explorer.forms import Field, make_form
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
        ({"type": "array", "items": {"type": "object"}}, "list", "json"),
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


NODE = {
    "$defs": {
        "Node": {
            "type": "object",
            "title": "Node",
            "properties": {
                "name": {"type": "string"},
                "inner": {"type": "array", "items": {"$ref": "#/$defs/Node"}},
            },
            "required": ["name"],
        }
    },
    "$ref": "#/$defs/Node",
}


def test_a_record_has_a_field_for_each_of_its_own() -> None:
    field = field_of(NODE)
    assert (field.control, [inner.name for inner in field.fields]) == ("record", ["name", "inner"])
    name, inner = field.fields
    assert (name.control, name.required) == ("text", True)
    assert (inner.control, inner.required, inner.least) == ("list", False, 0)
    assert [each.name for each in inner.fields[0].fields] == ["name", "inner"]


def test_records_in_themselves_end_as_json() -> None:
    field = field_of(NODE)
    for _ in range(20):
        if not field.fields:
            break
        field = field.fields[-1]
    assert field.control == "json"


def test_a_union_of_records_is_a_choice() -> None:
    options = [
        {"type": "object", "title": title, "properties": {"kind": {"const": title}}, "required": ["kind"]}
        for title in ("Cat", "Dog")
    ]
    field = field_of({"oneOf": options})
    assert (field.control, [option.name for option in field.fields]) == ("union", ["Cat", "Dog"])
    assert field.fields[0].fields[0].choices == ("Cat",)


def test_an_example_of_the_site_stands_in_the_empty_field() -> None:
    assert field_of({"type": "string", "examples": ["Ann"]}).example == "Ann"
    assert field_of({"type": "array", "items": {"type": "array"}, "examples": [[[1]]]}).example == "[[1]]"
