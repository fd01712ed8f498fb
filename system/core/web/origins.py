"""Requests that pages of other sites make: which are refused, and what CORS (Fetch, section 3.2) lets them read.

The check is that of Go's net/http CrossOriginProtection and of Rails. A request with an unsafe verb passes if
1. `Sec-Fetch-Site` is `same-origin` or `none`, or
2. there is no `Sec-Fetch-Site`, and no `Origin` either (no browser) or one whose host is the request's, or
3. its `Origin` is in `config.origins` or in the `origins` of the method's `@allow`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import urlsplit

from flask import Response

from ..dispatch.request import KernelRequest
from ..errors import CrossSiteRequest
from ..settings import Settings

SAFE = frozenset({"GET", "HEAD", "OPTIONS", "TRACE"})
PREFLIGHT_SECONDS = 600
# what a page of a trusted origin may read beside the headers that it always may
_EXPOSED = "Allow, ETag, Location, Retry-After, X-Request-ID"
_NAMES = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~, -]{1,500}")


class Origins:
    """The origins that a site trusts."""

    def __init__(self, settings: Settings) -> None:
        self.trusted = tuple(settings.origins)
        self._own_host = urlsplit(settings.site_url).netloc

    def check(self, request: KernelRequest) -> None:
        """Raises CrossSiteRequest (403) for an unsafe request that an untrusted site's page made."""
        environ = request.environ
        if self.is_same_site(environ) or self._admits(environ, self._origins_of(request)):
            return
        raise CrossSiteRequest(environ.get("HTTP_ORIGIN", "another site"))

    def is_same_site(self, environ: Mapping[str, Any]) -> bool:
        """Whether no other site's page made a request."""
        site = environ.get("HTTP_SEC_FETCH_SITE")
        if site:
            return site in ("same-origin", "none")
        origin = environ.get("HTTP_ORIGIN")
        return not origin or _host_of(origin) in (environ.get("HTTP_HOST") or None, self._own_host or None)

    def add_headers(self, request: KernelRequest, response: Response) -> None:
        """Let a trusted origin's page read a response, whatever its status."""
        origins = self._origins_of(request)
        if not origins:
            return
        response.vary.add("Origin")
        origin = request.environ.get("HTTP_ORIGIN", "")
        if origin not in origins and "*" not in origins:
            return
        headers = response.headers
        headers["Access-Control-Allow-Origin"] = origin if origin in origins else "*"
        headers["Access-Control-Expose-Headers"] = _EXPOSED
        if origin in origins:
            headers["Access-Control-Allow-Credentials"] = "true"
        if request.method == "OPTIONS" and "HTTP_ACCESS_CONTROL_REQUEST_METHOD" in request.environ:
            _answer_preflight(request, response)

    def _origins_of(self, request: KernelRequest) -> Sequence[str]:
        resolved = request.resolved
        if resolved is None:
            return self.trusted
        own: tuple[str, ...] = resolved.endpoint.origins
        return self.trusted + own if own else self.trusted

    def _admits(self, environ: Mapping[str, Any], origins: Sequence[str]) -> bool:
        """`*` does not admit requests with credentials that a browser adds itself: cookies, stored passwords."""
        if environ.get("HTTP_ORIGIN") in origins:
            return True
        carries = "HTTP_COOKIE" in environ or environ.get("HTTP_AUTHORIZATION", "")[:6].lower() == "basic "
        return "*" in origins and not carries


def _answer_preflight(request: KernelRequest, response: Response) -> None:
    headers = response.headers
    headers["Access-Control-Allow-Methods"] = headers.get("Allow", "GET, HEAD, OPTIONS")
    asked = request.environ.get("HTTP_ACCESS_CONTROL_REQUEST_HEADERS", "")
    if _NAMES.fullmatch(asked):
        headers["Access-Control-Allow-Headers"] = asked
    headers["Access-Control-Max-Age"] = str(PREFLIGHT_SECONDS)


def _host_of(origin: str) -> str:
    try:
        parts = urlsplit(origin)
    except ValueError:
        return ""
    return parts.netloc if parts.scheme in ("http", "https") else ""
