"""The development server's process, started and restarted by supervisor.py."""

from __future__ import annotations

import gc
import logging
import os
import signal
import socket
import sys
import threading
import time
import traceback
from collections.abc import Callable, Iterable, Iterator
from types import TracebackType
from typing import Any

import click
from flask import Flask
from werkzeug.serving import BaseWSGIServer, make_server

from ..catalog.tree import Catalog
from ..dispatch.request_log import RequestLog
from ..dispatch.routing import Endpoint
from ..log import ESCAPES, protect
from ..settings import Settings
from .strict_http import StrictHandler
from .supervisor import REPORT, SOCKET, TERMINAL
from .writers import warn_of_writer

SLOW_MS = 500
FINISH_SECONDS = 1.5


def serve(app: Flask, settings: Settings, catalog: Catalog) -> None:
    """Serve the app on the supervisor's socket until the supervisor sends SIGTERM or exits."""
    show_log(settings)
    listener = socket.socket(fileno=os.dup(int(os.environ[SOCKET])))
    host, port = listener.getsockname()[:2]
    lines = RequestLines(app, catalog)
    server = make_server(host, port, lines, True, request_handler=Handler, fd=listener.fileno())
    listener.close()
    _end_between_requests(server)
    take_terminal()
    gc.freeze()  # full collections skip what was imported
    try:
        server.serve_forever(poll_interval=0.1)
    except _Ended:
        lines.finish(FINISH_SECONDS)


class _Ended(BaseException):
    """The supervisor sent SIGTERM or exited."""


def _end_between_requests(server: BaseWSGIServer) -> None:
    """Stop between requests on SIGTERM or when the supervisor exits: an exception raised while the server starts
    a request's thread would close that request's connection."""
    parent, is_over = os.getppid(), threading.Event()
    signal.signal(signal.SIGTERM, lambda signum, frame: is_over.set())

    def look() -> None:
        if is_over.is_set() or os.getppid() != parent:
            raise _Ended

    server.service_actions = look  # type: ignore[method-assign]


def take_terminal() -> None:
    """Send stderr to the terminal from now on, beginning with what was written during start-up."""
    path = os.environ[REPORT]
    sys.stderr.flush()
    os.dup2(int(os.environ[TERMINAL]), 2)
    with open(path, encoding="utf-8", errors="replace") as report:
        sys.stderr.write(report.read())
    os.unlink(path)


class Handler(StrictHandler):
    """The handler without its log line per request; RequestLines writes a better one."""

    def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
        if not hasattr(self, "environ"):  # the input was not HTTP
            super().log_request(code, size)


class RequestLines(RequestLog):
    """Logs each request to the terminal: status, milliseconds, URL, method of the catalogue."""

    def __init__(self, app: Callable[..., Iterable[bytes]], catalog: Catalog) -> None:
        super().__init__(app)
        self._catalog = catalog
        self._idle = threading.Condition()
        self._running = 0

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterator[bytes]:
        self._count(1)
        try:
            yield from super().__call__(environ, start_response)
        finally:
            self._count(-1)

    def write(self, environ: dict[str, Any], status: str, milliseconds: float, endpoint: Endpoint | None) -> None:
        if not environ.get("PATH_INFO", "").endswith("/_koa/changed"):
            click.echo(request_line(status, milliseconds, environ, endpoint), err=True)
        if environ["REQUEST_METHOD"] == "GET" and endpoint is not None:
            warn_of_writer(self._catalog, endpoint)

    def _count(self, change: int) -> None:
        with self._idle:
            self._running += change
            self._idle.notify_all()

    def finish(self, seconds: float) -> None:
        """Wait for the requests in flight, at most `seconds`."""
        time.sleep(0.02)  # a connection just accepted is not counted yet
        with self._idle:
            self._idle.wait_for(lambda: self._running == 0, seconds)


_COLOURS = {"2": "green", "3": "cyan", "4": "yellow", "5": "red"}


def request_line(status: str, milliseconds: float, environ: dict[str, Any], endpoint: Endpoint | None) -> str:
    """The log line of a request, with control characters of its URL escaped."""
    url = environ.get("REQUEST_URI", environ.get("PATH_INFO", "")).translate(ESCAPES)
    verb = environ.get("REQUEST_METHOD", "").translate(ESCAPES)
    parts = [click.style(status, fg=_COLOURS.get(status[:1]), bold=status[:1] == "5"), _duration(milliseconds)]
    parts.append(f"{verb} {url}")
    if endpoint is not None:
        *folders, controller, method = endpoint.name.split("/")
        parts.append(click.style(f"-> {'/'.join(folders)} {controller}.{method}", dim=True))
        if status == "204" and verb == "GET":
            parts.append(click.style("returned nothing", fg="yellow"))
    return " ".join(parts)


def _duration(milliseconds: float) -> str:
    text = f"{milliseconds:7.1f} ms" if milliseconds < 100 else f"{milliseconds:7.0f} ms"
    return click.style(f"{text} slow", fg="yellow") if milliseconds >= SLOW_MS else text


def show_log(settings: Settings) -> None:
    """Log to the terminal; tracebacks show the site's own frames."""
    handler = logging.StreamHandler()
    handler.setFormatter(_OwnFrames(str(settings.path)))
    protect(handler, settings)
    root = logging.getLogger()
    root.addHandler(handler)
    root.setLevel(logging.INFO)
    logging.getLogger("werkzeug").setLevel(logging.WARNING)


class _OwnFrames(logging.Formatter):
    """Leaves the frames of libraries and of the kernel out of tracebacks."""

    def __init__(self, root: str) -> None:
        super().__init__("%(levelname)s %(name)s: %(message)s")
        self._root = root + os.sep

    def formatException(
        self, ei: tuple[type[BaseException], BaseException, TracebackType | None] | tuple[None, None, None]
    ) -> str:
        if ei[0] is None:
            return ""
        lines: list[str] = []
        described = traceback.TracebackException(*ei)
        own = [frame for frame in described.stack if self._is_own(frame.filename)]
        folded = len(described.stack) - len(own)
        if own:
            described.stack = traceback.StackSummary.from_list(own)
            lines = [f"  ({folded} frames of the kernel and of libraries omitted)"] if folded else []
        return "\n".join([*lines, "".join(described.format(chain=False)).rstrip("\n")])

    def _is_own(self, path: str) -> bool:
        inside = path.removeprefix(self._root)
        return inside != path and not inside.startswith(("system" + os.sep + "core", "venv", "kernkoa.py"))
