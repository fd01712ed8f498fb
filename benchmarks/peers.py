"""The same site for KernKoa and for others: the cases that dispatch.py measures, and an app of each framework."""

from __future__ import annotations

import asyncio
import io
import sys
import tempfile
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from html import escape
from itertools import cycle
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

WSGI = Callable[[dict[str, Any], Any], Iterable[bytes]]
BENCH = "/folder/bench/Bench"
FORM = "application/x-www-form-urlencoded"


@dataclass(frozen=True)
class Case:
    """A request and what has to come back; with `urls` that many URLs by turns: item/0, item/1 and so on."""

    path: str
    answer: bytes
    query: str = ""
    body: bytes = b""
    type: str = ""
    cookies: str = ""
    urls: int = 1
    status: int = 200

    def environs(self) -> Iterator[dict[str, Any]]:
        """The environs of PEP 3333, without end."""
        path = f"/folder/bench/{self.path}"
        paths = [path] if self.urls == 1 else [f"{path}/{number}" for number in range(self.urls)]
        return ({**self._environ(), "PATH_INFO": each} for each in cycle(paths))

    def _environ(self) -> dict[str, Any]:
        sent = {"CONTENT_LENGTH": str(len(self.body)), "CONTENT_TYPE": self.type} if self.body else {}
        if self.cookies:
            sent["HTTP_COOKIE"] = self.cookies
        return {
            "REQUEST_METHOD": "POST" if self.body else "GET",
            "SCRIPT_NAME": "",
            "QUERY_STRING": self.query,
            "SERVER_NAME": "localhost",
            "SERVER_PORT": "80",
            "SERVER_PROTOCOL": "HTTP/1.1",
            "HTTP_HOST": "localhost",
            "HTTP_USER_AGENT": "bench",
            "HTTP_ACCEPT": "*/*",
            "REMOTE_ADDR": "127.0.0.1",
            "wsgi.version": (1, 0),
            "wsgi.url_scheme": "http",
            "wsgi.input": io.BytesIO(self.body),
            "wsgi.errors": sys.stderr,
            "wsgi.multithread": False,
            "wsgi.multiprocess": True,
            "wsgi.run_once": False,
            **sent,
        }


HELLO, ECHO, AREA = b"hello world", b"hello = world, with = parameters", b'{"area":6.0}'
CASES = {
    "hello": Case("Bench/hello", HELLO),
    "echo": Case("Bench/echo", ECHO, "hello=world&with=parameters"),
    "form": Case("Bench/echo", ECHO, body=b"hello=world&with=parameters", type=FORM),
    "JSON": Case("Bench/area", AREA, body=b'{"width": 2, "height": 3}', type="application/json"),
    "numbers": Case("Bench/area", AREA, "width=2&height=3"),
    "100 URLs": Case("Bench/item", b"an item", urls=100),
    "10,000 URLs": Case("Bench/item", b"an item", urls=10_000),
    "cookies": Case("Bench/hello", HELLO, cookies="theme=dark; language=de"),
    "session unread": Case("Bench/hello", HELLO, cookies="{session}"),
    "session read": Case("Bench/read", b"5", cookies="{session}"),
    "hooks": Case("Hooked/hello", HELLO),
    "404": Case("Bench/nothing", b"", status=404),
    "422": Case("Bench/area", b"", "width=x&height=3", status=422),
}
# what a plain Flask route has no like of is compared with its hello
AGAINST = dict.fromkeys(("session unread", "session read", "hooks", "404", "422"), "hello")

CONTROLLER = """
from html import escape
from flask import session

class Bench:
    def hello(self):
        return "hello world"

    def echo(self, params=None):
        return f"hello = {escape(params['hello'])}, with = {escape(params['with'])}"

    def area(self, width: float, height: float):
        return {"area": width * height}

    def item(self, number: str):
        return "an item"

    def login(self):
        session["user"] = 5
        return "hello"

    def read(self):
        return str(session["user"])

class Hooked:
    def before(self, params): ...

    def after(self, response): ...

    def hello(self):
        return "hello world"
"""
PLAIN = {"hello", "echo", "100 URLs", "10,000 URLs", "cookies"}


def echo(values: Any) -> str:
    return f"hello = {escape(values['hello'])}, with = {escape(values['with'])}"


def make_kernkoa() -> tuple[WSGI, set[str]]:
    from system.core.app import create_app
    from system.core.settings import Settings

    root = Path(tempfile.mkdtemp())
    folder = root / "catalog" / "controller" / "folder"
    folder.mkdir(parents=True)
    (folder / "bench.py").write_text(CONTROLLER)
    return create_app(Settings(path=root)), {*CASES}


def make_flask(key: str | None = None) -> tuple[WSGI, set[str]]:
    from flask import Flask, request, session

    app = Flask("bench")
    app.secret_key = key
    both = ["GET", "POST"]
    app.add_url_rule(f"{BENCH}/hello", "hello", lambda: "hello world")
    app.add_url_rule(f"{BENCH}/item/<number>", "item", lambda number: "an item")
    app.add_url_rule(f"{BENCH}/echo", "echo", lambda: echo(request.values), methods=both)

    @app.route(f"{BENCH}/area", methods=both)
    def area() -> dict[str, float]:
        sent = request.get_json() if request.is_json else request.values
        return {"area": float(sent["width"]) * float(sent["height"])}

    @app.route(f"{BENCH}/login")
    def login() -> str:
        session["user"] = 5
        return "hello"

    app.add_url_rule(f"{BENCH}/read", "read", lambda: str(session["user"]))
    sessions = {"session unread", "session read"}
    return app, {*CASES} - {"422", "hooks"} - (set() if key else sessions)


def make_pydantic() -> tuple[WSGI, set[str]]:
    from flask import Flask, Response, request
    from pydantic import BaseModel, ValidationError

    class Area(BaseModel):
        width: float
        height: float

    app = Flask("bench")

    @app.route(f"{BENCH}/area", methods=["GET", "POST"])
    def area() -> Any:
        try:
            sent = Area.model_validate(request.get_json() if request.is_json else request.values.to_dict())
        except ValidationError as error:
            return Response(error.json(), 422, mimetype="application/json")
        return {"area": sent.width * sent.height}

    return app, {"numbers", "JSON", "422"}


def make_classful() -> tuple[WSGI, set[str]]:
    from flask import Flask, request
    from flask_classful import FlaskView

    class Bench(FlaskView):  # type: ignore[misc]
        trailing_slash = False
        route_base = BENCH

        def hello(self) -> str:
            return "hello world"

        def echo(self) -> str:
            return echo(request.values)

    app = Flask("bench")
    Bench.register(app)
    return app, {"hello", "echo", "cookies"}


def make_bottle() -> tuple[WSGI, set[str]]:
    import bottle

    app = bottle.Bottle()
    app.route(f"{BENCH}/hello", callback=lambda: "hello world")
    app.route(f"{BENCH}/echo", callback=lambda: echo(bottle.request.params))
    app.route(f"{BENCH}/item/<number>", callback=lambda number: "an item")
    return app, PLAIN


def make_falcon() -> tuple[WSGI, set[str]]:
    import falcon

    def resource(answer: Callable[[Any], str]) -> Any:
        class Resource:
            def on_get(self, request: Any, response: Any, **_: str) -> None:
                response.content_type = "text/html; charset=utf-8"
                response.text = answer(request.params)

        return Resource()

    app = falcon.App()
    app.add_route(f"{BENCH}/hello", resource(lambda params: "hello world"))
    app.add_route(f"{BENCH}/echo", resource(echo))
    app.add_route(f"{BENCH}/item/{{number}}", resource(lambda params: "an item"))
    return app, PLAIN


def make_cherrypy() -> tuple[WSGI, set[str]]:
    import cherrypy

    class Bench:
        @cherrypy.expose  # type: ignore[untyped-decorator]
        def hello(self) -> str:
            return "hello world"

        @cherrypy.expose  # type: ignore[untyped-decorator]
        def echo(self, **values: str) -> str:
            return echo(values)

    cherrypy.config.update({"log.screen": False, "environment": "production"})
    return cherrypy.Application(Bench(), BENCH), {"hello", "echo", "cookies"}


def make_fastapi() -> tuple[WSGI, set[str]]:
    import fastapi

    app = fastapi.FastAPI()

    @app.get(f"{BENCH}/hello", response_class=fastapi.responses.HTMLResponse)
    async def hello() -> str:
        return "hello world"

    @app.get(f"{BENCH}/area")
    async def area(width: float, height: float) -> dict[str, float]:
        return {"area": width * height}

    return call_asgi(app), {"hello", "numbers", "cookies", "422", "404"}


def make_litestar() -> tuple[WSGI, set[str]]:
    import litestar

    @litestar.get(f"{BENCH}/hello", media_type="text/html")
    async def hello() -> str:
        return "hello world"

    @litestar.get(f"{BENCH}/area")
    async def area(width: float, height: float) -> dict[str, float]:
        return {"area": width * height}

    return call_asgi(litestar.Litestar([hello, area], openapi_config=None)), {"hello", "numbers", "cookies"}


def call_asgi(app: Any) -> WSGI:
    """An ASGI application as a WSGI callable for a GET; its coroutine is driven without a turn of a loop."""
    asyncio.events._set_running_loop(asyncio.new_event_loop())

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": b"", "more_body": False}

    def run(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        body: list[bytes] = []

        async def send(message: dict[str, Any]) -> None:
            if message["type"] == "http.response.start":
                start_response(str(message["status"]), message["headers"])
            else:
                body.append(message.get("body", b""))

        scope = {
            "type": "http",
            "asgi": {"version": "3.0", "spec_version": "2.4"},
            "http_version": "1.1",
            "method": environ["REQUEST_METHOD"],
            "scheme": "http",
            "path": environ["PATH_INFO"],
            "raw_path": environ["PATH_INFO"].encode(),
            "root_path": "",
            "query_string": environ["QUERY_STRING"].encode(),
            "headers": [(b"host", b"localhost"), (b"user-agent", b"bench"), (b"accept", b"*/*")],
            "client": ("127.0.0.1", 1),
            "server": ("localhost", 80),
            "state": {},
        }
        waiting = app(scope, receive, send).__await__()
        for _ in waiting:
            raise RuntimeError("the app waits for something: it needs a loop")
        return body

    return run


BASELINE = "Flask route by hand"
PEERS: dict[str, Callable[[], tuple[WSGI, set[str]]]] = {
    "KernKoa": make_kernkoa,
    BASELINE: make_flask,
    "Flask route by hand, with a secret key": lambda: make_flask("a secret of more than sixteen characters"),
    "Flask with pydantic by hand": make_pydantic,
    "Flask-Classful": make_classful,
    "Bottle": make_bottle,
    "Falcon": make_falcon,
    "CherryPy": make_cherrypy,
    "Litestar": make_litestar,
    "FastAPI": make_fastapi,
}


def ask(app: WSGI, environ: dict[str, Any]) -> tuple[int, bytes, list[Any]]:
    """One request as a server would make it: the body is read to its end and closed."""
    seen: list[Any] = []
    body = app(environ, lambda status, headers, exc_info=None: seen.extend((status, headers)))
    content = b"".join(body)
    close = getattr(body, "close", None)
    if close is not None:
        close()
    return int(seen[0][:3]), content, seen[1]


def log_in(app: WSGI) -> str:
    """The session cookie of an app."""
    headers = ask(app, next(Case("Bench/login", b"").environs()))[2]
    return next(value.partition(";")[0] for name, value in headers if name == "Set-Cookie")
