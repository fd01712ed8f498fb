"""What a request costs in process: KernKoa's dispatch against routes written by hand and other conventions.

    venv3/bin/pip install -r benchmarks/requirements.txt
    venv3/bin/python benchmarks/dispatch.py [--rounds 60] [--calls 50]

Every app is a WSGI callable that gets the same environ. The clock is the CPU time of the thread. The apps take
turns in short slices. The figure is the median of the slices; the ratio is the median, with its quartiles, of the
ratios to the slice of the Flask route by hand in the same round. A peer that is not installed is left out, with a
line.

The third case converts two numbers: KernKoa's untyped method and the Flask route with float(), the others as they
check types. FastAPI is an ASGI application: an event loop calls its coroutine, without a server.
"""

from __future__ import annotations

import argparse
import asyncio
import io
import logging
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterable
from html import escape
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))
logging.disable(logging.CRITICAL)

WSGI = Callable[[dict[str, Any], Any], Iterable[bytes]]
HELLO, ECHO, AREA = "hello", "echo two parameters", "two numbers"
ANSWERS = {HELLO: b"hello world", ECHO: b"hello = world, with = parameters", AREA: b'{"area":6.0}'}
QUERIES = {HELLO: "", ECHO: "hello=world&with=parameters", AREA: "width=2&height=3"}

CONTROLLER = """
from html import escape

class Bench:
    def hello(self):
        return "hello world"

    def echo(self, params=None):
        return f"hello = {escape(params['hello'])}, with = {escape(params['with'])}"

    def area(self, params):
        return {"area": float(params["width"]) * float(params["height"])}

    def typed(self, width: float, height: float):
        return {"area": width * height}
"""


def echo(hello: str, with_: str) -> str:
    return f"hello = {escape(hello)}, with = {escape(with_)}"


def make_kernkoa(typed: bool = False) -> tuple[WSGI, dict[str, str]]:
    from system.core.app import create_app
    from system.core.settings import Settings

    root = Path(tempfile.mkdtemp())
    library = root / "catalog" / "controller" / "folder" / "bench.py"
    library.parent.mkdir(parents=True)
    library.write_text(CONTROLLER)
    app = create_app(Settings(path=root))
    bench = "/folder/bench/Bench"
    if typed:
        return app, {AREA: f"{bench}/typed"}
    return app, {HELLO: f"{bench}/hello", ECHO: f"{bench}/echo", AREA: f"{bench}/area"}


def make_flask(key: str | None = None) -> tuple[WSGI, dict[str, str]]:
    from flask import Flask, request

    app = Flask("bench")
    app.secret_key = key

    @app.route("/folder/bench/Bench/hello")
    def hello() -> str:
        return "hello world"

    @app.route("/folder/bench/Bench/echo", methods=["GET", "POST"])
    def echo_route() -> str:
        return echo(request.values["hello"], request.values["with"])

    @app.route("/folder/bench/Bench/area", methods=["GET", "POST"])
    def area() -> dict[str, float]:
        return {"area": float(request.values["width"]) * float(request.values["height"])}

    bench = "/folder/bench/Bench"
    return app, {HELLO: f"{bench}/hello", ECHO: f"{bench}/echo", AREA: f"{bench}/area"}


def make_flask_pydantic() -> tuple[WSGI, dict[str, str]]:
    from flask import Flask, request
    from pydantic import BaseModel

    class Area(BaseModel):
        width: float
        height: float

    app = Flask("bench")

    @app.route("/area", methods=["GET", "POST"])
    def area() -> dict[str, float]:
        sent = Area.model_validate(request.values.to_dict())
        return {"area": sent.width * sent.height}

    return app, {AREA: "/area"}


def make_fastapi() -> tuple[WSGI, dict[str, str]]:
    import fastapi

    app = fastapi.FastAPI()

    @app.get("/area")
    async def area(width: float, height: float) -> dict[str, float]:
        return {"area": width * height}

    return call_asgi(app), {AREA: "/area"}


def call_asgi(app: Any) -> WSGI:
    """An ASGI application as a WSGI callable, as far as a GET needs it."""
    loop = asyncio.new_event_loop()

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
        }
        loop.run_until_complete(app(scope, receive, send))
        return body

    return run


def make_classful() -> tuple[WSGI, dict[str, str]]:
    from flask import Flask, request
    from flask_classful import FlaskView

    class Bench(FlaskView):  # type: ignore[misc]
        def hello(self) -> str:
            return "hello world"

        def echo(self) -> str:
            return echo(request.values["hello"], request.values["with"])

    app = Flask("bench")
    Bench.register(app)
    return app, {HELLO: "/bench/hello/", ECHO: "/bench/echo/"}


def make_cherrypy() -> tuple[WSGI, dict[str, str]]:
    import cherrypy

    class Bench:
        @cherrypy.expose
        def hello(self) -> str:
            return "hello world"

        @cherrypy.expose
        def echo(self, **values: str) -> str:
            return echo(values["hello"], values["with"])

    cherrypy.config.update({"log.screen": False, "environment": "production"})
    return cherrypy.Application(Bench(), "/bench"), {HELLO: "/bench/hello", ECHO: "/bench/echo"}


def make_pecan() -> tuple[WSGI, dict[str, str]]:
    import pecan

    class Bench:
        @pecan.expose()  # type: ignore[untyped-decorator]
        def hello(self) -> str:
            return "hello world"

        @pecan.expose()  # type: ignore[untyped-decorator]
        def echo(self, **values: str) -> str:
            return echo(values["hello"], values["with"])

    class Root:
        bench = Bench()

    return pecan.Pecan(Root()), {HELLO: "/bench/hello", ECHO: "/bench/echo"}


def make_turbogears() -> tuple[WSGI, dict[str, str]]:
    from tg import MinimalApplicationConfigurator, TGController, expose

    class Bench(TGController):  # type: ignore[misc]
        @expose()  # type: ignore[untyped-decorator]
        def hello(self) -> str:
            return "hello world"

        @expose()  # type: ignore[untyped-decorator]
        def echo(self, **values: str) -> str:
            return echo(values["hello"], values["with"])

    config = MinimalApplicationConfigurator()
    config.update_blueprint({"root_controller": Bench()})
    return config.make_wsgi_app(), {HELLO: "/hello", ECHO: "/echo"}


def make_bottle() -> tuple[WSGI, dict[str, str]]:
    import bottle

    app = bottle.Bottle()
    app.route("/bench/hello", callback=lambda: "hello world")
    app.route(
        "/bench/echo",
        callback=lambda: echo(bottle.request.params["hello"], bottle.request.params["with"]),
    )
    return app, {HELLO: "/bench/hello", ECHO: "/bench/echo"}


def make_raw() -> tuple[WSGI, dict[str, str]]:
    from urllib.parse import parse_qs

    def app(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        if environ["PATH_INFO"] == "/hello":
            body = b"hello world"
        else:
            values = parse_qs(environ["QUERY_STRING"])
            body = echo(values["hello"][0], values["with"][0]).encode()
        start_response("200 OK", [("Content-Type", "text/html"), ("Content-Length", str(len(body)))])
        return [body]

    return app, {HELLO: "/hello", ECHO: "/echo"}


PEERS: dict[str, Callable[[], tuple[WSGI, dict[str, str]]]] = {
    "KernKoa": make_kernkoa,
    "KernKoa, typed": lambda: make_kernkoa(typed=True),
    "Flask route by hand": make_flask,
    "Flask route by hand, with a secret key": lambda: make_flask("key"),
    "Flask with pydantic by hand": make_flask_pydantic,
    "FastAPI (ASGI)": make_fastapi,
    "Flask-Classful": make_classful,
    "CherryPy": make_cherrypy,
    "Pecan": make_pecan,
    "TurboGears": make_turbogears,
    "Bottle": make_bottle,
    "raw WSGI function": make_raw,
}
BASELINE = "Flask route by hand"


def request(app: WSGI, path: str, query: str) -> tuple[str, bytes]:
    """One request as a server would make it: environ in, the body read to its end and closed."""
    environ = {
        "REQUEST_METHOD": "GET",
        "SCRIPT_NAME": "",
        "PATH_INFO": path,
        "QUERY_STRING": query,
        "SERVER_NAME": "localhost",
        "SERVER_PORT": "80",
        "SERVER_PROTOCOL": "HTTP/1.1",
        "HTTP_HOST": "localhost",
        "HTTP_USER_AGENT": "bench",
        "HTTP_ACCEPT": "*/*",
        "REMOTE_ADDR": "127.0.0.1",
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": "http",
        "wsgi.input": io.BytesIO(),
        "wsgi.errors": sys.stderr,
        "wsgi.multithread": False,
        "wsgi.multiprocess": True,
        "wsgi.run_once": False,
    }
    seen: list[str] = []
    body = app(environ, lambda status, headers, exc_info=None: seen.append(status))
    content = b"".join(body)
    if hasattr(body, "close"):
        body.close()
    return seen[0], content


def measure(app: WSGI, path: str, query: str, calls: int) -> float:
    """Microseconds a request."""
    start = time.thread_time()
    for _ in range(calls):
        request(app, path, query)
    return (time.thread_time() - start) / calls * 1e6


def collect() -> dict[str, tuple[WSGI, dict[str, str]]]:
    apps = {}
    for name, make in PEERS.items():
        try:
            apps[name] = make()
        except ImportError as error:
            print(f"left out: {name} ({error})")
            continue
        for case, path in apps[name][1].items():
            status, body = request(apps[name][0], path, QUERIES[case])
            assert (status[:3], body.strip()) == ("200", ANSWERS[case]), (name, case, status, body)
    return apps


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=60)
    parser.add_argument("--calls", type=int, default=50)
    options = parser.parse_args()
    apps = collect()
    figures: dict[str, dict[str, list[float]]] = {case: {name: [] for name in apps} for case in ANSWERS}
    for _ in range(options.rounds):
        for name, (app, paths) in apps.items():
            for case, path in paths.items():
                figures[case][name].append(measure(app, path, QUERIES[case], options.calls))
    print(f"{'':40}" + "".join(f"{case:>32}" for case in figures))
    for name in apps:
        row = f"{name:40}"
        for rounds in figures.values():
            if not rounds[name]:
                row += " " * 32
                continue
            median = statistics.median(rounds[name])
            ratios = [a / b for a, b in zip(rounds[name], rounds[BASELINE], strict=True)]
            low, ratio, high = statistics.quantiles(ratios, n=4)
            row += f"{median:>9.1f} µs{ratio:>6.2f} x ({low:.2f} to {high:.2f})"
        print(row)


if __name__ == "__main__":
    main()
