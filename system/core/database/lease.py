"""The database connections that a thread holds until its request or task ends.

No SQLAlchemy at import: a site without databases starts in half the time.
"""

from __future__ import annotations

import os
import threading
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sqlalchemy import Connection

# Connections inherited from a parent process. They are kept alive: closing them here would close the parent's.
INHERITED: list[Connection] = []


class Lease:
    """A connection held by a thread. `transaction` is "" (none), "open" or "failed"."""

    __slots__ = ("connection", "errors", "is_over", "pid", "transaction")

    def __init__(self, connection: Connection, errors: tuple[type[Exception], ...], pid: int) -> None:
        self.connection = connection
        self.errors = errors  # what closing it may raise
        self.transaction = ""
        self.pid = pid
        self.is_over = False

    def end(self) -> None:
        """Roll back an open transaction and return the connection to its pool. Never raises."""
        self.is_over = True
        try:
            if self.transaction and not self.connection.invalidated:
                self._roll_back()
            self.connection.close()
        except self.errors:
            return  # the pool discards a connection it cannot reset

    def _roll_back(self) -> None:
        try:
            self.connection.exec_driver_sql("ROLLBACK")
        except self.errors:
            self.connection.invalidate()

    def __del__(self) -> None:
        """Runs when a thread ended without release(), or when a fork dropped a lease of its parent."""
        if self.is_over:
            return
        if self.pid == os.getpid():
            self.end()
        else:
            INHERITED.append(self.connection)


class Held(threading.local):
    """The leases of the current thread, by (process id, database name).

    The process id is in the key because a forked process inherits leases and must neither use nor close them.
    """

    def __init__(self) -> None:
        self.leases: dict[tuple[int, str], Lease] = {}
