"""Celery beat over the catalogue: `celery -A kernkoa.celery beat`."""

from __future__ import annotations

import logging
import time
from typing import Any

from celery.beat import Scheduler

from ..errors import BrokerUnavailable, TaskError
from .parent_process import is_orphan
from .payload import pack_params
from .schedules import Schedule, list_schedules, slot_id
from .submission import Tasks

log = logging.getLogger("kernkoa.schedules")

# how often the catalogue is looked at for schedules that are new, changed or gone
LOOK_SECONDS = 5.0


class CatalogScheduler(Scheduler):  # type: ignore[misc]
    """Starts what `@every` and `@cron` ask for, once however many of it run.

    When a method was last due is kept in Redis: a run that fell into a time without beat is caught up, one for all
    that were missed. A run's id is made of its method and the moment, so a second beat finds it taken.
    """

    def setup_schedule(self) -> None:
        """Nothing is kept in a file."""

    def tick(self, *_: Any, **__: Any) -> float:
        """Start what is due; the seconds until there may be more."""
        if is_orphan():
            raise SystemExit
        tasks: Tasks = self.app.site
        zone = tasks.zone
        soonest = time.time() + LOOK_SECONDS
        try:
            for schedule in list_schedules(tasks.catalog):
                now = time.time()
                due = schedule.due_after(self._last(tasks, schedule.route, now), zone)
                if due <= now:
                    due = self._start(tasks, schedule, due, now)
                soonest = min(soonest, due)
        except BrokerUnavailable:
            log.warning("Redis is away: schedules wait")
            return 1.0
        return max(0.05, soonest - time.time())

    def _start(self, tasks: Tasks, schedule: Schedule, due: float, now: float) -> float:
        """Start one; when it is due next."""
        zone = tasks.zone
        following = schedule.due_after(due, zone)
        last = due if following > now else now
        try:
            tasks.send(schedule.route, pack_params(None), schedule.queue, task_id=slot_id(schedule.route, due))
            log.info("%s (%s) is started", schedule.route, schedule.when)
        except TaskError as error:
            log.error("%s (%s) cannot be started: %s", schedule.route, schedule.when, error)
        self._keep(tasks, schedule.route, last)
        return schedule.due_after(last, zone)

    def _last(self, tasks: Tasks, route: str, now: float) -> float:
        """When a method was last due; `now` for one that was not scheduled before."""
        key = tasks.redis.key("schedules")
        with tasks.redis.reached():
            tasks.redis.client.hsetnx(key, route, now)
            try:
                return float(tasks.redis.client.hget(key, route))
            except (TypeError, ValueError):
                tasks.redis.client.hset(key, route, now)
                return now

    def _keep(self, tasks: Tasks, route: str, last: float) -> None:
        with tasks.redis.reached():
            tasks.redis.client.hset(tasks.redis.key("schedules"), route, last)

    def close(self) -> None:
        """Nothing to write."""
