"""Limits on login attempts, counted in Redis per account and address, per address, and per account."""

from __future__ import annotations

import hashlib
import ipaddress
from collections.abc import Mapping
from typing import Any

from werkzeug.exceptions import TooManyRequests

from .store import fold_name

SECONDS = 900
# attempts within SECONDS. The limit of an account is high, so that others cannot easily lock its owner out
LIMITS: Mapping[str, int] = {"pair": 5, "address": 50, "account": 100}
# for mails with a link: low, because the mails go to another person
LINK_LIMITS: Mapping[str, int] = {"pair": 3, "address": 20, "account": 10}


class Throttle:
    """Counts attempts before they are checked, so that parallel attempts cannot exceed the limit."""

    def __init__(self, prefix: str, redis: Any, limits: Mapping[str, int] = LIMITS) -> None:
        self._prefix = prefix
        self._redis = redis
        self._limits = limits

    def enter(self, name: str, address: str) -> None:
        """Count an attempt. Raises TooManyRequests (429) over a limit, BrokerUnavailable without Redis."""
        places = self._places(name, address)
        with self._redis.reached():
            pipeline = self._redis.client.pipeline()
            for key in places.values():
                pipeline.set(key, 0, ex=SECONDS, nx=True)
                pipeline.incr(key)
                pipeline.ttl(key)
            found = pipeline.execute()
        for place, count, seconds in zip(places, found[1::3], found[2::3], strict=True):
            if count > self._limits[place]:
                raise TooManyRequests(
                    "Too many attempts. Wait a few minutes and try again.", retry_after=max(1, seconds)
                )

    def passed(self, name: str, address: str) -> None:
        """Remove a successful attempt from the counts."""
        places = self._places(name, address)
        with self._redis.reached():
            pipeline = self._redis.client.pipeline()
            pipeline.delete(places.pop("pair"))
            for key in places.values():
                pipeline.decr(key)
            pipeline.execute()

    def forget(self, name: str, address: str) -> None:
        """Remove the failed attempts of an address at an account."""
        with self._redis.reached():
            self._redis.client.delete(self._places(name, address)["pair"])

    def _places(self, name: str, address: str) -> dict[str, str]:
        account, origin = _hash(fold_name(name)), _hash(_network(address))
        return {
            "pair": f"{self._prefix}pair:{account}:{origin}",
            "address": f"{self._prefix}address:{origin}",
            "account": f"{self._prefix}account:{account}",
        }


def _network(address: str) -> str:
    """The IPv4 address, or the /64 network of an IPv6 address: one customer has at least a /64 (RFC 6177)."""
    try:
        found = ipaddress.ip_address(address)
    except ValueError:
        return address
    if found.version == 4:
        return address
    return str(ipaddress.ip_network((found, 64), strict=False))


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "replace")).hexdigest()[:24]
