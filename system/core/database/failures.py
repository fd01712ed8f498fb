"""Turns the errors of SQLAlchemy and of the drivers into KernKoa's."""

from __future__ import annotations

import sqlite3
from typing import Any, Literal

from sqlalchemy.exc import ArgumentError, IntegrityError, SQLAlchemyError, StatementError

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
# the drivers' codes for a broken key: SQLite's names, PostgreSQL's SQLSTATEs, the numbers of MySQL and SQL Server
_SQLITE = "SQLITE_CONSTRAINT_"
KEYS: dict[Key, frozenset[str | int]] = {
    "unique": frozenset(
        {*(_SQLITE + key for key in ("UNIQUE", "PRIMARYKEY", "ROWID")), "23505", "23P01", 1062, 1586, 2601, 2627}
    ),
    "foreign": frozenset({_SQLITE + "FOREIGNKEY", "23503", "23001", 1216, 1217, 1451, 1452}),
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
    found = {code for code in codes if isinstance(code, str | int)}
    return next((key for key, known in KEYS.items() if found & known), None)


def _reason(error: Exception) -> str:
    """The driver's message and the statement, without its values."""
    if isinstance(error, StatementError):
        return f"{error.orig} (in: {error.statement})" if error.statement else str(error.orig)
    return str(error) if isinstance(error, SQLAlchemyError) else f"{type(error).__name__}: {error}"


def _advice(error: Exception, sql: Any = "", values: Any = None, *_: Any) -> str:
    """What to write instead, where that is known."""
    if isinstance(error, ArgumentError):
        return ""  # it says so itself
    faults = list(dict.fromkeys(explain_values(values)))
    if not faults and values and isinstance(sql, str) and any(sign in sql for sign in ("?", "%s", "$1", "@")):
        faults = ["Values are named: write :name in the SQL and give a dict"]
    return f" {'; '.join(faults)}." if faults else ""
