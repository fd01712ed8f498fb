"""With `logFormat = "json"`: one line for each request."""

from __future__ import annotations

import logging
from typing import Any

from ..dispatch.request_log import RequestLog
from ..dispatch.routing import Endpoint
from ..log import REQUEST_ID

log = logging.getLogger("kernkoa.access")


class AccessLog(RequestLog):
    """Logs the status, the milliseconds and the method that answered."""

    def write(self, environ: dict[str, Any], status: str, milliseconds: float, endpoint: Endpoint | None) -> None:
        verb = environ.get("REQUEST_METHOD", "")
        path = environ.get("SCRIPT_NAME", "") + environ.get("PATH_INFO", "")
        members = {
            "request_id": environ.get(REQUEST_ID, ""),
            "verb": verb,
            "path": path,
            "status": int(status),
            "method": endpoint.name if endpoint else "",
            "ms": round(milliseconds, 1),
            "client": environ.get("REMOTE_ADDR", ""),
        }
        log.info("%s %s", verb, path, extra={"koa": members})
