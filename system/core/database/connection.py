"""One database, `dbs["name"]`: a few plain methods over SQLAlchemy Core.

A thread's first statement takes one connection of the database and keeps it until the request or task ends
(`Databases.release`). Each statement commits at once unless a transaction is open. Engines and connections
belong to the process that opened them; a forked process opens its own.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sqlalchemy.exc import DBAPIError, SQLAlchemyError

from ..errors import DatabaseError, DatabaseUnavailable, KernKoaError
from .config import Entry
from .engine import Engines, make_url
from .execution import has_table, read_all, read_by_column, read_dictionary, read_rows, read_value
from .failures import FOREIGN, translate
from .lease import Held, Lease
from .statement import Values

if TYPE_CHECKING:
    from sqlalchemy import Engine
    from sqlalchemy.orm import Session

# SQLite takes the write lock at BEGIN: a reader that turns writer later may be refused without waiting
BEGIN = {"sqlite": "BEGIN IMMEDIATE", "mssql": "BEGIN TRANSACTION"}

# what closing a connection may raise
CLOSING = (SQLAlchemyError, DatabaseUnavailable)

logger = logging.getLogger("kernkoa.database")


class Database:
    """One database. Values are bound by name: `query("select * from t where a = :a", {"a": 1})`.

    A tuple is a list of values: `where a in :some` with `{"some": (1, 2)}`.
    Every method raises DatabaseUnavailable (503) if the server cannot be reached, DatabaseConflict (409) if the
    statement breaks a unique or foreign key, and DatabaseError for any other failure; the driver's or
    SQLAlchemy's error is its `__cause__`.
    """

    def __init__(self, name: str, entry: Entry, folder: Path, held: Held) -> None:
        self.name = name
        self._held = held
        self._engines = Engines(name, make_url(entry, folder))

    def __repr__(self) -> str:
        return f"<Database {self.name}: {self._engines.place}>"

    def query(self, sql: str, values: Values | None = None) -> Any:
        """Run a statement. Returns a list of tuples, column names first, if it has rows; else the number of
        affected rows. With a list of dicts as `values` it runs once for each."""
        return self._run(read_all, sql, values)

    def rows(self, sql: str, values: Values | None = None) -> Any:
        """All rows, as a list of dicts by column name. Raises DatabaseError if the statement has no rows."""
        return self._run(read_rows, sql, values)

    def getDictionary(self, sql: str, values: Values | None = None, column: str | None = None) -> Any:
        """The first row as a dict, or False if there is none; with `column`, all rows in a dict keyed by it."""
        if column is None:
            return self._run(read_dictionary, sql, values)
        return self._run(read_by_column, sql, values, column)

    def getValue(self, sql: str, values: Values | None = None) -> Any:
        """The first column of the first row, or None if there is no row."""
        return self._run(read_value, sql, values)

    def checkTable(self, name: str) -> bool:
        """Whether the table `name`, or `schema.name`, exists."""
        return bool(self._run(has_table, name))

    def startTransaction(self) -> None:
        """Open a transaction for this request, task or thread. Raises DatabaseError if one is open already.

        After a failed statement it can only be rolled back, on every database, as in PostgreSQL.
        """
        lease = self._lease()
        if lease.transaction:
            raise DatabaseError(f"{self.name}: a transaction is open already. Commit it or roll it back first.")
        self._run(read_all, BEGIN.get(lease.connection.dialect.name, "BEGIN"), None)
        lease.transaction = "open"

    def commitTransaction(self) -> None:
        """Commit the open transaction. Raises DatabaseError if there is none or it cannot be committed."""
        lease = self._lease()
        if not lease.transaction:
            raise DatabaseError(f"{self.name}: no transaction is open. Call startTransaction() before the commit.")
        self._run(read_all, "COMMIT", None)
        lease.transaction = ""

    def rollbackTransaction(self) -> None:
        """Undo everything since startTransaction; does nothing if no transaction is open."""
        lease = self._held.leases.get((os.getpid(), self.name))
        if lease is not None and lease.transaction:
            self.release(error=True)

    @property
    def engine(self) -> Engine:
        """An SQLAlchemy engine with its own connection pool, independent of the methods above."""
        return self._engines.get(autocommit=False)

    def session(self, **options: Any) -> Session:
        """A new SQLAlchemy ORM session on `.engine`: `with dbs["maindb"].session() as session:`."""
        from sqlalchemy.orm import Session

        return Session(self.engine, **options)

    def release(self, error: bool = False) -> None:
        """Like Databases.release, for this database only."""
        lease = self._held.leases.pop((os.getpid(), self.name), None)
        if lease is None:
            return
        if lease.transaction and not error:
            logger.warning(
                "%s: an open transaction was rolled back at the end of the request. Call commitTransaction().",
                self.name,
            )
        lease.end()

    def close(self) -> None:
        """Close this thread's connection and all idle ones; the next statement opens a new one."""
        self.release(error=True)
        self._engines.close()

    def _run(self, act: Callable[..., Any], *arguments: Any) -> Any:
        """Call `act` with this thread's connection; translates foreign errors."""
        lease = self._lease()
        if lease.transaction == "failed":
            raise DatabaseError(
                f"{self.name}: a statement of this transaction failed. Call rollbackTransaction() and start again."
            )
        try:
            return act(lease.connection, *arguments)
        except DatabaseUnavailable:
            self._fail(lease, lost=True)
            raise
        except FOREIGN as error:
            if isinstance(error, KernKoaError):  # a parameter that the request lacks
                raise
            is_lost = isinstance(error, DBAPIError) and error.connection_invalidated
            self._fail(lease, is_lost)
            if is_lost:
                raise self._engines.unavailable(error.__cause__ or error) from error
            raise translate(self.name, error, arguments) from error
        except BaseException:  # such as a task's time limit, in the middle of a statement
            lease.connection.invalidate()
            self._fail(lease, lost=True)
            raise

    def _fail(self, lease: Lease, lost: bool = False) -> None:
        if lease.transaction:
            lease.transaction = "failed"
        elif lost:
            self.release(error=True)

    def _lease(self) -> Lease:
        key = (os.getpid(), self.name)
        lease = self._held.leases.get(key)
        if lease is None:
            lease = self._held.leases[key] = Lease(self._engines.connect(), CLOSING, key[0])
        return lease
