"""The form of a method: one field for each of its parameters, as HTML knows them."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
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
# the depth to which records in records have their own fields; deeper ones are written as JSON
DEEPEST = 4


@dataclass(frozen=True, slots=True)
class Field:
    """A field of a form.

    `control` is an input type of HTML, select, lines (one value a line), json (text), or of several:
    record (`fields`), list (`fields` holds the one of each item, `least` how many it begins with), union (one of
    `fields`). `kind` is what a JSON body holds for it: string, number, boolean, or json; `words` say it.
    """

    name: str
    control: str
    kind: str
    words: str
    required: bool
    default: str = ""
    where: str = "any"
    note: str = ""
    choices: tuple[str, ...] = ()
    attributes: dict[str, str] = field(default_factory=dict)
    example: str = ""
    is_checked: bool = False
    is_body: bool = False
    takes_segment: bool = False
    fields: tuple[Field, ...] = ()
    least: int = 0


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
    made = _field_of(parameter.name, whole, whole.get("$defs", {}), parameter.required, 0)
    return replace(
        made,
        where=parameter.where,
        kind="body" if parameter.is_body else made.kind,
        is_body=parameter.is_body,
        takes_segment=parameter.takes_segment,
    )


def _field_of(name: str, whole: Schema, definitions: Definitions, required: bool, depth: int) -> Field:
    """The field of a value; one in a record too, down to DEEPEST of them."""
    schema = _main_option(whole, definitions)
    control, kind = _control(schema, definitions)
    if control == "file" and depth:  # JSON has no files: bytes travel as text
        control, kind = ("lines", "strings") if schema.get("type") == "array" else ("text", "string")
    options = _records(whole, definitions)
    fields: tuple[Field, ...] = ()
    if depth < DEEPEST and len(options) > 1:
        control, fields = "union", tuple(_option(option, definitions, depth) for option in options)
    elif depth < DEEPEST and control == "json" and "properties" in schema:
        control, fields = "record", _fields_of(schema, definitions, depth)
    elif depth < DEEPEST and control == "json" and kind == "items":
        control, fields = "list", (_field_of("", schema.get("items", {}), definitions, True, depth + 1),)
    default = whole.get("default", schema.get("default"))
    return Field(
        name=name,
        control=control,
        kind="json" if kind == "items" else kind,
        words=in_words(whole, definitions) if whole else "a value",
        required=required,
        default="" if default is None else _write(default),
        note=str(whole.get("description", schema.get("description", ""))),
        choices=tuple(_write(choice) for choice in _choices(schema)),
        attributes=_attributes(schema, control),
        example=_example(whole, schema),
        is_checked=default is True,
        fields=fields,
        least=max(schema.get("minItems", 0), 1 if required else 0) if control == "list" else 0,
    )


def _fields_of(schema: Schema, definitions: Definitions, depth: int) -> tuple[Field, ...]:
    required = schema.get("required", ())
    return tuple(
        _field_of(name, inner, definitions, name in required, depth + 1)
        for name, inner in schema["properties"].items()
    )


def _records(whole: Schema, definitions: Definitions) -> list[Schema]:
    """The records of a union; none of anything else."""
    schema = follow(whole, definitions)
    options = [
        dict(follow(option, definitions)) for option in [*schema.get("anyOf", ()), *schema.get("oneOf", ())]
    ]
    return [option for option in options if "properties" in option]


def _option(schema: Schema, definitions: Definitions, depth: int) -> Field:
    fields = _fields_of(schema, definitions, depth + 1)
    return Field(str(schema.get("title", "")), "record", "json", "an object", True, fields=fields)


def _example(whole: Schema, schema: Schema) -> str:
    """The placeholder of an empty field: an example from the site."""
    examples = whole.get("examples", schema.get("examples"))
    return _write(examples[0]) if isinstance(examples, list) and examples else ""


def _choices(schema: Schema) -> list[Any]:
    return list(schema["enum"]) if "enum" in schema else [schema["const"]] if "const" in schema else []


def _main_option(schema: Schema, definitions: Definitions) -> Schema:
    """The most specific member of a union: a record, a list, a number before text."""
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
    if schema.get("format") in ("base64", "base64url") or schema.get("contentEncoding") == "base64":
        return "base64", "string"
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
    if "prefixItems" in schema or items.get("type") in ("object", "array"):
        return "json", "json" if "prefixItems" in schema else "items"
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


def _write(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)
