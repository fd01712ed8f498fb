"""dbs against SQLAlchemy Core written by hand, without HTTP: CPU time on SQLite, PostgreSQL and MariaDB.

    venv3/bin/python benchmarks/database_core.py [--slices 15]

Both sides run in one thread, in short alternating slices; a figure is the median of the ratios of a slice of dbs
to the slice of Core beside it. Below 1: dbs is cheaper. The servers are started and ended by this script.
"""

from __future__ import annotations

import argparse
import random
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from sqlalchemy import Column, Integer, MetaData, String, Table, bindparam, create_engine, event, select, update

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from system.core.database.databases import Databases
from system.core.database.engine import _prepare_sqlite
from system.core.settings import Settings
from tests.database_servers import MariaDB, PostgreSQL

ROWS = 1000
ONE = "select id, randomnumber from world where id = :id"
FORTUNES = "select id, message from fortune"
UPDATE = "update world set randomnumber = :number where id = :id"

META = MetaData()
WORLD = Table("world", META, Column("id", Integer, primary_key=True), Column("randomnumber", Integer))
FORTUNE = Table("fortune", META, Column("id", Integer, primary_key=True), Column("message", String(200)))
CORE_ONE = select(WORLD).where(WORLD.c.id == bindparam("key"))
CORE_FORTUNES = select(FORTUNE)
CORE_UPDATE = update(WORLD).where(WORLD.c.id == bindparam("key")).values(randomnumber=bindparam("number"))

Work = Callable[[], object]


def any_id() -> int:
    return random.randint(1, ROWS)


def some_ids() -> list[int]:
    return sorted({any_id() for _ in range(20)})


class Kernel:
    """The work as a controller does it; the connection is returned at the end of each request."""

    def __init__(self, databases: Databases) -> None:
        self._databases = databases
        self._db: Any = databases["bench"]

    def one(self) -> None:
        self._db.getDictionary(ONE, {"id": any_id()})
        self._databases.release()

    def twenty(self) -> None:
        for _ in range(20):
            self._db.getDictionary(ONE, {"id": any_id()})
        self._databases.release()

    def dicts(self) -> None:
        self._db.rows(FORTUNES)
        self._databases.release()

    def tuples(self) -> None:
        self._db.query(FORTUNES)
        self._databases.release()

    def updates(self) -> None:
        self._db.startTransaction()
        ids = some_ids()
        for key in ids:
            self._db.getDictionary(ONE, {"id": key})
        self._db.query(UPDATE, [{"id": key, "number": any_id()} for key in ids])
        self._db.commitTransaction()
        self._databases.release()


class Core:
    """The same work with SQLAlchemy Core."""

    def __init__(self, engine: Any) -> None:
        self._engine = engine

    def one(self) -> None:
        with self._engine.connect() as connection:
            dict(connection.execute(CORE_ONE, {"key": any_id()}).mappings().first())

    def twenty(self) -> None:
        with self._engine.connect() as connection:
            for _ in range(20):
                dict(connection.execute(CORE_ONE, {"key": any_id()}).mappings().first())

    def dicts(self) -> list[dict[str, Any]]:
        with self._engine.connect() as connection:
            return [dict(row) for row in connection.execute(CORE_FORTUNES).mappings()]

    def tuples(self) -> list[tuple[Any, ...]]:
        with self._engine.connect() as connection:
            return [tuple(row) for row in connection.execute(CORE_FORTUNES)]

    def updates(self) -> None:
        with self._engine.begin() as connection:
            ids = some_ids()
            for key in ids:
                dict(connection.execute(CORE_ONE, {"key": key}).mappings().first())
            connection.execute(CORE_UPDATE, [{"key": key, "number": any_id()} for key in ids])


def spend(work: Work, times: int) -> float:
    """CPU seconds of this thread."""
    began = time.thread_time()
    for _ in range(times):
        work()
    return time.thread_time() - began


def measure(entry: dict[str, Any], slices: int) -> Iterator[tuple[str, float]]:
    databases = Databases(
        Settings(path=Path(tempfile.mkdtemp()), databases={"bench": entry}, defaultDatabase="bench")
    )
    engine = create_engine(databases["bench"].engine.url, pool_pre_ping=entry["driver"] != "sqlite")
    if entry["driver"] == "sqlite":
        event.listen(engine, "connect", _prepare_sqlite)
    META.create_all(engine)
    with engine.begin() as connection:
        connection.execute(WORLD.insert(), [{"id": key, "randomnumber": key} for key in range(1, ROWS + 1)])
        connection.execute(FORTUNE.insert(), [{"id": key, "message": f"fortune {key}"} for key in range(1, 13)])
    kernel, core = Kernel(databases), Core(engine)
    for name, times in {"one": 150, "twenty": 12, "dicts": 120, "tuples": 120, "updates": 8}.items():
        ours, theirs = getattr(kernel, name), getattr(core, name)
        spend(ours, 5), spend(theirs, 5)
        ratios = [spend(ours, times) / spend(theirs, times) for _ in range(slices)]
        yield name, statistics.median(ratios)
    databases.close()
    engine.dispose()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--slices", type=int, default=15)
    slices = parser.parse_args().slices
    for name, make in {"SQLite": None, "PostgreSQL": PostgreSQL, "MariaDB": MariaDB}.items():
        server = make() if make else None
        try:
            entry = server.entry if server else {"driver": "sqlite", "host": "bench.db"}
            for work, ratio in measure(entry, slices):
                print(f"{name:11} {work:8} {ratio:.2f}")
        finally:
            if server:
                server.remove()


if __name__ == "__main__":
    main()
