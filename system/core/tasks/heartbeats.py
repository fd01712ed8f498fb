"""The heartbeats of the workers: which are alive, and what they serve."""

from __future__ import annotations

import json

from pydantic_core import from_json

from .records import Record
from .redis_connection import RedisConnection

# an entry this old is removed
FORGOTTEN_SECONDS = 3600.0


class Heartbeats:
    """The workers of a site, by their heartbeats. Its methods raise BrokerUnavailable if Redis does not answer."""

    def __init__(self, redis: RedisConnection) -> None:
        self._redis = redis
        self._key = redis.key("workers")

    def send(self, worker: str, about: Record) -> None:
        """Record that a worker is alive."""
        with self._redis.reached():
            self._redis.client.hset(self._key, worker, json.dumps({**about, "seen": self._redis.now()}))

    def remove(self, worker: str) -> None:
        """Record that a worker ended."""
        with self._redis.reached():
            self._redis.client.hdel(self._key, worker)

    def alive(self, seconds: float) -> list[Record]:
        """The workers with a heartbeat within so many seconds, by name."""
        with self._redis.reached():
            found = [_read(*item) for item in self._redis.client.hgetall(self._key).items()]
            now = self._redis.now()
            gone = [about["name"] for about in found if now - about["seen"] > max(seconds, FORGOTTEN_SECONDS)]
            if gone:
                self._redis.client.hdel(self._key, *gone)
        return sorted(
            (about for about in found if now - about["seen"] <= seconds), key=lambda about: about["name"]
        )


def _read(name: bytes, text: bytes) -> Record:
    """A heartbeat; one that cannot be read counts as infinitely old."""
    try:
        about = from_json(text, allow_inf_nan=False)
        active = {
            "active": int(about.get("active", 0)),
            "queues": [str(queue) for queue in about.get("queues", ())],
        }
        return {**about, **active, "name": name.decode(), "seen": float(about["seen"])}
    except (ValueError, LookupError, TypeError, AttributeError, OverflowError):
        return {"name": name.decode(errors="replace"), "seen": 0.0}
