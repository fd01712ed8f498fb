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
    """An attribute of Werkzeug's response; reading it makes them all."""

    def __set_name__(self, owner: type, name: str) -> None:
        self._name = name

    def __get__(self, response: Any, owner: type | None = None) -> Any:
        if response is None:
            return self
        response.complete()
        return getattr(response, self._name)


class LeanResponse(Response):
    """A body of bytes with its content type; a 200 unless `status` is another, as in "404 NOT FOUND".

    It keeps this class until it is changed: `complete` turns it into a Response.
    """

    _lean: tuple[bytes, str, str, Headers]
    headers = _Made()
    response = _Made()
    direct_passthrough = _Made()
    _status = _Made()
    _status_code = _Made()
    _on_close = _Made()

    def __init__(
        self, body: bytes, content_type: str, status: str = "200 OK", headers: Headers = _NO_HEADERS
    ) -> None:
        object.__setattr__(self, "_lean", (body, content_type, status, headers))

    def __setattr__(self, name: str, value: Any) -> None:
        self.complete()
        setattr(self, name, value)

    def complete(self) -> None:
        """Become Flask's response with the same content."""
        body, content_type, status, headers = self._lean
        object.__setattr__(self, "__class__", Response)
        Response.__init__(self, body, status, list(headers), content_type=content_type)

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        return self.send(environ, start_response, ())

    @property
    def is_bare(self) -> bool:
        """Whether it has no headers but those of its body."""
        return not self._lean[3]

    def send(self, environ: dict[str, Any], start_response: Callable[..., Any], more: Headers) -> Iterable[bytes]:
        """Answer with these headers, and `more`."""
        body, content_type, status, headers = self._lean
        length = str(len(body))
        start_response(status, [("Content-Type", content_type), *headers, ("Content-Length", length), *more])
        return _EMPTY if environ["REQUEST_METHOD"] == "HEAD" else (body,)
