"""The values read at each scrape: broken libraries, workers, queues and the tasks of the last hour.

All processes of the site count tasks in Redis, so any process can report the totals.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from typing import Any

from system.core.errors import BrokerUnavailable
from system.core.tasks.queues import QUEUE
from system.core.web.readiness import find_broken

KEPT_SECONDS = 2.0  # how long the values are cached
MINUTES = 60
SHARES = (0.5, 0.9, 0.99)

# the name, the labels in the format of Prometheus, and the value
Sample = tuple[str, str, float]


class Gauges:
    """The gauges of an app, in the text format of Prometheus."""

    def __init__(self, app: Any) -> None:
        self._app = app
        self._lock = threading.Lock()
        self._text = ""
        self._until = 0.0

    def text(self) -> str:
        """Each gauge with its type; the values are cached for two seconds."""
        with self._lock:
            if time.monotonic() >= self._until:
                self._text = "".join(_write(self._read()))
                self._until = time.monotonic() + KEPT_SECONDS
            return self._text

    def _read(self) -> Iterator[Sample]:
        yield "kernkoa_broken_libraries", "", sum(1 for _ in find_broken(self._app.catalog))
        if not self._app.settings.redisUrl:
            return
        try:
            samples = list(self._read_tasks())
        except BrokerUnavailable:
            yield "kernkoa_redis_up", "", 0
        else:
            yield "kernkoa_redis_up", "", 1
            yield from samples

    def _read_tasks(self) -> Iterator[Sample]:
        tasks, settings = self._app.tasks, self._app.settings
        yield "kernkoa_workers", "", len(tasks.heartbeats.alive(settings.leaseSeconds))
        for queue, number in tasks.queues.count((QUEUE, *settings.queues)).items():
            yield "kernkoa_queue_tasks", f'{{queue="{queue}"}}', number
        with tasks.redis.reached():
            running = tasks.redis.client.zcard(tasks.records.index_of("STARTED"))
        yield "kernkoa_tasks_running", "", running
        (hour,) = tasks.records.counts.read(MINUTES, MINUTES)
        for status, number in {"SUCCESS": 0, "FAILURE": 0, **hour.ended}.items():
            yield "kernkoa_tasks_ended_last_hour", f'{{status="{status}"}}', number
        for share in SHARES:
            yield "kernkoa_task_seconds_last_hour", f'{{quantile="{share}"}}', hour.seconds(share)


def _write(samples: Iterator[Sample]) -> Iterator[str]:
    before = ""
    for name, labels, value in samples:
        if name != before:
            yield f"# TYPE {name} gauge\n"
        yield f"{name}{labels} {value:g}\n"
        before = name
