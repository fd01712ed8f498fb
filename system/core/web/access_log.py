"""With `logFormat = "json"`: one line for each request."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable
from typing import Any

from ..log import REQUEST_ID

log = logging.getLogger("kernkoa.access")


class AccessLog:
    """WSGI middleware that logs the status, the milliseconds and the method that answered."""

    def __init__(self, app: Callable[..., Iterable[bytes]]) -> None:
        self._app = app

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        began = time.perf_counter()
        seen: dict[str, Any] = {"status": 500, "method": ""}

        def start(status: str, *args: Any) -> Any:
            resolved = getattr(environ.get("werkzeug.request"), "resolved", None)
            seen.update(status=int(status[:3]), method=resolved.endpoint.name if resolved else "")
            return start_response(status, *args)

        body: Iterable[bytes] = ()
        try:
            body = self._app(environ, start)
            yield from body
        finally:
            getattr(body, "close", lambda: None)()
            self._write(environ, seen, (time.perf_counter() - began) * 1000)

    def _write(self, environ: dict[str, Any], seen: dict[str, Any], milliseconds: float) -> None:
        verb = environ.get("REQUEST_METHOD", "")
        path = environ.get("SCRIPT_NAME", "") + environ.get("PATH_INFO", "")
        told = {
            "request_id": environ.get(REQUEST_ID, ""),
            "verb": verb,
            "path": path,
            **seen,
            "ms": round(milliseconds, 1),
            "client": environ.get("REMOTE_ADDR", ""),
        }
        log.info("%s %s", verb, path, extra={"koa": told})
