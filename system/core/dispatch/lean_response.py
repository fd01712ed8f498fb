"""A response of text or JSON that costs little as long as nobody looks into it.

Werkzeug's response makes headers, a status and an iterable, and copies the headers for the server. This one holds
its body and content type, and sends them as they are. Reading or setting anything else first makes it a complete
response of Werkzeug: after_request functions, hooks and the session see no difference.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from flask import Response

_EMPTY: tuple[bytes, ...] = ()


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
    """A 200 with a body of bytes and a content type."""

    headers = _Made()
    response = _Made()
    direct_passthrough = _Made()
    _status = _Made()
    _status_code = _Made()
    _on_close = _Made()

    def __init__(self, body: bytes, content_type: str) -> None:
        self._lean = body, content_type

    @property
    def is_untouched(self) -> bool:
        """Whether it is still as it was made: a 200 with two headers."""
        return len(self.__dict__) == 1

    def complete(self) -> None:
        """Make the attributes of Werkzeug's response that were not set meanwhile."""
        body, content_type = self._lean
        whole = Response(body, content_type=content_type)
        for name, value in whole.__dict__.items():
            self.__dict__.setdefault(name, value)

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        if not self.is_untouched:
            return super().__call__(environ, start_response)
        return self.send(environ, start_response, [])

    def send(
        self, environ: dict[str, Any], start_response: Callable[..., Any], more: list[tuple[str, str]]
    ) -> Iterable[bytes]:
        """Answer with an untouched response and `more` headers."""
        body, content_type = self._lean
        start_response("200 OK", [("Content-Type", content_type), ("Content-Length", str(len(body))), *more])
        return _EMPTY if environ["REQUEST_METHOD"] == "HEAD" else (body,)
