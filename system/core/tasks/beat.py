"""Celery beat over the catalogue: `celery -A kernkoa.celery beat`."""

from __future__ import annotations

import logging
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
    """Starts the tasks of `@every` and `@cron`, once each, even if several schedulers run.

    When a method was last due is kept in Redis: a run that fell into a time without beat is caught up, one for all
    that were missed. A run's id is made of its method and the moment, so a second beat finds it taken.
    """

    def setup_schedule(self) -> None:
        """Nothing is kept in a file."""

    def tick(self, *_: Any, **__: Any) -> float:
        """Start the tasks that are due. Returns the seconds until the next check."""
        if is_orphan():
            raise SystemExit
        tasks: Tasks = self.app.site
        try:
            soonest = tasks.redis.now() + LOOK_SECONDS
            times, paused = tasks.schedule_times.read()
            for schedule in list_schedules(tasks.catalog):
                if schedule.route not in paused:
                    soonest = min(soonest, self._look(tasks, schedule, times.get(schedule.route)))
            pause = max(0.05, soonest - tasks.redis.now())
        except BrokerUnavailable:
            log.warning("Redis is down: schedules wait")
            return 1.0
        return pause

    def _look(self, tasks: Tasks, schedule: Schedule, last: float | None) -> float:
        """Start a schedule if it is due; returns when it is due next. One that is new counts from now."""
        now = tasks.redis.now()
        if last is None:
            tasks.schedule_times.begin(schedule.route, now)
        due = schedule.due_after(now if last is None else last, tasks.zone)
        return due if due > now else self._start(tasks, schedule, due, now)

    def _start(self, tasks: Tasks, schedule: Schedule, due: float, now: float) -> float:
        """Start a scheduled task. Returns when it is due next."""
        zone = tasks.zone
        following = schedule.due_after(due, zone)
        last = due if following > now else now
        try:
            tasks.send(schedule.route, pack_params(None), schedule.queue, task_id=slot_id(schedule.route, due))
            log.info("%s (%s) is started", schedule.route, schedule.when)
        except TaskError as error:
            log.error("%s (%s) cannot be started: %s", schedule.route, schedule.when, error)
        tasks.schedule_times.keep(schedule.route, last)
        return schedule.due_after(last, zone)

    def close(self) -> None:
        """Nothing to write."""
