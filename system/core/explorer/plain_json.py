"""Values as JSON that every parser reads (RFC 8259)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from pydantic_core import to_jsonable_python

DEEPEST = 100
LARGEST = 2**1023  # larger numbers are infinite where numbers are IEEE 754 doubles
_LEFT_OUT: Any = object()


def plain_json(value: Any) -> Any:
    """A value of dicts, lists and scalars without what JSON cannot say; None where nothing is left.

    Infinite and not-a-number, bytes that are not UTF-8 and whatever is nested too deep are left out; the halves
    of surrogate pairs become question marks.
    """
    made = _plain(value, 0)
    return None if made is _LEFT_OUT else made


def _plain(value: Any, depth: int) -> Any:
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, str):
        return value if value.isascii() else value.encode("utf-8", "replace").decode()
    if isinstance(value, int | float):
        return value if abs(value) < LARGEST else _LEFT_OUT
    if depth > DEEPEST:
        return _LEFT_OUT
    if isinstance(value, Mapping):
        return {_plain(str(key), 0): made for key, made in _inside(value.items(), depth)}
    if isinstance(value, list | tuple | set | frozenset):
        return [made for _, made in _inside(enumerate(value), depth)]
    try:
        return _plain(to_jsonable_python(value), depth + 1)
    except (ValueError, RecursionError):  # pydantic's errors and those of Unicode are ValueErrors
        return _LEFT_OUT


def _inside(items: Any, depth: int) -> Iterator[tuple[Any, Any]]:
    for key, inner in items:
        made = _plain(inner, depth + 1)
        if made is not _LEFT_OUT:
            yield key, made
