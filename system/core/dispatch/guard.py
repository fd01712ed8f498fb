"""Who may see what the development server explains: a browser on this machine, and nobody behind a proxy.

The pages show source text and values. So the connection must come from this machine; no header may say that
somebody passed it on; and the Host must name this machine, or else a page of another site, whose name leads
here (DNS rebinding), could read the answer.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

_PASSED_ON = ("HTTP_FORWARDED", "HTTP_X_FORWARDED_FOR", "HTTP_X_FORWARDED_HOST", "HTTP_X_REAL_IP", "HTTP_VIA")
_THIS_MACHINE = frozenset({"localhost", "127.0.0.1", "::1"})


def is_from_this_machine(environ: Mapping[str, Any]) -> bool:
    """Whether a request (its WSGI environ) was made on this machine, for this machine, with nothing between."""
    if any(name in environ for name in _PASSED_ON):
        return False
    return _is_loopback(environ.get("REMOTE_ADDR", "")) and _host_of(environ) in _THIS_MACHINE


def _is_loopback(address: str) -> bool:
    try:
        return ipaddress.ip_address(address).is_loopback
    except ValueError:
        return False


def _host_of(environ: Mapping[str, Any]) -> str | None:
    try:
        return urlsplit(f"//{environ.get('HTTP_HOST', '')}").hostname
    except ValueError:
        return None
