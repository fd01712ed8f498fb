"""The responses of a method, read from its return annotation."""

from __future__ import annotations

import collections.abc
import inspect
import json
import logging
import re
import types
import typing
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal, Union

from pydantic import TypeAdapter
from werkzeug.wrappers import Response

from ..dispatch.json_schema import Schema, in_words
from ..dispatch.parameter import EMPTY, members
from ..dispatch.responses import Task
from ..dispatch.signature import resolve_annotation
from .parameters import FILE, TEXT, record
from .plain_json import plain_json
from .typed_parameters import schema_of

log = logging.getLogger("kernkoa")

JSON, HTML, DOWNLOAD, LINES = "application/json", "text/html", "application/octet-stream", "application/jsonl"
_STREAMS = (
    collections.abc.Iterator,
    collections.abc.Generator,
    collections.abc.AsyncIterator,
    collections.abc.AsyncGenerator,
)


TASK_STATUS: Schema = {
    "type": "object",
    "description": "The status of a task: `state` while it runs, `data` after SUCCESS, `error` after FAILURE.",
    "properties": {"status": TEXT, "state": {}, "data": {}, "error": record("", {"type": TEXT, "message": TEXT})},
    "required": ["status"],
}


@dataclass(frozen=True, slots=True)
class Answer:
    """A status that a method answers; without a body `media` is empty. `schema` is complete in itself.

    `result` is the status document of a task that was started, with the schema of what the task returns.
    """

    status: int
    media: str = ""
    schema: Schema | None = None
    result: Schema | None = None


def answers_of(function: Callable[..., Any], place: str) -> tuple[Answer, ...]:
    """The answers of a method; none where its annotation does not say them, or cannot be used."""
    annotation = inspect.signature(function).return_annotation
    if annotation is EMPTY:
        return ()
    try:
        return tuple(_answers(resolve_annotation(annotation, function)))
    except Exception as error:  # the method works even so
        log.warning(
            "The responses of %s cannot be described: %s: %s", place, type(error).__name__, error, exc_info=error
        )
        return ()


def _answers(annotation: Any) -> Iterator[Answer]:
    """One answer for each kind of value that a method may return; none if one of them may be anything."""
    options = [*members(annotation)]
    if any(_is_anything(option) for option in options):
        return
    if annotation is None or types.NoneType in (annotation, *typing.get_args(annotation)):
        yield Answer(204)
    documents = [option for option in options if _is_document(option)]
    if documents:
        yield Answer(200, JSON, _schema(Union[tuple(documents)]))  # noqa: UP007 - of a list
    for option in options:
        if option not in documents:
            yield from _of_one(option)


def _is_anything(option: Any) -> bool:
    base = typing.get_origin(option) or option
    return option in (Any, object) or (isinstance(base, type) and issubclass(base, Response))


def of_background(answers: Sequence[Answer]) -> Answer:
    """The answer of a method that is asked to run in a worker: the task that will answer for it."""
    later = [one.schema for one in answers if one.status == 200 and one.media == JSON and one.schema]
    return Answer(202, JSON, result=_status_of(later[0] if later else {}))


def _status_of(schema: Schema) -> Schema:
    """The status document of a task that returns this, as its own model; {} if the type is unknown."""
    inner = {key: value for key, value in schema.items() if key != "$defs"}
    if not inner:
        return {}
    name = f"StatusOf{_name(inner)}"
    model = TASK_STATUS | {"title": name, "properties": TASK_STATUS["properties"] | {"data": inner}}
    return {"$ref": f"#/$defs/{name}", "$defs": {**schema.get("$defs", {}), name: model}}


def _name(schema: Schema) -> str:
    """A name for a schema: of its model, else of its type."""
    if schema.get("type") == "array":
        return f"ListOf{_name(schema.get('items', {}))}"
    words = schema.get("$ref", "").rpartition("/")[2] or schema.get("title") or schema.get("type") or "Value"
    return re.sub(r"\W", "", str(words)[:1].upper() + str(words)[1:])


def _is_document(option: Any) -> bool:
    """Whether a value is answered as JSON."""
    base = typing.get_origin(option) or option
    if base is Literal:
        return not all(isinstance(choice, str | bytes) for choice in typing.get_args(option))
    is_text = isinstance(base, type) and issubclass(base, str | bytes | bytearray)
    return not is_text and base not in (tuple, Task, *_STREAMS)


def _of_one(option: Any) -> Iterator[Answer]:
    base, inside = typing.get_origin(option) or option, typing.get_args(option)
    if base is tuple:
        yield from _with_status(inside)
    elif base is Task:
        yield Answer(200, JSON, result=_status_of(_schema(inside[0]) if inside and inside[0] is not Any else {}))
    elif base in _STREAMS:
        is_text = not inside or not _is_document(inside[0])
        yield Answer(200, HTML, TEXT) if is_text else Answer(200, LINES, _schema(inside[0]))
    elif isinstance(base, type) and issubclass(base, bytes | bytearray):
        yield Answer(200, DOWNLOAD, FILE)
    else:
        yield Answer(200, HTML, _schema(option))


def _with_status(inside: tuple[Any, ...]) -> Iterator[Answer]:
    """A body and its status: `tuple[Order, Literal[201]]`. Any other number may be any status."""
    statuses = typing.get_args(inside[1]) if len(inside) > 1 and typing.get_origin(inside[1]) is Literal else ()
    for status in statuses:
        for answer in _answers(inside[0]):
            yield replace(answer, status=int(status))


def show_answers(answers: Sequence[Answer]) -> list[dict[str, Any]]:
    """Answers for people: status and media type, what it is in words, and its schema as text."""
    return [_show(answer) for answer in answers]


def _show(answer: Answer) -> dict[str, Any]:
    schema, words = answer.schema or {}, ""
    if answer.result is not None:
        models = answer.result.get("$defs", {})
        data = models[_name(answer.result)]["properties"]["data"] if answer.result else {}
        schema, words = ({**data, "$defs": models} if data else {}), "a task, whose result is "
    words += in_words(schema) if answer.media else "nothing"
    text = json.dumps({key: value for key, value in schema.items() if value}, indent=2, ensure_ascii=False)
    return {"status": answer.status, "media": answer.media, "words": words, "schema": text if schema else ""}


def _schema(annotation: Any) -> Schema:
    schema = plain_json(schema_of(TypeAdapter(annotation), "serialization"))
    return typing.cast(Schema, schema or {})
