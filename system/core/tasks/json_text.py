"""A value as JSON that decodes to the same value, or the place in it that makes this impossible."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Literal

from pydantic_core import from_json, to_json

from ..dispatch.json_text import ENCODING_ERRORS, FaultFinder, encode_by_schema

# JSON is read 200 levels deep; a message or an answer adds a few around a value
_MARGIN = 10
DEEPEST = 200 - _MARGIN


class NotJson(ValueError):
    """A value that cannot be sent as JSON; the text is its place and what is there."""


def encode_value(value: Any, name: str, nan: Literal["null", "refuse"] = "refuse") -> bytes:
    """A value as JSON text; NaN and the infinities become null, or are refused. Raises NotJson, with the place.

    Dates, Decimals, UUIDs, sets, dataclasses and pydantic models are converted.
    """

    def encode(value: Any) -> bytes:
        return to_json(value, inf_nan_mode="null" if nan == "null" else "constants", fallback=encode_by_schema)

    try:
        text = encode(value)
        read = _read(text)
        if len(to_json(read)) == len(text):
            return text
        what = "is another value in JSON"
    except ENCODING_ERRORS as error:
        what = f"is not JSON: {error}"
    fault = FaultFinder(lambda value: _read(encode(value)), DEEPEST, has_unique_keys=True).find(value, name)
    raise NotJson(fault or f"{name} {what}")


def _read(text: bytes) -> Any:
    """The value of a JSON text, with the margin around it that it has in a message."""
    read = from_json(b"[" * _MARGIN + text + b"]" * _MARGIN, allow_inf_nan=False)
    for _ in range(_MARGIN):
        (read,) = read
    return read


def walk(value: Any) -> Iterator[Any]:
    """A JSON value and everything in it."""
    stack = [value]
    while stack:
        found = stack.pop()
        yield found
        stack.extend(found.values() if isinstance(found, dict) else found if isinstance(found, list) else ())
