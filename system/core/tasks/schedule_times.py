"""When scheduled methods were last due, and which of them are paused: kept in Redis, for beat and the board."""

from __future__ import annotations

from .redis_connection import RedisConnection


class ScheduleTimes:
    """The times of a site's schedules. Its methods raise BrokerUnavailable if Redis does not answer."""

    def __init__(self, redis: RedisConnection) -> None:
        self._redis = redis
        self._last = redis.key("schedules")
        self._paused = redis.key("schedules", "paused")

    def read(self) -> tuple[dict[str, float], set[str]]:
        """When each method was last due, and the paused ones. What cannot be read is left out."""
        with self._redis.reached():
            pipe = self._redis.client.pipeline(transaction=False)
            found, paused = pipe.hgetall(self._last).smembers(self._paused).execute()
        return dict(_times(found)), {name.decode() for name in paused}

    def begin(self, route: str, now: float) -> None:
        """Record that a schedule is new, unless another beat has done so; replaces what cannot be read."""
        with self._redis.reached():
            client = self._redis.client
            if not client.hsetnx(self._last, route, now) and not _times({b"": client.hget(self._last, route)}):
                client.hset(self._last, route, now)

    def keep(self, route: str, last: float) -> None:
        """Record when a method was last due."""
        with self._redis.reached():
            self._redis.client.hset(self._last, route, last)

    def pause(self, route: str) -> None:
        """Stop starting a method by its schedule until it is resumed."""
        with self._redis.reached():
            self._redis.client.sadd(self._paused, route)

    def resume(self, route: str, now: float) -> None:
        """Resume a schedule; runs that were due in the meantime are not caught up."""
        with self._redis.reached():
            pipe = self._redis.client.pipeline()
            pipe.hset(self._last, route, now).srem(self._paused, route).execute()


def _times(found: dict[bytes, bytes]) -> list[tuple[str, float]]:
    times = []
    for name, value in found.items():
        try:
            times.append((name.decode(), float(value)))
        except (ValueError, TypeError):
            continue
    return times
