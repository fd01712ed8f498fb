"""Values as JSON text, and the place in a value that JSON text cannot hold."""

from __future__ import annotations

import dataclasses
import json
import math
from collections.abc import Iterator, Mapping
from typing import Any

from pydantic_core import PydanticSerializationError, to_json

from .models import is_model

# the faults of an encoder: an unknown type, a text with half a surrogate pair, a value inside itself
ENCODING_ERRORS = (PydanticSerializationError, ValueError, RecursionError)
MOST_LEVELS = 200


def encode_json(value: Any) -> bytes:
    """A value as JSON: dates in ISO 8601, Decimal and UUID as text, not-a-number as null (RFC 8259, section 6).

    Raises one of ENCODING_ERRORS for what JSON cannot hold.
    """
    return to_json(value, inf_nan_mode="null")


def encode_any(value: Any) -> bytes:
    """A value as JSON whatever it holds, for error documents: what JSON cannot hold is shown as text."""
    try:
        return to_json(value, inf_nan_mode="null", fallback=repr)
    except ENCODING_ERRORS:
        return json.dumps(_plain(value, 0)).encode()


def _plain(value: Any, level: int) -> Any:
    if isinstance(value, Mapping) and level < MOST_LEVELS:
        return {str(name): _plain(item, level + 1) for name, item in value.items()}
    if isinstance(value, list | tuple) and level < MOST_LEVELS:
        return [_plain(item, level + 1) for item in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value if value is None or isinstance(value, bool | int | float | str) else repr(value)


def find_fault(value: Any, place: str, level: int = 0) -> str:
    """The place of the first thing in a value that JSON cannot hold, and what it is; empty where there is none."""
    if level > MOST_LEVELS:
        return f"{place[:100]}… is nested too deeply, or contains itself"
    for name, child in _children(value):
        found = _key_fault(name, place) or find_fault(child, f"{place}[{name!r}]", level + 1)
        if found:
            return found
    return _leaf_fault(value, place) if not _is_container(value) else ""


def _is_container(value: Any) -> bool:
    is_record = is_model(type(value)) or dataclasses.is_dataclass(value)
    return is_record or isinstance(value, Mapping | list | tuple | set | frozenset)


def _children(value: Any) -> Iterator[tuple[Any, Any]]:
    if isinstance(value, Mapping):
        yield from value.items()
    elif isinstance(value, list | tuple | set | frozenset):
        yield from enumerate(value)
    elif is_model(type(value)) or (dataclasses.is_dataclass(value) and not isinstance(value, type)):
        yield from vars(value).items()


def _key_fault(name: Any, place: str) -> str:
    try:
        encode_json({name: None})
    except ENCODING_ERRORS:
        return f"{place} has the key {name!r}, a {type(name).__name__}"
    return ""


def _leaf_fault(value: Any, place: str) -> str:
    try:
        encode_json(value)
    except ENCODING_ERRORS as error:
        if isinstance(value, str):
            return f"{place} is text that UTF-8 cannot hold: {value!r:.80}"
        if isinstance(value, bytes | bytearray):
            return f"{place} is bytes that are no UTF-8 text"
        if isinstance(error, PydanticSerializationError) and "unknown type" in str(error):
            return f"{place} is a {type(value).__name__}"
        return f"{place} is a {type(value).__name__}: {error}"
    return ""
