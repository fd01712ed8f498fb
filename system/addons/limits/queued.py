"""Limits how many tasks of one client wait for a worker, so that no client can fill the queue for all others."""

from __future__ import annotations

from typing import Any

from flask import request
from werkzeug.exceptions import TooManyRequests

WAITING = frozenset({"PENDING", "RETRY"})
# a client's list expires this long after its last task was started
KEPT_SECONDS = 7 * 86_400
RETRY_AFTER = 10


class QueuedTasks:
    """Counts waiting tasks per client: per user if logged in, else per address."""

    def __init__(self, tasks: Any, most: int) -> None:
        self._tasks = tasks
        self._most = most

    def check(self, task_id: str) -> None:
        """Count a new task. Raises TooManyRequests (429, with Retry-After) if too many wait."""
        redis = self._tasks.redis
        key = redis.key("limits", "queued", _name_client())
        now = redis.now()
        with redis.reached():
            pipe = redis.client.pipeline(transaction=False)
            pipe.zadd(key, {task_id: now}).zcard(key).expire(key, KEPT_SECONDS)
            if pipe.execute()[1] <= self._most or self._drop_started(key, task_id) < self._most:
                return
            redis.client.zrem(key, task_id)
        raise TooManyRequests(
            f"You have {self._most:,} waiting tasks already. Try again when some of them have started.",
            retry_after=RETRY_AFTER,
        )

    def _drop_started(self, key: str, task_id: str) -> int:
        """Remove the tasks that no longer wait; return how many other tasks still wait."""
        client = self._tasks.redis.client
        ids = [name.decode() for name in client.zrange(key, 0, -1) if name.decode() != task_id]
        statuses = self._tasks.records.statuses(ids)
        gone = [name for name, status in zip(ids, statuses, strict=True) if status not in WAITING]
        if gone:
            client.zrem(key, *gone)
        return len(ids) - len(gone)


def _name_client() -> str:
    user = request.environ.get("koa.user")
    return f"user {user}" if user else f"address {request.remote_addr}"
