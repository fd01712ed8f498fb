"""The short way of a request and Flask's own: the same bytes, the same headers, the same order of what is called.

Thousands of generated requests are sent to two apps of one site, one of which never takes the short way.
"""

from __future__ import annotations

import gc
import io
import random
import re
import time
from collections.abc import Iterator
from typing import Any

import flask
import pytest
from flask import request, session
from werkzeug.test import EnvironBuilder, run_wsgi_app

from system.core.dispatch.lean_response import LeanResponse
from system.core.settings import Settings
from system.core.web import short_way

LIB = """
    from flask import after_this_request
    from kernkoa import *

    events = []

    class Plain:
        def text(self): return "text é"
        def json(self, params=None): return {"a": [1, None, 2.5], "sent": params}
        def empty(self): return None
        def download(self): return b"bytes"
        def pair(self): return "made", 201, {"X-Own": "1"}
        def response(self): return Response("own", 418, {"Set-Cookie": "a=1", "Content-Type": "text/plain"})
        def away(self): return redirect("/a/b c")
        def echo(self, params): return params["hello"] + params.get("with", "-") + str(params.getlist("hello"))
        def typed(self, width: int, height: float = 1.0, *names): return [width, height, *names]
        def files(self, params): return {name: file.read().decode() for name, file in params.files.items()}
        def fail(self): return 1 / 0
        def refuse(self): abort(409, "no")
        def missing(self, params): return params["none"]
        def stream(self):
            yield "one "
            yield request.path + session.get("n", "?")
        def broken_stream(self):
            yield "one"
            raise ValueError("two")
        def seen(self): return [request.method, request.url, request.endpoint, str(request.url_rule), request.view_args,
                                request.remote_addr, request.headers.get("X-Own"), request.root_path, request.is_secure,
                                request.host, request.query_string.decode(), request.cookies.to_dict(), request.path,
                                request.full_path, request.scheme, request.blueprint, str(request.user_agent)]
        def later(self):
            @after_this_request
            def mark(response):
                response.headers["X-Later"] = "1"
                return response
            return "later"
        def context(self):
            g.word = "kept"
            return render_template("page.html", n=3)
        def nested(self):
            with current_app.test_request_context("/other?x=1"): inner = request.full_path
            return inner + request.path + url_for("dispatch", path="x")
        def cookie(self):
            response = make_response("cookie")
            response.set_cookie("b", "2")
            return response
        def changed(self):
            response = make_response("text")
            response.data = b"other"
            response.headers["X-Changed"] = "1"
            return response
        @allow("PUT", "DELETE")
        def put(self): return request.method

    class Session:
        def read(self): return str(session.get("n"))
        def write(self, n="1"):
            session["n"] = n
            return "written"
        def clear(self):
            session.clear()
            return "cleared"
        def lasting(self):
            session.permanent = True
            return "lasting"
        def flashed(self):
            flash("hello")
            return str(len(session))

    class Hooked:
        def before(self, params):
            if "stop" in params: return "stopped"
            if "abort" in params: abort(403)
        def after(self, response):
            response.headers["X-After"] = str(response.status_code)
            if response.status_code == 404: return "replaced", 200
        def index(self): return "here"
        def fail(self): return 1 / 0
        def lost(self): abort(404)
        def stream(self): yield from "ab"
"""
PATHS = [
    *(f"/lib/Plain/{name}" for name in (
        "text json empty download pair response away echo typed typed/3 typed/3/4.5/a/b typed/x files fail refuse "
        "missing stream broken_stream seen later context nested cookie changed put none text/more").split()),
    *(f"/lib/Session/{name}" for name in "read write clear lasting flashed".split()),
    *(f"/lib/Hooked/{name}" for name in ("", "fail", "lost", "stream", "none/x")),
    "/", "/lib", "/lib/", "//lib", "/none", "/lib/%C3%A9", "/lib/a%00b", "/broken", "/static/none.css", "/images",
    "/_koa/health", "/lib/Plain/seen/", "/LIB", "/closed/lib", "/closed/none",
]  # fmt: skip
QUERIES = [
    "",
    "hello=a",
    "hello=a&hello=b&with=%C3%A9",
    "stop=1",
    "abort=1",
    "width=3&height=2",
    "a=%ff",
    "x;y",
    "n=7",
]
VERBS = ["GET"] * 6 + ["POST", "POST", "HEAD", "OPTIONS", "PUT", "DELETE", "PATCH", "get"]


def write_site(site: Any) -> None:
    site.write("lib.py", LIB)
    site.write("broken.py", "class Broken(\n")
    site.write("closed/_folder.py", "def before(self, params):\n    return 'closed', 403\n")
    site.write("closed/lib.py", "class Lib:\n    def index(self): return 'never'\n")
    site.write("templates/page.html", "{{ n }} {{ g.word }} {{ request.path }} {{ session.get('n') }}")


def register(app: Any, events: list[str]) -> None:
    """Something for every step of a request."""

    def note(word: str, answer: Any = None) -> Any:
        return lambda *args, **kwargs: (
            events.append(f"{word} {request.endpoint if flask.has_request_context() else ''}"),
            answer,
        )[1]

    def keep(response: Any) -> Any:
        events.append(f"after {response.status_code} {len(response.headers)} {session.get('n')}")
        response.headers["X-App"] = "1"
        return response

    app.before_request(note("before"))
    app.url_value_preprocessor(note("values"))
    app.after_request(keep)
    app.teardown_request(lambda error: events.append(f"teardown {type(error).__name__}"))
    app.teardown_appcontext(lambda error: events.append(f"teardown app {type(error).__name__}"))


@pytest.fixture
def signals() -> Iterator[list[str]]:
    """The signals of Flask in the order they are sent."""
    events: list[str] = []
    connected = []
    for name in ("request_started", "request_finished", "request_tearing_down", "got_request_exception", "template_rendered",
                 "appcontext_pushed", "appcontext_popped", "appcontext_tearing_down", "message_flashed"):  # fmt: skip

        def note(sender: Any, word: str = name, **values: Any) -> None:
            events.append(f"{word} {type(values.get('exc') or values.get('exception')).__name__}")

        signal = getattr(flask, name)
        signal.connect(note)
        connected.append((signal, note))
    yield events
    for signal, note in connected:
        signal.disconnect(note)


def make_environ(chosen: random.Random, cookie: str) -> dict[str, Any]:
    verb = chosen.choice(VERBS)
    options: dict[str, Any] = {}
    if verb in ("POST", "PUT", "PATCH"):
        bodies: list[dict[str, Any]] = [
            {}, {"data": {"hello": "x", "n": "5"}}, {"json": {"hello": "y", "width": 2}}, {"data": b"{", "content_type": "application/json"},
            {"data": {"upload": (io.BytesIO(b"content"), "a.txt"), "hello": "z"}}, {"data": b"raw", "content_type": "text/plain"},
        ]  # fmt: skip
        options = chosen.choice(bodies)
    headers = {"X-Own": "own", "Accept": chosen.choice(["*/*", "text/html", "application/json"])}
    if cookie and chosen.random() < 0.7:
        headers["Cookie"] = chosen.choice(
            [cookie, cookie, "other=1; " + cookie, cookie[:-2] + "xx", "kernkoa_session=", "x"]
        )
    if chosen.random() < 0.1:
        headers["Origin"] = chosen.choice(["https://other.example", "http://localhost"])
    path, query = chosen.choice(PATHS), chosen.choice(QUERIES)
    builder = EnvironBuilder(path=path, query_string=query, method=verb, headers=headers, **options)
    environ = builder.get_environ()
    environ["wsgi.errors"] = io.StringIO()
    return environ


NONCE = r"nonce[-=][\"\w-]+"


def ask(app: Any, environ: dict[str, Any], body: bytes, events: list[str]) -> tuple[Any, ...]:
    """The answer of an app: status, headers without the request's id, body; and the events of the request."""
    events.clear()
    asked = {**environ, "wsgi.input": io.BytesIO(body)}
    pieces: list[bytes] = []
    failure = ""
    try:
        iterable, status, headers = run_wsgi_app(app, asked)
        try:
            pieces.extend(iterable)
        finally:
            getattr(iterable, "close", lambda: None)()
    except Exception as error:  # noqa: BLE001 - both ways must raise the same
        return (type(error).__name__, str(error), list(events))
    # of the real clock, which is not that of the test: when a cookie expires; and a page's nonce is new each time
    kept = [
        (name, re.sub(f"Expires=[^;]*|{NONCE}", "", value)) for name, value in headers if name != "X-Request-ID"
    ]
    page = re.sub(NONCE.encode(), b"", b"".join(pieces))
    return status, sorted(kept), page, failure, list(events), asked.get("werkzeug.request")


@pytest.mark.parametrize("live", [0, 1])
@pytest.mark.parametrize("is_watched", [False, True])
def test_thousands_of_requests_have_the_same_answers_and_events(
    site: Any,
    live: int,
    is_watched: bool,
    signals: list[str],
    monkeypatch: pytest.MonkeyPatch,
    request: pytest.FixtureRequest,
) -> None:
    write_site(site)
    settings = {"secretKey": "k" * 32, "liveSeconds": live, "origins": ["https://other.example"] if live else []}
    apps = [site.app(**settings), site.app(**settings)]
    if is_watched:
        for app in apps:
            register(app, signals)
    else:
        for name in ("request_started", "request_finished", "request_tearing_down", "got_request_exception",
                     "appcontext_pushed", "appcontext_popped", "appcontext_tearing_down"):  # fmt: skip
            monkeypatch.setattr(getattr(flask, name), "receivers", {})
    chosen = random.Random(f"{live} {is_watched}")
    now, cookie, taken = 1_700_000_000.0, "", 0
    for _ in range(700):
        now += chosen.choice([1, 1, 60, 5000])
        monkeypatch.setattr(time, "time", lambda moment=now: moment)
        environ = make_environ(chosen, cookie)
        body = environ["wsgi.input"].read()
        monkeypatch.setattr(short_way, "IS_KNOWN_FLASK", True)
        taken += apps[0]._is_short(environ)
        short = ask(apps[0], environ, body, signals)
        monkeypatch.setattr(short_way, "IS_KNOWN_FLASK", False)
        plain = ask(apps[1], environ, body, signals)
        assert short == plain, f"{environ['REQUEST_METHOD']} {environ['PATH_INFO']}?{environ['QUERY_STRING']}"
        if len(plain) > 3:
            cookie = next((value.split(";")[0] for name, value in plain[1] if "_session=ey" in value), cookie)
    assert taken > 300


def test_a_closed_stream_ends_its_contexts_on_both_ways(site: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    write_site(site)
    for is_known in (True, False):
        monkeypatch.setattr(short_way, "IS_KNOWN_FLASK", is_known)
        app = site.app()
        ended: list[str] = []
        app.teardown_request(lambda error, ended=ended: ended.append("request"))
        iterable, _, _ = run_wsgi_app(app, EnvironBuilder(path="/lib/Plain/stream").get_environ())
        assert next(iter(iterable)) == b"one "
        assert ended == []
        iterable.close()
        assert ended == ["request"]
        assert not flask.has_request_context()
        assert not flask.has_app_context()


def test_the_context_of_a_request_can_be_copied_and_entered_again(site: Any) -> None:
    site.write(
        "lib.py",
        """
        import threading
        from flask import copy_current_request_context
        from kernkoa import *

        class Lib:
            def index(self):
                found = []
                session["n"] = 1
                work = copy_current_request_context(lambda: found.append([request.path, session["n"]]))
                thread = threading.Thread(target=work)
                thread.start()
                thread.join()
                return found
        """,
    )
    assert site.client().get("/lib").get_json() == [["/lib", 1]]


def test_a_session_that_is_not_read_is_not_opened(site: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    write_site(site)
    app = site.app()
    client = app.test_client()
    client.get("/lib/Session/write")
    opened: list[str] = []
    interface = type(app.session_interface)
    real = interface.open_session
    monkeypatch.setattr(interface, "open_session", lambda *args: opened.append("") or real(*args))
    client.get("/lib/Plain/text")
    assert opened == []
    assert client.get("/lib/Session/read").text == "1"
    assert opened == [""]


def test_what_a_path_led_to_is_kept_no_longer_than_a_look_and_only_so_often(site: Any) -> None:
    site.write("lib.py", "class Lib:\n    def index(self, *names): return 'old'\n")
    app = site.app(liveSeconds="off")
    client = app.test_client()
    for number in range(4200):
        client.get(f"/lib/index/{number}")
    client.get("/lib/index/" + "x" * 400)
    assert 0 < len(app.dispatcher._kept) <= 4096
    live = site.client(liveSeconds=0)
    for text in ("first", "second", "third"):
        site.write("lib.py", f"class Lib:\n    def index(self): return {text!r}\n")
        assert live.get("/lib").text == text


def test_werkzeug_reads_the_parts_of_a_lean_request_as_ever(site: Any) -> None:
    from system.core.web.lean_request import PARTS, LeanRequest

    environ = EnvironBuilder(
        path="/a/b", query_string="x=1", headers={"X-A": "b"}, base_url="https://a.example/r"
    ).get_environ()
    lean, whole = LeanRequest(dict(environ), Settings()), flask.Request(dict(environ))
    for part in PARTS:
        assert getattr(lean, part) == getattr(whole, part) or part == "headers", part
    assert dict(lean.headers) == dict(whole.headers)
    lean.remote_addr = "192.0.2.1"
    assert lean.remote_addr == "192.0.2.1"


@pytest.mark.parametrize("query", ["/none", "/lib/Plain/none", "/lib/Plain/typed?width=x", "/lib/Plain/text"])
def test_a_request_leaves_no_circles_to_the_collector(site: Any, query: str) -> None:
    write_site(site)
    app = site.app()
    path, _, sent = query.partition("?")
    for _ in range(3):
        run_wsgi_app(app, EnvironBuilder(path=path, query_string=sent).get_environ())
    environ = EnvironBuilder(path=path, query_string=sent).get_environ()
    gc.collect()
    gc.disable()
    try:
        run_wsgi_app(app, environ)
        assert gc.collect() == 0
    finally:
        gc.enable()


def test_any_change_makes_a_lean_response_a_complete_one() -> None:
    for change in (
        lambda response: response.headers.add("X-A", "1"),
        lambda response: setattr(response, "data", b"other"),
        lambda response: setattr(response, "status_code", 201),
        lambda response: setattr(response, "status", "201 CREATED"),
        lambda response: setattr(response, "response", [b"other"]),
        lambda response: setattr(response, "mimetype", "text/plain"),
        lambda response: setattr(response, "direct_passthrough", True),
        lambda response: response.call_on_close(lambda: None),
        lambda response: response.set_cookie("a", "1"),
    ):
        lean: Any = LeanResponse(b"text", "text/html; charset=utf-8")
        whole = flask.Response(b"text")
        lean.note = whole.note = "an attribute of the site"
        assert type(lean) is LeanResponse
        change(lean)
        change(whole)
        assert type(lean) is flask.Response
        assert (lean.status, list(lean.headers), lean.response, lean.note) == (
            whole.status, list(whole.headers), whole.response, whole.note)  # fmt: skip
