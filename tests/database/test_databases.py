"""dbs inside requests: what a client sees of transactions, failures and a database that is away."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.database_servers import PASSWORD, PostgreSQL
from tests.task_bench import bench

ROOT = Path(__file__).resolve().parents[2]

SHOP = """
    from flask import abort, current_app, stream_with_context

    class shop:
        def __init__(self):
            self.db = current_app.dbs["maindb"]

        def make(self):
            self.db.query("create table items (id integer primary key, name varchar(100))")
            return {}

        def count(self):
            return {"items": self.db.getValue("select count(*) from items")}

        def add(self, params):
            self.db.query("insert into items (id, name) values (:id, :name)", params)
            return {}

        def half(self, params):
            self.db.startTransaction()
            self.db.query("insert into items (id, name) values (1, 'half')")
            if params["end"] == "raise":
                raise RuntimeError("in the middle")
            if params["end"] == "abort":
                abort(409)
            if params["end"] == "commit":
                self.db.commitTransaction()
            return {}

        def rows(self):
            self.db.query("insert into items (id, name) values (8, 'streamed')")
            for row in self.db.query("select id from items"):
                yield f"{row[0]}\\n"

        def broken(self):
            return {"x": self.db.query("selec 1")}

        def unknown(self):
            return {"x": current_app.dbs["nothing"].query("select 1")}
"""


@pytest.fixture
def shop(site):
    site.write("shop.py", SHOP)
    app = site.app()
    client = app.test_client()
    client.post("/shop/shop/make")
    yield client
    app.dbs.close()


@pytest.mark.parametrize(("end", "status"), [("raise", 500), ("abort", 409), ("forget", 200)])
def test_a_request_that_does_not_commit_leaves_nothing(shop, end, status):
    assert shop.get(f"/shop/shop/half?end={end}").status_code == status
    assert shop.get("/shop/shop/count").json == {"items": 0}


def test_a_request_that_commits_leaves_its_rows(shop):
    shop.get("/shop/shop/half?end=commit")
    assert shop.get("/shop/shop/count").json == {"items": 1}


def test_only_a_forgotten_commit_is_warned_of(shop, caplog):
    shop.get("/shop/shop/half?end=abort")
    assert "open transaction was rolled back" not in caplog.text
    shop.get("/shop/shop/half?end=forget")
    assert "open transaction was rolled back" in caplog.text


def test_the_params_of_a_request_are_values(shop):
    assert shop.post("/shop/shop/add", data={"id": "5", "name": "'); drop table items; --"}).status_code == 200
    assert shop.get("/shop/shop/count").json == {"items": 1}


def test_a_value_that_the_client_did_not_send_is_a_400_that_names_it(shop):
    answer = shop.post("/shop/shop/add", data={"id": "5"})
    assert answer.status_code == 400
    assert answer.json["name"] == "name"


def test_a_streamed_answer_may_use_the_database_and_gives_it_back(shop):
    assert shop.get("/shop/shop/rows").text == "id\n8\n"
    assert not shop.application.dbs._held.leases


def test_a_refused_statement_is_a_500_that_hides_the_statement(shop):
    answer = shop.get("/shop/shop/broken")
    assert answer.status_code == 500
    assert "selec" not in answer.text


def test_a_name_that_is_not_in_the_settings_is_a_500(shop):
    assert shop.get("/shop/shop/unknown").status_code == 500


def test_a_stopped_database_is_a_503_and_the_rest_of_the_site_goes_on(site, browser_headers, caplog):
    server = PostgreSQL()
    try:
        site.write("shop.py", SHOP)
        site.write("hello.py", "class hello:\n    def index(self):\n        return 'hello'\n")
        client = site.client(databases={"maindb": server.entry})
        client.post("/shop/shop/make")
        server.stop()
        answer = client.get("/shop/shop/count")
        assert answer.status_code == 503
        assert answer.headers["Retry-After"]
        assert answer.json["database"] == "maindb"
        page = client.get("/shop/shop/count", headers=browser_headers)
        assert page.status_code == 503
        assert "maindb" in page.text
        assert "maindb" in caplog.text
        assert PASSWORD not in answer.text + page.text + caplog.text
        assert client.get("/hello").text == "hello"
        server.start()
        assert client.get("/shop/shop/count").json == {"items": 0}
        client.application.dbs.close()
    finally:
        server.remove()


def test_a_context_that_ends_in_an_error_is_rolled_back(shop):
    """A task runs in a request context of its own."""
    app = shop.application

    def run_a_task():
        with app.test_request_context("/"):
            app.dbs["maindb"].startTransaction()
            app.dbs["maindb"].query("insert into items (id, name) values (1, 'half')")
            raise RuntimeError("the task fails")

    with pytest.raises(RuntimeError):
        run_a_task()
    assert shop.get("/shop/shop/count").json == {"items": 0}


def test_a_site_without_a_statement_does_not_import_SQLAlchemy():
    script = "import sys, kernkoa; sys.exit('sqlalchemy' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", script], cwd=ROOT).returncode == 0


LEDGER = """
    from kernkoa import *

    class Ledger:
        def make(self):
            dbs["maindb"].query("create table ledger (process integer)")
            return {}

        def count(self):
            return {"rows": dbs["maindb"].getValue("select count(*) from ledger")}

        def write(self, celery_instance=None, params=None):
            dbs["maindb"].startTransaction()
            dbs["maindb"].query("insert into ledger (process) values (:process)", {"process": os.getpid()})
            if params == "fail":
                raise LookupError("in the middle")
            if params == "commit":
                dbs["maindb"].commitTransaction()
            return "written"
"""


def test_the_transaction_of_a_task_ends_with_the_task(tmp_path):
    server = PostgreSQL()
    try:
        with bench(tmp_path, databases={"maindb": server.entry}) as site:
            site.write("ledger.py", LEDGER)

            def rows():
                return json.loads(site.request("GET", "/ledger/count")[2])["rows"]

            assert site.request("POST", "/ledger/make")[0] == 200
            assert site.run("ledger/Ledger/write", "fail")["status"] == "FAILURE"
            assert site.run("ledger/Ledger/write", "forget")["data"] == "written"
            assert rows() == 0
            for task in [site.start("ledger/Ledger/write", "commit") for _ in range(6)]:
                assert site.end(task)["data"] == "written"
            assert rows() == 6
            server.stop()
            assert site.run("ledger/Ledger/write", "commit")["error"]["type"] == "DatabaseUnavailable"
            server.start()
            assert site.run("ledger/Ledger/write", "commit")["data"] == "written"
            assert rows() == 7
    finally:
        server.remove()
