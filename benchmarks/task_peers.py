"""The same task wired by hand with each peer, for benchmarks/tasks.py. BENCH_REDIS is the path of a socket."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

SOCKET = os.environ["BENCH_REDIS"]
PEER = os.environ["BENCH_PEER"]
CELERY = {
    "task_serializer": "json",
    "result_serializer": "json",
    "accept_content": ["json"],
    "worker_send_task_events": False,
    "result_expires": 3600,
}
LATE = {
    "task_acks_late": True,
    "task_reject_on_worker_lost": True,
    "worker_prefetch_multiplier": 1,
    "worker_deduplicate_successful_tasks": True,
    "task_track_started": True,  # or a task that runs cannot be told from one that waits
}
Start = Callable[[int], Any]
IsDone = Callable[[Any], bool]


def make_celery() -> tuple[Any, Any]:
    """Celery and Flask as Flask's documentation wires them."""
    from celery import Celery, Task
    from flask import Flask

    app = Flask("peer")

    class FlaskTask(Task):
        def __call__(self, *args: Any, **kwargs: Any) -> Any:
            with app.app_context():
                return self.run(*args, **kwargs)

    celery = Celery("peer", task_cls=FlaskTask)
    celery.conf.update(CELERY | (LATE if PEER != "celery-defaults" else {}))
    celery.conf.update(
        broker_url=f"redis+socket://{SOCKET}",
        result_backend=f"redis+socket://{SOCKET}",
        task_default_queue=PEER,
    )

    @celery.task(bind=True, name="echo")
    def echo(self: Any, value: int) -> int:
        return value

    return celery, echo


if PEER.startswith("celery"):
    celery, echo = make_celery()
elif PEER == "huey":
    import redis
    from huey import RedisHuey

    huey = RedisHuey("bench", connection_pool=redis.ConnectionPool.from_url(f"unix://{SOCKET}"))
    huey_echo = huey.task()(lambda value: value)
elif PEER == "dramatiq":
    import dramatiq
    from dramatiq.brokers.redis import RedisBroker
    from dramatiq.results import Results
    from dramatiq.results.backends import RedisBackend

    broker = RedisBroker(url=f"unix://{SOCKET}")
    results = RedisBackend(url=f"unix://{SOCKET}")
    broker.add_middleware(Results(backend=results))
    dramatiq.set_broker(broker)

    @dramatiq.actor(store_results=True)
    def dramatiq_echo(value: int) -> int:
        return value


def rq_echo(value: int) -> int:
    return value


def connect() -> tuple[Start, IsDone]:
    """How a client of this peer starts a task, and asks whether it is done."""
    if PEER.startswith("celery"):
        client = celery.backend.client
        if PEER == "celery-defaults":
            return lambda n: echo.delay(n).id, lambda name: echo.AsyncResult(name).state == "SUCCESS"

        def start(n: int) -> str:
            from celery import uuid

            name = uuid()  # a mark, or an id that was never given cannot be told from one that waits
            client.set(f"queued:{name}", "1", nx=True, ex=3600)
            echo.apply_async((n,), task_id=name)
            return name

        return start, lambda name: echo.AsyncResult(name).state == "SUCCESS"
    if PEER == "huey":
        return huey_echo, lambda result: result.get(preserve=True) is not None
    if PEER == "dramatiq":
        from dramatiq.results import ResultMissing

        def is_done(message: Any) -> bool:
            try:
                return message.get_result(backend=results) is not None
            except ResultMissing:
                return False

        return dramatiq_echo.send, is_done
    return connect_rq()


def connect_rq() -> tuple[Start, IsDone]:
    import redis
    from rq import Queue

    queue = Queue("bench", connection=redis.Redis(unix_socket_path=SOCKET))
    from benchmarks import task_peers

    return lambda n: queue.enqueue(task_peers.rq_echo, n), lambda job: job.get_status() == "finished"
