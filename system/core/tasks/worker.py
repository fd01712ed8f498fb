"""Celery's worker, as the kernel needs it: it renews the lease of what it holds, and survives its Redis.

Late acknowledgement on Redis means that a message stays "unacknowledged" until its task is done; Celery hands it
to another worker when it is that for an hour. Here that time is `leaseSeconds`, and a worker that is alive renews
it.
"""

from __future__ import annotations

import logging
import os
import platform
import signal
import threading
import time
from typing import Any

import celery
import kombu
from celery import bootsteps
from celery.exceptions import ImproperlyConfigured
from celery.signals import worker_process_init
from celery.worker import state
from celery.worker.consumer import Consumer

from ..errors import BrokerUnavailable
from .parent_process import is_orphan, make_lifeline
from .records import Records

log = logging.getLogger("kernkoa.worker")

SOLO = (
    "-P solo runs a task in the thread that renews the leases of what the worker holds: after leaseSeconds "
    "another worker would run the same task. Take -P prefork (the default) or -P threads."
)
# how often a worker looks whether what it runs was cancelled
WATCH_SECONDS = 1.0


class Renewal(threading.Thread):
    """Renews the leases of what a worker holds as long as its process lives.

    The event loop of a worker that is asked to end does so before its last task does.
    """

    def __init__(self, consumer: Any, records: Records, seconds: float) -> None:
        super().__init__(name="leases", daemon=True)
        self._consumer = consumer
        self._records = records
        self._seconds = seconds

    def run(self) -> None:
        while True:
            time.sleep(self._seconds)
            try:
                self._records.renew(held_tags(self._consumer))
            except BrokerUnavailable as error:
                log.warning("The leases cannot be renewed: %s", error)


def held_tags(consumer: Any) -> set[str]:
    """The delivery tags of what a worker runs, or keeps until its time, over whatever connection it came."""
    while True:
        try:
            requests = (*tuple(state.reserved_requests), *tuple(state.active_requests))
            tags = {request.message.delivery_tag for request in requests}
            qos = getattr(getattr(consumer.task_consumer, "channel", None), "qos", None)
            return tags | set(qos._delivered) if qos else tags
        except RuntimeError:  # the worker's own thread changed one of them meanwhile
            continue


class Lease(bootsteps.StartStopStep):  # type: ignore[misc]
    """Hands out the messages of the dead, sees to the leases of its own, says that this worker is alive."""

    requires = ("celery.worker.consumer.tasks:Tasks",)

    def __init__(self, consumer: Any, **_: Any) -> None:
        if consumer.pool is not None and type(consumer.pool).__module__.endswith(".solo"):
            raise ImproperlyConfigured(SOLO)
        self._entries: list[Any] = []
        self._seen_revoked: set[str] = set()
        self._since = time.time()
        settings = consumer.app.settings
        self._lease = settings.leaseSeconds
        self._seconds = settings.leaseSeconds / 3
        self._records = Records(settings.name, consumer.app.address, consumer.app.conf.result_expires)
        self._renewal = Renewal(consumer, self._records, self._seconds)

    def start(self, consumer: Any) -> None:
        if not self._renewal.is_alive():
            self._renewal.start()
            for warning in self._records.judge_server():
                log.warning("%s", warning)
        repeat = consumer.timer.call_repeatedly
        self._entries = [
            repeat(self._seconds, self.tend, (consumer,)),
            repeat(WATCH_SECONDS, self.look, (consumer,)),
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
            self._records.leave(consumer.hostname)
        except BrokerUnavailable:
            log.debug("Redis is away: the worker's name leaves the board by itself")

    def tend(self, consumer: Any) -> None:
        """Hand out what nobody holds; say that this worker is alive."""
        try:
            self._records.renew(held_tags(consumer))
            consumer.task_consumer.channel.qos.restore_visible(interval=1)
            self._records.greet(consumer.hostname, self._about(consumer))
            consumer.app.site.send_lost(self._lease)
        except (*consumer.connection_errors, *consumer.channel_errors, BrokerUnavailable) as error:
            log.warning("What the dead have left must wait: %s", error)

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

    def look(self, consumer: Any) -> None:
        """What is done every second."""
        if is_orphan():
            os.kill(os.getpid(), signal.SIGQUIT)
        self.end_cancelled(consumer)

    def end_cancelled(self, consumer: Any) -> None:
        """End what was cancelled a look ago and did not end by itself at a report."""
        running = {request.id: request for request in tuple(state.active_requests)}
        if not running or not _can_terminate(consumer.pool):
            return
        try:
            heads = self._records.heads(list(running))
        except BrokerUnavailable:
            return
        revoked = {name for name, head in zip(running, heads, strict=True) if b'"status":"REVOKED"' in head}
        for name in revoked & self._seen_revoked:
            log.info("%s[%s] was cancelled and is ended", running[name].name, name)
            running[name].terminate(consumer.pool, signal=signal.SIGTERM)
        self._seen_revoked = revoked


def _can_terminate(pool: Any) -> bool:
    return type(pool).__module__.endswith(".prefork")


class KoaConsumer(Consumer):  # type: ignore[misc]
    """Celery's consumer with the lease, which outlives a Redis that restarts.

    Without mingle (a second at each start) and gossip: who is cancelled stands in the records.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **{**kwargs, "without_mingle": True, "without_gossip": True})
        # a process of the pool ends with the worker, lest its task runs on beside the one taken over
        hold_on = make_lifeline()
        worker_process_init.connect(lambda **_: hold_on(), weak=False)

    class Blueprint(Consumer.Blueprint):  # type: ignore[misc]
        default_steps = (*Consumer.Blueprint.default_steps, Lease)

    def connection_for_read(self, heartbeat: Any = None) -> Any:
        """Found Redis again: renew what runs before kombu, with its first look, hands out what is overdue."""
        connection = super().connection_for_read(heartbeat)
        settings = self.app.settings
        try:
            Records(settings.name, self.app.address, self.app.conf.result_expires).renew(held_tags(self))
        except BrokerUnavailable as error:
            log.warning("The leases cannot be renewed: %s", error)
        return connection

    def on_connection_error_after_connected(self, error: Exception) -> None:
        """Celery 5.7.0 closes the lost connection here; the late acknowledgement that follows ends the worker."""
        if self.connection is not None:
            self.connection.close = lambda: None
        super().on_connection_error_after_connected(error)
