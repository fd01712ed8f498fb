"""A method as operations of an OpenAPI 3.1 document: https://spec.openapis.org/oas/v3.1.1#operation-object"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from ..dispatch.json_schema import Schema
from .answers import TASK_STATUS
from .components import REFERENCE
from .descriptions import Description
from .parameters import TEXT, Parameter, record

FORM, MULTIPART, JSON = "application/x-www-form-urlencoded", "multipart/form-data", "application/json"
_WITHOUT_BODY = frozenset({"GET", "HEAD", "OPTIONS", "DELETE"})
_VERBS = ("GET", "PUT", "POST", "DELETE", "PATCH")

PROBLEM = record(
    "What went wrong: RFC 9457.",
    {"type": TEXT, "title": TEXT, "status": {"type": "integer"}, "detail": TEXT},
)
FAULT = record("", {"name": TEXT, "source": TEXT, "expected": TEXT, "got": {}, "hint": TEXT})
INVALID = record(
    "What went wrong, and each value that was refused.",
    {**PROBLEM["properties"], "errors": {"type": "array", "items": FAULT}},
)
TASK = record(
    "A task that was queued for a worker; `url` leads to its status.",
    {"type": {"const": "task", "type": "string"}, "id": TEXT, "url": TEXT},
)
SCHEMAS = {"Problem": PROBLEM, "InvalidParameters": INVALID, "Task": TASK, "TaskStatus": TASK_STATUS}
STATUS_PATH = "/status/{id}"
STATUS = {
    "get": {
        "operationId": "get_task_status",
        "tags": ["status"],
        "summary": "The status of a task, and its result.",
        "parameters": [
            {"name": "id", "in": "path", "required": True, "schema": TEXT},
            {
                "name": "wait",
                "in": "query",
                "required": False,
                "description": "Seconds to wait for a change, at most 30.",
                "schema": {"type": "number"},
            },
        ],
        "responses": {
            "200": {
                "description": "The status. With `If-None-Match`, 304 while it has not changed.",
                "content": {JSON: {"schema": {"$ref": REFERENCE.format(model="TaskStatus")}}},
            },
            "404": {"$ref": "#/components/responses/NotFound"},
            "default": {"$ref": "#/components/responses/Problem"},
        },
    }
}
# the errors that the kernel answers: the name of the response, and when it is given
_ERRORS = {
    400: ("MissingParameter", "A parameter is missing, or the request cannot be read."),
    404: ("NotFound", "There is nothing at this path."),
    413: ("TooLarge", "The body is larger than the site takes."),
    415: ("UnsupportedMediaType", "The method cannot read a body of this type."),
    422: ("InvalidParameters", "Values that the signature refuses; each is listed."),
}
RESPONSES = {
    name: {
        "description": words,
        "content": {
            "application/problem+json": {
                "schema": {"$ref": REFERENCE.format(model=name if name in SCHEMAS else "Problem")}
            }
        },
    }
    for name, words in (("Problem", "The request failed."), *_ERRORS.values())
}


def operations_of(item: Description) -> Iterator[tuple[str, dict[str, Any]]]:
    """The operations of a method at its shortest URL, and with its required values in the path.

    The models of its parameters and answers stand among the components.
    """
    path = item.method.short_url
    named = [one for one in item.parameters if f"{{{one.name}}}" in path.split("/")]
    if path.count("{") == len(named):  # OpenAPI allows a name once; *rest may be there twice
        yield path, _verbs(item, named)
    in_path = [one for one in item.parameters if one.takes_segment and one.required]
    if in_path and not named:
        path = "/".join([path.rstrip("/"), *(f"{{{one.name}}}" for one in in_path)])
        yield path, _verbs(item, in_path)


def _verbs(item: Description, in_path: list[Parameter]) -> dict[str, Any]:
    return {verb.lower(): _operation(item, verb, in_path) for verb in item.method.verbs if verb in _VERBS}


def _operation(item: Description, verb: str, in_path: list[Parameter]) -> dict[str, Any]:
    method = item.method
    rest = [one for one in item.parameters if one not in in_path and one.where != "path"]
    in_query = [one for one in rest if one.where == "query" or verb in _WITHOUT_BODY]
    in_body = [one for one in rest if one not in in_query]
    summary, _, description = method.doc.partition("\n")
    name = "_".join([verb.lower(), *method.place.split("/"), *(["by_path"] if in_path else [])])
    parameters = [_parameter(one, "path") for one in in_path]
    parameters += [_parameter(one, "query") for one in in_query if not one.is_file and one.where != "body"]
    return {
        "operationId": name,
        "tags": [method.library],
        **({"summary": summary} if summary else {}),
        **({"description": description.strip()} if description.strip() else {}),
        **({"parameters": parameters} if parameters else {}),
        **({"requestBody": _body(in_body)} if in_body else {}),
        "responses": _responses(item, verb, bool(in_path)),
    }


def _parameter(one: Parameter, place: str) -> dict[str, Any]:
    made: dict[str, Any] = {"name": one.name, "in": place, "required": place == "path" or one.required}
    schema = _in_text(one)
    if "description" in schema:
        made["description"] = schema["description"]
    if one.is_record and not one.is_body:
        return made | {"content": {JSON: {"schema": schema}}}
    return made | {"schema": schema}


def _in_text(one: Parameter) -> Schema:
    """What can be written in a URL or a form: null cannot, and of a list that is there, at least one value.

    A body that is null is none either.
    """
    schema = one.schema
    options = [option for option in schema.get("anyOf", ()) if option.get("type") != "null"]
    if options:
        rest = {key: value for key, value in schema.items() if key != "anyOf"}
        schema = rest | (options[0] if len(options) == 1 else {"anyOf": options})
    if schema.get("type") == "array" and one.required:
        schema = schema | {"minItems": max(1, schema.get("minItems", 1))}
    return schema


def _body(sent: list[Parameter]) -> dict[str, Any]:
    """The body in the types that can hold it: files need multipart, records JSON."""
    whole = next((one for one in sent if one.is_body), None)
    if any(one.is_file for one in sent):
        content = {MULTIPART: {"schema": _object([_as_text(one) for one in sent])}}
    elif whole is not None:
        others = [one for one in sent if one is not whole]
        schema = {"allOf": [_in_text(whole), _object(others)]} if others else _in_text(whole)
        content = {JSON: {"schema": schema}}
    elif any(one.is_record for one in sent):
        content = {JSON: {"schema": _object(sent)}}
    else:
        in_text = _object([replace(one, schema=_in_text(one)) for one in sent])
        content = {JSON: {"schema": _object(sent)}, FORM: {"schema": in_text}, MULTIPART: {"schema": in_text}}
    return {"content": content, "required": any(one.required for one in sent)}


def _as_text(one: Parameter) -> Parameter:
    """A record next to a file is sent as JSON text."""
    schema = {"type": "string", "contentMediaType": JSON, "contentSchema": one.schema}
    return replace(one, schema=schema if one.is_record else _in_text(one))


def _object(sent: list[Parameter]) -> Schema:
    required = [one.name for one in sent if one.required]
    made: Schema = {"type": "object", "properties": {one.name: one.schema for one in sent}}
    return made | ({"required": required} if required else {})


def _responses(item: Description, verb: str, is_by_path: bool) -> dict[str, Any]:
    """The answers of a method, then the errors that it can give; `default` stands for any other."""
    found = _successes(item)
    for status in sorted(item.source.refusals):  # the method's own errors may be of any media type
        found.setdefault(str(status), {"description": "The method refuses."})
    for status in _refusals(item, verb, is_by_path) - item.source.refusals:
        found[str(status)] = {"$ref": f"#/components/responses/{_ERRORS[status][0]}"}
    return found | {"default": {"$ref": "#/components/responses/Problem"}}


def _successes(item: Description) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for answer in item.answers:
        made = found.setdefault(str(answer.status), {"description": "What the method returns."})
        if answer.result is not None:
            made |= _task(answer.result)
        elif answer.media:
            made.setdefault("content", {})[answer.media] = {"schema": answer.schema}
    if not found:
        names = ", ".join(item.source.returned)
        words = f"An object with {names}." if names else "What the method returns."
        found = {"2XX": {"description": words}, "3XX": {"description": "A redirect."}}
    if item.later and item.later.result is not None:
        found["202"] = _task(item.later.result) | {"description": "With Prefer: respond-async, a task."}
    return found


def _task(result: Schema) -> dict[str, Any]:
    """A response that is a task, with a link to the status, whose `data` will be the result."""
    told = f" as {result['$ref'].rpartition('/')[2]}" if result else ""
    link = {
        "operationId": STATUS["get"]["operationId"],
        "parameters": {"id": "$response.body#/id"},
        "description": f"The status of the task{told}; its `data` is the result.",
    }
    return {
        "description": "The task that was started.",
        "content": {JSON: {"schema": {"$ref": REFERENCE.format(model="Task")}}},
        "links": {"status": link | ({"x-schema": result} if result else {})},
    }


def _refusals(item: Description, verb: str, is_by_path: bool) -> set[int]:
    """The statuses of the errors that the kernel may return instead of the method."""
    takes_values = bool(item.parameters) or item.source.is_open
    found = {400} if takes_values else set()
    if is_by_path:
        found.add(404)
    if takes_values and verb not in _WITHOUT_BODY:
        found |= {413, 415} if item.source.is_typed else {413}
    return found | ({422} if item.parameters and item.source.is_typed else set())
