"""What a running task holds: `celery_instance`, with which it tells how far it is."""

from __future__ import annotations

import logging
import threading
import time
from typing import Any

from ..errors import BrokerUnavailable, TaskCancelled
from .records import FINAL, RESERVED_STATES, Record, Records, encode_tail

log = logging.getLogger("kernkoa.tasks")

# a report is written at most so often; the newest one in between when this time is over
PAUSE_SECONDS = 0.1
# how long reports are spared after Redis did not answer one
AWAY_SECONDS = 2.0


class Reporter:
    """The `celery_instance` of a run. Its reports never raise; one of a cancelled task ends it.

    `last_state` is what the task reported before, where it was delivered again or is retried; None at first.
    Everything else is Celery's task: `request`, `retry()`, `app`, …
    """

    def __init__(self, task: Any, records: Records, about: Record, message: Record) -> None:
        self._task = task
        self._records = records
        self._about = about
        self._message = message
        self._lock = threading.Lock()
        self._pending: tuple[str, Any] | None = None
        self._timer: threading.Timer | None = None
        self._due = 0.0
        self._closed = False
        self._cancelled = False
        self.request = task.request
        self.id: str = task.request.id
        self.last_state: Any = None

    def __getattr__(self, name: str) -> Any:
        return getattr(self._task, name)

    def update_state(
        self, task_id: str | None = None, state: str | None = None, meta: Any = None, **_: Any
    ) -> None:
        """Tell how far the task is: `update_state(state="inProgress", meta={"number": 5})`.

        GET /status/<id> shows it. Call it as often as you like: ten writes a second reach Redis, the last one
        always. A state that is Celery's own word (SUCCESS, FAILURE, …) is refused, with a line in the log.
        """
        if state in RESERVED_STATES:
            log.warning("update_state(state=%r) is refused: it is Celery's own word. Take another.", state)
            return
        self._pending = (state or "inProgress", meta)
        if self._cancelled:
            raise TaskCancelled
        if self._timer is None:
            self._write_or_wait()

    def progress(self, done: float, total: float | None = None, text: str = "") -> None:
        """Tell how much of the work is done: `progress(3, 10, "reading")`. As cheap as update_state."""
        self._pending = ("inProgress", (done, total, text))
        if self._cancelled:
            raise TaskCancelled
        if self._timer is None:
            self._write_or_wait()

    def _write_or_wait(self) -> None:
        now = time.monotonic()
        with self._lock:
            if self._closed or self._timer is not None:
                return
            if now < self._due:
                self._timer = threading.Timer(self._due - now, self._write_later)
                self._timer.daemon = True
                self._timer.start()
                return
            self._write()
        if self._cancelled:
            raise TaskCancelled

    def _write_later(self) -> None:
        with self._lock:
            self._timer = None
            if not self._closed:
                self._write()

    def _write(self) -> None:
        """Write the newest report. The lock is held."""
        pending, self._pending = self._pending, None
        if pending is None:
            return
        record = {"status": pending[0], "result": _meta(pending[1]), "task_id": self.id, **self._about}
        record["state"] = {"status": record["status"], "meta": record["result"]}
        pause = PAUSE_SECONDS
        try:
            runs, old = self._records.write(self.id, record)
            self._about["state"] = record["state"]
            self._cancelled = runs < 0 and old.get("status") == "REVOKED"
        except BrokerUnavailable:
            pause = AWAY_SECONDS
        except Exception as error:  # noqa: BLE001 - a report costs no task its result, whatever the meta is
            log.warning("A report of %s cannot be written: %s", self._about.get("route"), error)
        self._due = time.monotonic() + pause

    def resume(self, old: Record) -> None:
        """Take up what a run before reported last."""
        state = old.get("state")
        if state and old["status"] not in FINAL:
            self.last_state = state["meta"]
            self.update_state(state=state["status"], meta=state["meta"])

    def retry(
        self,
        args: Any = None,
        kwargs: Any = None,
        exc: BaseException | None = None,
        countdown: float = 0,
        **more: Any,
    ) -> Any:
        """Celery's retry. The record says so before the message is sent, or that would be taken for a double."""
        state = self.close()
        told = {"exc_type": type(exc).__name__, "exc_message": [str(exc or "")], "exc_module": "builtins"}
        record = {"status": "RETRY", "result": told if exc else None, "task_id": self.id, **self._about}
        record |= {"state": state, "message": self._message}
        backend = self._task.backend
        backend.ensure(self._records.write_with, (backend.client, self.id, encode_tail(record), "reset", False))
        backend.ensure(
            self._records.wait, (backend.client, self.id, self._about["queue"], time.time() + countdown)
        )
        return self._task.retry(args, kwargs, exc=exc, countdown=countdown, **more)

    def close(self) -> Any:
        """No report is written from now on; what the last one said, as a record keeps it."""
        with self._lock:
            self._closed = True
            if self._timer is not None:
                self._timer.cancel()
            if self._pending is not None:
                status, meta = self._pending
                self._about["state"] = {"status": status, "meta": _meta(meta)}
        return self._about.get("state")


def _meta(reported: Any) -> Any:
    if not isinstance(reported, tuple):
        return {} if reported is None else reported
    done, total, text = reported
    return {"done": done, "total": total, "text": text}
