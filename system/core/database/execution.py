"""Runs one SQL statement on the driver's cursor: named values in, plain Python rows out.

SQLAlchemy would make an execution context and the metadata of a result for each run, half of the CPU time of a
short query. Its connections, dialects and errors are used. Where somebody listens to its events or logs its
statements, it runs them itself.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from sqlalchemy import Connection
from sqlalchemy.exc import ArgumentError, DBAPIError, InvalidRequestError, ResourceClosedError

from .statement import Call, Values, arrange

if TYPE_CHECKING:
    from sqlalchemy.engine.interfaces import DBAPIModule, Dialect

# The names of the columns (None: the statement has no rows), the rows and the number of affected rows
Found = tuple[tuple[str, ...] | None, Sequence[Sequence[Any]], int]

log_of_sqlalchemy = logging.getLogger("sqlalchemy.engine.Engine")


def read_all(connection: Connection, sql: str, values: Values | None) -> list[tuple[Any, ...]] | int:
    if values is not None and not isinstance(values, Mapping) and isinstance(values, Sequence) and not values:
        return 0  # an empty list of values: no run at all
    names, rows, affected = _run(connection, sql, values)
    if names is None:
        return affected
    return [names, *map(tuple, rows)]  # pyodbc has rows of its own; a tuple stays the same object


def read_rows(connection: Connection, sql: str, values: Values | None) -> list[dict[str, Any]]:
    names, rows = _rows(connection, sql, values)
    return [dict(zip(names, row, strict=True)) for row in rows]


def read_dictionary(connection: Connection, sql: str, values: Values | None) -> dict[str, Any] | bool:
    names, rows = _rows(connection, sql, values, first=True)
    return dict(zip(names, rows[0], strict=True)) if rows else False


def read_by_column(
    connection: Connection, sql: str, values: Values | None, column: str
) -> dict[Any, dict[str, Any]]:
    names, rows = _rows(connection, sql, values)
    if column not in names:
        raise InvalidRequestError(f"there is no column {column!r} among {', '.join(names)}")
    key = names.index(column)
    return {row[key]: dict(zip(names, row, strict=True)) for row in rows}


def read_value(connection: Connection, sql: str, values: Values | None) -> Any:
    rows = _rows(connection, sql, values, first=True)[1]
    return rows[0][0] if rows else None


def has_table(connection: Connection, name: str) -> bool:
    if not isinstance(name, str):
        raise ArgumentError(f"the name of a table is text, not a {type(name).__name__}")
    schema, _, table = name.rpartition(".")
    return connection.dialect.has_table(connection, table, schema=schema or None)


def _rows(
    connection: Connection, sql: str, values: Values | None, first: bool = False
) -> tuple[tuple[str, ...], Sequence[Sequence[Any]]]:
    names, rows, _ = _run(connection, sql, values, first)
    if names is None:
        raise ResourceClosedError("The statement ran and has no rows: call query() for it.")
    return names, rows


def _run(connection: Connection, sql: str, values: Values | None, first: bool = False) -> Found:
    call = arrange(sql, values, connection.dialect)
    try:
        run = _run_watched if _is_watched(connection) else _run_on_cursor
        return run(connection, call, first)
    except connection.dialect.loaded_dbapi.Error as error:
        raise _as_sqlalchemy(connection, sql, error) from error


def _run_on_cursor(connection: Connection, call: Call, first: bool) -> Found:
    dialect = connection.dialect
    cursor = connection.connection.cursor()
    try:
        run = dialect.do_executemany if call.is_many else dialect.do_execute
        run(cursor, call.sql, call.values)
        found = _fetch(dialect, cursor, first)
    except BaseException:
        with suppress(Exception):  # the error of the statement says more
            cursor.close()
        raise
    cursor.close()
    return found


def _is_watched(connection: Connection) -> bool:
    watchers = connection.dispatch
    return bool(
        watchers.before_cursor_execute
        or watchers.after_cursor_execute
        or log_of_sqlalchemy.isEnabledFor(logging.INFO)
    )


def _run_watched(connection: Connection, call: Call, first: bool) -> Found:
    result = connection.exec_driver_sql(call.sql, call.values)
    found: Found = None, (), max(result.rowcount, 0)
    if result.cursor:
        found = _fetch(connection.dialect, result.cursor, first)
    result.close()
    return found


def _fetch(dialect: Dialect, cursor: Any, first: bool) -> Found:
    description = cursor.description
    if description is None:
        return None, (), max(cursor.rowcount, 0)
    names = tuple([column[0] for column in description])
    if dialect.requires_name_normalize:  # Oracle has names in capitals
        names = tuple([dialect.normalize_name(name) for name in names])
    rows = [row for row in (cursor.fetchone(),) if row] if first else cursor.fetchall()
    return names, rows, 0


def _as_sqlalchemy(connection: Connection, sql: str, error: DBAPIModule.Error) -> BaseException:
    """SQLAlchemy's error for one of the driver. A lost connection does not go back to the pool."""
    dialect = connection.dialect
    is_lost = dialect.is_disconnect(error, connection.connection, None)
    if is_lost:
        connection.invalidate(error)
    return DBAPIError.instance(
        sql,
        None,
        error,
        dialect.loaded_dbapi.Error,
        hide_parameters=True,
        connection_invalidated=is_lost,
        dialect=dialect,
    )
