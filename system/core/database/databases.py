"""`dbs`: the databases of config.py by their names, checked at start.

SQLAlchemy is imported by the first statement: a site without one starts in half the time.
"""

from __future__ import annotations

import re
import threading
import weakref
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from ..errors import SettingsError, UnknownDatabase

if TYPE_CHECKING:
    from ..settings import Settings
    from .connection import Database, Lease

IN_MEMORY = re.compile(r"(sqlite(\+\w+)?:///?)?(:memory:)?")


class Entry(BaseModel):
    """What config.databases may say of one database: a driver and its server, or a `url`."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    driver: Literal["", "sqlite", "mysql", "mysqldb", "postgresql", "mssql"] = ""
    host: str = ""
    port: int | None = None
    user: str | None = None
    password: str | None = None
    database: str | None = None
    url: Annotated[str, Field(pattern=r"^([\w+]+://.*)?$")] = ""

    @model_validator(mode="after")
    def _names_one_place(self) -> Entry:
        if bool(self.driver) == bool(self.url):
            raise ValueError("give either a driver or a url")
        if self.driver and not self.host:
            raise ValueError("host is missing: the server, or the file of a SQLite database")
        if IN_MEMORY.fullmatch(self.url or self.host):
            raise ValueError("a database in memory would be another one for each thread. Name a file")
        return self


class Held(threading.local):
    """What this thread holds: a lease for each (process, database).

    The process is in the key because a forked one inherits these and must neither use nor close them.
    """

    def __init__(self) -> None:
        self.leases: dict[tuple[int, str], Lease] = {}


class Databases(Mapping[str, "Database"]):
    """Every database of config.py, by its name: `dbs["maindb"]`.

    Raises SettingsError for an entry that cannot be used. Nothing is opened before the first statement.
    """

    def __init__(self, settings: Settings) -> None:
        self._folder = settings.path
        self._entries = {name: _check(name, values) for name, values in settings.databases.items()}
        self._held = Held()
        self._databases: dict[str, Database] = {}
        weakref.finalize(self, _close, self._databases)  # when the process ends too: servers log a lost client

    def __getitem__(self, name: str) -> Database:
        return self._databases.get(name) or self._make(name)

    def _make(self, name: str) -> Database:
        from .connection import Database

        if name not in self._entries:
            raise UnknownDatabase(name, self._entries)
        return self._databases.setdefault(name, Database(name, self._entries[name], self._folder, self._held))

    def __iter__(self) -> Iterator[str]:
        return iter(self._entries)

    def __len__(self) -> int:
        return len(self._entries)

    def release(self, error: bool = False) -> None:
        """Give back what this thread holds, at the end of a request or task; never raises.

        A transaction that is still open is rolled back. That is the plan where the request ended in an
        `error`; otherwise a commit was forgotten, and a warning says so.
        """
        if not self._held.leases:
            return
        for database in list(self._databases.values()):
            database.release(error)

    def close(self) -> None:
        """Close every connection of this thread and every idle one; the next statement opens a new one."""
        _close(self._databases)


def _close(databases: Mapping[str, Database]) -> None:
    for database in list(databases.values()):
        database.close()


def _check(name: str, values: dict[str, Any]) -> Entry:
    """Raises SettingsError, which never shows a password."""
    try:
        return Entry.model_validate(values)
    except ValidationError as error:
        faults = "; ".join(_explain(fault) for fault in error.errors())
        raise SettingsError(f"config.py: databases[{name!r}] cannot be used: {faults}") from None


def _explain(fault: Any) -> str:
    where = ".".join(str(part) for part in fault["loc"])
    if not where:
        return str(fault["msg"])
    shown = "…" if where in ("password", "url") else repr(fault["input"])
    return f"{where} = {shown}: {fault['msg']}"
