"""Headers of every response: the request id, and the security headers that the site did not set itself."""

from __future__ import annotations

import itertools
import os
import random
import re
from collections.abc import Callable, Mapping
from typing import Any

from ..dispatch.request import comes_from
from ..settings import Settings
from ..tasks.payload import REQUEST_ID

StartResponse = Callable[..., Any]
HeaderList = list[tuple[str, str]]

# set by nginx as a uwsgi_param: a client's header can never have this name
PROXY_REQUEST_ID = "KERNKOA_REQUEST_ID"
_ID = re.compile(r"[A-Za-z0-9._:-]{1,64}")

DEFAULTS = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "SAMEORIGIN",
    "Referrer-Policy": "strict-origin-when-cross-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
}
# most responses have these alone: none of the defaults is among them
_USUAL = frozenset(
    {"Content-Type", "Content-Length", "Allow", "Location", "Set-Cookie", "Vary", "Cache-Control", "ETag"}
)
_OF_BODY = ("content-type", "content-length")


class _Ids:
    """Request ids: hexadecimal numbers, counted up from a random one of each process. They are not secret."""

    def __init__(self) -> None:
        self._seed()
        os.register_at_fork(after_in_child=self._seed)

    def _seed(self) -> None:
        self.made = map(hex, itertools.count(random.getrandbits(62) | 1 << 62))  # a sixth of the time of a format


_ids = _Ids()


class ResponseHeaders:
    """Adds them to the headers of each response, when the server is given these."""

    def __init__(self, settings: Settings) -> None:
        wanted = {**DEFAULTS, **settings.headers}
        own = {name.lower() for name in wanted}
        self._usual = frozenset(name for name in _USUAL if name.lower() not in own)
        # a body has its own type and length
        plain = [(name, value) for name, value in wanted.items() if value and name.lower() not in _OF_BODY]
        secure = list(plain)
        if settings.hstsSeconds:
            secure.append(("Strict-Transport-Security", f"max-age={settings.hstsSeconds}"))
        self._plain = secure if settings.site_url.startswith("https:") else plain
        self._secure = secure
        self._proxies = settings.proxies

    def give_id(self, environ: dict[str, Any]) -> None:
        """Put the id of a request into its environ, as kernkoa.request_id."""
        is_given = PROXY_REQUEST_ID in environ or self._proxies
        environ[REQUEST_ID] = (is_given and self._given_id(environ)) or next(_ids.made)

    def of(self, environ: dict[str, Any]) -> HeaderList:
        """The headers to add to a response that sets none of them itself."""
        more = self._plain if environ["wsgi.url_scheme"] == "http" else self._secure
        return [*more, ("X-Request-ID", environ[REQUEST_ID])]

    def adding(self, environ: dict[str, Any], start_response: StartResponse) -> StartResponse:
        """A start_response (PEP 3333) that adds those which the response does not set."""
        *more, request_id = self.of(environ)
        usual = self._usual

        def start(status: str, headers: HeaderList, *error: Any) -> Any:
            for name, _ in headers:
                if name not in usual:
                    own = {name.lower() for name, _ in headers}
                    headers += [header for header in more if header[0].lower() not in own]
                    break
            else:
                headers += more
            headers.append(request_id)
            return start_response(status, headers, *error)

        return start

    def _given_id(self, environ: Mapping[str, Any]) -> str:
        """The id that a trusted proxy gave; empty without one."""
        given: str = environ.get(PROXY_REQUEST_ID, "")
        if not given and comes_from(environ, self._proxies):
            given = environ.get("HTTP_X_REQUEST_ID", "")
        return given if _ID.fullmatch(given) else ""
