"""Runs one SQL statement on a connection: named values in, plain Python rows out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, Any, NamedTuple

from sqlalchemy import Connection, CursorResult, TextClause, bindparam, text
from sqlalchemy.exc import InvalidRequestError, SQLAlchemyError, StatementError

from ..errors import KernKoaError

if TYPE_CHECKING:
    from sqlalchemy.engine import Dialect

Values = Mapping[str, Any] | Sequence[Mapping[str, Any]]


class Statement(NamedTuple):
    """A statement in the driver's syntax and the names of its values; `in_order`: the driver takes a tuple."""

    sql: str
    names: tuple[str, ...]
    in_order: bool

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
        except TypeError:
            raise InvalidRequestError(f"values are given by name, as a dict (in: {self.sql})") from None


@lru_cache(maxsize=500)
def _prepare(sql: str, dialect: Dialect) -> Statement:
    """Translate :name to the driver's syntax, once per statement."""
    compiled: Any = text(sql).compile(dialect=dialect)
    names = compiled.positiontup if compiled.positional else compiled.bind_names.values()
    return Statement(compiled.string, tuple(names), compiled.positional)


@lru_cache(maxsize=100)
def _with_lists(sql: str, lists: tuple[str, ...]) -> TextClause:
    """A statement with list values; SQLAlchemy renders it for each length of the lists."""
    return text(sql).bindparams(*(bindparam(name, expanding=True) for name in lists))


def _execute(connection: Connection, sql: str, values: Values | None) -> CursorResult[Any]:
    statement = _prepare(sql, connection.dialect)
    if isinstance(values, Mapping):
        for value in values.values():
            if type(value) is tuple:
                lists = tuple(name for name, value in values.items() if type(value) is tuple)
                return connection.execute(_with_lists(sql, lists), values)
        return connection.exec_driver_sql(statement.sql, statement.arrange(values))
    if values is None:
        return connection.exec_driver_sql(statement.sql, statement.arrange({}))
    return connection.exec_driver_sql(statement.sql, [statement.arrange(each) for each in values])


def read_all(connection: Connection, sql: str, values: Values | None) -> list[tuple[Any, ...]] | int:
    if values is not None and not values and not isinstance(values, Mapping):
        return 0  # an empty list of values: no run at all
    result = _execute(connection, sql, values)
    if not result.returns_rows:
        return max(result.rowcount, 0)
    return [tuple(result.keys()), *map(tuple, result)]


def read_dictionary(connection: Connection, sql: str, values: Values | None) -> dict[str, Any] | bool:
    row = _execute(connection, sql, values).first()
    return False if row is None else row._asdict()


def read_by_column(
    connection: Connection, sql: str, values: Values | None, column: str
) -> dict[Any, dict[str, Any]]:
    rows = _execute(connection, sql, values).mappings()
    if column not in rows.keys():  # noqa: SIM118  (a view of the names, not a dict)
        raise InvalidRequestError(f"there is no column {column!r} among {', '.join(rows.keys())}")
    return {row[column]: dict(row) for row in rows}


def read_value(connection: Connection, sql: str, values: Values | None) -> Any:
    return _execute(connection, sql, values).scalar()


def has_table(connection: Connection, name: str) -> bool:
    schema, _, table = name.rpartition(".")
    return connection.dialect.has_table(connection, table, schema=schema or None)


def reason_of(error: SQLAlchemyError) -> str:
    """The driver's message and the statement, without its values."""
    if not isinstance(error, StatementError):
        return str(error)
    return f"{error.orig} (in: {error.statement})" if error.statement else str(error.orig)
