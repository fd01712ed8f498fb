"""dbs: one contract, kept on SQLite, MariaDB and PostgreSQL by their real servers."""

from __future__ import annotations

import contextlib
import json
import logging
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from sqlalchemy import Engine, String, event
from sqlalchemy.engine import ExecutionContext
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from system.core.database.databases import Databases
from system.core.errors import (
    DatabaseConflict,
    DatabaseError,
    DatabaseUnavailable,
    SettingsError,
    UnknownDatabase,
)
from system.core.settings import Settings
from tests.database_servers import PASSWORD, MariaDB, PostgreSQL

ROOT = Path(__file__).parents[2]
INSERT = "insert into items (id, name) values (:id, :name)"
HOSTILE = [
    "'; drop table items; --",
    '"quoted"',
    "<script>alert(1)</script>",
    "100% :name ::int ?",
    "niño €5 🎉",
    "\\",
]

WRITER = """
import sys, json
from pathlib import Path
from system.core.database.databases import Databases
from system.core.settings import Settings
entry, first = json.loads(sys.argv[1]), int(sys.argv[2])
db = Databases(Settings(path=Path.cwd(), databases={"shop": entry}, defaultDatabase="shop"))["shop"]
for number in range(first, first + 1000):
    db.query("insert into items (id, name) values (:id, :name)", {"id": number, "name": "process"})
    db.release()
"""

LEAVER = """
import sys, json
from pathlib import Path
from system.core.database.databases import Databases
from system.core.settings import Settings
entry = json.loads(sys.argv[1])
dbs = Databases(Settings(path=Path.cwd(), databases={"shop": entry}, defaultDatabase="shop"))
dbs["shop"].startTransaction()
dbs["shop"].query("insert into items (id, name) values (1, 'left')")
"""


class Item(DeclarativeBase):
    pass


class Row(Item):
    __tablename__ = "items"
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(String(200))


@pytest.fixture(scope="module")
def mariadb():
    server = MariaDB()
    yield server
    server.remove()


@pytest.fixture(scope="module")
def postgresql():
    server = PostgreSQL()
    yield server
    server.remove()


def open_databases(folder, **entries):
    return Databases(Settings(path=folder, databases=entries, defaultDatabase=next(iter(entries))))


def in_thread(act):
    """What `act` answers in a thread of its own."""
    answers = []
    thread = threading.Thread(target=lambda: answers.append(act()))
    thread.start()
    thread.join()
    return answers[0]


class TimeIsUp(Exception):
    """As Celery's SoftTimeLimitExceeded."""


@contextlib.contextmanager
def interrupted(seconds):
    """TimeIsUp is raised after `seconds`, whatever runs then."""

    def interrupt(*_):
        raise TimeIsUp

    before = signal.signal(signal.SIGALRM, interrupt)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


class DatabaseContract:
    """What dbs promises, whatever the database; a subclass gives the fixture `entry`."""

    @pytest.fixture
    def dbs(self, entry, tmp_path):
        dbs = open_databases(tmp_path, shop=entry)
        dbs["shop"].query("drop table if exists items")
        dbs["shop"].query("create table items (id integer primary key, name varchar(200) not null)")
        yield dbs
        dbs.close()

    @pytest.fixture
    def db(self, dbs):
        return dbs["shop"]

    @pytest.fixture
    def filled(self, db):
        db.query(INSERT, [{"id": number, "name": f"n{number}"} for number in (1, 2, 3)])
        return db

    def test_a_select_is_a_list_of_rows_with_the_column_names_first(self, filled):
        rows = filled.query("select id, name as label from items where id > :low order by id", {"low": 1})
        assert rows == [("id", "label"), (2, "n2"), (3, "n3")]

    def test_a_select_of_nothing_is_the_column_names(self, db):
        assert db.query("select id, name from items") == [("id", "name")]

    def test_another_statement_is_the_number_of_rows_it_touched(self, filled):
        assert filled.query(INSERT, {"id": 9, "name": "x"}) == 1
        assert filled.query("update items set name = :name", {"name": "same"}) == 4
        assert filled.query("delete from items where id > :low", {"low": 100}) == 0
        assert filled.query("delete from items") == 4

    def test_a_statement_that_makes_a_table_touches_no_row(self, db):
        assert db.query("create table if not exists items (id integer primary key)") == 0

    @pytest.mark.parametrize("text", HOSTILE)
    def test_any_text_comes_back_as_it_was_written(self, db, text):
        db.query(INSERT, {"id": 1, "name": text})
        assert db.getValue("select name from items where name = :name", {"name": text}) == text

    def test_a_list_of_values_runs_the_statement_once_for_each(self, db):
        assert db.query(INSERT, [{"id": 1, "name": "a"}, {"id": 2, "name": "b"}]) == 2

    def test_a_tuple_stands_for_a_list(self, filled):
        ids = "select id from items where id in :ids order by id"
        assert filled.query(ids, {"ids": (1, 3)}) == [("id",), (1,), (3,)]
        assert filled.query(ids, {"ids": (2,)}) == [("id",), (2,)]
        assert filled.query(ids, {"ids": ()}) == [("id",)]

    def test_a_statement_may_have_signs_that_drivers_read(self, db):
        odd = "select '100%', '50%%', '%s', '?', '12:30', :a, :a"
        assert db.query(odd, {"a": "x"})[1] == ("100%", "50%%", "%s", "?", "12:30", "x", "x")
        assert db.getValue("select '100%s'") == "100%s"

    def test_values_that_the_statement_does_not_name_are_left(self, db):
        assert db.getValue("select :a", {"a": "x", "b": "y"}) == "x"

    def test_values_without_names_are_refused(self, db):
        for values in ("x", (1, "x"), [(1, "x")]):
            with pytest.raises(DatabaseError, match="by name"):
                db.query(INSERT, values)

    def test_no_values_for_a_list_run_nothing(self, db):
        assert db.query(INSERT, []) == 0
        assert db.getValue("select count(*) from items") == 0

    def test_an_insert_can_return_rows(self, db):
        assert db.query(INSERT + " returning id", {"id": 4, "name": "x"}) == [("id",), (4,)]

    def test_getDictionary_is_one_row(self, filled):
        one = "select id, name from items where id = :id"
        assert filled.getDictionary(one, {"id": 2}) == {"id": 2, "name": "n2"}
        assert filled.getDictionary(one, {"id": 77}) is False

    def test_getDictionary_of_many_rows_is_the_first_and_leaves_nothing_open(self, filled):
        assert filled.getDictionary("select id from items order by id desc") == {"id": 3}
        assert filled.query("drop table items") == 0

    def test_getDictionary_by_column_is_every_row(self, filled):
        rows = filled.getDictionary("select * from items where id < 3", column="name")
        assert rows == {"n1": {"id": 1, "name": "n1"}, "n2": {"id": 2, "name": "n2"}}
        assert filled.getDictionary("select * from items where id > 9", column="id") == {}

    def test_getDictionary_by_a_column_that_is_not_there_names_those_that_are(self, filled):
        with pytest.raises(DatabaseError, match=r"'nome'.*id, name"):
            filled.getDictionary("select * from items", column="nome")

    def test_getValue_is_the_first_column_of_the_first_row(self, filled):
        assert filled.getValue("select count(*) from items") == 3
        assert filled.getValue("select name from items where id = 77") is None

    def test_a_statement_without_rows_has_no_value(self, db):
        with pytest.raises(DatabaseError, match="rows"):
            db.getValue("delete from items")

    def test_checkTable(self, db):
        assert db.checkTable("items") is True
        assert db.checkTable("nothing_here") is False

    def test_a_refused_statement_says_why_and_hides_the_values(self, filled):
        with pytest.raises(DatabaseError) as caught:
            filled.query(INSERT, {"id": 1, "name": "hunter2"})
        assert isinstance(caught.value.__cause__, IntegrityError)
        assert "shop" in str(caught.value)
        assert "insert into items" in str(caught.value)
        assert "hunter2" not in str(caught.value)
        assert filled.getValue("select count(*) from items") == 3

    def test_an_error_shows_the_statement_as_it_was_written(self, db):
        for values in ({"id": 1, "name": None}, {"id": 1}):
            with pytest.raises(DatabaseError) as caught:
                db.query(INSERT, values)
            assert INSERT in str(caught.value)

    def test_listeners_of_SQLAlchemy_see_the_statements_and_change_no_answer(self, filled):
        seen = []
        listener = (Engine, "after_cursor_execute", lambda *found: seen.append((found[2], type(found[4]))))
        event.listen(*listener)
        try:
            assert filled.getDictionary("select id from items where id in :ids", {"ids": (1,)}) == {"id": 1}
            assert filled.query("delete from items where id = 1") == 1
            assert filled.rows("select name from items where id = :id", {"id": 2}) == [{"name": "n2"}]
            with pytest.raises(DatabaseConflict):
                filled.query(INSERT, {"id": 2, "name": "n2"})
        finally:
            event.remove(*listener)
        assert [sql.split()[0] for sql, _ in seen] == ["select", "delete", "select"]
        assert all(issubclass(context, ExecutionContext) for _, context in seen)

    def test_the_log_of_SQLAlchemy_has_the_statements_without_their_values(self, db, caplog):
        db.release()  # a connection reads the level when it is taken
        with caplog.at_level(logging.INFO, logger="sqlalchemy.engine.Engine"):
            db.query(INSERT, {"id": 1, "name": "hunter2"})
        assert "insert into items" in caplog.text
        assert "hunter2" not in caplog.text

    def test_a_missing_value_is_named_with_those_that_were_given(self, db):
        with pytest.raises(DatabaseError, match=r":name, those given: id, nome"):
            db.query(INSERT, {"id": 1, "nome": "x"})

    def test_a_list_where_a_tuple_is_meant_is_told(self, filled):
        with pytest.raises(DatabaseError, match="give a tuple"):
            filled.query("select id from items where id in :ids", {"ids": [1, 2]})

    def test_a_statement_counts_at_once(self, db):
        db.query(INSERT, {"id": 1, "name": "x"})
        assert in_thread(lambda: db.getValue("select count(*) from items")) == 1

    def test_a_transaction_is_seen_by_others_after_the_commit(self, db):
        db.startTransaction()
        db.query(INSERT, {"id": 1, "name": "x"})
        assert db.getValue("select count(*) from items") == 1
        assert in_thread(lambda: db.getValue("select count(*) from items")) == 0
        db.commitTransaction()
        assert in_thread(lambda: db.getValue("select count(*) from items")) == 1

    def test_a_rollback_undoes_the_transaction_and_no_more(self, filled):
        filled.startTransaction()
        filled.query("delete from items")
        filled.rollbackTransaction()
        filled.query(INSERT, {"id": 4, "name": "after"})
        assert in_thread(lambda: filled.getValue("select count(*) from items")) == 4

    def test_a_request_that_fails_undoes_its_transaction(self, dbs, filled, caplog):
        filled.startTransaction()
        filled.query("delete from items")
        dbs.release(error=True)
        assert filled.getValue("select count(*) from items") == 3
        assert not caplog.records

    def test_a_forgotten_commit_is_undone_with_a_warning(self, dbs, filled, caplog):
        filled.startTransaction()
        filled.query("delete from items")
        dbs.release()
        assert filled.getValue("select count(*) from items") == 3
        assert [record.levelno for record in caplog.records] == [logging.WARNING]
        assert "shop" in caplog.text

    def test_a_thread_that_ends_without_release_leaves_nothing_open(self, db):
        def forget():
            db.startTransaction()
            db.query(INSERT, {"id": 1, "name": "x"})

        in_thread(forget)
        db.query(INSERT, {"id": 2, "name": "y"})
        assert db.query("select id from items") == [("id",), (2,)]

    def test_after_a_failure_a_transaction_can_only_be_rolled_back(self, filled):
        filled.startTransaction()
        filled.query(INSERT, {"id": 4, "name": "first half"})
        with pytest.raises(DatabaseError):
            filled.query(INSERT, {"id": 1, "name": "again"})
        with pytest.raises(DatabaseError, match="rollbackTransaction"):
            filled.query(INSERT, {"id": 5, "name": "second half"})
        with pytest.raises(DatabaseError, match="rollbackTransaction"):
            filled.commitTransaction()
        filled.rollbackTransaction()
        assert filled.getValue("select count(*) from items") == 3

    def test_two_transactions_at_once_are_refused(self, db):
        db.startTransaction()
        with pytest.raises(DatabaseError, match="open already"):
            db.startTransaction()
        db.commitTransaction()

    def test_a_commit_without_a_transaction_is_refused_and_a_rollback_harmless(self, db):
        with pytest.raises(DatabaseError, match="startTransaction"):
            db.commitTransaction()
        db.rollbackTransaction()

    def test_a_connection_is_kept_for_the_next_request(self, dbs, db):
        db.query("select 1")
        first = id(db._lease().connection.connection.dbapi_connection)
        dbs.release()
        db.query("select 1")
        assert id(db._lease().connection.connection.dbapi_connection) == first

    def test_eight_threads_lose_no_insert(self, dbs, db):
        def insert(first):
            for number in range(first, first + 1000):
                db.query(INSERT, {"id": number, "name": "thread"})
                dbs.release()

        threads = [threading.Thread(target=insert, args=(first * 1000,)) for first in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert db.getValue("select count(*) from items") == 8000

    def test_two_processes_lose_no_insert(self, db, entry, tmp_path):
        writers = [
            subprocess.Popen(
                [sys.executable, "-W", "error", "-c", WRITER, json.dumps(entry), str(first)],
                cwd=tmp_path,
                env={**os.environ, "PYTHONPATH": str(ROOT)},
            )
            for first in (0, 1000)
        ]
        assert [writer.wait(60) for writer in writers] == [0, 0]
        assert db.getValue("select count(*) from items") == 2000

    def test_a_process_that_ends_in_the_middle_leaves_nothing_and_says_nothing(self, db, entry, tmp_path):
        done = subprocess.run(
            [sys.executable, "-W", "error", "-c", LEAVER, json.dumps(entry)],
            cwd=tmp_path,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            capture_output=True,
            text=True,
        )
        assert (done.returncode, done.stderr) == (0, "")
        assert db.getValue("select count(*) from items") == 0

    def test_a_forked_process_uses_connections_of_its_own(self, db):
        db.startTransaction()
        db.query(INSERT, {"id": 1, "name": "parent"})
        child = os.fork()
        if child == 0:
            with contextlib.suppress(BaseException):
                seen = db.getValue("select count(*) from items")
                db.release(error=True)
                os._exit(40 + seen)
            os._exit(1)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 40
        db.commitTransaction()
        assert db.getValue("select count(*) from items") == 1

    def test_a_session_is_SQLAlchemys(self, filled):
        with filled.session() as session:
            session.add(Row(id=4, name="mapped"))
            session.commit()
            assert session.get(Row, 2).name == "n2"
        assert filled.getValue("select name from items where id = 4") == "mapped"

    def test_the_engine_is_SQLAlchemys(self, filled):
        with filled.engine.connect() as connection:
            connection.exec_driver_sql("delete from items")  # and no commit
        assert filled.getValue("select count(*) from items") == 3


class ServerContract(DatabaseContract):
    """What dbs promises of a database that is a server: it may go away and come back."""

    @pytest.fixture
    def entry(self, server):
        return server.entry

    @pytest.fixture
    def stopped(self, server):
        """The server, stopped; started again at the end of the test if not before."""
        yield server
        if server.process is None:
            server.start()

    def test_a_stopped_server_is_unavailable_at_once_and_then_well_again(self, dbs, filled, stopped, caplog):
        dbs.release()
        stopped.stop()
        start = time.monotonic()
        with pytest.raises(DatabaseUnavailable) as caught:
            filled.query("select 1")
        assert time.monotonic() - start < 2
        assert caught.value.status == 503
        assert "'shop'" in caught.value.detail
        assert "shop" in caplog.text
        assert PASSWORD not in caplog.text + str(caught.value) + repr(filled)
        dbs.release(error=True)
        stopped.start()
        assert filled.getValue("select count(*) from items") == 3

    def test_a_server_that_stops_between_two_statements(self, filled, stopped):
        stopped.stop()
        with pytest.raises(DatabaseUnavailable):
            filled.query("select 1")
        stopped.start()
        assert filled.getValue("select count(*) from items") == 3

    def test_a_restart_between_two_requests_is_not_noticed(self, dbs, filled, stopped):
        dbs.release()
        stopped.stop()
        stopped.start()
        assert filled.getValue("select count(*) from items") == 3

    def test_a_transaction_that_lost_its_server_is_not_continued_by_halves(self, filled, stopped):
        filled.startTransaction()
        filled.query(INSERT, {"id": 4, "name": "first half"})
        stopped.stop()
        stopped.start()
        with pytest.raises(DatabaseUnavailable):
            filled.query(INSERT, {"id": 5, "name": "second half"})
        with pytest.raises(DatabaseError, match="rollbackTransaction"):
            filled.query(INSERT, {"id": 5, "name": "second half"})
        with pytest.raises(DatabaseError):
            filled.commitTransaction()
        filled.rollbackTransaction()
        assert filled.getValue("select count(*) from items") == 3

    def test_a_statement_that_is_interrupted_costs_its_connection_and_no_more(self, filled, server):
        slow = "select sleep(0.5)" if isinstance(server, MariaDB) else "select pg_sleep(0.5)"
        for in_transaction in (False, True):
            if in_transaction:
                filled.startTransaction()
                filled.query(INSERT, {"id": 4, "name": "half"})
            with interrupted(0.1), pytest.raises(TimeIsUp):
                filled.query(slow)
            if in_transaction:
                with pytest.raises(DatabaseError, match="rollbackTransaction"):
                    filled.query("select 1")
                filled.rollbackTransaction()
            assert filled.query("select id from items order by id")[1:] == [(1,), (2,), (3,)]

    def test_an_engine_of_a_stopped_server_is_unavailable_too(self, filled, stopped):
        stopped.stop()
        with pytest.raises(DatabaseUnavailable), filled.session() as session:
            session.get(Row, 1)

    def test_one_database_away_leaves_the_others_well(self, entry, stopped, tmp_path):
        stopped.stop()
        dbs = open_databases(tmp_path, shop=entry, notes={"driver": "sqlite", "host": "notes.db"})
        with pytest.raises(DatabaseUnavailable):
            dbs["shop"].query("select 1")
        assert dbs["notes"].getValue("select 1") == 1
        dbs.close()

    def test_a_wrong_password_is_unavailable_and_not_shown(self, entry, tmp_path, caplog):
        dbs = open_databases(tmp_path, shop={**entry, "password": "wr0ng-one"})
        with pytest.raises(DatabaseUnavailable) as caught:
            dbs["shop"].query("select 1")
        assert "wr0ng-one" not in caplog.text + str(caught.value)
        assert "koa" in caplog.text  # the log says why: that user was refused
        dbs.close()


class TestSQLite(DatabaseContract):
    @pytest.fixture
    def entry(self):
        return {"driver": "sqlite", "host": "var/shop.db"}

    def test_a_transaction_waits_for_the_writer_before_it(self, dbs, filled):
        order = []

        def second():
            filled.startTransaction()
            order.append("second")
            filled.query("update items set name = 'second'")
            filled.commitTransaction()
            dbs.release()

        filled.startTransaction()
        thread = threading.Thread(target=second)
        thread.start()
        filled.query("update items set name = 'first'")
        order.append("first")
        filled.commitTransaction()
        thread.join()
        assert order == ["first", "second"]
        assert filled.getValue("select name from items where id = 1") == "second"

    def test_names_in_capitals_are_small_where_SQLAlchemy_says_so(self, db, monkeypatch):
        """As of Oracle, which no test starts."""
        monkeypatch.setattr(db._lease().connection.dialect, "requires_name_normalize", True)
        assert db.rows('select 1 as ID, 2 as "Mixed"') == [{"id": 1, "Mixed": 2}]

    def test_foreign_keys_are_kept(self, filled):
        filled.query("create table parts (item integer references items (id))")
        with pytest.raises(DatabaseError, match="FOREIGN KEY"):
            filled.query("insert into parts values (77)")

    def test_a_file_that_cannot_be_opened_is_unavailable(self, tmp_path):
        (tmp_path / "folder.db").mkdir()
        dbs = open_databases(tmp_path, shop={"driver": "sqlite", "host": "folder.db"})
        with pytest.raises(DatabaseUnavailable):
            dbs["shop"].query("select 1")


class TestMariaDB(ServerContract):
    @pytest.fixture
    def server(self, mariadb):
        return mariadb

    def test_the_old_driver_name_works(self, entry, tmp_path):
        dbs = open_databases(tmp_path, shop={**entry, "driver": "mysqldb"})
        assert dbs["shop"].getValue("select 1") == 1
        dbs.close()

    def test_a_host_may_be_a_socket(self, entry, server, tmp_path):
        (server.folder / "grant.sql").write_text("")
        dbs = open_databases(
            tmp_path,
            shop={"driver": "mysql", "host": f"{server.folder}/socket", "user": "root", "database": "koa"},
        )
        assert dbs["shop"].getValue("select 1") == 1
        dbs.close()


class TestPostgreSQL(ServerContract):
    @pytest.fixture
    def server(self, postgresql):
        return postgresql

    def test_a_host_may_be_a_folder_of_sockets(self, entry, server, tmp_path):
        dbs = open_databases(tmp_path, shop={**entry, "host": str(server.folder)})
        assert dbs["shop"].getValue("select 1") == 1
        dbs.close()

    def test_a_url_is_enough(self, server, tmp_path):
        url = f"postgresql+psycopg://koa:{PASSWORD}@127.0.0.1:{server.port}/postgres"
        dbs = open_databases(tmp_path, shop={"url": url})
        assert dbs["shop"].getValue("select 1") == 1
        assert PASSWORD not in repr(dbs["shop"])
        dbs.close()

    def test_a_table_in_a_schema_is_found(self, db):
        assert db.checkTable("pg_catalog.pg_class") is True
        assert db.checkTable("public.pg_class") is False


@pytest.mark.parametrize(
    ("entry", "fault"),
    [
        ({"driver": "orcale", "host": "x"}, "orcale"),
        ({"host": "x"}, "driver or a url"),
        ({"driver": "sqlite", "host": "x", "url": "sqlite:///x"}, "driver or a url"),
        ({"driver": "mysql"}, "host is missing"),
        ({"driver": "mysql", "host": "x", "passwd": "s3cret"}, "passwd"),
        ({"driver": "mysql", "host": "x", "port": "many"}, "many"),
        ({"driver": "sqlite", "host": ":memory:"}, "in-memory"),
        ({"url": "sqlite://"}, "in-memory"),
        ({"url": "no url"}, "url"),
    ],
)
def test_an_entry_that_cannot_be_used_is_told_at_start(entry, fault, tmp_path):
    with pytest.raises(SettingsError, match=r"'shop'") as caught:
        open_databases(tmp_path, shop=entry)
    assert fault in str(caught.value)


def test_a_password_of_the_wrong_type_is_not_shown(tmp_path):
    with pytest.raises(SettingsError) as caught:
        open_databases(tmp_path, shop={"driver": "mysql", "host": "x", "password": ["s3cret"]})
    assert "s3cret" not in str(caught.value)


@pytest.mark.parametrize(
    ("driver", "module", "package"),
    [("mysql", "pymysql", "pymysql"), ("postgresql", "psycopg", "psycopg[binary]")],
)
def test_a_missing_driver_names_the_package_to_install(driver, module, package, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, module, None)
    dbs = open_databases(tmp_path, shop={"driver": driver, "host": "127.0.0.1"})
    with pytest.raises(SettingsError) as caught:
        dbs["shop"].query("select 1")
    assert f"pip install '{package}'" in str(caught.value)


@pytest.mark.parametrize(
    ("url", "fault"),
    [
        ("nosuch://host/x", "nosuch"),
        ("postgres://host/x", r"Did you mean postgresql\b"),
        ("sqlite3:///x.db", r"Did you mean sqlite\b"),
        ("postgresql+psycopg_async://host/x", r"postgresql\+psycopg\b"),
        ("sqlite+aiosqlite:///x.db", "event loop"),
    ],
)
def test_a_url_that_names_no_usable_driver_is_told(url, fault, tmp_path):
    with pytest.raises(SettingsError, match=fault):
        open_databases(tmp_path, shop={"url": url})["shop"].query("select 1")


def test_a_name_that_is_not_in_the_settings_names_those_that_are(tmp_path):
    dbs = open_databases(tmp_path, shop={"driver": "sqlite", "host": "x.db"})
    with pytest.raises(UnknownDatabase, match=r"'shpo'.*shop"):
        dbs["shpo"]
    assert dbs.get("shpo") is None
    assert list(dbs) == ["shop"]


def test_nothing_is_opened_before_the_first_statement(tmp_path):
    open_databases(tmp_path, shop={"driver": "sqlite", "host": "var/x.db"})
    assert not (tmp_path / "var").exists()


def test_a_host_that_swallows_packets_is_unavailable_within_the_limit(tmp_path):
    """A listener that never answers: the connection is made and nothing comes."""
    import socket

    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(1)
        port = listener.getsockname()[1]
        dbs = open_databases(tmp_path, shop={"driver": "mysql", "host": "127.0.0.1", "port": port, "user": "u"})
        start = time.monotonic()
        with pytest.raises(DatabaseUnavailable):
            dbs["shop"].query("select 1")
        assert time.monotonic() - start < 3
