"""SQLAlchemy engines for an entry of config.databases."""

from __future__ import annotations

import logging
import os
import sqlite3
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.engine import URL, ExceptionContext
from sqlalchemy.engine import make_url as parse_url
from sqlalchemy.exc import ArgumentError, NoSuchModuleError, SQLAlchemyError
from sqlalchemy.pool import QueuePool

from ..errors import DatabaseUnavailable, SettingsError
from ..spelling import did_you_mean

if TYPE_CHECKING:
    from .config import Entry

DRIVERS = {
    "sqlite": "sqlite",
    "mysql": "mysql+pymysql",
    "mysqldb": "mysql+pymysql",
    "postgresql": "postgresql+psycopg",
    "mssql": "mssql+pyodbc",
}
# the package that provides a driver's module
PACKAGES = {"psycopg": "psycopg[binary]", "psycopg2": "psycopg2-binary", "MySQLdb": "mysqlclient"}

# Timeouts in seconds, by driver. An unreachable server is reported within two seconds, libpq's minimum; a lost
# network by unacknowledged data (tcp_user_timeout, milliseconds). SQLite's is how long a writer waits for a lock.
CONNECT_ARGUMENTS: dict[str, dict[str, Any]] = {
    "pysqlite": {"timeout": 10},
    "pymysql": {"connect_timeout": 2, "read_timeout": 2},
    "mysqldb": {"connect_timeout": 2},
    "psycopg": {"connect_timeout": 2, "tcp_user_timeout": 2000},
    "psycopg2": {"connect_timeout": 2, "tcp_user_timeout": 2000},
    "pyodbc": {"timeout": 2},
    "pymssql": {"login_timeout": 2},
}
IDLE_CONNECTIONS = 20  # kept open between requests, per process and database

logger = logging.getLogger("kernkoa.database")


def make_url(entry: Entry, folder: Path) -> URL:
    """The URL of a database; a SQLite file is relative to `folder`. Opens nothing, imports no driver."""
    url = _parse_url(entry.url) if entry.url else _url_of(entry)
    if url.get_backend_name() == "sqlite" and not str(url.database).startswith("file:"):
        return url.set(database=str(folder / str(url.database)))
    return url


def _parse_url(text: str) -> URL:
    try:
        return parse_url(text)
    except (ArgumentError, ValueError) as error:
        scheme = text.partition("://")[0]  # the rest may hold the password
        raise SettingsError(f"config.py: the url of a database, {scheme}://…, cannot be read: {error}") from error


def _url_of(entry: Entry) -> URL:
    if entry.driver == "sqlite":
        return URL.create("sqlite", database=entry.host)
    host: str | None = entry.host
    query = {"driver": "ODBC Driver 18 for SQL Server"} if entry.driver == "mssql" else {}
    if entry.host.startswith("/"):  # a socket: MySQL names the file, PostgreSQL its folder
        host, query = None, {"host" if entry.driver == "postgresql" else "unix_socket": entry.host}
    return URL.create(
        DRIVERS[entry.driver], entry.user, entry.password, host, entry.port, entry.database, query=query
    )


def _refuse_async(url: URL) -> None:
    if url.get_dialect().is_async:
        raise SettingsError(
            f"config.py: the url of a database begins with {url.drivername}, which only runs in an event loop. "
            "Use another driver, such as postgresql+psycopg, mysql+pymysql or sqlite."
        )


class Engines:
    """The engines of one database, created at first use in each process.

    One commits each statement at once, the other is SQLAlchemy's default. A forked process keeps its parent's
    engines unused: dropping them would close the parent's connections.
    """

    def __init__(self, name: str, url: URL) -> None:
        self._name = name
        self._url = url
        self.place = url.render_as_string(hide_password=True)
        self._engines: dict[tuple[int, bool], Engine] = {}

    def get(self, autocommit: bool) -> Engine:
        """This process's engine. Raises SettingsError if the driver is not installed."""
        key = (os.getpid(), autocommit)
        # no lock, as a fork could copy it locked; a second engine made by a race has opened nothing yet
        return self._engines.get(key) or self._engines.setdefault(key, self._make(autocommit))

    def connect(self) -> Connection:
        """A connection that commits each statement at once. Raises SettingsError if its arguments are invalid."""
        try:
            return self.get(autocommit=True).connect()
        except (SQLAlchemyError, OSError, TypeError, ValueError) as error:
            raise SettingsError(
                f"config.py: databases[{self._name!r}] ({self.place}) cannot be opened: {error}"
            ) from error

    def close(self) -> None:
        """Close the idle connections of this process."""
        for key in [key for key in self._engines if key[0] == os.getpid()]:
            self._engines.pop(key).dispose()

    def _make(self, autocommit: bool) -> Engine:
        is_sqlite = self._url.get_backend_name() == "sqlite"
        options: dict[str, Any] = {"isolation_level": "AUTOCOMMIT"} if autocommit else {}
        try:
            _refuse_async(self._url)
            engine = create_engine(
                self._url,
                connect_args=CONNECT_ARGUMENTS.get(self._url.get_driver_name(), {}),
                poolclass=QueuePool,
                pool_size=IDLE_CONNECTIONS,
                max_overflow=-1,  # each thread holds at most one connection
                pool_pre_ping=not is_sqlite,
                hide_parameters=True,  # no values of statements in the log
                **options,
            )
        except NoSuchModuleError as error:
            kind = self._url.drivername
            raise SettingsError(
                f"config.py: databases[{self._name!r}]: SQLAlchemy has no {kind}, with which the url begins."
                f"{did_you_mean(kind, (*DRIVERS, *DRIVERS.values()))}"
            ) from error
        except ModuleNotFoundError as error:
            package = PACKAGES.get(error.name or "", error.name)
            raise SettingsError(
                f"The database '{self._name}' needs a package that is not installed. Run: pip install '{package}'"
            ) from error
        event.listen(engine, "handle_error", self._translate_disconnect)
        if self._url.get_driver_name() == "pymysql":
            event.listen(engine, "connect", _lift_read_timeout)
        if is_sqlite:
            Path(str(self._url.database)).parent.mkdir(parents=True, exist_ok=True)
            event.listen(engine, "connect", _prepare_sqlite)
        return engine

    def _translate_disconnect(self, context: ExceptionContext) -> DatabaseUnavailable | None:
        """Turn a lost connection into DatabaseUnavailable, for users of .engine too."""
        if context.is_pre_ping or not (context.connection is None or context.is_disconnect):
            return None
        return self.unavailable(context.original_exception)

    def unavailable(self, error: BaseException) -> DatabaseUnavailable:
        """Log why the server cannot be reached. Returns the error to raise, which does not show it."""
        reason = str(error).strip()
        if self._url.password:
            reason = reason.replace(str(self._url.password), "***")
        logger.error("The database %s (%s) cannot be used: %s", self._name, self.place, reason)
        return DatabaseUnavailable(
            f"The database '{self._name}' does not answer. Try again in a moment.", database=self._name
        )


def _lift_read_timeout(connection: Any, _record: object) -> None:
    """Remove the read timeout after connecting: PyMySQL has no separate one for the handshake."""
    connection._read_timeout = None


def _prepare_sqlite(connection: sqlite3.Connection, _record: object) -> None:
    connection.execute("PRAGMA foreign_keys = ON")
    with suppress(sqlite3.OperationalError):  # a read-only file, or one locked by another process
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = NORMAL")
