"""JSON bodies: decoded within limits, without values that other systems cannot hold."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Iterator
from typing import Any, NoReturn

from ..errors import MalformedBody, TooLarge
from .faults import LONGEST_SHOWN

_SURROGATE = re.compile(rb"\\u[dD][89a-fA-F]")
# what a number beyond the range of a float has: an exponent of three digits, or more than 308 digits
_HUGE = re.compile(rb"\d[eE]\+?\d{3}|\d{309}")


class ExactFloat(float):
    """A float with its original text: a Decimal made from it has all the digits that were sent."""

    __slots__ = ("text",)
    text: str

    def __new__(cls, text: str) -> ExactFloat:
        made = super().__new__(cls, text)
        made.text = text
        return made

    def __str__(self) -> str:
        return self.text


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not a JSON number")


_DECODER = json.JSONDecoder(parse_constant=_refuse_constant)
_EXACT_DECODER = json.JSONDecoder(parse_constant=_refuse_constant, parse_float=ExactFloat)


def decode_json(body: bytes, most_values: int, most_levels: int, what: str = "The JSON body") -> Any:
    """The value of a JSON body; None for an empty one. `what` is its name in the errors.

    Raises MalformedBody for invalid JSON (RFC 8259), half of a surrogate pair, a number beyond the range of
    a float or too many levels; TooLarge for too many values.
    """
    value = _decode(body, _DECODER.decode, what)
    check_json(value, body, most_values, most_levels, what)
    return value


def check_json(value: Any, body: bytes, most_values: int, most_levels: int, what: str = "The JSON body") -> None:
    """Raises what decode_json raises for a value that was decoded from this body."""
    opened = body.count(b"[") + body.count(b"{")
    if opened > most_levels or opened + body.count(b",") >= most_values:
        _check_size(value, most_values, most_levels, what)
    if _SURROGATE.search(body):
        _check_text(value, what)
    if _HUGE.search(body) and any(isinstance(item, float) and not math.isfinite(item) for item in _leaves(value)):
        raise MalformedBody(f"{what} has a number beyond the range of a float. Send it as text.")


def decode_json_text(text: str, name: str, limits: tuple[int, int]) -> Any:
    """The value of JSON text that a form or query has under a name; other text as it is.

    `limits` are the most values and levels. Raises what decode_json raises, for JSON that a body could not have.
    """
    if text.lstrip()[:1] not in ("{", "["):
        return text
    what = f"The JSON text of {name[:LONGEST_SHOWN]!r}"
    try:
        return decode_json(text.encode(), *limits, what)
    except json.JSONDecodeError:
        return text
    except ValueError as error:
        raise MalformedBody(f"{what} cannot be read: {error}.") from error


def decode_exactly(body: bytes) -> Any:
    """The value of a JSON body that decode_json took, with floats that keep their text."""
    return _decode(body, _EXACT_DECODER.decode, "The JSON body")


def _decode(body: bytes, decode: Callable[[str], Any], what: str) -> Any:
    if not body.strip():
        return None
    try:
        return decode(body.decode("utf-8-sig"))
    except RecursionError as error:
        raise MalformedBody(f"{what} is nested too deeply.") from error


def _check_size(value: Any, most_values: int, most_levels: int, what: str) -> None:
    level, count = [value], 1
    for _ in range(most_levels):
        level = [child for item in level for child in _children(item)]
        count += len(level)
        if count > most_values:
            raise TooLarge(f"{what} has more than {most_values} values. Send less, or in parts.")
    if any(isinstance(item, dict | list) for item in level):
        raise MalformedBody(f"{what} is nested more than {most_levels} levels deep.")


def _children(value: Any) -> Any:
    if isinstance(value, dict):
        return value.values()
    return value if isinstance(value, list) else ()


def _leaves(value: Any) -> Iterator[Any]:
    stack = [value]
    while stack:
        item = stack.pop()
        stack += _children(item)
        if not isinstance(item, dict | list):
            yield item


def _check_text(value: Any, what: str) -> None:
    try:
        json.dumps(value, ensure_ascii=False).encode()
    except UnicodeEncodeError as error:
        text = f"{what} has half of a surrogate pair (\\ud800 to \\udfff), which is not text."
        raise MalformedBody(text) from error
