"""Answers calls of tools before Flask, so that only the request of the method makes contexts."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from io import BytesIO
from typing import TYPE_CHECKING, Any

from werkzeug.exceptions import HTTPException
from werkzeug.http import HTTP_STATUS_CODES

from system.core.dispatch.request import is_local
from system.core.web.application import KernKoa
from system.core.web.headers import StartResponse

if TYPE_CHECKING:
    from .door import Door
    from .protocol import Reply

PATH = "/_koa/mcp"
LARGEST_MESSAGE = 1_000_000  # bytes
# the headers of the protocol by the names of their WSGI variables
HEADERS = {
    "HTTP_MCP_PROTOCOL_VERSION": "mcp-protocol-version",
    "HTTP_MCP_METHOD": "mcp-method",
    "HTTP_MCP_NAME": "mcp-name",
}


class Front:
    """WSGI middleware. Passes everything but plain calls of methods on to the view."""

    def __init__(self, app: KernKoa, policy: str, door: Callable[[], Door]) -> None:
        self._next = app.wsgi_app
        self._app = app
        self._policy = policy
        self._door = door
        self._path = app.settings.base + PATH

    def __call__(self, environ: dict[str, Any], start_response: StartResponse) -> Iterable[bytes]:
        if environ.get("PATH_INFO", "")[-len(PATH) :] != PATH or not self._is_plain(environ):
            return self._next(environ, start_response)
        body = environ["wsgi.input"].read(int(environ["CONTENT_LENGTH"]))
        self._app.headers.give_id(environ)
        start = self._app.headers.adding(environ, start_response)
        reply = self._door().answer_call(body, environ)
        if reply is None:
            environ["wsgi.input"] = BytesIO(body)
            return self._next(environ, start_response)
        return send(reply, start)

    def _is_plain(self, environ: dict[str, Any]) -> bool:
        """Whether a request is a message to this address of which no header needs a closer look."""
        length = environ.get("CONTENT_LENGTH") or ""
        accepted = environ.get("HTTP_ACCEPT", "application/json")
        return (
            environ["REQUEST_METHOD"] == "POST"
            and environ.get("SCRIPT_NAME", "") + environ["PATH_INFO"] == self._path
            and environ.get("CONTENT_TYPE") == "application/json"
            and "application/json" in accepted
            and "q=" not in accepted
            and length.isdecimal()
            and int(length) <= LARGEST_MESSAGE
            and "HTTP_TRANSFER_ENCODING" not in environ
            and self._admits(environ)
        )

    def _admits(self, environ: dict[str, Any]) -> bool:
        try:
            self._app.hosts.check(environ)
        except HTTPException:
            return False
        return bool(self._policy or is_local(environ)) and self._app.origins.is_same_site(environ)


def read_headers(environ: Mapping[str, Any]) -> dict[str, str]:
    """The headers of the protocol by their lower-case names."""
    return {name: environ[variable] for variable, name in HEADERS.items() if variable in environ}


def send(reply: Reply, start_response: StartResponse) -> Iterable[bytes]:
    """A reply as the response of a WSGI application."""
    body = reply.body or b""
    headers = [("Content-Length", str(len(body))), ("Cache-Control", "no-store"), *reply.headers]
    if body:
        headers.append(("Content-Type", "application/json"))
    start_response(f"{reply.status} {HTTP_STATUS_CODES[reply.status]}", headers)
    return (body,)
