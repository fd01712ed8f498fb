"""Celery's worker, adapted: it renews the leases of its messages, and survives a restart of Redis.

Late acknowledgement on Redis means that a message stays "unacknowledged" until its task is done; Celery gives it
to another worker after an hour of that. Here that time is `leaseSeconds`, and a worker that is alive renews it.
"""

from __future__ import annotations

import logging
import os
import platform
import signal
import threading
import time
from datetime import timedelta
from types import NoneType
from typing import Any

import celery
import kombu
from celery import bootsteps
from celery.exceptions import ImproperlyConfigured
from celery.worker import state
from celery.worker.consumer import Consumer
from celery.worker.request import Request

from ..errors import BrokerUnavailable
from .child_processes import let_children_import_the_site, let_signals_end_children
from .lost_tasks import send_lost
from .output import capture_output
from .parent_process import is_orphan
from .pool_processes import can_terminate, end_process, end_promptly, prepare_pool, replace_promptly
from .redis_client import list_warnings
from .submission import Tasks

log = logging.getLogger("kernkoa.worker")

SOLO = (
    "-P solo runs a task in the thread that renews the leases of what the worker holds: after leaseSeconds "
    "another worker would run the same task. Use -P prefork (the default) or -P threads."
)
# how often a worker checks whether a task that it runs was cancelled
CHECK_SECONDS = 1.0
# a cancelled task has so long to end after it was asked to; then its process is killed
KILL_SECONDS = 5.0


class Renewal(threading.Thread):
    """Renews the leases of what a worker holds as long as its process lives.

    The event loop of a worker that is asked to end does so before its last task does.
    """

    def __init__(self, consumer: Any, tasks: Tasks, seconds: float) -> None:
        super().__init__(name="leases", daemon=True)
        self._consumer = consumer
        self._tasks = tasks
        self._seconds = seconds

    def run(self) -> None:
        while True:
            time.sleep(self._seconds)
            try:
                renew_leases(self._tasks, self._consumer)
            except BrokerUnavailable as error:
                log.warning("The leases cannot be renewed: %s", error)


def renew_leases(tasks: Tasks, consumer: Any) -> None:
    """Renew the leases of this worker's messages; with RabbitMQ, those of its tasks."""
    if tasks.settings.brokerUrl:
        tasks.leases.renew(request.id for request in tuple(state.active_requests))
    else:
        tasks.queues.renew(held_tags(consumer))


def held_tags(consumer: Any) -> set[str]:
    """The delivery tags of the tasks that a worker runs or holds until they are due."""
    while True:
        try:
            later = getattr(state, "scheduled_requests", ())  # since Celery 5.7
            requests = (*tuple(state.reserved_requests), *tuple(state.active_requests), *tuple(later))
            tags = {request.message.delivery_tag for request in requests}
            qos = getattr(getattr(consumer.task_consumer, "channel", None), "qos", None)
            return tags | (set(qos._delivered) - qos._dirty) if qos else tags
        except RuntimeError:  # the worker's own thread changed one of them meanwhile
            continue


class Lease(bootsteps.StartStopStep):  # type: ignore[misc]
    """Requeues messages of lost workers, renews leases, sends the heartbeat, ends cancelled tasks."""

    requires = ("celery.worker.consumer.tasks:Tasks",)

    def __init__(self, consumer: Any, **_: Any) -> None:
        if consumer.pool is not None and type(consumer.pool).__module__.endswith(".solo"):
            raise ImproperlyConfigured(SOLO)
        self._entries: list[Any] = []
        self._since = time.time()
        self._away = time.monotonic()  # when the broker was last away, or this worker
        self._tasks: Tasks = consumer.app.site
        self._lease = self._tasks.settings.leaseSeconds
        self._seconds = self._lease / 3
        self._renewal = Renewal(consumer, self._tasks, self._seconds)
        self._cancelled: dict[str, float] = {}
        self._asked: set[str] = set()

    def start(self, consumer: Any) -> None:
        self._away = time.monotonic()
        if not self._tasks.settings.brokerUrl:
            channel = consumer.task_consumer.channel
            channel.begin_tasks_of(consumer.hostname, self._tasks.records.seconds)
        if not self._renewal.is_alive():
            capture_output()
            let_signals_end_children()  # of a pool of threads; a process of a pool calls these itself
            let_children_import_the_site()
            if can_terminate(consumer.pool):
                replace_promptly(consumer.pool._pool)
                end_promptly(consumer.pool._pool)
            self._renewal.start()
            for warning in list_warnings(self._tasks.redis.client):
                log.warning("%s", warning)
        repeat = consumer.timer.call_repeatedly
        self._entries = [
            repeat(self._seconds, self.tend, (consumer,)),
            repeat(CHECK_SECONDS, self.check, (consumer,)),
        ]
        self.tend(consumer)

    def stop(self, consumer: Any) -> None:
        for entry in self._entries:
            entry.cancel()
        self._entries = []

    def terminate(self, consumer: Any) -> None:
        self.stop(consumer)

    def shutdown(self, consumer: Any) -> None:
        try:
            self._tasks.heartbeats.remove(consumer.hostname)
        except BrokerUnavailable:
            log.debug("Redis does not answer: the worker's name disappears from the board by itself")

    def tend(self, consumer: Any) -> None:
        """Send the heartbeat, requeue what no worker holds.

        While Redis is away no worker can renew its leases. So for one lease after it is back nothing is requeued.
        """
        try:
            self._tasks.heartbeats.send(consumer.hostname, self._about(consumer))
            if time.monotonic() - self._away >= self._lease:
                self._requeue(consumer)
        except (*consumer.connection_errors, *consumer.channel_errors, BrokerUnavailable) as error:
            self._away = time.monotonic()
            log.warning("Unacknowledged messages cannot be requeued: %s", error)

    def _requeue(self, consumer: Any) -> None:
        if not self._tasks.settings.brokerUrl:
            consumer.task_consumer.channel.qos.requeue_overdue()
        send_lost(self._tasks, self._lease)

    def _about(self, consumer: Any) -> dict[str, Any]:
        return {
            "pid": os.getpid(),
            "since": self._since,
            "active": len(state.active_requests),
            "processes": getattr(consumer.pool, "num_processes", None) or consumer.pool.limit,
            "pool": type(consumer.pool).__module__.rpartition(".")[2],
            "queues": sorted(queue.name for queue in consumer.task_consumer.queues),
            "celery": celery.__version__,
            "kombu": kombu.__version__,
            "python": platform.python_version(),
        }

    def check(self, consumer: Any) -> None:
        """Runs every second."""
        if is_orphan():
            os.kill(os.getpid(), signal.SIGQUIT)
        self.end_cancelled(consumer)
        if self._tasks.settings.brokerUrl:
            try:
                self._tasks.send_due()
            except BrokerUnavailable as error:
                log.warning("Tasks that are due cannot be queued: %s", error)

    def end_cancelled(self, consumer: Any) -> None:
        """End the tasks that were cancelled a check ago and did not end at a report: ask first, then kill."""
        running = {request.id: request for request in tuple(state.active_requests)}
        if not running or not can_terminate(consumer.pool):
            self._cancelled = {}
            return
        try:
            statuses = self._tasks.records.statuses(running)
        except BrokerUnavailable:
            return
        cancelled = [name for name, status in zip(running, statuses, strict=True) if status == "REVOKED"]
        now = time.monotonic()
        self._cancelled = {name: self._cancelled.get(name, now) for name in cancelled}
        self._asked &= set(cancelled)
        for name, since in self._cancelled.items():
            if since < now and name not in self._asked:
                self._asked.add(name)
                end_process(consumer.pool, running[name], signal.SIGTERM)
            elif now - since > KILL_SECONDS:
                end_process(consumer.pool, running[name], signal.SIGKILL)


class KoaRequest(Request):  # type: ignore[misc]
    """A message in the worker. Named as text in the Celery task."""

    @property
    def eta(self) -> Any:
        """When a delayed task is due, by the clock of this machine; its message has the time of the server."""
        due = super().eta
        return due and due - timedelta(seconds=self.app.site.redis.now() - time.time())

    def reject(self, requeue: bool = False) -> None:
        """Give a message back, and with it the lease of its task: its process is gone."""
        if requeue:
            try:
                self.app.site.leases.release(self.id)
            except BrokerUnavailable as error:
                log.warning("The lease of %s cannot be released: %s", self.id, error)
        super().reject(requeue=requeue)


def is_readable(headers: Any) -> bool:
    """Whether a message has headers with which Celery can start a task. Other values end its worker."""
    if not (isinstance(headers, dict) and isinstance(headers.get("id"), str)):
        return False
    limits = headers.get("timelimit", [None, None])
    numbers = [headers.get("retries", 0), *(limits if isinstance(limits, list | tuple) else "-")]
    return len(numbers) == 3 and all(isinstance(number, int | float | NoneType) for number in numbers)


class KoaConsumer(Consumer):  # type: ignore[misc]
    """Celery's consumer with the Lease step, which outlives a restart of Redis.

    Without mingle (a second at each start) and gossip: the records hold which tasks are cancelled. Celery's own
    heartbeat is an event: it is sent with -E only.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        left_out = {"without_mingle": True, "without_gossip": True, "without_heartbeat": not kwargs["task_events"]}
        super().__init__(*args, **{**kwargs, **left_out})
        prepare_pool(self.app)

    class Blueprint(Consumer.Blueprint):  # type: ignore[misc]
        # without the exchanges and queues that Celery makes for delays: Redis keeps what is delayed
        default_steps = (
            *(step for step in Consumer.Blueprint.default_steps if "delayed_delivery" not in str(step)),
            Lease,
        )

    def on_connection_error_after_connected(self, error: Exception) -> None:
        """Celery 5.7.0 closes the lost connection here; the late acknowledgement that follows ends the worker."""
        if self.connection is not None:
            self.connection.close = lambda: None
        channel = getattr(self.task_consumer, "channel", None)
        if channel is not None:
            channel.do_restore = False  # what runs here keeps its lease; requeued now, it would run twice
        super().on_connection_error_after_connected(error)

    def on_close(self) -> None:
        """A lost connection ends nothing: Redis acknowledges by keys, and RabbitMQ sends again what runs already.

        Celery forgets here what the pool has not begun, before 5.6 also what it runs: it would run without lease.
        """
        if self.controller.blueprint.state != bootsteps.RUN:
            super().on_close()

    def create_task_handler(self, *args: Any, **options: Any) -> Any:
        """What receives a message: one that is none of this site's is refused before Celery makes a task of it."""
        receive = super().create_task_handler(*args, **options)

        def check(message: Any) -> Any:
            if is_readable(message.headers):
                receive(message)
                if self.qos.prev != self.qos.value:  # a delayed task takes no place: the next one is taken at once
                    self.qos.update()
                return None
            return self.on_decode_error(message, ValueError("its headers are not those of a task of this site"))

        return check

    def on_decode_error(self, message: Any, error: Exception) -> None:
        super().on_decode_error(message, error)
        self._fail(message, error)

    def on_invalid_task(self, body: Any, message: Any, error: Exception) -> None:
        super().on_invalid_task(body, message, error)
        self._fail(message, error)

    def _fail(self, message: Any, error: Exception) -> None:
        """End the record of a task whose message cannot be read."""
        name = message.headers.get("id") if isinstance(message.headers, dict) else None
        if isinstance(name, str):
            self.app.backend.mark_as_failure(name, error, store_result=True)
