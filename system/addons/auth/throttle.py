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


# KEYS: the counts; ARGV: seconds, then the limit of each. Counts an attempt, or returns how many a limit has
# refused and when it ends. A refused attempt is counted there only: else one address could use up the attempts
# of an account.
ENTER = """
for i, key in ipairs(KEYS) do
    local count = redis.call("INCR", key)
    if redis.call("TTL", key) < 0 then redis.call("EXPIRE", key, ARGV[1]) end
    local over = count - tonumber(ARGV[i + 1])
    if over > 0 then
        for j = 1, i - 1 do redis.call("DECR", KEYS[j]) end
        return {over, redis.call("TTL", key)}
    end
end
return {}
"""


class TooManyAttempts(TooManyRequests):
    """429 with Retry-After. `is_first` is true once for each limit that is reached."""

    def __init__(self, seconds: int, is_first: bool) -> None:
        super().__init__("Too many attempts. Wait a few minutes and try again.", retry_after=max(1, seconds))
        self.is_first = is_first


class Throttle:
    """Counts attempts before they are checked, so that parallel attempts cannot exceed the limit."""

    def __init__(self, prefix: str, redis: Any, limits: Mapping[str, int] = LIMITS) -> None:
        self._prefix = prefix
        self._redis = redis
        self._limits = limits

    def enter(self, name: str, address: str) -> None:
        """Count an attempt. Raises TooManyAttempts (429) over a limit, BrokerUnavailable without Redis."""
        places = self._places(name, address)
        limits = [self._limits[place] for place in places]
        refused = self._redis.run_script(ENTER, list(places.values()), [SECONDS, *limits])
        if refused:
            raise TooManyAttempts(refused[1], is_first=refused[0] == 1)

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
