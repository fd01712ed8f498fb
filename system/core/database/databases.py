"""`dbs`: the databases of config.py by name, checked at start.

SQLAlchemy is imported by the first statement: a site without databases starts in half the time.
"""

from __future__ import annotations

import weakref
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, TypeVar, cast

from ..errors import UnknownDatabase
from .config import check_entry
from .lease import Held

if TYPE_CHECKING:
    from ..settings import Settings
    from .connection import Database

Kind = TypeVar("Kind", bound="Database")


class Databases(Mapping[str, "Database"]):
    """The databases of config.py by name: `dbs["maindb"]`.

    Raises SettingsError for an entry that cannot be used. Connects at the first statement.
    """

    def __init__(self, settings: Settings) -> None:
        self._folder = settings.path
        self._entries = {name: check_entry(name, values) for name, values in settings.databases.items()}
        self._held = Held()
        self._databases: dict[str, Database] = {}
        weakref.finalize(self, _close, self._databases)  # at exit too: servers log clients that just vanish

    def __getitem__(self, name: str) -> Database:
        if name in self._databases:
            return self._databases[name]
        if name not in self._entries:
            raise UnknownDatabase(name, self._entries)
        from .connection import Database

        return self._databases.setdefault(name, Database(name, self._entries[name], self._folder, self._held))

    def use(self, name: str, kind: type[Kind]) -> Kind:
        """Make `dbs[name]`, wherever the site keeps it, an instance of another class, as tests do; returns it."""
        database: Any = self[name]
        database.__class__ = kind
        return cast(Kind, database)

    def __iter__(self) -> Iterator[str]:
        return iter(self._entries)

    def __len__(self) -> int:
        return len(self._entries)

    def release(self, error: bool = False) -> None:
        """Return this thread's connections at the end of a request or task. Never raises.

        An open transaction is rolled back, with a warning in the log unless the request ended in an `error`.
        """
        if not (self._databases and self._held.leases):  # the latter is of the thread, and costs a look-up
            return
        for database in list(self._databases.values()):
            database.release(error)

    def close(self) -> None:
        """Close this thread's connections and all idle ones; the next statement opens a new one."""
        _close(self._databases)


def _close(databases: Mapping[str, Database]) -> None:
    for database in list(databases.values()):
        database.close()
