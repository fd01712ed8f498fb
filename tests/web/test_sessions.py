"""Session cookies: how long they last, when they are sent, and that Flask's own ways stay open."""

from __future__ import annotations

import time
from typing import Any

import pytest
from flask.sessions import SessionInterface, SessionMixin

LIB = """
    from kernkoa import *

    class Lib:
        def index(self): return "here"
        def read(self): return str(session.get("n"))
        def write(self):
            session["n"] = 1
            return "written"
        def clear(self):
            session.clear()
            return "cleared"
        def browser(self):
            session.permanent = False
            return "until the browser closes"
        def lasting(self):
            session.permanent = True
            return "sent each time"
"""


@pytest.fixture
def client(site: Any) -> Any:
    site.write("lib.py", LIB)
    return site.client(session_timeout=10)


def ask(client: Any, path: str) -> tuple[str, bool, bool]:
    """The text of an answer, whether it sets the cookie, and whether it varies with it."""
    response = client.get(path)
    return response.text, "Set-Cookie" in response.headers, "Cookie" in response.vary


def test_a_cookie_is_set_when_the_session_changes_and_varies_when_it_is_read(client: Any) -> None:
    assert ask(client, "/lib") == ("here", False, False)
    assert ask(client, "/lib/read") == ("None", False, True)
    assert ask(client, "/lib/write") == ("written", True, True)
    assert ask(client, "/lib") == ("here", False, False)
    assert ask(client, "/lib/read") == ("1", False, True)
    assert ask(client, "/lib/clear") == ("cleared", True, True)
    assert ask(client, "/lib/read") == ("None", False, True)


def test_a_session_lasts_from_its_last_request_and_is_signed_again_after_a_tenth(
    client: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = time.time()
    client.get("/lib/write")
    for minute, path, is_renewed in ((0.9, "/lib", False), (1.1, "/lib", True), (8, "/lib/read", True)):
        monkeypatch.setattr(time, "time", lambda moment=now + minute * 60: moment)
        response = client.get(path)
        assert ("Set-Cookie" in response.headers) is is_renewed
    monkeypatch.setattr(time, "time", lambda: now + 17 * 60)
    assert client.get("/lib/read").text == "1"
    monkeypatch.setattr(time, "time", lambda: now + 28 * 60)
    assert client.get("/lib/read").text == "None"


def test_permanent_can_be_set_as_in_flask(client: Any) -> None:
    client.get("/lib/write")
    assert "Expires" not in client.get("/lib/browser").headers["Set-Cookie"]
    assert ask(client, "/lib/read") == ("1", False, True)
    assert "Expires" in client.get("/lib/lasting").headers["Set-Cookie"]
    assert ask(client, "/lib/read") == ("1", True, True)


def test_a_key_that_was_replaced_still_reads_its_sessions(site: Any) -> None:
    site.write("lib.py", LIB)
    app = site.app(secretKey="a" * 32)
    client = app.test_client()
    client.get("/lib/write")
    app.config.update(SECRET_KEY="b" * 32, SECRET_KEY_FALLBACKS=["a" * 32])
    assert client.get("/lib/read").text == "1"
    app.config["SECRET_KEY_FALLBACKS"] = None
    assert client.get("/lib/read").text == "None"


class Memory(SessionInterface):
    """Sessions in a dict, by a name that the client sends in a header."""

    def __init__(self) -> None:
        self.kept: dict[str, dict[str, Any]] = {}

    def open_session(self, app: Any, request: Any) -> Any:
        return Remembered(self.kept.get(request.headers.get("X-Name", ""), {}))

    def save_session(self, app: Any, session: Any, response: Any) -> None:
        self.kept["ann"] = dict(session)


class Remembered(dict[str, Any], SessionMixin):
    pass


def test_any_session_interface_takes_the_place_of_the_cookies(site: Any) -> None:
    site.write("lib.py", LIB)
    app = site.app()
    app.session_interface = Memory()
    client = app.test_client()
    assert "Set-Cookie" not in client.get("/lib/write").headers
    assert client.get("/lib/read", headers={"X-Name": "ann"}).text == "1"
    assert client.get("/lib/read", headers={"X-Name": "bob"}).text == "None"
