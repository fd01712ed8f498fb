"""The guard of the catalogue's root holds for the files and the tasks that the kernel answers for."""

from __future__ import annotations

from typing import Any

import pytest

GUARD = """
    from werkzeug.exceptions import Unauthorized

    def before(self, params):
        if params.get("pass") != "yes":
            raise Unauthorized("a word is missing")
"""
PATHS = [
    "/images/a.svg",
    "/images?image=a.svg",
    "/pdfs/b.pdf",
    "/pdf?pdf=b.pdf",
    "/status/x",
    "/images/none",
]


@pytest.fixture
def guarded(site: Any) -> Any:
    site.write("images/a.svg", "<svg xmlns='http://www.w3.org/2000/svg'/>")
    site.write("pdfs/b.pdf", "%PDF-1.4")
    site.write("shop.py", "class shop:\n    def index(self): return 'open'\n")
    return site


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("verb", ["GET", "HEAD", "POST", "DELETE", "OPTIONS"])
def test_the_root_guard_is_asked_before_anything_is_told(guarded: Any, path: str, verb: str) -> None:
    guarded.write("_folder.py", GUARD)
    assert guarded.client().open(path, method=verb).status_code == 401


@pytest.mark.parametrize("path", ["/images/a.svg", "/pdfs/b.pdf", "/shop"])
def test_it_admits_whom_it_knows(guarded: Any, path: str) -> None:
    guarded.write("_folder.py", GUARD)
    with guarded.client().get(f"{path}?pass=yes") as response:
        assert response.status_code == 200


def test_what_it_returns_is_the_answer(guarded: Any) -> None:
    guarded.write("_folder.py", "def before(self, params): return 'closed today', 403\n")
    response = guarded.client().get("/images/a.svg")
    assert (response.status_code, response.text) == (403, "closed today")


def test_a_guard_that_fails_or_does_not_load_closes_the_files(guarded: Any) -> None:
    guarded.write("_folder.py", "def before(self, params): raise LookupError\n")
    assert guarded.client().get("/images/a.svg").status_code == 500
    guarded.write("_folder.py", "def before(self, params:\n")
    assert guarded.client().get("/images/a.svg").status_code >= 500


def test_without_a_guard_and_for_health_and_the_icon_all_is_open(guarded: Any) -> None:
    with guarded.client().get("/images/a.svg") as response:
        assert response.status_code == 200
    guarded.write("_folder.py", GUARD)
    client = guarded.client()
    assert [client.get(path).status_code for path in ("/_koa/health", "/favicon.ico")] == [200, 404]


def test_a_guard_may_be_a_coroutine(guarded: Any) -> None:
    guarded.write(
        "_folder.py", "async def before(self, params): return ('no', 401) if 'x' not in params else None\n"
    )
    client = guarded.client()
    assert client.get("/images/a.svg").status_code == 401
    with client.get("/images/a.svg?x=1") as response:
        assert response.status_code == 200
