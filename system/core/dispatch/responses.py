"""From a method's return value to a response."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from typing import Any

from flask import Response, current_app, stream_with_context
from pydantic import BaseModel
from pydantic_core import to_json

_JSON_TYPES = (dict, list, bool, int, float)


def respond(value: Any) -> Response:
    """The response that a method's return value means.

    str is HTML, bytes a download; dict, list, numbers, dataclasses and pydantic models are JSON; a generator
    streams; None is 204; a tuple and a Flask Response are what they are in Flask.
    """
    if isinstance(value, str):
        return Response(value)
    if isinstance(value, Response):
        return value
    if value is None:
        return Response(status=204)
    if isinstance(value, bytes | bytearray):
        return _download(bytes(value))
    if isinstance(value, _JSON_TYPES) or is_record(value):
        return json_response(value)
    if isinstance(value, Iterator):
        return _stream(value)
    if isinstance(value, tuple) and len(value) in (2, 3):
        return current_app.make_response((respond(value[0]), *value[1:]))
    return current_app.make_response(value)


def is_record(value: object) -> bool:
    """Whether a value is an instance of a dataclass or of a pydantic model."""
    return isinstance(value, BaseModel) or (dataclasses.is_dataclass(value) and not isinstance(value, type))


def encode_json(value: Any) -> bytes:
    """A value as JSON: dates in ISO 8601, Decimal and UUID as text, not-a-number as null (RFC 8259, section 6)."""
    return to_json(value, inf_nan_mode="null")


def json_response(value: Any, status: int = 200, mimetype: str = "application/json") -> Response:
    """A response with a value as its JSON body."""
    return Response(encode_json(value), status, mimetype=mimetype)


def no_store(response: Response) -> Response:
    """Keep browsers and proxies from storing a response: RFC 9111, section 5.2.2.5."""
    response.headers["Cache-Control"] = "no-store"
    return response


def _download(content: bytes) -> Response:
    response = Response(content, mimetype="application/octet-stream")
    response.headers["Content-Disposition"] = "attachment"
    response.headers["X-Content-Type-Options"] = "nosniff"
    return response


def _stream(values: Iterator[Any]) -> Response:
    """A streamed response. Its first piece is made before the headers are sent: an early failure is a 500."""
    first = next(values, b"")
    response = Response(stream_with_context(_resume(first, values)))
    response.headers["X-Accel-Buffering"] = "no"  # nginx: pass each piece on as it comes
    return response


def _resume(first: Any, values: Iterator[Any]) -> Iterator[Any]:
    try:
        yield first
        yield from values
    finally:  # a client that leaves ends the user's generator too
        getattr(values, "close", lambda: None)()
