"""Celery, set up so that no task is lost in its broker: Redis, or RabbitMQ if brokerUrl is set.

A web process fails fast: Redis answers it within a second, or it answers 503. A worker is patient: it waits for a
Redis that is away rather than lose a result.
"""

from __future__ import annotations

import logging
from typing import Any

from celery import Celery
from celery.signals import celeryd_init
from kombu.entity import Queue

from ..settings import Settings
from .broker_address import split_broker_url
from .queues import QUEUE
from .redis_address import REDIS_PORT, Address, ShownAddress, read_address
from .submission import DAY, Tasks

# between the soft time limit, which the task can catch, and the hard one, which kills its process
GRACE_SECONDS = 5


class TaskApp(Celery):  # type: ignore[misc]
    """Celery for one site: JSON only, tasks acknowledged when they are done, results as the kernel's records.

    `site` is the Tasks of the site, for the parts that Celery makes itself: worker and beat.
    """

    def __init__(self, settings: Settings, site: Tasks) -> None:
        self.settings = settings
        self.site = site
        super().__init__(
            "kernkoa",
            backend="system.core.tasks.result_backend:RecordBackend",
            set_as_current=True,
            config_source=_common(settings) | _broker(settings, patient=False),
        )

    def be_patient(self) -> None:
        """Mark this process as a worker, which waits while Redis is down."""
        self.conf.update(_broker(self.settings, patient=True))


@celeryd_init.connect(weak=False)  # type: ignore[untyped-decorator]
def _start_worker(instance: Any, **_: Any) -> None:
    if isinstance(instance.app, TaskApp):
        instance.app.be_patient()
        # the kernel's own lines say how a task ended
        logging.getLogger("celery.app.trace").setLevel(logging.WARNING)


def _common(settings: Settings) -> dict[str, Any]:
    limit = settings.taskSeconds
    return {
        "task_serializer": "json",
        "result_serializer": "json",
        "accept_content": ["json"],
        "task_acks_late": True,
        "task_reject_on_worker_lost": True,
        "task_track_started": False,  # the start record says more, in one round trip
        "task_default_queue": QUEUE,
        "task_queues": {name: {} for name in (QUEUE, *settings.queues)},
        "task_create_missing_queues": False,
        "task_soft_time_limit": limit or None,
        "task_time_limit": limit + GRACE_SECONDS if limit else None,
        "worker_prefetch_multiplier": 1,
        "worker_consumer": "system.core.tasks.worker:KoaConsumer",
        "worker_redirect_stdouts": False,  # what a task prints is logged by the kernel
        # a development server, which ends at Ctrl-C, waits one second
        "worker_soft_shutdown_timeout": 1 if settings.development else min(8, settings.leaseSeconds),
        "worker_enable_soft_shutdown_on_idle": False,
        "worker_cancel_long_running_tasks_on_connection_loss": False,
        "worker_max_tasks_per_child": settings.tasksPerChild,
        "worker_max_memory_per_child": settings.taskMemoryBytes // 1000,
        "worker_send_task_events": False,
        "broker_connection_retry_on_startup": True,
        "broker_connection_max_retries": None,
        "broker_channel_error_retry": True,
        "beat_scheduler": "system.core.tasks.beat:CatalogScheduler",
        "enable_utc": True,
    }


def _broker(settings: Settings, patient: bool) -> dict[str, Any]:
    if settings.brokerUrl:
        return _rabbitmq(settings, patient)
    return _redis(settings, read_address(settings), patient)


def _rabbitmq(settings: Settings, patient: bool) -> dict[str, Any]:
    """Quorum queues, publisher confirms: a message is sent when most nodes have it."""
    # RabbitMQ closes the channel of a consumer that takes longer; it must outlast every task
    longest = int((settings.taskSeconds or 30 * DAY) + 600) * 1000
    arguments = {"x-queue-type": "quorum", "x-consumer-timeout": longest}
    make_queue: Any = Queue
    return {
        "broker_url": split_broker_url(settings.brokerUrl),
        "broker_connection_timeout": 4 if patient else 1,
        "broker_heartbeat": 10,
        "broker_native_delayed_delivery_queue_type": "classic",
        "task_publish_retry": True,
        "task_publish_retry_policy": {"max_retries": 3, "interval_start": 0, "interval_step": 0.2},
        "task_queues": [make_queue(name, queue_arguments=arguments) for name in (QUEUE, *settings.queues)],
        "broker_transport_options": {"confirm_publish": True, "read_timeout": 10, "write_timeout": 10},
    }


def _show_url(address: Address) -> str:
    """What Celery and Flower show as the broker."""
    host = str(address.options.get("host", "localhost"))
    name = f"[{host}]" if ":" in host else host
    return f"redis://{name}:{address.options.get('port', REDIS_PORT)}/{address.options['db']}"


def _redis(settings: Settings, address: Address, patient: bool) -> dict[str, Any]:
    return {
        "broker_url": _show_url(address),  # the transport takes the address from its options
        "broker_transport": "system.core.tasks.redis_transport:RedisTransport",
        "broker_connection_timeout": 4 if patient else 0.5,
        "task_publish_retry": patient,
        "broker_transport_options": {
            "address": ShownAddress(address),
            "patient": patient,
            "global_keyprefix": f"{settings.name}:",
            "visibility_timeout": settings.leaseSeconds,
            "unacked_mutex_expire": 10,
            **({} if patient else {"max_retries": 1, "interval_start": 0, "interval_step": 0.05}),
        },
    }
