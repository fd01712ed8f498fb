"""The Python values of a statement, in the types that a driver can bind."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from enum import Enum
from typing import Any
from uuid import UUID

from sqlalchemy.exc import ArgumentError

PLAIN: frozenset[type] = frozenset({str, int, float, bytes, bool, type(None)})
# the types that the driver of a dialect binds as they are, PLAIN for any other; the rest goes through `convert`
NATIVE: dict[str, frozenset[type]] = {
    "sqlite": PLAIN,
    "mysql": PLAIN | {Decimal, datetime, date, time, timedelta},
    "mariadb": PLAIN | {Decimal, datetime, date, time, timedelta},
    "postgresql": PLAIN | {Decimal, datetime, date, time, timedelta, UUID, list},
}
LARGEST = 2**63 - 1
_SURROGATE = re.compile("[\ud800-\udfff]")

Change = Callable[[Any], Any]


def convert(value: Any, dialect: str) -> Any:
    """The value in a type that the driver can bind; a tuple item by item.

    Raises ArgumentError for a list, set or dict where the database has no such type.
    """
    if isinstance(value, tuple):
        return tuple(convert(each, dialect) for each in value)
    if isinstance(value, Enum):
        return convert(value.value, dialect)
    if type(value) in NATIVE.get(dialect, PLAIN):
        return value
    for kind, change in (*_OF.get(dialect, ()), *_REFUSED):
        if isinstance(value, kind):
            return change(value)
    if dialect in ("mysql", "mariadb") and not isinstance(value, bytearray | memoryview):
        _unknown(value)  # PyMySQL would bind its repr()
    return value


def _as_number(value: Decimal) -> int | float | str:
    """SQLite has no decimal type: the equal number, or the digits as text where no such number exists."""
    if not value.is_finite():
        return str(value)
    number = int(value) if value == value.to_integral_value() else float(value)
    return number if abs(number) <= LARGEST and Decimal(repr(number)) == value else str(value)


def _refuse(advice: str) -> Change:
    def refuse(value: Any) -> Any:
        raise ArgumentError(f"a {type(value).__name__} is not a value of a column: {advice}")

    return refuse


_unknown = _refuse("give text, a number, bytes, a date or None")
_TEXT: tuple[tuple[type, Change], ...] = ((UUID, str), (str, str))
_OF: dict[str, tuple[tuple[type, Change], ...]] = {
    "sqlite": (
        (datetime, lambda value: value.isoformat(" ")),
        (date, date.isoformat),
        (time, time.isoformat),
        (Decimal, _as_number),
        (timedelta, _refuse("give value.total_seconds()")),
        *_TEXT,
    ),
    "mysql": _TEXT,
    "mariadb": _TEXT,
    "postgresql": ((str, str),),
}
_LIST = _refuse('for "in :names" give a tuple, for a JSON column json.dumps(value)')
_REFUSED: tuple[tuple[type, Change], ...] = (
    (list, _LIST),
    (set, _LIST),
    (frozenset, _LIST),
    (dict, _refuse("for a JSON column give json.dumps(value)")),
)


_KNOWN = (Decimal, date, time, timedelta, UUID, Enum, tuple, set, frozenset, dict)


def explain_values(values: Any) -> Iterator[str]:
    """The unusual types among the values of a failed statement, by name; never the values themselves."""
    rows = [values] if isinstance(values, Mapping) else values if isinstance(values, list | tuple) else []
    for row in rows:
        for name, value in row.items() if isinstance(row, Mapping) else ():
            fault = _explain_value(value)
            if fault:
                yield f":{name} {fault}"


def _explain_value(value: Any) -> str:
    if isinstance(value, int) and abs(value) > LARGEST:
        return "is beyond 64 bits, the largest integer of a column: check its range first, or keep it as text"
    if isinstance(value, str):
        return "has characters that UTF-8 cannot hold" if _SURROGATE.search(value) else ""
    if isinstance(value, list):
        return 'is a list, which is an array: for "in :names" give a tuple'
    if isinstance(value, tuple({*PLAIN, *_KNOWN})):
        return ""
    return f"is of the type {type(value).__name__}: give text, a number, bytes, a date or None"
