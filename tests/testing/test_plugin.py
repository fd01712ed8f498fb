"""Tests of a site's own: what its author writes in tests/site, run by `python kernkoa.py test`."""

from __future__ import annotations

import re
import sqlite3
import textwrap
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from tests.database_servers import MariaDB, PostgreSQL

ROOT = Path(__file__).resolve().parents[2]

SHOP = """
    import smtplib
    from email.message import EmailMessage

    from kernkoa import *


    class Shop:
        def names(self):
            return dbs[config.defaultDatabase].rows("select name from goods order by name")

        @allow("POST")
        def add(self, name: str):
            dbs[config.defaultDatabase].query("insert into goods (name) values (:name)", {"name": name})

        @allow("POST")
        def half(self, commit: bool = False):
            db = dbs[config.defaultDatabase]
            db.startTransaction()
            db.query("insert into goods (name) values ('half')")
            if commit:
                db.commitTransaction()

        def me(self):
            return {"user": session.get("user")}

        def now(self):
            return {"now": datetime.now().isoformat(), "time": time.time()}

        def mail(self):
            message = EmailMessage()
            message["To"], message["From"], message["Subject"] = "ann@example.com", "shop@example.com", "Olé"
            message.set_content("Hello")
            with smtplib.SMTP("mail.example.com") as server:
                server.starttls()
                server.login("x", "y")
                server.send_message(message)

        @allow("POST")
        def start(self, name: str):
            db = dbs[config.defaultDatabase]
            db.query("insert into goods (name) values ('before')")
            return exeTask(self, "build", {"name": name})

        def build(self, celery_instance=None, params=None):
            celery_instance.update_state(state="inProgress", meta={"at": 1})
            if params["name"] == "wrong":
                raise ValueError("wrong")
            dbs[config.defaultDatabase].query("insert into goods (name) values (:name)", params)
            return {"built": params["name"], "process": os.getpid()}
"""

TESTS = """
    import os

    import pytest


    @pytest.mark.parametrize("round", [1, 2, 3])
    def test_each_test_starts_with_fresh_databases(client, dbs, round):
        assert client.get("/shop/names").json == []
        assert client.post("/shop/add?name=tea").status_code == 204
        assert client.post("/shop/add?name=tea").status_code == 409
        assert client.get("/shop/names").json == [{"name": "tea"}]
        assert dbs["shop"].getValue("select count(*) from goods") == 1


    def test_transactions_are_the_sites(client):
        assert client.post("/shop/half").status_code == 204
        assert client.get("/shop/names").json == []
        assert client.post("/shop/half?commit=1").status_code == 204
        assert client.get("/shop/names").json == [{"name": "half"}]


    def test_tasks_run_at_once(client):
        started = client.post("/shop/start?name=cake")
        status = client.follow(started)
        assert status["status"] == "SUCCESS"
        assert status["data"] == {"built": "cake", "process": os.getpid()}
        assert client.get("/shop/names").json == [{"name": "before"}, {"name": "cake"}]


    def test_a_task_may_fail(client):
        assert client.follow(client.post("/shop/start?name=wrong"))["status"] == "FAILURE"


    def test_mails_are_recorded(client, mails):
        assert client.get("/shop/mail").status_code == 204
        assert [(mail["To"], mail["Subject"], mail.get_content().strip()) for mail in mails] == [
            ("ann@example.com", "Olé", "Hello")
        ]


    def test_the_clock_can_be_set(client, clock):
        clock.set("2026-01-31T12:00")
        assert client.get("/shop/now").json["now"].startswith("2026-01-31T12:00")
        clock.set("2027-02-01")
        assert client.get("/shop/now").json["now"].startswith("2027-02-01")


    def test_a_session_of_ones_own(client):
        with client.session_transaction() as session:
            session["user"] = "ann"
        assert client.get("/shop/me").json == {"user": "ann"}
        client.logout()
        assert client.get("/shop/me").json == {"user": None}


    def test_a_login_without_auth_says_what_to_do(client):
        with pytest.raises(LookupError, match="session_transaction"):
            client.login("ann")


    def test_models_are_there(load):
        assert load.model("stock", "shop").many() == 3


    def test_what_a_test_file_imported_is_under_test_too(client, imported):
        imported.query("insert into goods (name) values ('imported')")
        assert client.get("/shop/names").json == [{"name": "imported"}]
"""
# loaded before any test file, and thus before any fixture
CONFTEST = """
    import pytest
    from kernkoa import config, dbs

    shop = dbs["shop"]
    open(config.folder(config.pdfPath) / "made", "w").close()


    @pytest.fixture
    def imported(app):
        return shop
"""

WORKER_TEST = """
    import os

    def test_a_real_worker_runs_the_task(client, worker):
        status = client.follow(client.post("/shop/start?name=cake"), seconds=30)
        assert status["data"]["built"] == "cake"
        assert status["data"]["process"] != os.getpid()
"""


@pytest.fixture
def kernkoa(site: Any) -> Any:
    """Runs a command on the site of the test, whose real database has a row that no test may see."""

    def run(*words: str, config: str = "", **environ: str) -> Any:
        (site.root / "config.py").write_text("secretKey = 'x' * 32\n" + textwrap.dedent(config))
        return site.kernkoa(*words, **environ)

    return run


def write(site: Any, path: str, text: str) -> None:
    file = site.root / path
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(textwrap.dedent(text))


SQLITE = "databases = {'shop': {'driver': 'sqlite', 'host': 'var/shop.db'}}\ndefaultDatabase = 'shop'\nredisUrl = 'redis://127.0.0.1:1/0'\n"


def test_a_site_is_tested_without_touching_its_database(kernkoa: Any, site: Any) -> None:
    site.write("shop.py", SHOP)
    site.write("catalog/model/shop/stock.py", "class stock:\n    def many(self):\n        return 3\n")
    write(site, "tests/site/test_shop.py", TESTS)
    write(site, "tests/site/conftest.py", CONFTEST)
    (site.root / "var").mkdir()
    with closing(sqlite3.connect(site.root / "var" / "shop.db")) as real, real:
        real.execute("create table goods (name text unique)")
        real.execute("insert into goods values ('real')")
    before = (site.root / "var" / "shop.db").read_bytes()
    done = kernkoa("test", "-q", config=SQLITE)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "12 passed" in done.stdout
    assert (site.root / "var" / "shop.db").read_bytes() == before
    assert [file.name for file in (site.root / "var").iterdir()] == ["shop.db"]


NEW_TABLE = """
    import pytest

    from kernkoa import dbs


    @pytest.mark.parametrize("round", [1, 2])
    def test_a_table_made_at_first_use(app, round):
        for name in ("host", "url", "uri"):
            dbs[name].query("create table if not exists goods (name text)")
            dbs[name].query("insert into goods values ('tea')")
            assert dbs[name].getValue("select count(*) from goods") == 1
"""
FILES = """
    databases = {
        "host": {"driver": "sqlite", "host": "a.db"},
        "url": {"url": "sqlite:///b.db"},
        "uri": {"url": "sqlite:///file:c.db?uri=true"},
    }
    defaultDatabase = "host"
"""


def test_every_way_to_name_a_sqlite_file_is_a_fresh_copy_in_each_test(kernkoa: Any, site: Any) -> None:
    write(site, "tests/site/test_it.py", NEW_TABLE)
    done = kernkoa("test", "-q", config=FILES)
    assert "2 passed" in done.stdout, done.stdout + done.stderr
    assert not list(site.root.glob("*.db"))


def test_a_worker_runs_tasks_for_real(kernkoa: Any, site: Any) -> None:
    site.write("shop.py", SHOP)
    write(site, "tests/site/test_worker.py", WORKER_TEST)
    with closing(sqlite3.connect(site.root / "shop.db")) as real, real:
        real.execute("create table goods (name text unique)")
    done = kernkoa("test", config=SQLITE.replace("var/shop.db", "shop.db"))
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("kind", [MariaDB, PostgreSQL])
def test_the_changes_of_a_server_are_rolled_back(kernkoa: Any, site: Any, kind: Any) -> None:
    server = kind()
    try:
        from system.core.database.databases import Databases
        from system.core.settings import Settings

        real = Databases(Settings(path=site.root, databases={"shop": server.entry}, defaultDatabase="shop"))
        real["shop"].query("create table goods (name varchar(50) unique)")
        site.write("shop.py", SHOP)
        site.write("catalog/model/shop/stock.py", "class stock:\n    def many(self):\n        return 3\n")
        write(site, "tests/site/test_shop.py", TESTS)
        write(site, "tests/site/conftest.py", CONFTEST)
        done = kernkoa("test", config=f"databases = {{'shop': {server.entry!r}}}\ndefaultDatabase = 'shop'\n")
        assert done.returncode == 0, done.stdout + done.stderr
        assert real["shop"].rows("select name from goods") == []
        real.close()
    finally:
        server.remove()


def test_new_test_writes_one_that_passes(kernkoa: Any, site: Any) -> None:
    missing = kernkoa("test")
    assert missing.returncode == 1
    assert "new test shop/orders" in missing.stderr
    kernkoa("new", "controller", "shop/orders")
    made = kernkoa("new", "test", "shop/orders")
    assert made.stdout.strip() == str(site.root / "tests/site/shop/test_orders.py")
    done = kernkoa("test")
    assert (done.returncode, "1 passed" in done.stdout) == (0, True), done.stdout + done.stderr
    one = kernkoa("test", "tests/site/shop/test_orders.py", "-v")
    assert "test_orders_answers PASSED" in one.stdout
    assert kernkoa("new", "test", "shop/orders").returncode == 1


def test_the_chapters_example_passes(kernkoa: Any, site: Any) -> None:
    page = (ROOT / "docs" / "testing.md").read_text(encoding="utf-8")
    for path, text in re.findall(r"^```python\n# ((?:catalog|tests)/\S+)\n(.*?)^```$", page, re.M | re.S):
        write(site, path, text)
    done = kernkoa("test")
    assert (done.returncode, "2 passed" in done.stdout) == (0, True), done.stdout + done.stderr


def test_a_failing_test_ends_with_1(kernkoa: Any, site: Any) -> None:
    write(
        site,
        "tests/site/test_it.py",
        "def test_it(client):\n    assert client.get('/nothing').status_code == 200\n",
    )
    done = kernkoa("test")
    assert done.returncode == 1
    assert "assert 404 == 200" in done.stdout


def test_a_login_with_the_addon_auth(kernkoa: Any, site: Any) -> None:
    site.write(
        "desk.py",
        """
        from kernkoa import *

        class Desk:
            before = load.addon("auth", "require")(role="staff")

            def index(self):
                return load.addon("auth", "current_user").name
        """,
    )
    write(
        site,
        "tests/site/test_desk.py",
        """
        def test_the_desk_is_for_staff(client):
            assert client.get("/desk").status_code == 401
            client.login("ann")
            assert client.get("/desk").status_code == 403
            client.login("bob", roles=["staff"])
            assert client.get("/desk").text == "bob"
            client.logout()
            assert client.get("/desk").status_code == 401
        """,
    )
    done = kernkoa("test", config=f"addons = ['auth']\nlibs = {{'addon': {str(ROOT / 'system' / 'addons')!r}}}\n")
    assert done.returncode == 0, done.stdout + done.stderr
