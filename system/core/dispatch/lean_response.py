"""A response of text or JSON that costs little as long as nobody looks into it.

Werkzeug's response makes headers, a status and an iterable, and copies the headers for the server. This one holds
its body and content type, and sends them as they are. Reading or setting anything else first makes it a complete
response of Werkzeug: after_request functions, hooks and the session see no difference.
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
        return response.__dict__[self._name]


class LeanResponse(Response):
    """A body of bytes with its content type; a 200 unless `status` is another, as in "404 NOT FOUND"."""

    headers = _Made()
    response = _Made()
    direct_passthrough = _Made()
    _status = _Made()
    _status_code = _Made()
    _on_close = _Made()

    def __init__(
        self, body: bytes, content_type: str, status: str = "200 OK", headers: Headers = _NO_HEADERS
    ) -> None:
        self._lean = body, content_type, status, headers

    @property
    def is_untouched(self) -> bool:
        """Whether it is still as it was made."""
        return len(self.__dict__) == 1

    def complete(self) -> None:
        """Make the attributes of Werkzeug's response that were not set meanwhile."""
        body, content_type, status, headers = self._lean
        whole = Response(body, status, list(headers), content_type=content_type)
        for name, value in whole.__dict__.items():
            self.__dict__.setdefault(name, value)

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        if not self.is_untouched:
            return super().__call__(environ, start_response)
        return self.send(environ, start_response, ())

    @property
    def is_bare(self) -> bool:
        """Whether it is untouched and has no headers but those of its body."""
        return len(self.__dict__) == 1 and not self._lean[3]

    def send(self, environ: dict[str, Any], start_response: Callable[..., Any], more: Headers) -> Iterable[bytes]:
        """Answer with an untouched response, and `more` headers."""
        body, content_type, status, headers = self._lean
        own = [("Content-Type", content_type), *headers, ("Content-Length", str(len(body)))]
        start_response(status, [*own, *more])
        return _EMPTY if environ["REQUEST_METHOD"] == "HEAD" else (body,)
