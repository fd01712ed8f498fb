"""JSON bodies: decoded within limits, without values that could not be sent on."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Iterator
from typing import Any, NoReturn

from ..errors import MalformedBody, TooLarge

_SURROGATE = re.compile(rb"\\u[dD][89a-fA-F]")
# what a number beyond the range of a float has: an exponent of three digits, or more than 308 digits
_HUGE = re.compile(rb"\d[eE]\+?\d{3}|\d{309}")


class ExactFloat(float):
    """A float that knows its text: a Decimal made of it has all the digits that were sent."""

    __slots__ = ("text",)
    text: str

    def __str__(self) -> str:
        return self.text


def _make_exact(text: str) -> ExactFloat:
    made = ExactFloat(text)
    made.text = text
    return made


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is no JSON number")


_DECODER = json.JSONDecoder(parse_constant=_refuse_constant)
_EXACT_DECODER = json.JSONDecoder(parse_constant=_refuse_constant, parse_float=_make_exact)


def decode_json(body: bytes, most_values: int, most_levels: int) -> Any:
    """The value of a JSON body; None for an empty one.

    Raises MalformedBody for what is no JSON (RFC 8259), has half of a surrogate pair, a number beyond the range of
    a float or too many levels; TooLarge for too many values.
    """
    value = _decode(body, _DECODER.decode)
    opened = body.count(b"[") + body.count(b"{")
    if opened > most_levels or opened + body.count(b",") >= most_values:
        _check_size(value, most_values, most_levels)
    if _SURROGATE.search(body):
        _check_text(value)
    if _HUGE.search(body) and any(isinstance(item, float) and not math.isfinite(item) for item in _leaves(value)):
        raise MalformedBody("The JSON body has a number beyond the range of a float. Send it as text.")
    return value


def decode_exactly(body: bytes) -> Any:
    """The value of a JSON body that decode_json took, with floats that keep their text."""
    return _decode(body, _EXACT_DECODER.decode)


def _decode(body: bytes, decode: Callable[[str], Any]) -> Any:
    if not body.strip():
        return None
    try:
        return decode(body.decode("utf-8-sig"))
    except RecursionError as error:
        raise MalformedBody("The JSON body is nested too deeply.") from error


def _check_size(value: Any, most_values: int, most_levels: int) -> None:
    level, count = [value], 1
    for _ in range(most_levels):
        level = [child for item in level for child in _children(item)]
        count += len(level)
        if count > most_values:
            raise TooLarge(f"The JSON body has more than {most_values} values. Send less, or in parts.")
    if any(isinstance(item, dict | list) for item in level):
        raise MalformedBody(f"The JSON body is nested more than {most_levels} levels deep.")


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


def _check_text(value: Any) -> None:
    try:
        json.dumps(value, ensure_ascii=False).encode()
    except UnicodeEncodeError as error:
        text = "The JSON body has half of a surrogate pair (\\ud800 to \\udfff), which is no text."
        raise MalformedBody(text) from error
