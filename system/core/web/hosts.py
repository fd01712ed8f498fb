"""The hosts of a site: the setting `hosts`, in development the names of this machine."""

from __future__ import annotations

import ipaddress
import re
import socket
from contextlib import suppress
from typing import Any
from urllib.parse import urlsplit

from werkzeug.sansio.utils import host_is_trusted

from ..errors import UnknownHost
from ..settings import Settings

# RFC 3986, section 3.2.2, without what no browser sends: user names, percent signs, IPvFuture
_HOST = re.compile(r"(?:\[[0-9A-Fa-f:.]{2,45}\]|[A-Za-z0-9](?:[A-Za-z0-9_-]|\.(?!\.)){0,253})(?::[0-9]{1,5})?")
_LAST_DOT = re.compile(r"(?<=[^.])\.(?=:[0-9]{1,5}$|$)")
MOST_REMEMBERED = 1_000
# a load balancer asks by address
_OPEN = frozenset({"/_koa/health"})


class Hosts:
    """Checks the Host header. In production without the setting every well-formed host is accepted."""

    def __init__(self, settings: Settings) -> None:
        self._names = trusted_hosts(settings)
        self._takes_addresses = settings.development
        self.known: set[str] = set()  # those that were found good

    def check(self, environ: dict[str, Any]) -> None:
        """Raises UnknownHost (421) for a host that is not one of this site."""
        host = environ.get("HTTP_HOST")
        if host in self.known or (host is None and not self._names):
            return
        found = _plain(environ.get("SERVER_NAME", "") if host is None else host)
        if not self._admits(found) and environ.get("PATH_INFO") not in _OPEN:
            raise UnknownHost(found)
        if host and host != found:
            environ["HTTP_HOST"] = found
        elif host and len(self.known) < MOST_REMEMBERED:
            self.known.add(host)

    def _admits(self, host: str) -> bool:
        if not _HOST.fullmatch(host):
            return False
        if not self._names:
            return True
        return host_is_trusted(host, self._names) or (self._takes_addresses and _is_address(host))


def trusted_hosts(settings: Settings) -> list[str]:
    """The names that a site answers for, as Flask's TRUSTED_HOSTS has them; empty for every name."""
    names = list(settings.hosts)
    if not settings.development and not names:
        return []
    named = urlsplit(settings.site_url).hostname
    if named:
        names.append(named)
    if settings.development:
        names += ["localhost", ".localhost", socket.gethostname().lower(), settings.host]
    return list(dict.fromkeys(name for name in names if name))


def _plain(host: str) -> str:
    """A host as nginx passes it on: in small letters, without the dot that ends a complete name."""
    return _LAST_DOT.sub("", host.lower())


def _is_address(host: str) -> bool:
    """Whether a host is an IP address: a page of another site cannot have one for its name (DNS rebinding)."""
    with suppress(ValueError):
        return bool(ipaddress.ip_address(urlsplit(f"//{host}").hostname or ""))
    return False
