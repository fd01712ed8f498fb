"""Celery's result backend: writes the end of a task to its record, and waits while Redis is down."""

from __future__ import annotations

from typing import Any

from celery.backends.base import BaseBackend

from .failures import encode_failure
from .records import FINAL, Records, decode_fields
from .redis_connection import RedisConnection, patiently
from .submission import DAY


class RecordBackend(BaseBackend):  # type: ignore[misc]
    """The records of a site, as Celery's workers use them."""

    supports_autoexpire = True

    def __init__(self, app: Any, **options: Any) -> None:
        super().__init__(app, **options)
        self.records = Records(RedisConnection(app.settings, patient=True), app.settings.resultDays * DAY)

    def store_result(
        self, task_id: str, result: Any, state: str, traceback: Any = None, request: Any = None, **_: Any
    ) -> Any:
        """Record the end of a task; a final record is not changed. `result` is JSON text, or an exception."""
        if state not in FINAL:
            return result  # what comes between start and end is recorded by the kernel itself
        fields = {"result": result} if state == "SUCCESS" else {}
        if state == "FAILURE":
            fields["error"] = encode_failure(result)
        patiently(lambda: self.records.end(task_id, state, fields))
        return result

    def _get_task_meta_for(self, task_id: str) -> dict[str, Any]:
        """What Celery's AsyncResult shows of a task."""
        raw = self.records.read(task_id)
        record = decode_fields(raw) if raw else {"status": "PENDING"}
        return {"task_id": task_id, "traceback": None, "children": [], "result": None, **record}
