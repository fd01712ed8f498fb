"""Values as JSON text, and the place in a value that JSON text cannot hold."""

from __future__ import annotations

import dataclasses
import json
import math
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping
from typing import Any

from pydantic_core import PydanticSerializationError, from_json, to_json

from .models import is_record

# the faults of an encoder: an unknown type, a text with half a surrogate pair, a value inside itself
ENCODING_ERRORS = (PydanticSerializationError, ValueError, RecursionError)
MOST_LEVELS = 200
# Python's own readers refuse longer ones
MOST_DIGITS = 4_300


def encode_json(value: Any) -> bytes:
    """A value as JSON: dates in ISO 8601, Decimal and UUID as text, not-a-number as null (RFC 8259, section 6).

    Raises one of ENCODING_ERRORS for what JSON cannot hold.
    """
    return to_json(value, inf_nan_mode="null", fallback=encode_by_schema)


def encode_by_schema(value: Any) -> Any:
    """The JSON value that pydantic's schema of a type makes, such as the name of a ZoneInfo.

    A parameter can have every type that has such a schema, and a method can return what it received. Raises
    PydanticSerializationError for a type without a schema.
    """
    from pydantic import TypeAdapter
    from pydantic.errors import PydanticUserError

    try:
        return TypeAdapter(type(value)).dump_python(value, mode="json")
    except PydanticUserError as error:
        raise PydanticSerializationError(f"Unable to serialize unknown type: {type(value)}") from error


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


@dataclasses.dataclass(frozen=True, slots=True)
class FaultFinder:
    """Finds what JSON cannot hold in a value.

    `encode` raises one of ENCODING_ERRORS for what cannot be encoded. `has_unique_keys` refuses mappings with two
    keys that are the same in JSON.
    """

    encode: Callable[[Any], Any] = encode_json
    most_levels: int = MOST_LEVELS
    has_unique_keys: bool = False

    def find(self, value: Any, place: str, level: int = 0) -> str:
        """The place of the first fault in a value, and what it is; empty where there is none."""
        if level > self.most_levels:
            return f"{_shorten(place)} is nested more than {self.most_levels} levels deep, or contains itself"
        for name, child in _children(value):
            found = self._find_in_key(name, place) or self.find(child, f"{place}[{name!r}]", level + 1)
            if found:
                return found
        if is_record(value) or isinstance(value, Mapping | list | tuple | set | frozenset):
            twice = self.has_unique_keys and isinstance(value, Mapping) and _find_twice(value)
            return f"{_shorten(place)} has two keys that are {twice!r} in JSON" if twice else ""
        fault = self._describe(value)
        return f"{_shorten(place)} {fault}" if fault else ""

    def _find_in_key(self, key: Any, place: str) -> str:
        try:
            self.encode({key: None})
        except ENCODING_ERRORS:
            return f"{_shorten(place)} has the key {key!r:.80} of type {type(key).__name__}"
        return ""

    def _describe(self, value: Any) -> str:
        """What a value without children is, if it cannot be encoded."""
        if isinstance(value, int) and not -(10**MOST_DIGITS) < value < 10**MOST_DIGITS:
            return f"is a number of more than {MOST_DIGITS} digits"
        try:
            self.encode(value)
        except ENCODING_ERRORS as error:
            if isinstance(value, str):
                return f"is text that UTF-8 cannot hold: {value!r:.80}"
            if isinstance(value, bytes | bytearray):
                return "is bytes that are not UTF-8 text"
            if isinstance(value, float):
                return f"is the number {value}"
            is_unknown = isinstance(error, PydanticSerializationError) and "unknown type" in str(error)
            return f"is of type {type(value).__name__}" + (_remedy(value) if is_unknown else f": {error}")
        return ""


def _remedy(value: Any) -> str:
    """What makes JSON of a value that is none, as of a DataFrame, an array, a range."""
    for name, kind in (("to_dict", "dict"), ("tolist", "list")):
        if hasattr(value, name):
            return f" (its method {name} makes a {kind} of it)"
    return " (list(…) makes a list of it)" if isinstance(value, Collection) else ""


def _find_twice(value: Mapping[Any, Any]) -> str:
    """The first name in JSON that two keys of a mapping have; empty where there is none."""
    names = Counter(next(iter(from_json(encode_json({key: None})))) for key in value)
    return next((name for name, count in names.items() if count > 1), "")


def _shorten(place: str) -> str:
    return place if len(place) < 200 else f"{place[:100]}…{place[-60:]}"


def _children(value: Any) -> Iterator[tuple[Any, Any]]:
    if isinstance(value, Mapping):
        yield from value.items()
    elif isinstance(value, list | tuple | set | frozenset):
        yield from enumerate(value)
    elif is_record(value) and not isinstance(value, type):
        yield from vars(value).items()
