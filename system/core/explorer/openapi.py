"""The catalogue as an OpenAPI 3.1 document: https://spec.openapis.org/oas/v3.1.1

Untyped methods are read from their source; the library of a typed one is loaded, since its models are asked for
their schemas. What does not load is left out: it would answer 500.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from pydantic import TypeAdapter, ValidationError
from pydantic_core import PydanticSerializationError, to_jsonable_python

from ..catalog.tree import Catalog, Folder
from ..dispatch.binding import TypedBinding
from ..dispatch.calling import make_binding
from ..dispatch.json_schema import Schema, Schemas
from ..dispatch.routing import Route
from ..dispatch.signature import EMPTY
from ..dispatch.typed_parameter import Slot
from ..dispatch.walk import resolve
from ..errors import KernKoaError
from ..settings import Settings
from .annotations import FILE
from .inference import NO_DEFAULT, ReadParameter, ReadParameters
from .listing import ListedLibrary, ListedMethod, Listing

log = logging.getLogger("kernkoa")

REFERENCE = "#/components/schemas/{model}"
FORM, MULTIPART, JSON = "application/x-www-form-urlencoded", "multipart/form-data", "application/json"
_WITHOUT_BODY = frozenset({"GET", "HEAD", "OPTIONS", "DELETE"})

PROBLEM: Schema = {
    "type": "object",
    "description": "What went wrong: RFC 9457.",
    "properties": {
        "type": {"type": "string"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "detail": {"type": "string"},
    },
    "required": ["type", "title", "status", "detail"],
}
INVALID: Schema = {
    "allOf": [{"$ref": "#/components/schemas/Problem"}],
    "type": "object",
    "properties": {
        "errors": {
            "type": "array",
            "items": {
                "type": "object",
                "properties": {
                    "name": {"type": "string"},
                    "source": {"type": "string"},
                    "expected": {"type": "string"},
                    "got": {},
                    "hint": {"type": "string"},
                },
                "required": ["name", "source", "expected", "got", "hint"],
            },
        }
    },
    "required": ["errors"],
}
_REASONS = {
    400: "The request cannot be understood, or a parameter is missing.",
    404: "There is nothing at this address.",
    405: "The method does not take this verb.",
    413: "More was sent than the site takes.",
    415: "The body is of a type that the method cannot read.",
    422: "Values that the signature refuses; each is listed.",
    503: "Something that the site leans on is away; come back later.",
}


@dataclass(slots=True)
class Taken:
    """A parameter as the document tells of it. `is_body`: a JSON body is its value."""

    name: str
    schema: Schema
    required: bool
    where: str = "any"
    takes_segment: bool = False
    is_body: bool = False
    is_record: bool = False

    @property
    def is_file(self) -> bool:
        return self.schema == FILE or self.schema.get("items") == FILE


@dataclass(slots=True)
class _Described:
    """A method, what it takes, and the statuses that it may refuse with."""

    method: ListedMethod
    taken: list[Taken]
    statuses: set[int]
    own_statuses: frozenset[int]  # those that its own code names


def make_document(
    catalog: Catalog,
    settings: Settings,
    server: str = "",
    admits: Callable[[Folder], bool] = lambda folder: True,
    admits_method: Callable[[ListedMethod], bool] = lambda method: True,
) -> dict[str, Any]:
    """The document of a catalogue, as far as its guards let the visitor see. `server` is the site's base URL."""
    listing = Listing(catalog, settings.home)
    libraries = list(listing.walk(catalog.now(), admits=admits))
    methods = [
        item for library in libraries for item in library.methods if not item.is_task and admits_method(item)
    ]
    described, definitions = _describe(catalog, listing, methods)
    paths: dict[str, Any] = {}
    for item in described:
        for path, operations in _operations(item):
            paths.setdefault(path, {}).update(operations)
    schemas = {"Problem": PROBLEM, "InvalidParameters": INVALID} | definitions
    return {
        "openapi": "3.1.0",
        "info": {"title": settings.name, "version": str(getattr(settings, "version", "1.0.0"))},
        "servers": [{"url": (server or settings.base).rstrip("/") or "/"}],
        "tags": _tags(libraries, {item.method.library for item in described}),
        "paths": paths,
        "components": {"schemas": schemas},
    }


def _tags(libraries: list[ListedLibrary], used: set[str]) -> list[dict[str, str]]:
    return [
        {"name": library.name} | ({"description": library.doc} if library.doc else {})
        for library in libraries
        if library.name in used
    ]


def _describe(
    catalog: Catalog, listing: Listing, methods: list[ListedMethod]
) -> tuple[list[_Described], dict[str, Schema]]:
    """What each method takes, and the schemas of the models that they share."""
    slots: dict[str, dict[str, Slot]] = {}
    reads: dict[str, ReadParameters] = {}
    for method in methods:
        read = listing.parameters(method, catalog.now())
        if read.is_typed:
            try:
                slots[method.place] = _load_slots(catalog, method)
            except KernKoaError as error:
                log.warning("%s is left out of the document: %s", method.place, error)
                continue
        reads[method.place] = read
    schemas, definitions = _schemas(slots)
    found = []
    for method in methods:
        if method.place in reads:
            read = reads[method.place]
            typed = slots.get(method.place, {})
            taken = [_of_source(parameter) for parameter in read.parameters if parameter.name not in typed]
            for name, slot in typed.items():
                if slot.shape not in ("params", "others", "rest"):
                    taken.append(_of_slot(slot, schemas[method.place, name]))
            found.append(_Described(method, taken, _statuses(read), read.refusals))
    return found, definitions


def _load_slots(catalog: Catalog, method: ListedMethod) -> dict[str, Slot]:
    """The typed parameters of a method, of its live version."""
    endpoint = resolve(catalog, Route(tuple(method.url.strip("/").split("/"))), catalog.now()).endpoint
    if endpoint.binding is None:
        endpoint.binding = make_binding(endpoint.signature)
    binding = endpoint.binding
    return {slot.name: slot for slot in binding.slots} if isinstance(binding, TypedBinding) else {}


def _schemas(slots: dict[str, dict[str, Slot]]) -> tuple[dict[tuple[str, str], Schema], dict[str, Schema]]:
    """The schema of every parameter, and those of the models: two of one name in two files are told apart."""
    schemas: dict[tuple[str, str], Schema] = {}
    adapters = []
    for place, named in slots.items():
        for name, slot in named.items():
            key = (place, name)
            schemas[key] = slot.schema()
            if (
                slot.shape in ("value", "list", "record")
                and slot.parameter.annotation is not EMPTY
                and schemas[key]
            ):
                adapters.append((key, "validation", slot.adapter))
    known, shared = TypeAdapter.json_schemas(
        adapters,  # type: ignore[arg-type]
        ref_template=REFERENCE,
        schema_generator=Schemas,
    )
    schemas.update({key: dict(schema) for (key, _), schema in known.items()})
    return schemas, shared.get("$defs", {})


def _of_source(parameter: ReadParameter) -> Taken:
    schema = dict(parameter.schema)
    if parameter.default is not NO_DEFAULT and parameter.default is not None:
        schema["default"] = parameter.default
    return Taken(parameter.name, schema, parameter.required, parameter.where, is_record=parameter.is_record)


def _of_slot(slot: Slot, schema: Schema) -> Taken:
    schema = schema | _default_of(slot)
    is_record = slot.shape == "record" or slot.holds_records
    return Taken(slot.name, schema, slot.is_required, "any", slot.takes_segment, slot.is_body, is_record)


def _default_of(slot: Slot) -> Schema:
    """The default as the document writes it; {} without one, and for one that the annotation would not take."""
    default = slot.parameter.default
    if default is EMPTY or default is None or slot.shape in ("file", "files"):
        return {}
    try:
        slot.convert(default)
        written = float(default) if isinstance(default, Decimal) else to_jsonable_python(default)
    except (ValidationError, PydanticSerializationError):
        return {}
    return {"default": written}


def _statuses(read: ReadParameters) -> set[int]:
    found = {400, 404, 405, 413, 503}
    return found | {415, 422} if read.is_typed else found


def _operations(item: _Described) -> Iterator[tuple[str, dict[str, Any]]]:
    """The operations of a method at its shortest URL, and with its required values in the path."""
    yield item.method.short_url, _verbs(item, [])
    in_path = [taken for taken in item.taken if taken.takes_segment and taken.required]
    if in_path:
        path = "/".join([item.method.short_url.rstrip("/"), *(f"{{{taken.name}}}" for taken in in_path)])
        yield path, _verbs(item, in_path)


def _verbs(item: _Described, in_path: list[Taken]) -> dict[str, Any]:
    known = ("GET", "PUT", "POST", "DELETE", "PATCH")
    return {verb.lower(): _operation(item, verb, in_path) for verb in item.method.verbs if verb in known}


def _operation(item: _Described, verb: str, in_path: list[Taken]) -> dict[str, Any]:
    method = item.method
    rest = [taken for taken in item.taken if taken not in in_path]
    in_query = [taken for taken in rest if taken.where == "query" or verb in _WITHOUT_BODY]
    in_body = [taken for taken in rest if taken not in in_query]
    summary, _, description = method.doc.partition("\n")
    name = "_".join([verb.lower(), *method.place.split("/"), *(["by_path"] if in_path else [])])
    parameters = [_parameter(taken, "path") for taken in in_path]
    parameters += [_parameter(taken, "query") for taken in in_query if not taken.is_file and taken.where != "body"]
    return {
        "operationId": name,
        "tags": [method.library],
        **({"summary": summary} if summary else {}),
        **({"description": description.strip()} if description.strip() else {}),
        **({"parameters": parameters} if parameters else {}),
        **({"requestBody": _body(in_body)} if in_body else {}),
        "responses": _responses(item),
    }


def _parameter(taken: Taken, place: str) -> dict[str, Any]:
    made: dict[str, Any] = {"name": taken.name, "in": place, "required": place == "path" or taken.required}
    schema = _in_text(taken)
    if "description" in schema:
        made["description"] = schema["description"]
    if taken.is_record and not taken.is_body:
        return made | {"content": {JSON: {"schema": schema}}}
    return made | {"schema": schema}


def _in_text(taken: Taken) -> Schema:
    """What can be written in a URL or a form: null cannot, and of a list that is there, at least one value.

    A body that is null is none either.
    """
    schema = taken.schema
    options = [option for option in schema.get("anyOf", ()) if option.get("type") != "null"]
    if options:
        rest = {key: value for key, value in schema.items() if key != "anyOf"}
        schema = rest | (options[0] if len(options) == 1 else {"anyOf": options})
    if schema.get("type") == "array" and taken.required:
        schema = schema | {"minItems": max(1, schema.get("minItems", 1))}
    return schema


def _body(taken: list[Taken]) -> dict[str, Any]:
    """The body in the types that can hold it: files need multipart, records JSON."""
    whole = next((one for one in taken if one.is_body), None)
    if any(one.is_file for one in taken):
        content = {MULTIPART: {"schema": _object([_as_text(one) for one in taken])}}
    elif whole is not None:
        others = [one for one in taken if one is not whole]
        schema = {"allOf": [_in_text(whole), _object(others)]} if others else _in_text(whole)
        content = {JSON: {"schema": schema}}
    elif any(one.is_record for one in taken):
        content = {JSON: {"schema": _object(taken)}}
    else:
        schema = _object(taken)
        in_text = _object([Taken(one.name, _in_text(one), one.required) for one in taken])
        content = {JSON: {"schema": schema}, FORM: {"schema": in_text}, MULTIPART: {"schema": in_text}}
    return {"content": content, "required": any(one.required for one in taken)}


def _as_text(taken: Taken) -> Taken:
    """A record beside a file travels as JSON text."""
    if not taken.is_record:
        return Taken(taken.name, _in_text(taken), taken.required)
    schema = {"type": "string", "contentMediaType": JSON, "contentSchema": taken.schema}
    return Taken(taken.name, schema, taken.required)


def _object(taken: list[Taken]) -> Schema:
    required = [one.name for one in taken if one.required]
    made: Schema = {"type": "object", "properties": {one.name: one.schema for one in taken}}
    return made | ({"required": required} if required else {})


def _responses(item: _Described) -> dict[str, Any]:
    found: dict[str, Any] = {
        "2XX": {"description": "What the method answers."},
        "3XX": {"description": "It leads on to another address."},
    }
    for status in sorted(item.statuses | item.own_statuses):
        answer: dict[str, Any] = {"description": _REASONS.get(status, "The method refuses.")}
        if status not in item.own_statuses:  # what the method itself answers may be of any type
            name = "InvalidParameters" if status == 422 else "Problem"
            answer["content"] = {"application/problem+json": {"schema": {"$ref": REFERENCE.format(model=name)}}}
        found[str(status)] = answer
    return found
