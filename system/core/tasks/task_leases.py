"""Leases of running tasks, for a broker that gives a message to another worker whenever a connection breaks.

The task itself may run on. So its worker renews a lease in Redis; a second message of a task whose lease is young
is passed over, and a task whose lease is over is queued again.
"""

from __future__ import annotations

from collections.abc import Iterable

from .records import Record, Records, decode
from .redis_connection import RedisConnection

MOST_AT_ONCE = 100


class TaskLeases:
    """The leases of the tasks that run. Its methods raise BrokerUnavailable if Redis does not answer."""

    def __init__(self, redis: RedisConnection, records: Records) -> None:
        self._redis = redis
        self._records = records
        self._key = redis.key("running")

    def renew(self, task_ids: Iterable[str]) -> None:
        """Renew the leases of tasks that run."""
        leases = dict.fromkeys(task_ids, self._redis.now())
        if leases:
            with self._redis.reached():
                self._redis.client.zadd(self._key, leases)

    def release(self, task_id: str) -> None:
        """Let another worker start a task at once: the process that ran it is gone."""
        with self._redis.reached():
            self._redis.client.zrem(self._key, task_id)

    def find_expired(self, seconds: float) -> list[Record]:
        """The records of tasks that say that they run and whose lease is over. Each is found by one worker."""
        with self._redis.reached():
            client = self._redis.client
            over = client.zrangebyscore(self._key, 0, self._redis.now() - seconds, 0, MOST_AT_ONCE)
            mine = [name.decode() for name in over if client.zrem(self._key, name)]
            found = [client.hgetall(self._records.key(task_id)) for task_id in mine]
        records = [decode({name.decode(): value for name, value in fields.items()}) for fields in found]
        pairs = zip(mine, records, strict=True)
        return [{"task_id": name, **record} for name, record in pairs if record.get("status") == "STARTED"]
