"""Temporary databases for tests: SQLite files are copied; on database servers every change is rolled back."""

from __future__ import annotations

import json
import shutil
import sqlite3
from collections.abc import Callable, Mapping
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

from sqlalchemy.exc import SQLAlchemyError

from system.core.database.config import check_entry
from system.core.database.connection import BEGIN, Database
from system.core.database.databases import Databases
from system.core.database.engine import make_url
from system.core.database.lease import Lease
from system.core.errors import DatabaseError
from system.core.settings import Settings

SAVEPOINT = "koa_test"
STATEMENT = "koa_statement"
FILES = "*.db*"  # with the journals of SQLite beside them


def redirect_files(settings: Settings, folder: Path) -> str:
    """The setting `databases` as JSON, each SQLite file replaced by one in `folder` with the same empty tables."""
    entries = {name: dict(entry) for name, entry in settings.databases.items()}
    for name, entry in settings.databases.items():
        url = make_url(check_entry(name, entry), settings.path)
        if url.get_backend_name() == "sqlite":
            scheme = "file:" if str(url.database).startswith("file:") else ""
            copy = folder / f"{name}.db"
            _copy_tables(settings.path / str(url.database).removeprefix(scheme), copy)
            entries[name] = {"url": url.set(database=f"{scheme}{copy}").render_as_string(hide_password=False)}
    return json.dumps(entries)


def _copy_tables(source: Path, target: Path) -> None:
    if not source.is_file():
        return
    with (
        closing(sqlite3.connect(f"file:{source}?mode=ro", uri=True)) as old,
        closing(sqlite3.connect(target)) as new,
    ):
        listed = "select sql from sqlite_master where sql is not null and name not like 'sqlite_%' order by rowid"
        for (statement,) in old.execute(listed):
            with suppress(sqlite3.Error):  # a virtual table of an extension that is not installed
                new.execute(statement)
        new.commit()


class Files:
    """Copies of the SQLite files after the site's start; each test begins with them."""

    def __init__(self, folder: Path, databases: Databases) -> None:
        databases.close()
        self._folder = folder
        self._kept = folder / "start"
        self._kept.mkdir()
        for file in folder.glob(FILES):
            shutil.copy2(file, self._kept)

    def restore(self) -> None:
        """Also removes the databases that the site made after its start."""
        for file in self._folder.glob(FILES):
            file.unlink()
        shutil.copytree(self._kept, self._folder, dirs_exist_ok=True)


class RolledBack(Database):
    """A server's database during a test: one transaction from the first statement, rolled back at the end.

    The site's transactions are savepoints in it, and so is each statement: a failed one undoes only itself.
    """

    _is_open = False

    def end_test(self) -> None:
        """Roll back everything since the test began."""
        self._is_open = False
        super().release(error=True)

    def startTransaction(self) -> None:
        if self._is_open:
            raise DatabaseError(f"{self.name}: a transaction is open already. Commit it or roll it back first.")
        self._execute(f"SAVEPOINT {SAVEPOINT}")
        self._is_open = True

    def commitTransaction(self) -> None:
        if not self._is_open:
            raise DatabaseError(f"{self.name}: no transaction is open. Call startTransaction() before the commit.")
        self._execute(f"RELEASE SAVEPOINT {SAVEPOINT}")
        self._is_open = False

    def rollbackTransaction(self) -> None:
        if self._is_open:
            self._execute(f"ROLLBACK TO SAVEPOINT {SAVEPOINT}")
            self._is_open = False

    def release(self, error: bool = False) -> None:
        self.rollbackTransaction()

    def close(self) -> None:
        self.end_test()
        self._engines.close()

    def _lease(self) -> Lease:
        lease = super()._lease()
        if not lease.transaction:
            lease.connection.exec_driver_sql(BEGIN.get(lease.connection.dialect.name, "BEGIN"))
            lease.transaction = "open"
        return lease

    def _execute(self, statement: str) -> None:
        self._lease().connection.exec_driver_sql(statement)

    def _run(self, act: Callable[..., Any], *arguments: Any) -> Any:
        self._execute(f"SAVEPOINT {STATEMENT}")
        try:
            return super()._run(act, *arguments)
        except DatabaseError:
            self._lease().transaction = "open"
            self._execute(f"ROLLBACK TO SAVEPOINT {STATEMENT}")
            raise
        finally:
            with suppress(SQLAlchemyError):  # MySQL's create table commits, which ends the savepoint
                self._execute(f"RELEASE SAVEPOINT {STATEMENT}")


def roll_back(databases: Databases, settings: Settings) -> Mapping[str, RolledBack]:
    """Replace the databases on servers by ones that are rolled back after each test, and return them."""
    kept = {}
    for name, entry in settings.databases.items():
        if entry.get("driver") != "sqlite" and not str(entry.get("url", "")).startswith("sqlite"):
            kept[name] = databases.use(name, RolledBack)
    return kept
