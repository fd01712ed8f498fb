"""Celery's result backend, writing the kernel's records: one round trip, nothing final written over."""

from __future__ import annotations

import time
from typing import Any

from celery.backends.redis import RedisBackend, SentinelBackend
from pydantic_core import from_json

from .celery_app import TaskApp
from .records import FINAL, Records, encode_tail, make_key_prefix


class _KeepsRecords:
    """What both of Celery's Redis backends do otherwise here."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        app: TaskApp = self.app  # type: ignore[attr-defined]
        self.task_keyprefix = make_key_prefix(app.settings.name).encode()
        self.records = Records(app.settings.name, app.address, app.conf.result_expires)

    def on_task_call(self, producer: Any, task_id: str) -> None:
        """No SUBSCRIBE for each call: it hangs for 19 s where Redis is away, and nobody here reads what comes."""

    def exception_safe_to_retry(self, error: BaseException) -> bool:
        return isinstance(error, self.connection_errors)  # type: ignore[attr-defined]

    def _store_result(
        self, task_id: str, result: Any, state: str, traceback: Any = None, request: Any = None, **_: Any
    ) -> Any:
        if state == "RETRY":
            return result  # celery_instance.retry has written it
        about = getattr(request, "koa_about", None)
        client = self.client  # type: ignore[attr-defined]
        if about is None:  # the worker's main process tells of a task whose own process is gone
            old = client.get(self.records.key(task_id))
            about = {name: value for name, value in (from_json(old) if old else {}).items() if name in _ABOUT}
        record = {"status": state, "result": result, "traceback": traceback, "task_id": task_id, **about}
        if state in FINAL:
            record["done"] = time.time()
        self.records.write_with(client, task_id, encode_tail(record), 0, state in FINAL)
        return result


_ABOUT = frozenset({"route", "queue", "queued", "started", "worker", "state"})


class RecordBackend(_KeepsRecords, RedisBackend):  # type: ignore[misc]
    """Results in one Redis."""


class SentinelRecordBackend(_KeepsRecords, SentinelBackend):  # type: ignore[misc]
    """Results in the Redis that Sentinel names."""
