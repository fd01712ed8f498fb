"""The form of a method: one field for each of its parameters, as HTML knows them."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ..dispatch.json_schema import Schema, follow, in_words
from .parameters import Parameter

Definitions = Mapping[str, Schema]

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


def make_form(parameters: Sequence[Parameter], verbs: tuple[str, ...], is_open: bool = False) -> Form:
    """The form of a method that takes these parameters, other names too (`is_open`), and answers these verbs."""
    return Form(tuple(map(_make_field, parameters)), tuple(_ways(verbs, parameters)), is_open)


def _ways(verbs: tuple[str, ...], parameters: Sequence[Parameter]) -> list[tuple[str, str]]:
    """How it can be sent, the fitting way first: a file needs a form, a record JSON."""
    with_body = [verb for verb in verbs if verb in ("POST", "PUT", "PATCH", "DELETE")]
    query = [(f"{verb} query", f"{verb}, in the query") for verb in verbs if verb in ("GET", "DELETE")]
    forms = [(f"{verb} form", f"{verb}, as a form") for verb in with_body]
    documents = [(f"{verb} json", f"{verb}, as JSON") for verb in with_body]
    if any(parameter.is_file for parameter in parameters):
        return forms or query
    if any(parameter.is_record for parameter in parameters):
        return [*documents, *forms, *query]
    in_body = any(parameter.where == "body" for parameter in parameters)
    return [*forms, *documents, *query] if in_body else [*query, *forms, *documents]


def _make_field(parameter: Parameter) -> Field:
    whole = parameter.schema
    definitions = whole.get("$defs", {})
    schema = _main_option(whole, definitions)
    control, kind = _control(schema, definitions)
    default = whole.get("default")
    return Field(
        name=parameter.name,
        control=control,
        kind="body" if parameter.is_body else kind,
        words=in_words(whole) if whole else "a value",
        required=parameter.required,
        default="" if default is None else _write(default),
        where=parameter.where,
        note=str(schema.get("description", whole.get("description", ""))),
        choices=tuple(_write(choice) for choice in _choices(schema)),
        attributes=_attributes(schema, control),
        text=json.dumps(example_of(schema, definitions), indent=2, ensure_ascii=False)
        if control == "json"
        else "",
        is_checked=default is True,
        takes_segment=parameter.takes_segment,
    )


def _choices(schema: Schema) -> list[Any]:
    return list(schema["enum"]) if "enum" in schema else [schema["const"]] if "const" in schema else []


def _main_option(schema: Schema, definitions: Definitions) -> Schema:
    """Of a union the member that says most: a record, a list, a number before text."""
    schema = dict(follow(schema, definitions)) | {key: value for key, value in schema.items() if key != "$ref"}
    options = [
        _main_option(option, definitions)
        for option in [*schema.get("anyOf", ()), *schema.get("oneOf", ())]
        if option.get("type") != "null"
    ]
    if not options:
        return schema
    if len(options) == 1:
        return options[0] | {key: value for key, value in schema.items() if key not in ("anyOf", "oneOf")}
    structured = [option for option in options if option.get("type") in ("object", "array")]
    return structured[0] if structured else {"type": "string"}


def _control(schema: Schema, definitions: Definitions) -> tuple[str, str]:
    kind = schema.get("type")
    if schema.get("format") == "binary":
        return "file", "file"
    if _choices(schema):
        return "select", "json" if all(not isinstance(choice, str) for choice in _choices(schema)) else "string"
    if kind == "boolean":
        return "checkbox", "boolean"
    if kind in ("integer", "number"):
        return "number", "number"
    if kind == "array":
        return _control_of_list(schema, definitions)
    if kind == "object":
        return "json", "json"
    return _INPUTS.get(schema.get("format", ""), "text"), "string"


def _control_of_list(schema: Schema, definitions: Definitions) -> tuple[str, str]:
    items = _main_option(schema.get("items", {"type": "string"}), definitions)
    if items.get("format") == "binary":
        return "file", "files"
    if items.get("type") in ("object", "array") or "prefixItems" in schema:
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


def example_of(schema: Schema, definitions: Definitions, depth: int = 0) -> Any:
    """A value to begin with: every field of a record, the default where it has one."""
    schema = _main_option(schema, definitions)
    if "default" in schema or _choices(schema):
        return schema.get("default", [*_choices(schema), None][0])
    kind = schema.get("type")
    if depth > DEEPEST_EXAMPLE:
        return None
    if kind == "object":
        properties = schema.get("properties", {})
        return {name: example_of(inner, definitions, depth + 1) for name, inner in properties.items()}
    if kind == "array":
        least = max(1, min(schema.get("minItems", 1), 5))
        return [example_of(schema.get("items", {}), definitions, depth + 1)] * least
    return {"integer": 0, "number": 0, "boolean": False, "string": ""}.get(str(kind), "")


def _write(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)
