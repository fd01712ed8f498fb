"""Translates a SQL statement and its named values to what the driver takes."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, Any, NamedTuple

from sqlalchemy import bindparam, text
from sqlalchemy.exc import ArgumentError, InvalidRequestError

from ..errors import KernKoaError
from .values import NATIVE, PLAIN, convert

if TYPE_CHECKING:
    from sqlalchemy.engine import Dialect

Values = Mapping[str, Any] | Sequence[Mapping[str, Any]]

BY_NAME = "write :name in the SQL and give the values as a dict, or as a list of dicts"

# The parts of a statement in which :name is not a value. Possessive quantifiers: linear on any text.
_QUOTED = r"'(?:[^']|'')*+'?|\"(?:[^\"]|\"\")*+\"?|/\*.*?(?:\*/|\Z)"
_LITERALS = {
    "sqlite": rf"{_QUOTED}|`[^`]*+`?|\[[^\]]*+\]|--[^\n]*+",
    "mysql": r"(['\"])(?:\\.|(?!\1)[^\\]|\1\1)*+\1?|`[^`]*+`?|/\*.*?(?:\*/|\Z)|--\s[^\n]*+|#[^\n]*+",
    "postgresql": rf"\b[eE]'(?:\\.|''|[^\\'])*+'?|{_QUOTED}|--[^\n]*+|(\$\w*+\$).*?(?:\1|\Z)",
    "mssql": rf"{_QUOTED}|\[[^\]]*+\]|--[^\n]*+",
}
_LITERALS["mariadb"] = _LITERALS["mysql"]


class Call(NamedTuple):
    """A statement in the driver's syntax, and its values; `is_many`: a list of them, for a run each."""

    sql: str
    values: Any
    is_many: bool


class Statement(NamedTuple):
    """A statement, as written and for the driver, and the names of its values; `in_order`: it takes a tuple."""

    written: str
    sql: str
    names: tuple[str, ...]
    in_order: bool
    native: frozenset[type]

    def arrange(self, values: Mapping[str, Any]) -> Any:
        """The values in the form that the driver takes. A name missing in a request's Params is a 400."""
        try:
            if self.in_order:
                return tuple([values[name] for name in self.names])
            return {name: values[name] for name in self.names}
        except KeyError as error:
            if isinstance(error, KernKoaError):
                raise
            given = ", ".join(map(str, values)) or "none"
            raise InvalidRequestError(
                f"there is no value for :{error.args[0]}, those given: {given} (in: {self.written})"
            ) from None

    def is_native(self, arranged: Any) -> bool:
        """Whether the driver can bind the values of `arrange` as they are."""
        return self.native.issuperset(map(type, arranged if self.in_order else arranged.values()))


@lru_cache(maxsize=500)
def _prepare(sql: str, dialect: Dialect) -> Statement:
    """Translate :name to the driver's syntax, once per statement."""
    compiled: Any = text(_escape(sql, dialect.name)).compile(dialect=dialect)
    names = compiled.positiontup if compiled.positional else compiled.bind_names.values()
    return Statement(sql, compiled.string, tuple(names), compiled.positional, NATIVE.get(dialect.name, PLAIN))


def _escape(sql: str, dialect: str) -> str:
    """Escape the colons in literals and comments, which SQLAlchemy would read as values."""
    if not isinstance(sql, str):
        raise ArgumentError(f"a statement is text, not a {type(sql).__name__}")
    pattern = _LITERALS.get(dialect, _QUOTED)
    return re.sub(pattern, lambda found: found[0].replace(":", r"\:"), sql, flags=re.DOTALL)


@lru_cache(maxsize=100)
def _prepare_lists(sql: str, lists: tuple[str, ...], dialect: Dialect) -> Any:
    """A statement with list values, which SQLAlchemy expands for the length of the lists."""
    statement = text(_escape(sql, dialect.name))
    return statement.bindparams(*(bindparam(name, expanding=True) for name in lists)).compile(dialect=dialect)


def arrange(sql: str, values: Values | None, dialect: Dialect) -> Call:
    """What to run on a cursor of the driver. Raises ArgumentError for values that cannot be bound."""
    statement = _prepare(sql, dialect)
    if values is None:
        return Call(statement.sql, statement.arrange({}), False)
    if not isinstance(values, (dict, Mapping)):  # of a dict the first look is enough
        return _arrange_many(statement, values, dialect)
    arranged = statement.arrange(values)
    if statement.is_native(arranged):
        return Call(statement.sql, arranged, False)
    return _arrange_converted(sql, statement, values, dialect)


def _arrange_converted(sql: str, statement: Statement, values: Mapping[str, Any], dialect: Dialect) -> Call:
    changed = _convert(statement, values, dialect.name)
    lists = tuple(name for name, value in changed.items() if type(value) is tuple)
    if not lists:
        return Call(statement.sql, statement.arrange(changed), False)
    expanded = _prepare_lists(sql, lists, dialect).construct_expanded_state(changed)
    arranged = expanded.positional_parameters if statement.in_order else expanded.parameters
    return Call(expanded.statement, arranged, False)


def _arrange_many(statement: Statement, rows: Iterable[Mapping[str, Any]], dialect: Dialect) -> Call:
    if isinstance(rows, str | bytes) or not isinstance(rows, Iterable):
        raise ArgumentError(f"values are given by name, not as a {type(rows).__name__}: {BY_NAME}")
    arranged = []
    for row in rows:
        if not isinstance(row, Mapping):
            raise ArgumentError(f"values are given by name, not by position: {BY_NAME}")
        each = statement.arrange(row)
        if not statement.is_native(each):
            each = statement.arrange(_convert(statement, row, dialect.name))
        arranged.append(each)
    if len(arranged) > 1:
        return Call(statement.sql, arranged, True)
    return Call(statement.sql, arranged[0] if arranged else statement.arrange({}), False)


def _convert(statement: Statement, values: Mapping[str, Any], dialect: str) -> dict[str, Any]:
    converted = {}
    for name in statement.names:
        try:
            converted[name] = convert(values[name], dialect)
        except ArgumentError as error:
            raise ArgumentError(f":{name}: {error}") from None
    return converted
