"""The addon auth on real MariaDB and PostgreSQL servers: its tables, users, sessions, keys and audit log."""

from __future__ import annotations

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from sqlalchemy import inspect

from system.addons.auth.retention import Retention
from tests.conftest import Site
from tests.database_servers import MariaDB, PostgreSQL
from tests.task_bench import Server

from .test_auth import ADDONS, BROWSER, PASSWORD, bearer

INNER = "from kernkoa import *\nbefore = load.addon('auth', 'login')\n"
ROOM = (
    "from kernkoa import *\n\ncurrent_user = load.addon('auth', 'current_user')\n\n"
    "class room:\n    def index(self): return current_user.name\n"
)


@pytest.fixture(scope="module", params=[MariaDB, PostgreSQL], ids=["mariadb", "postgresql"])
def server(request: pytest.FixtureRequest) -> Iterator[Any]:
    try:
        running = request.param()
    except FileNotFoundError as error:
        pytest.skip(f"{error}: sh setup.sh test installs it")
    yield running
    running.remove()


@pytest.fixture
def app(site: Site, server: Any, redis: Server, monkeypatch: pytest.MonkeyPatch) -> Any:
    import kernkoa

    site.write("inner/_folder.py", INNER)
    site.write("inner/room.py", ROOM)
    settings = {"databases": {"far": server.entry}, "defaultDatabase": "far", "redisUrl": redis.url}
    app = site.app(libs=ADDONS, addons=["auth"], **settings)
    monkeypatch.setattr(kernkoa, "load", app.load)
    return app


def test_many_processes_make_the_tables_at_once_and_each_name_is_taken_once(site: Site, app: Any) -> None:
    stores = [app.extensions["auth"].store]
    stores += [
        site.app(libs=ADDONS, addons=["auth"], databases=app.settings.databases, defaultDatabase="far")
        .extensions["auth"]
        .store
        for _ in range(3)
    ]

    def add(store: Any) -> bool:
        try:
            store.add("eve", PASSWORD)
        except ValueError:
            return False
        return True

    with ThreadPoolExecutor(4) as pool:
        assert sum(pool.map(add, stores)) == 1
    names = set(inspect(app.dbs["far"].engine).get_table_names())
    assert {"koa_users", "koa_keys", "koa_audit", "koa_auth_version"} <= names
    assert [user.name for user in stores[0].list_users()].count("eve") == 1


def test_users_sessions_keys_and_the_audit_log(app: Any) -> None:
    store, client = app.extensions["auth"].store, app.test_client()
    ann = store.add("Ann", PASSWORD, ["staff", "boss"])
    assert (ann.name, ann.roles) == ("ann", {"staff", "boss"})
    assert store.find("ánn") is None
    assert store.find("ann ") == store.find("ANN") == ann
    key = store.add_key(ann, "robot", ["inner"], days=1)
    assert client.get("/inner/room", headers=bearer(key)).text == "ann"
    assert client.get("/inner/room", headers=bearer(key.upper())).status_code == 401
    with client.session_transaction() as session:
        session["koa_user"] = [ann.id, ann.epoch]
    assert client.get("/inner/room").text == "ann"
    store.set_password(ann, "another battery")
    assert client.get("/inner/room", headers=BROWSER).status_code == 303
    assert client.get("/inner/room", headers=bearer(key)).status_code == 200
    store.set_locked(ann, True)
    assert client.get("/inner/room", headers=bearer(key)).status_code == 401
    step = int(time.time() // 30)
    assert [store.use_code(ann, each) for each in (step, step, step - 1, step + 1)] == [True, False, False, True]
    store.revoke_key(ann, store.list_keys(ann)[0].id)
    assert store.list_keys(ann) == []
    for number in range(3):
        store.note("tried", "ann", "192.0.2.1", f"{number} ünïcode \N{SNOWMAN}")
    assert [line.detail[0] for line in store.read_audit(3, "ann")] == ["2", "1", "0"]
    with store._begin() as connection:
        Retention(authAuditLines=2).trim(connection)
    assert [line.detail[0] for line in store.read_audit(9)] == ["2", "1"]


def test_a_link_sets_the_password_once(app: Any) -> None:
    store = app.extensions["auth"].store
    lea = store.add("lea", PASSWORD)
    with ThreadPoolExecutor(4) as pool:
        done = list(pool.map(lambda number: store.replace_password(lea, f"{PASSWORD} {number}"), range(4)))
    assert sorted(done) == [False, False, False, True]
    assert store.get("lea").epoch == lea.epoch + 1
