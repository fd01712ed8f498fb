"""What every response gets: an id of its request, and the security headers where the site set none of its own."""

from __future__ import annotations

import ipaddress
import random
import re
from collections.abc import Callable, Mapping
from typing import Any

from ..settings import Settings
from ..tasks.payload import REQUEST_ID

StartResponse = Callable[..., Any]

# set by nginx as a uwsgi_param: a client's header can never have this name
PROXY_REQUEST_ID = "KERNKOA_REQUEST_ID"
_ID = re.compile(r"[A-Za-z0-9._:-]{1,64}")

DEFAULTS = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "SAMEORIGIN",
    "Referrer-Policy": "strict-origin-when-cross-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
}


class ResponseHeaders:
    """Adds them to the headers of each response, when the server is given these."""

    def __init__(self, settings: Settings) -> None:
        wanted = DEFAULTS | settings.headers
        self._plain = [(name, value) for name, value in wanted.items() if value]
        self._secure = list(self._plain)
        if settings.hstsSeconds:
            self._secure.append(("Strict-Transport-Security", f"max-age={settings.hstsSeconds}"))
        self._is_always_secure = settings.site_url.startswith("https:")
        self._names = frozenset(name.lower() for name, _ in self._secure)
        self._proxies = [ipaddress.ip_network(proxy) for proxy in settings.proxies]

    def adding(self, environ: dict[str, Any], start_response: StartResponse) -> StartResponse:
        """A start_response (PEP 3333) that adds them; the id is in the environ as kernkoa.request_id."""
        request_id = environ[REQUEST_ID] = self._request_id(environ)
        is_secure = self._is_always_secure or environ["wsgi.url_scheme"] == "https"
        more = self._secure if is_secure else self._plain

        def start(status: str, headers: list[tuple[str, str]], *error: Any) -> Any:
            own = {name.lower() for name, _ in headers}
            if own.isdisjoint(self._names):
                headers += more
            else:
                headers += [header for header in more if header[0].lower() not in own]
            headers.append(("X-Request-ID", request_id))
            return start_response(status, headers, *error)

        return start

    def _request_id(self, environ: Mapping[str, Any]) -> str:
        """The id that a trusted proxy gave, or a new one: 64 random bits, no secret."""
        given = environ.get(PROXY_REQUEST_ID) or (self._proxies and self._from_proxy(environ))
        if given and _ID.fullmatch(given):
            return str(given)
        return f"{random.getrandbits(64):016x}"

    def _from_proxy(self, environ: Mapping[str, Any]) -> str:
        try:
            address = ipaddress.ip_address(environ.get("REMOTE_ADDR", ""))
        except ValueError:
            return ""
        is_trusted = any(address in network for network in self._proxies)
        return str(environ.get("HTTP_X_REQUEST_ID", "")) if is_trusted else ""
