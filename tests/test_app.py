"""The app as a whole: errors as their readers see them, sessions, the sub-path, Flask's own features."""

from __future__ import annotations

import logging
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.shipped import needs_shipped_site

ROOT = Path(__file__).resolve().parents[1]

LIB = """
    from kernkoa import *

    class Lib:
        def index(self): return "here"
        def where(self): return [request.url, url_for("dispatch", path="lib/x"), config.url]
        def fail(self): return 1 / 0
        def refuse(self): abort(409, "taken <b>")
        def count(self):
            session["n"] = session.get("n", 0) + 1
            return str(session["n"])
        def read(self): return str(session.get("n"))
"""


def test_an_error_is_a_page_for_a_browser_and_problem_json_for_everyone_else(
    site: Any, browser_headers: dict[str, str]
) -> None:
    site.write("lib.py", LIB)
    client = site.client()
    page = client.get("/lib/refuse", headers=browser_headers)
    assert (page.status_code, page.mimetype) == (409, "text/html")
    assert "taken &lt;b&gt;" in page.text
    for headers in ({}, {"Accept": "*/*"}, {"Accept": "application/json"}, {"Accept": "text/csv"}):
        problem = client.get("/lib/refuse", headers=headers)
        assert problem.mimetype == "application/problem+json"
        assert problem.get_json() == {
            "type": "about:blank",
            "title": "Conflict",
            "status": 409,
            "detail": "taken <b>",
        }
    assert "Accept" in page.headers["Vary"]


def test_a_fault_of_the_site_tells_a_stranger_nothing_and_the_log_everything(
    site: Any, browser_headers: dict[str, str], caplog: pytest.LogCaptureFixture
) -> None:
    site.write("lib.py", LIB)
    client = site.client()
    with caplog.at_level(logging.ERROR, "kernkoa"):
        answers = [client.get("/lib/fail"), client.get("/lib/fail", headers=browser_headers)]
    for answer in answers:
        assert answer.status_code == 500
        assert "division" not in answer.text
        assert str(site.root) not in answer.text
    assert "ZeroDivisionError" in caplog.text


def test_an_error_class_of_a_site_has_the_title_of_its_status(site: Any) -> None:
    site.write(
        "catalog/controller/shop.py",
        """
        from system.core.errors import RequestError

        class Unpaid(RequestError, status=402): ...
        class Odd(RequestError):
            status = 499

        class Shop:
            def unpaid(self): raise Unpaid("Pay first.")
            def odd(self): raise Odd("Odd.")
        """,
    )
    client = site.client()
    found = [client.get(f"/shop/{name}").json for name in ("unpaid", "odd")]
    assert [(each["status"], each["title"]) for each in found] == [(402, "Payment Required"), (499, "Error")]


def test_the_production_404_is_constant(site: Any, browser_headers: dict[str, str]) -> None:
    site.write("lib.py", LIB)
    client = site.client()
    for headers in ({}, browser_headers):
        bodies = {
            re.sub('nonce="[^"]*"', "", client.get(url, headers=headers).text)
            for url in ("/nothing", "/lib/Lib/nothing", "/lib/Lib/__init__/x")
        }
        assert len(bodies) == 1


def test_a_session_lasts_over_requests_and_an_unused_one_sends_no_cookie(site: Any) -> None:
    site.write("lib.py", LIB)
    client = site.client()
    assert "Set-Cookie" not in client.get("/lib").headers
    first = client.get("/lib/count")
    cookie = first.headers["Set-Cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=Lax" in cookie
    assert "Expires" in cookie
    assert client.get("/lib/count").text == "2"
    assert client.get("/lib/read").text == "2"


def test_a_forged_or_an_expired_session_is_an_empty_one(site: Any) -> None:
    site.write("lib.py", LIB)
    client = site.client()
    client.set_cookie("kernkoa_session", "eyJuIjo5fQ.aaaaaa.forged")
    assert client.get("/lib/read").text == "None"


def test_two_apps_with_one_key_read_each_others_sessions(site: Any) -> None:
    site.write("lib.py", LIB)
    one, two = site.client(), site.client()
    one.get("/lib/count")
    two.set_cookie("kernkoa_session", one.get_cookie("kernkoa_session").value)
    assert two.get("/lib/read").text == "1"


def test_every_url_is_right_behind_a_sub_path(site: Any) -> None:
    site.write("lib.py", LIB)
    client = site.client(base="/shop")
    root = {"base_url": "http://localhost/"}
    assert client.get("/shop/lib", **root).text == "here"
    url, link, _ = client.get("/shop/lib/where", **root).get_json()
    assert (url, link) == ("http://localhost/shop/lib/where", "/shop/lib/x")
    assert client.get("/lib", **root).status_code == 404
    assert client.get("/shopping", **root).status_code == 404
    redirected = client.get("/shop?a=1", **root)
    assert (redirected.status_code, redirected.headers["Location"]) == (308, "/shop/?a=1")
    assert "Path=/shop" in client.get("/shop/lib/count", **root).headers["Set-Cookie"]


def test_a_server_that_splits_the_sub_path_itself_is_right_too(site: Any) -> None:
    site.write("lib.py", LIB)
    url, link, _ = site.client(base="/shop").get("/lib/where", base_url="http://localhost/shop").get_json()
    assert (url, link) == ("http://localhost/shop/lib/where", "/shop/lib/x")


def test_flask_routes_and_handlers_of_the_sites_own_work(site: Any) -> None:
    site.write("lib.py", LIB)
    app = site.app()
    app.add_url_rule("/own/<int:number>", "own", lambda number: f"own {number}", methods=["POST"])
    app.register_error_handler(ZeroDivisionError, lambda error: ("divided by zero", 400))
    client = app.test_client()
    assert client.post("/own/7").text == "own 7"
    assert client.get("/own/7").status_code == 405
    assert client.get("/own/x").status_code == 404
    assert client.get("/lib").text == "here"
    assert client.get("/lib/fail").text == "divided by zero"


def test_a_flask_rule_of_any_first_segment_comes_before_the_catalogue(site: Any) -> None:
    site.write("lib.py", LIB)
    app = site.app()
    app.add_url_rule("/<any>/x", "any", lambda any: f"any {any}")
    client = app.test_client()
    assert client.get("/lib/x").text == "any lib"
    assert client.get("/lib").text == "here"


def test_a_site_replaces_the_error_page_by_dropping_a_template(site: Any, browser_headers: dict[str, str]) -> None:
    site.write("templates/kernkoa/error.html", "mine: {{ problem.status }}")
    assert site.client().get("/nothing", headers=browser_headers).text == "mine: 404"


def test_home_is_the_path_that_the_root_answers(site: Any) -> None:
    site.write("lib.py", LIB)
    assert site.client(home="lib/index").get("/").text == "here"


def test_a_controller_of_a_reserved_name_is_reported_at_start(site: Any, caplog: pytest.LogCaptureFixture) -> None:
    site.write("status.py", LIB)
    site.write("pdfs/x.txt", "no controller")
    (site.controllers / "images").mkdir()
    site.app()
    told = [record.getMessage() for record in caplog.records]
    assert len(told) == 2
    assert "'status'" in told[1]


def test_more_than_the_upload_limit_is_a_413(site: Any) -> None:
    site.write("lib.py", "class Lib:\n    def index(self, params=None): return 'read'\n")
    client = site.client(maxUploadBytes=1000, maxParamsBytes=500)
    assert client.post("/lib", data={"a": "x" * 100}).text == "read"
    assert client.post("/lib", data={"a": "x" * 600}).status_code == 413
    assert client.post("/lib", data={"a": "x" * 2000}).status_code == 413
    assert client.post("/lib", json={"a": "x" * 600}).status_code == 413


UNUSED = (
    "system.core.explorer",
    "system.core.development",
    "celery",
    "kombu",
    "redis",
    "sqlalchemy",
    "asyncio",
    "pydantic.main",
)


def test_a_production_process_imports_nothing_that_its_requests_do_not_use() -> None:
    needs_shipped_site()
    code = (
        f"import sys, kernkoa\nassert kernkoa.app.test_client().get('/fasthelloworld/fastHelloClass/fastHelloWorld').status_code == 200\n"
        f"print([name for name in {UNUSED} if name in sys.modules])\n"
        "print(isinstance(kernkoa.celery, __import__('celery').Celery), len(kernkoa.celery.tasks) > 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout == "[]\nTrue True\n"
