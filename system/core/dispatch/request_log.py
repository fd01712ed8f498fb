"""The middleware behind the lines of a log about requests."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from .routing import Endpoint


class RequestLog:
    """WSGI middleware that measures each request to the end of its response; `write` is what a log makes of it."""

    def __init__(self, app: Callable[..., Iterable[bytes]]) -> None:
        self._app = app

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterator[bytes]:
        began = time.perf_counter()
        status, resolved = "500", None

        def start(line: str, *args: Any) -> Any:
            nonlocal status, resolved
            status = line.partition(" ")[0]
            resolved = getattr(environ.get("werkzeug.request"), "resolved", None)
            return start_response(line, *args)

        body: Iterable[bytes] = ()
        try:
            body = self._app(environ, start)
            yield from body
        finally:
            getattr(body, "close", lambda: None)()
            milliseconds = (time.perf_counter() - began) * 1000
            self.write(environ, status, milliseconds, resolved.endpoint if resolved else None)

    def write(self, environ: dict[str, Any], status: str, milliseconds: float, endpoint: Endpoint | None) -> None:
        """Log a request; `endpoint` is the method that it led to."""
        raise NotImplementedError
