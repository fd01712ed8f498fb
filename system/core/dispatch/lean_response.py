"""A response of text or JSON that is cheap as long as no code reads its parts.

Werkzeug's response makes headers, a status and an iterable, and copies the headers for the server. This one holds
its body and content type, and sends them as they are. Reading these or setting anything turns it into a complete
response of Flask: after_request functions, hooks and the session see no difference.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

from flask import Response

_EMPTY: tuple[bytes, ...] = ()
Headers = Sequence[tuple[str, str]]
_NO_HEADERS: Headers = ()


class _Made:
    """An attribute of Werkzeug's response; reading or setting it makes them all."""

    def __set_name__(self, owner: type, name: str) -> None:
        self._name = name

    def __get__(self, response: Any, owner: type | None = None) -> Any:
        if response is None:
            return self
        response.complete()
        return getattr(response, self._name)

    def __set__(self, response: Any, value: Any) -> None:
        response.complete()
        setattr(response, self._name, value)


class LeanResponse(Response):
    """A body of bytes with its content type; a 200 unless `status` is another, as in "404 NOT FOUND".

    It keeps this class until it is changed: `complete` turns it into a Response.
    """

    headers = _Made()
    response = _Made()
    direct_passthrough = _Made()
    _status = _Made()
    _status_code = _Made()
    _on_close = _Made()

    def __init__(
        self, body: bytes, content_type: str, status: str = "200 OK", headers: Headers = _NO_HEADERS
    ) -> None:
        self._lean = body, content_type, status
        self.own_headers = headers

    def complete(self) -> None:
        """Become Flask's response with the same content."""
        body, content_type, status = self._lean
        self.__class__ = Response  # type: ignore[assignment]
        Response.__init__(self, body, status, list(self.own_headers), content_type=content_type)

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        return self.send(environ, start_response, self.own_headers)

    def send(self, environ: dict[str, Any], start_response: Callable[..., Any], more: Headers) -> Iterable[bytes]:
        """Answer with the headers of the body, and `more`."""
        body, content_type, status = self._lean
        start_response(status, [("Content-Type", content_type), ("Content-Length", str(len(body))), *more])
        return _EMPTY if environ["REQUEST_METHOD"] == "HEAD" else (body,)
