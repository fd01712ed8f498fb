"""Where tasks travel: the address of Redis, and Celery set up so that no task is lost there.

A web process fails fast: what it asks of Redis is answered, or a 503, within a second. A worker is patient: it
waits for a Redis that is away rather than lose a result.
"""

from __future__ import annotations

import hashlib
import os
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, unquote, urlencode, urlsplit

from celery import Celery
from celery.signals import celeryd_init

from ..settings import Settings

QUEUE = "tasks"
SOCKET_NAME = "redis.sock"
LONGEST_SOCKET_PATH = 100  # sockaddr_un holds 108 bytes, macOS 104
DAY = 86_400
CONNECT_SECONDS = 0.3
ANSWER_SECONDS = 0.4
# between the soft time limit, which the task can catch, and the hard one, which ends its process
GRACE_SECONDS = 10


@dataclass(frozen=True, slots=True)
class Address:
    """A Redis, as Celery's transport, Celery's result backend and redis-py want to be told of it."""

    broker: str
    backend: str
    client: str
    sentinels: tuple[tuple[str, int], ...] = ()
    master: str = ""
    database: int = 0
    password: str | None = None


def socket_path(settings: Settings) -> Path:
    """The Unix socket of the embedded server; in a folder of the system's where the one in var/ is too long."""
    path = settings.var / SOCKET_NAME
    if len(os.fsencode(path)) <= LONGEST_SOCKET_PATH:
        return path
    digest = hashlib.sha256(os.fsencode(settings.var)).hexdigest()[:12]
    return Path(tempfile.gettempdir()) / f"kernkoa-{os.getuid()}-{digest}" / SOCKET_NAME


def read_address(settings: Settings) -> Address:
    """The address of the setting redisUrl, or of the embedded server where it is not set."""
    url = settings.redisUrl or f"unix://{socket_path(settings)}"
    parts = urlsplit(url)
    query = dict(parse_qsl(parts.query))
    if parts.scheme in ("unix", "redis+socket"):
        return _socket_address(parts.path, query)
    if parts.scheme == "sentinel":
        return _sentinel_address(url)
    if parts.scheme == "rediss" and "ssl_cert_reqs" not in query:
        query["ssl_cert_reqs"] = "required"  # Celery refuses a rediss:// that leaves it open
        url = parts._replace(query=urlencode(query)).geturl()
    return Address(url, url, url)


def _socket_address(path: str, query: dict[str, str]) -> Address:
    database = int(query.get("db", query.get("virtual_host", "0")))
    celery = f"socket://{path}?virtual_host={database}"
    return Address(f"redis+{celery}", celery, f"unix://{path}?db={database}")


def _sentinel_address(url: str) -> Address:
    """sentinel://[:password@]host:port,host:port/database?master=name"""
    rest, _, query = url.removeprefix("sentinel://").partition("?")
    place, _, database = rest.partition("/")
    secret, _, hosts = place.rpartition("@")
    pairs = [(host.partition(":")[0], int(host.partition(":")[2] or 26379)) for host in hosts.split(",")]
    login = f"{secret}@" if secret else ""
    celery = ";".join(f"sentinel://{login}{host}:{port}/{database or 0}" for host, port in pairs)
    return Address(
        broker=celery,
        backend=celery,
        client="",
        sentinels=tuple(pairs),
        master=dict(parse_qsl(query)).get("master", "mymaster"),
        database=int(database or 0),
        password=unquote(secret.rpartition(":")[2]) if secret else None,
    )


class TaskApp(Celery):  # type: ignore[misc]
    """Celery for one site: JSON only, tasks acknowledged when they are done, results as the kernel's records.

    `site` is the Tasks of the site, for those whom Celery makes itself: its beat.
    """

    site: Any

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.address = read_address(settings)
        super().__init__(
            "kernkoa",
            broker=self.address.broker,
            backend=self._name_backend(),
            set_as_current=True,
            config_source=_common(settings) | _impatient(settings, self.address),
        )

    def be_patient(self) -> None:
        """This process is a worker: wait for a Redis that is away."""
        self.conf.update(_patient(self.settings, self.address))

    def _name_backend(self) -> str:
        """By name: the client library of Redis takes 0.1 s to import, and most requests need none."""
        kind = "SentinelRecordBackend" if self.address.master else "RecordBackend"
        return f"system.core.tasks.result_backend:{kind}+{self.address.backend}"


@celeryd_init.connect(weak=False)  # type: ignore[untyped-decorator]
def _start_worker(instance: Any, **_: Any) -> None:
    if isinstance(instance.app, TaskApp):
        instance.app.be_patient()


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
        # of a development server, which ends at Ctrl-C, a second
        "worker_soft_shutdown_timeout": 1 if settings.development else min(8, settings.leaseSeconds),
        "worker_enable_soft_shutdown_on_idle": False,
        "worker_cancel_long_running_tasks_on_connection_loss": False,
        "worker_max_tasks_per_child": settings.tasksPerChild,
        "worker_max_memory_per_child": settings.taskMemoryBytes // 1000,
        "worker_send_task_events": False,
        "broker_connection_retry_on_startup": True,
        "broker_connection_max_retries": None,
        "result_expires": int(settings.resultDays * DAY),
        "beat_scheduler": "system.core.tasks.beat:CatalogScheduler",
        "enable_utc": True,
    }


def _transport(settings: Settings, address: Address, **options: Any) -> dict[str, Any]:
    names = {"master_name": address.master} if address.master else {}
    return {
        "global_keyprefix": f"{settings.name}:",
        "visibility_timeout": settings.leaseSeconds,
        "unacked_mutex_expire": 10,
        **names,
        **options,
    }


def _impatient(settings: Settings, address: Address) -> dict[str, Any]:
    names = {"master_name": address.master} if address.master else {}
    return {
        "task_publish_retry": False,
        "broker_connection_timeout": 0.5,
        "broker_transport_options": _transport(
            settings,
            address,
            socket_connect_timeout=CONNECT_SECONDS,
            socket_timeout=ANSWER_SECONDS,
            max_retries=1,
            interval_start=0,
            interval_step=0.05,
            interval_max=0.05,
        ),
        "redis_socket_connect_timeout": CONNECT_SECONDS,
        "redis_socket_timeout": ANSWER_SECONDS,
        "result_backend_transport_options": {"retry_policy": {"max_retries": 0}, **names},
    }


def _patient(settings: Settings, address: Address) -> dict[str, Any]:
    names = {"master_name": address.master} if address.master else {}
    policy = {"max_retries": 30, "interval_start": 0, "interval_step": 0.2, "interval_max": 2}
    return {
        "task_publish_retry": True,
        "task_publish_retry_policy": policy,
        "broker_connection_timeout": 4,
        "broker_transport_options": _transport(
            settings,
            address,
            socket_connect_timeout=5,
            socket_keepalive=True,
            health_check_interval=10,
        ),
        "redis_socket_connect_timeout": 5,
        "redis_socket_timeout": 10,
        "redis_socket_keepalive": not address.broker.startswith("redis+socket"),  # a TCP thing
        "result_backend_always_retry": True,
        "result_backend_max_retries": 60,
        "result_backend_base_sleep_between_retries_ms": 100,
        "result_backend_max_sleep_between_retries_ms": 2000,
        "result_backend_transport_options": {"retry_policy": policy, **names},
    }
