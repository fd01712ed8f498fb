"""What every response carries: security headers, and the id of its request."""

from __future__ import annotations

import re
from typing import Any

import pytest

PAGE = """
    from kernkoa import *

    class page:
        def index(self):
            return "hello"

        def own(self):
            return "own", 200, {"X-Frame-Options": "DENY", "referrer-policy": "no-referrer"}

        def fail(self):
            raise LookupError

        def id(self):
            return {"id": request.environ["kernkoa.request_id"]}
"""
PATHS = ["/page", "/page/fail", "/nothing", "/_koa/health", "/images/none.png"]


@pytest.mark.parametrize("path", PATHS)
def test_the_application_sends_the_security_headers(site: Any, path: str) -> None:
    site.write("page.py", PAGE)
    headers = site.client().get(path).headers
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["X-Frame-Options"] == "SAMEORIGIN"
    assert headers["Referrer-Policy"] == "strict-origin-when-cross-origin"
    assert headers["Cross-Origin-Opener-Policy"] == "same-origin"
    assert "Strict-Transport-Security" not in headers


def test_what_a_method_sets_itself_stands_alone(site: Any) -> None:
    site.write("page.py", PAGE)
    headers = site.client().get("/page/own").headers
    assert headers.getlist("X-Frame-Options") == ["DENY"]
    assert headers.getlist("Referrer-Policy") == ["no-referrer"]
    assert headers["X-Content-Type-Options"] == "nosniff"


def test_the_setting_adds_changes_and_removes(site: Any) -> None:
    site.write("page.py", PAGE)
    client = site.client(headers={"Content-Security-Policy": "default-src 'self'", "X-Frame-Options": ""})
    headers = client.get("/page").headers
    assert headers["Content-Security-Policy"] == "default-src 'self'"
    assert "X-Frame-Options" not in headers


def test_hsts_goes_out_over_https_only(site: Any) -> None:
    site.write("page.py", PAGE)
    client = site.client(hstsSeconds=3600)
    assert "Strict-Transport-Security" not in client.get("/page").headers
    assert client.get("/page", base_url="https://localhost").headers["Strict-Transport-Security"] == "max-age=3600"


def test_every_answer_has_an_id_of_its_own(site: Any) -> None:
    site.write("page.py", PAGE)
    client = site.client()
    seen = [client.get(path).headers["X-Request-ID"] for path in PATHS]
    assert len(set(seen)) == len(PATHS)
    assert all(re.fullmatch(r"0x[0-9a-f]{16}", found) for found in seen)
    response = client.get("/page/id", headers={"X-Request-ID": "forged"})
    assert response.get_json()["id"] == response.headers["X-Request-ID"] != "forged"


@pytest.mark.parametrize(
    ("given", "taken"), [("abc-1.2:3_4", True), ("a" * 65, False), ("a b", False), ("", False)]
)
def test_a_trusted_proxy_gives_the_id(site: Any, given: str, taken: bool) -> None:
    client = site.client(proxies=["127.0.0.0/8"])
    assert (client.get("/_koa/health", headers={"X-Request-ID": given}).headers["X-Request-ID"] == given) is taken
    away = client.get("/_koa/health", headers={"X-Request-ID": given}, environ_base={"REMOTE_ADDR": "192.0.2.1"})
    assert away.headers["X-Request-ID"] != given
