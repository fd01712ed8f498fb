"""A value as JSON that every reader gets back as it was, or the place in it that makes this impossible."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Literal

from pydantic_core import PydanticSerializationError, from_json, to_json

# JSON is read 200 levels deep; a message or an answer adds a few around a value
_MARGIN = 10
DEEPEST = 200 - _MARGIN
MOST_DIGITS = 4_300


class NotJson(ValueError):
    """A value that cannot be sent as JSON; the text is the place and what stands there."""


def encode_value(value: Any, name: str, nan: Literal["null", "refuse"] = "refuse") -> bytes:
    """A value as JSON text. `nan` says what becomes of NaN and the infinities. Raises NotJson, with the place.

    Dates, Decimals, UUIDs, sets, dataclasses and pydantic models are converted.
    """
    try:
        text = to_json(value, inf_nan_mode="null" if nan == "null" else "constants")
        read = from_json(b"[" * _MARGIN + text + b"]" * _MARGIN, allow_inf_nan=False)
        for _ in range(_MARGIN):
            (read,) = read
        if len(to_json(read)) == len(text):
            return text
    except (PydanticSerializationError, ValueError, RecursionError) as error:
        raise NotJson(find_fault(value, name, nan) or f"{name} ({error})") from error
    raise NotJson(find_fault(value, name, nan) or f"{name}, which has two keys that are the same in JSON,")


def find_fault(value: Any, place: str, nan: str = "refuse", depth: int = 0) -> str:
    """The place and kind of the first thing in a value that JSON cannot hold; empty if there is none."""
    if depth > DEEPEST:
        return f"{_shorten(place)}, which contains itself or is nested more than {DEEPEST} levels deep,"
    children = _children(value)
    for key, child in children:
        found = find_fault(child, f"{place}[{key!r}]", nan, depth + 1)
        if found:
            return found
    names = [_key_name(key) for key, _ in children] if isinstance(value, Mapping) else []
    if len(set(names)) < len(names):
        twice = next(name for name in names if names.count(name) > 1)
        return f"{_shorten(place)}, which has two keys that are {twice!r} in JSON,"
    kind = _describe(value, nan)
    return f"{_shorten(place)}, {kind}," if kind else ""


def _children(value: Any) -> list[tuple[Any, Any]]:
    if isinstance(value, Mapping):
        return list(value.items())
    return list(enumerate(value)) if isinstance(value, list | tuple) else []


def _key_name(key: Any) -> str:
    try:
        return str(next(iter(from_json(to_json({key: 0})))))
    except (PydanticSerializationError, ValueError):
        return repr(key)


def _describe(value: Any, nan: str) -> str:
    """What is wrong with a value that has no children; empty if nothing is."""
    if isinstance(value, float) and value - value != 0:
        return "" if nan == "null" else f"the number {value},"[:-1]
    if isinstance(value, int) and not -(10**MOST_DIGITS) < value < 10**MOST_DIGITS:
        return f"a number of more than {MOST_DIGITS} digits"
    try:
        from_json(to_json(value, inf_nan_mode="null"))
    except UnicodeEncodeError:
        return "a text with half of a surrogate pair"
    except (PydanticSerializationError, ValueError, RecursionError) as error:
        if isinstance(value, str) and "surrogate" in str(error):
            return "a text with half of a surrogate pair"
        return f"a {type(value).__name__}"
    return ""


def _shorten(place: str) -> str:
    return place if len(place) < 200 else f"{place[:100]}…{place[-60:]}"


def walk(value: Any) -> Iterator[Any]:
    """A JSON value and everything in it."""
    stack = [value]
    while stack:
        found = stack.pop()
        yield found
        stack.extend(found.values() if isinstance(found, dict) else found if isinstance(found, list) else ())
