"""One database, `dbs["name"]`: a few plain methods over SQLAlchemy Core.

A thread that runs a statement takes one connection of that database and keeps it until its request or
task ends (`Databases.release`). A statement is committed as it runs, unless a transaction is open: that
holds the same connection, which no other thread sees. Engines and connections belong to the process
that opened them; a forked one opens its own.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from sqlalchemy import Connection, CursorResult, TextClause, bindparam, text
from sqlalchemy.exc import InvalidRequestError, SQLAlchemyError, StatementError

from ..errors import DatabaseError, DatabaseUnavailable, KernKoaError
from .engine import Engines, make_url

if TYPE_CHECKING:
    from sqlalchemy import Engine
    from sqlalchemy.engine import Dialect
    from sqlalchemy.orm import Session

    from .databases import Entry, Held

Values = Mapping[str, Any] | Sequence[Mapping[str, Any]]

# SQLite takes the writer's place at once: a reader that becomes a writer later may be refused without a wait
BEGIN = {"sqlite": "BEGIN IMMEDIATE", "mssql": "BEGIN TRANSACTION"}

# connections of the process that this one was forked from: closed here, they would end there
INHERITED: list[Connection] = []

logger = logging.getLogger("kernkoa.database")


class Lease:
    """The connection that a thread holds, and whether a transaction is open on it, or failed."""

    __slots__ = ("connection", "is_over", "pid", "transaction")

    def __init__(self, connection: Connection) -> None:
        self.connection = connection
        self.transaction = ""  # or "open", or "failed"
        self.pid = os.getpid()
        self.is_over = False

    def end(self) -> None:
        """Return the connection to its pool, without a transaction; one that cannot be so is closed."""
        self.is_over = True
        with suppress(SQLAlchemyError, DatabaseUnavailable):  # the pool closes what it cannot clean
            if self.transaction and not self.connection.invalidated:
                self._roll_back()
            self.connection.close()

    def _roll_back(self) -> None:
        try:
            self.connection.exec_driver_sql("ROLLBACK")
        except (SQLAlchemyError, DatabaseUnavailable):
            self.connection.invalidate()

    def __del__(self) -> None:
        """A thread ended that nobody released; or a fork took over what a thread of its parent holds."""
        if self.is_over:
            return
        if self.pid == os.getpid():
            self.end()
        else:
            INHERITED.append(self.connection)


class Database:
    """One database. Values are bound, never pasted: `query("select * from t where a = :a", {"a": 1})`.

    A value that is a tuple stands for a list: `where a in :some` with `{"some": (1, 2)}`.
    Every method raises DatabaseUnavailable (503) where the server is away, DatabaseError where it
    refuses the statement; the error of SQLAlchemy is the `__cause__`.
    """

    def __init__(self, name: str, entry: Entry, folder: Path, held: Held) -> None:
        self.name = name
        self._held = held
        self._engines = Engines(name, make_url(entry, folder))

    def __repr__(self) -> str:
        return f"<Database {self.name}: {self._engines.place}>"

    def query(self, sql: str, values: Values | None = None) -> Any:
        """Run a statement. One that answers rows: a list of tuples, the column names first. Any other: the
        number of rows that it touched. A list of mappings as `values` runs it once for each."""
        return self._run(_read_all, sql, values)

    def getDictionary(self, sql: str, values: Values | None = None, column: str | None = None) -> Any:
        """The first row as a dict, or False; with `column` every row, in a dict by that column's value."""
        if column is None:
            return self._run(_read_dictionary, sql, values)
        return self._run(_read_by_column, sql, values, column)

    def getValue(self, sql: str, values: Values | None = None) -> Any:
        """The first column of the first row, or None where there is no row."""
        return self._run(_read_value, sql, values)

    def checkTable(self, name: str) -> bool:
        """Whether there is a table `name`, or `schema.name`."""
        return bool(self._run(_has_table, name))

    def startTransaction(self) -> None:
        """Make what follows in this request, task or thread count together; unseen by others till the commit.

        After a statement that failed only a rollback is possible, on every database, as in PostgreSQL.
        """
        lease = self._lease()
        if lease.transaction:
            raise DatabaseError(f"{self.name}: a transaction is open already. End it before the next.")
        self._run(Connection.exec_driver_sql, BEGIN.get(lease.connection.dialect.name, "BEGIN"))
        lease.transaction = "open"

    def commitTransaction(self) -> None:
        """Make what was done since startTransaction count. Raises DatabaseError where it cannot."""
        lease = self._lease()
        if not lease.transaction:
            raise DatabaseError(f"{self.name}: no transaction is open. Call startTransaction() before the commit.")
        self._run(Connection.exec_driver_sql, "COMMIT")
        lease.transaction = ""

    def rollbackTransaction(self) -> None:
        """Undo what was done since startTransaction; harmless where no transaction is open."""
        lease = self._held.leases.get((os.getpid(), self.name))
        if lease is not None and lease.transaction:
            self.release(error=True)

    @property
    def engine(self) -> Engine:
        """SQLAlchemy's engine, with a pool of its own, for those who want SQLAlchemy itself."""
        return self._engines.get(autocommit=False)

    def session(self, **options: Any) -> Session:
        """A session of SQLAlchemy's ORM on `.engine`: `with dbs["maindb"].session() as session:`."""
        from sqlalchemy.orm import Session

        return Session(self.engine, **options)

    def release(self, error: bool = False) -> None:
        """Databases.release, for this one database."""
        lease = self._held.leases.pop((os.getpid(), self.name), None)
        if lease is None:
            return
        if lease.transaction and not error:
            logger.warning("%s: a transaction was left open and is rolled back. Commit it.", self.name)
        lease.end()

    def close(self) -> None:
        """Close what this thread holds and every idle connection; the next statement opens a new one."""
        self.release(error=True)
        self._engines.close()

    def _run(self, act: Callable[..., Any], *arguments: Any) -> Any:
        """Call `act` with this thread's connection; foreign errors become ours here."""
        lease = self._lease()
        if lease.transaction == "failed":
            raise DatabaseError(
                f"{self.name}: a statement of this transaction failed. Call rollbackTransaction() and start again."
            )
        try:
            return act(lease.connection, *arguments)
        except (SQLAlchemyError, DatabaseUnavailable) as error:
            if lease.transaction:
                lease.transaction = "failed"
            elif isinstance(error, DatabaseUnavailable):
                self.release(error=True)
            if isinstance(error, DatabaseUnavailable):
                raise
            raise DatabaseError(f"{self.name}: {_reason(error)}") from error

    def _lease(self) -> Lease:
        key = (os.getpid(), self.name)
        lease = self._held.leases.get(key)
        if lease is None:
            lease = self._held.leases[key] = Lease(self._engines.get(autocommit=True).connect())
        return lease


class Statement(NamedTuple):
    """A statement as the driver wants it, with the names of its values; in order where it wants them so."""

    sql: str
    names: tuple[str, ...]
    in_order: bool

    def arrange(self, values: Mapping[str, Any]) -> Any:
        """The values that the statement names. Missing in a request's params: a 400 that names it."""
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
    """From :name to what the driver reads, once for each statement."""
    compiled: Any = text(sql).compile(dialect=dialect)
    names = compiled.positiontup if compiled.positional else compiled.bind_names.values()
    return Statement(compiled.string, tuple(names), compiled.positional)


@lru_cache(maxsize=100)
def _with_lists(sql: str, lists: tuple[str, ...]) -> TextClause:
    """A statement whose values of these names are lists: SQLAlchemy writes it anew for each length."""
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


def _read_all(connection: Connection, sql: str, values: Values | None) -> list[tuple[Any, ...]] | int:
    if values is not None and not values and not isinstance(values, Mapping):
        return 0  # once for each of none
    result = _execute(connection, sql, values)
    if not result.returns_rows:
        return max(result.rowcount, 0)
    return [tuple(result.keys()), *map(tuple, result)]


def _read_dictionary(connection: Connection, sql: str, values: Values | None) -> dict[str, Any] | bool:
    row = _execute(connection, sql, values).first()
    return False if row is None else row._asdict()


def _read_by_column(
    connection: Connection, sql: str, values: Values | None, column: str
) -> dict[Any, dict[str, Any]]:
    rows = _execute(connection, sql, values).mappings()
    if column not in rows.keys():  # noqa: SIM118  (a view of the names, not a dict)
        raise InvalidRequestError(f"there is no column {column!r} among {', '.join(rows.keys())}")
    return {row[column]: dict(row) for row in rows}


def _read_value(connection: Connection, sql: str, values: Values | None) -> Any:
    return _execute(connection, sql, values).scalar()


def _has_table(connection: Connection, name: str) -> bool:
    schema, _, table = name.rpartition(".")
    return connection.dialect.has_table(connection, table, schema=schema or None)


def _reason(error: SQLAlchemyError) -> str:
    """What the driver said, and of which statement; not the values."""
    if not isinstance(error, StatementError):
        return str(error)
    return f"{error.orig} (in: {error.statement})" if error.statement else str(error.orig)
