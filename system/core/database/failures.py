"""Turns the errors of SQLAlchemy and of the drivers into KernKoa's."""

from __future__ import annotations

import sqlite3
from typing import Any, Literal

from sqlalchemy.exc import IntegrityError, ResourceClosedError, SQLAlchemyError, StatementError

from ..errors import DatabaseConflict, DatabaseError
from .values import explain_values

# What a statement can raise. Not Exception: the time limit of a task may strike in the middle of a statement.
FOREIGN = (
    SQLAlchemyError,
    sqlite3.Error,  # raised while rows are fetched: SQLite computes them then
    sqlite3.Warning,
    ArithmeticError,
    AttributeError,
    LookupError,
    RecursionError,
    TypeError,
    ValueError,
)

Key = Literal["unique", "foreign"]
# the driver's code for a broken key: SQLite's name, PostgreSQL's SQLSTATE, the number of MySQL and SQL Server
KEYS: dict[str | int, Key] = {
    "SQLITE_CONSTRAINT_UNIQUE": "unique",
    "SQLITE_CONSTRAINT_PRIMARYKEY": "unique",
    "SQLITE_CONSTRAINT_ROWID": "unique",
    "SQLITE_CONSTRAINT_FOREIGNKEY": "foreign",
    "23505": "unique",
    "23P01": "unique",
    "23503": "foreign",
    "23001": "foreign",
    1062: "unique",
    1586: "unique",
    1216: "foreign",
    1217: "foreign",
    1451: "foreign",
    1452: "foreign",
    2601: "unique",
    2627: "unique",
}


def translate(name: str, error: Exception, arguments: tuple[Any, ...]) -> DatabaseError:
    """The error to raise for a failed statement of the database `name`; `arguments` are its SQL and values."""
    message = f"{name}: {_reason(error)}{_advice(error, *arguments)}"
    key = _broken_key(error)
    return DatabaseConflict(key, message) if key else DatabaseError(message)


def _broken_key(error: Exception) -> Key | None:
    if not isinstance(error, IntegrityError) or error.orig is None:
        return None
    codes = [getattr(error.orig, name, None) for name in ("sqlite_errorname", "sqlstate", "pgcode")]
    codes += error.orig.args[:1]
    return next((KEYS[code] for code in codes if isinstance(code, str | int) and code in KEYS), None)


def _reason(error: Exception) -> str:
    """The driver's message and the statement, without its values."""
    if isinstance(error, StatementError):
        return f"{error.orig} (in: {error.statement})" if error.statement else str(error.orig)
    return str(error) if isinstance(error, SQLAlchemyError) else f"{type(error).__name__}: {error}"


def _advice(error: Exception, sql: Any = "", values: Any = None, *_: Any) -> str:
    """What to write instead, where that is known."""
    if isinstance(error, ResourceClosedError):
        return " The statement ran and has no rows: call query() for it."
    faults = list(dict.fromkeys(explain_values(values)))
    if not faults and values and isinstance(sql, str) and any(sign in sql for sign in ("?", "%s", "$1", "@")):
        faults = ["Values are named: write :name in the SQL and give a dict"]
    return f" {'; '.join(faults)}." if faults else ""
