"""The form of a method: one field for each of its parameters, as HTML knows them."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any

from ..dispatch.json_schema import Schema, in_words
from .inference import NO_DEFAULT, ReadParameter, ReadParameters

_INPUTS = {
    "date": "date",
    "date-time": "datetime-local",
    "time": "time",
    "email": "email",
    "uri": "url",
    "password": "password",
}
_ATTRIBUTES = {
    "minimum": "min",
    "maximum": "max",
    "minLength": "minlength",
    "maxLength": "maxlength",
    "multipleOf": "step",
}
DEEPEST_EXAMPLE = 4


@dataclass(frozen=True, slots=True)
class Field:
    """A field: `control` is an input type of HTML, or select, lines (one value a line), json.

    `kind` is what a JSON body holds for it: string, number, boolean, or json; `words` what it takes, for people.
    """

    name: str
    control: str
    kind: str
    words: str
    required: bool
    default: str
    where: str
    note: str = ""
    choices: tuple[str, ...] = ()
    attributes: dict[str, str] = field(default_factory=dict)
    text: str = ""
    is_checked: bool = False
    takes_segment: bool = False


@dataclass(frozen=True, slots=True)
class Form:
    """The fields of a method, and the ways in which they can be sent: (value, words) such as "POST json"."""

    fields: tuple[Field, ...]
    ways: tuple[tuple[str, str], ...]
    is_open: bool


def make_form(read: ReadParameters, verbs: tuple[str, ...]) -> Form:
    """The form of a method that takes these parameters and answers these verbs."""
    fields = tuple(_make_field(parameter, read) for parameter in read.parameters)
    return Form(fields, tuple(_ways(verbs, read)), read.is_open)


def _ways(verbs: tuple[str, ...], read: ReadParameters) -> list[tuple[str, str]]:
    """How it can be sent, the fitting way first: a file needs a form, a record JSON."""
    with_body = [verb for verb in verbs if verb in ("POST", "PUT", "PATCH", "DELETE")]
    query = [(f"{verb} query", f"{verb}, in the query") for verb in verbs if verb in ("GET", "DELETE")]
    forms = [(f"{verb} form", f"{verb}, as a form") for verb in with_body]
    documents = [(f"{verb} json", f"{verb}, as JSON") for verb in with_body]
    if any(parameter.is_file for parameter in read.parameters):
        return forms or query
    if any(parameter.is_record for parameter in read.parameters):
        return [*documents, *forms, *query]
    in_body = any(parameter.where == "body" for parameter in read.parameters)
    return [*forms, *documents, *query] if in_body else [*query, *forms, *documents]


def _make_field(parameter: ReadParameter, read: ReadParameters) -> Field:
    schema = _main_option(parameter.schema)
    control, kind = _control(schema)
    has_default = parameter.default is not NO_DEFAULT and parameter.default is not None
    default = _write(parameter.default) if has_default else ""
    records = [other for other in read.parameters if other.is_record]
    is_body = parameter.is_record and len(records) == 1
    return Field(
        name=parameter.name,
        control=control,
        kind="body" if is_body else kind,
        words=in_words(parameter.schema) if parameter.schema else "a value",
        required=parameter.required,
        default=default,
        where=parameter.where,
        note=str(schema.get("description", parameter.schema.get("description", ""))),
        choices=tuple(_write(choice) for choice in schema.get("enum", ())),
        attributes=_attributes(schema, control),
        text=json.dumps(example_of(schema), indent=2, ensure_ascii=False) if control == "json" else "",
        is_checked=parameter.default is True,
        takes_segment=parameter.takes_segment,
    )


def _main_option(schema: Schema) -> Schema:
    """Of a union the member that says most: a record, a list, a number before text."""
    options = [option for option in schema.get("anyOf", ()) if option.get("type") != "null"]
    if not options:
        return schema
    if len(options) == 1:
        return _main_option(options[0]) | {key: value for key, value in schema.items() if key != "anyOf"}
    plain = {option.get("type") for option in options} & {"string", None} or len(options) > 1
    structured = [option for option in options if option.get("type") in ("object", "array")]
    return structured[0] if structured else ({"type": "string"} if plain else options[0])


def _control(schema: Schema) -> tuple[str, str]:
    kind = schema.get("type")
    if schema.get("format") == "binary":
        return "file", "file"
    if "enum" in schema:
        return "select", "json" if all(not isinstance(choice, str) for choice in schema["enum"]) else "string"
    if kind == "boolean":
        return "checkbox", "boolean"
    if kind in ("integer", "number"):
        return "number", "number"
    if kind == "array":
        return _control_of_list(schema)
    if kind == "object":
        return "json", "json"
    return _INPUTS.get(schema.get("format", ""), "text"), "string"


def _control_of_list(schema: Schema) -> tuple[str, str]:
    items = _main_option(schema.get("items", {"type": "string"}))
    if items.get("format") == "binary":
        return "file", "files"
    if items.get("type") in ("object", "array"):
        return "json", "json"
    return "lines", "numbers" if items.get("type") in ("integer", "number") else "strings"


def _attributes(schema: Schema, control: str) -> dict[str, str]:
    found = {html: str(schema[key]) for key, html in _ATTRIBUTES.items() if key in schema}
    if control == "number":
        found.setdefault("step", "1" if schema.get("type") == "integer" else "any")
        exclusive = schema.get("exclusiveMinimum")
        if exclusive is not None and schema.get("type") == "integer":
            found.setdefault("min", str(exclusive + 1))
    if control in ("time", "datetime-local"):
        found["step"] = "1"
    if control == "file" and schema.get("type") == "array":
        found["multiple"] = "multiple"
    return found


def example_of(schema: Schema, depth: int = 0) -> Any:
    """A value to begin with: every field of a record, the default where it has one."""
    schema = _main_option(schema)
    if "default" in schema or "enum" in schema:
        return schema.get("default", schema.get("enum", [None])[0])
    kind = schema.get("type")
    if depth > DEEPEST_EXAMPLE:
        return None
    if kind == "object":
        return {name: example_of(inner, depth + 1) for name, inner in schema.get("properties", {}).items()}
    if kind == "array":
        least = max(1, min(schema.get("minItems", 1), 5))
        return [example_of(schema.get("items", {}), depth + 1)] * least
    return {"integer": 0, "number": 0, "boolean": False, "string": ""}.get(str(kind), "")


def _write(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)
