"""Runs one SQL statement on a connection: named values in, plain Python rows out."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, Any, NamedTuple

from sqlalchemy import Connection, CursorResult, TextClause, bindparam, text
from sqlalchemy.exc import ArgumentError, InvalidRequestError, ResourceClosedError

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


class Statement(NamedTuple):
    """A statement in the driver's syntax and the names of its values; `in_order`: the driver takes a tuple."""

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
            raise InvalidRequestError(f"there is no value for :{error.args[0]} (in: {self.sql})") from None

    def is_native(self, arranged: Any) -> bool:
        """Whether the driver can bind the values of `arrange` as they are."""
        return self.native.issuperset(map(type, arranged if self.in_order else arranged.values()))


@lru_cache(maxsize=500)
def _prepare(sql: str, dialect: Dialect) -> Statement:
    """Translate :name to the driver's syntax, once per statement."""
    compiled: Any = text(_escape(sql, dialect.name)).compile(dialect=dialect)
    names = compiled.positiontup if compiled.positional else compiled.bind_names.values()
    return Statement(compiled.string, tuple(names), compiled.positional, NATIVE.get(dialect.name, PLAIN))


def _escape(sql: str, dialect: str) -> str:
    """Escape the colons in literals and comments, which SQLAlchemy would read as values."""
    if not isinstance(sql, str):
        raise ArgumentError(f"a statement is text, not a {type(sql).__name__}")
    pattern = _LITERALS.get(dialect, _QUOTED)
    return re.sub(pattern, lambda found: found[0].replace(":", r"\:"), sql, flags=re.DOTALL)


@lru_cache(maxsize=100)
def _with_lists(sql: str, lists: tuple[str, ...], dialect: str) -> TextClause:
    """A statement with list values; SQLAlchemy renders it for each length of the lists."""
    return text(_escape(sql, dialect)).bindparams(*(bindparam(name, expanding=True) for name in lists))


def _execute(connection: Connection, sql: str, values: Values | None) -> CursorResult[Any]:
    statement = _prepare(sql, connection.dialect)
    if values is None:
        return connection.exec_driver_sql(statement.sql, statement.arrange({}) if statement.names else None)
    if not isinstance(values, (dict, Mapping)):  # of a dict the first look is enough
        return _execute_many(connection, statement, values)
    arranged = statement.arrange(values)
    if statement.is_native(arranged):
        return connection.exec_driver_sql(statement.sql, arranged)
    return _execute_converted(connection, sql, statement, values)


def _execute_converted(
    connection: Connection, sql: str, statement: Statement, values: Mapping[str, Any]
) -> CursorResult[Any]:
    changed = _convert(statement, values, connection.dialect.name)
    lists = tuple(name for name, value in changed.items() if type(value) is tuple)
    if lists:
        return connection.execute(_with_lists(sql, lists, connection.dialect.name), changed)
    return connection.exec_driver_sql(statement.sql, statement.arrange(changed))


def _execute_many(
    connection: Connection, statement: Statement, rows: Iterable[Mapping[str, Any]]
) -> CursorResult[Any]:
    if isinstance(rows, str | bytes) or not isinstance(rows, Iterable):
        raise ArgumentError(f"values are given by name, not as a {type(rows).__name__}: {BY_NAME}")
    arranged = []
    for row in rows:
        if not isinstance(row, Mapping):
            raise ArgumentError(f"values are given by name, not by position: {BY_NAME}")
        each = statement.arrange(row)
        if not statement.is_native(each):
            each = statement.arrange(_convert(statement, row, connection.dialect.name))
        arranged.append(each)
    return connection.exec_driver_sql(statement.sql, arranged)


def _convert(statement: Statement, values: Mapping[str, Any], dialect: str) -> dict[str, Any]:
    converted = {}
    for name in statement.names:
        try:
            converted[name] = convert(values[name], dialect)
        except ArgumentError as error:
            raise ArgumentError(f":{name}: {error}") from None
    return converted


def read_all(connection: Connection, sql: str, values: Values | None) -> list[tuple[Any, ...]] | int:
    if values is not None and not isinstance(values, Mapping) and isinstance(values, Sequence) and not values:
        return 0  # an empty list of values: no run at all
    result = _execute(connection, sql, values)
    if not result.returns_rows:
        return max(result.rowcount, 0)
    names, rows = _fetch(result)
    return [names, *map(tuple, rows)]  # pyodbc has rows of its own; a tuple stays the same object


def read_rows(connection: Connection, sql: str, values: Values | None) -> list[dict[str, Any]]:
    names, rows = _fetch(_execute(connection, sql, values))
    return [dict(zip(names, row, strict=True)) for row in rows]


def read_dictionary(connection: Connection, sql: str, values: Values | None) -> dict[str, Any] | bool:
    names, rows = _fetch(_execute(connection, sql, values), most=1)
    return dict(zip(names, rows[0], strict=True)) if rows else False


def read_by_column(
    connection: Connection, sql: str, values: Values | None, column: str
) -> dict[Any, dict[str, Any]]:
    names, rows = _fetch(_execute(connection, sql, values))
    if column not in names:
        raise InvalidRequestError(f"there is no column {column!r} among {', '.join(names)}")
    key = names.index(column)
    return {row[key]: dict(zip(names, row, strict=True)) for row in rows}


def read_value(connection: Connection, sql: str, values: Values | None) -> Any:
    rows = _fetch(_execute(connection, sql, values), most=1)[1]
    return rows[0][0] if rows else None


def _fetch(result: CursorResult[Any], most: int | None = None) -> tuple[tuple[str, ...], Sequence[Sequence[Any]]]:
    """The column names and the rows of the driver; SQLAlchemy's row objects would be an extra step."""
    cursor: Any = result.cursor
    if cursor is None or not result.returns_rows:
        raise ResourceClosedError("This statement returns no rows.")
    names = _names_of(result)
    rows = cursor.fetchall() if most is None else [row for row in (cursor.fetchone(),) if row]
    result.close()
    return names, rows


def _names_of(result: CursorResult[Any]) -> tuple[str, ...]:
    """The names of the columns. psycopg makes its description at each look, SQLAlchemy changes names of SQLite."""
    if result.dialect.name == "sqlite":
        return tuple([column[0] for column in result.cursor.description])
    return tuple(result.keys())


def has_table(connection: Connection, name: str) -> bool:
    schema, _, table = name.rpartition(".")
    return connection.dialect.has_table(connection, table, schema=schema or None)
