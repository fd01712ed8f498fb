"""What a request costs in process: KernKoa's dispatch against routes written by hand and other conventions.

    venv3/bin/pip install -r benchmarks/requirements.txt
    venv3/bin/python benchmarks/dispatch.py [--rounds 15] [--calls 1000]

Every app is a WSGI callable that gets the same environ; rounds are interleaved, the figure is the median of the
rounds. The ratio is to the Flask route written by hand. A peer that is not installed is left out, with a line.
"""

from __future__ import annotations

import argparse
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
HELLO, ECHO = "hello", "echo two parameters"
ANSWERS = {HELLO: b"hello world", ECHO: b"hello = world, with = parameters"}
QUERIES = {HELLO: "", ECHO: "hello=world&with=parameters"}

CONTROLLER = """
from html import escape

class Bench:
    def hello(self):
        return "hello world"

    def echo(self, params=None):
        return f"hello = {escape(params['hello'])}, with = {escape(params['with'])}"
"""


def echo(hello: str, with_: str) -> str:
    return f"hello = {escape(hello)}, with = {escape(with_)}"


def make_kernkoa() -> tuple[WSGI, dict[str, str]]:
    from system.core.app import create_app
    from system.core.settings import Settings

    root = Path(tempfile.mkdtemp())
    library = root / "catalog" / "controller" / "folder" / "bench.py"
    library.parent.mkdir(parents=True)
    library.write_text(CONTROLLER)
    app = create_app(Settings(path=root))
    return app, {HELLO: "/folder/bench/Bench/hello", ECHO: "/folder/bench/Bench/echo"}


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

    return app, {HELLO: "/folder/bench/Bench/hello", ECHO: "/folder/bench/Bench/echo"}


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
    "Flask route by hand": make_flask,
    "Flask route by hand, with a secret key": lambda: make_flask("key"),
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
    start = time.perf_counter()
    for _ in range(calls):
        request(app, path, query)
    return (time.perf_counter() - start) / calls * 1e6


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
            assert (status[:3], body) == ("200", ANSWERS[case]), (name, case, status, body)
    return apps


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--calls", type=int, default=1000)
    options = parser.parse_args()
    apps = collect()
    figures: dict[str, dict[str, list[float]]] = {case: {name: [] for name in apps} for case in (HELLO, ECHO)}
    for _ in range(options.rounds):
        for name, (app, paths) in apps.items():
            for case, path in paths.items():
                figures[case][name].append(measure(app, path, QUERIES[case], options.calls))
    print(f"{'':40}" + "".join(f"{case:>32}" for case in figures))
    for name in apps:
        row = f"{name:40}"
        for rounds in figures.values():
            median = statistics.median(rounds[name])
            ratio = statistics.median(a / b for a, b in zip(rounds[name], rounds[BASELINE], strict=True))
            row += f"{median:>20.1f} µs{ratio:>7.2f} x"
        print(row)


if __name__ == "__main__":
    main()
