"""`celery_instance`: with it a running task reports its progress and requests a retry."""

from __future__ import annotations

import logging
import threading
import time
from typing import TYPE_CHECKING, Any

from celery.exceptions import MaxRetriesExceededError, Retry
from pydantic_core import to_json

from ..errors import BrokerUnavailable, TaskCancelled
from .failures import describe_error, encode_failure
from .records import RESERVED_STATES, Record
from .redis_connection import patiently
from .submission import check_delay

if TYPE_CHECKING:
    from .submission import Tasks

log = logging.getLogger("kernkoa.tasks")

# reports are written at most so often; the newest one in between when this time is over
PAUSE_SECONDS = 0.1
# no report is tried for so long after Redis did not answer one
AWAY_SECONDS = 2.0
DEFAULT_RETRIES = 3


class Reporter:
    """The `celery_instance` of a run. Its reports never raise, except that one of a cancelled task ends it.

    `last_state` is what the task reported last before it was run again; None at first. Everything else is
    Celery's task: `request`, `app`, …
    """

    def __init__(self, task: Any, tasks: Tasks, record: Record) -> None:
        self._task = task
        self._tasks = tasks
        self._record = record
        self._lock = threading.Lock()
        self._pending: tuple[str, Any] | None = None
        self._timer: threading.Timer | None = None
        self._due = 0.0
        self._closed = False
        self._printed: list[str] = []
        self.is_cancelled = False
        self.retry_request: Retry | None = None
        self.request = task.request
        self.id: str = task.request.id
        self.last_state: Any = (record.get("state") or {}).get("meta")

    def __getattr__(self, name: str) -> Any:
        return getattr(self._task, name)

    def update_state(
        self, task_id: str | None = None, state: str | None = None, meta: Any = None, **_: Any
    ) -> None:
        """Report progress: `update_state(state="inProgress", meta={"number": 5})`. GET /status/<id> shows it.

        Call it as often as you like: ten reports a second reach Redis, the last one always. A state with a meaning
        of its own (SUCCESS, FAILURE, …) is refused, with a line in the log.
        """
        if state in RESERVED_STATES:
            log.warning("update_state(state=%r) is refused: this is a status of Celery. Use another word.", state)
            return
        self._report(state or "inProgress", meta)

    def progress(self, done: float, total: float | None = None, text: str = "") -> None:
        """Report how much of the work is done: `progress(3, 10, "reading")`. As cheap as update_state."""
        self._report("inProgress", (done, total, text))

    def _report(self, state: str, meta: Any) -> None:
        self._pending = (state, meta)
        if self.is_cancelled:
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
        if self.is_cancelled:
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
        pause = PAUSE_SECONDS
        try:
            self.is_cancelled = self._tasks.records.write(self.id, self._fields(pending)) == "REVOKED"
        except BrokerUnavailable:
            pause = AWAY_SECONDS
        except Exception as error:  # noqa: BLE001 - a report costs no task its result, whatever the meta is
            log.warning("A report of %s cannot be written: %s", self._record.get("route"), error)
        self._due = time.monotonic() + pause

    def retry(
        self,
        args: Any = None,
        kwargs: Any = None,
        exc: BaseException | None = None,
        throw: bool = True,
        countdown: float = 0,
        max_retries: int | None = DEFAULT_RETRIES,
        **_: Any,
    ) -> Retry:
        """Run the task again in `countdown` seconds, as Celery's retry; raises `exc` after `max_retries` times."""
        check_delay("countdown", countdown)
        retries = int(self.request.retries or 0)
        if max_retries is not None and retries >= max_retries:
            raise exc or MaxRetriesExceededError(f"The task was tried {retries + 1} times.")
        fields = {"status": "RETRY", "runs": 0, **self.close()}
        fields["error"] = encode_failure(exc) if exc else "null"
        due = patiently(self._tasks.redis.now) + countdown if countdown else None
        patiently(lambda: self._tasks.send_again(self._record, due, retries + 1, **fields))
        self.retry_request = Retry(exc=describe_error(exc) if exc else None, when=countdown)
        if throw:
            raise self.retry_request
        return self.retry_request

    def close(self) -> Record:
        """Stop writing reports. Returns the last unwritten one as a field of the record."""
        with self._lock:
            self._closed = True
            if self._timer is not None:
                self._timer.cancel()
            pending, self._pending = self._pending, None
        try:
            return self._fields(pending)
        except ValueError:
            return {}

    def _fields(self, pending: tuple[str, Any] | None) -> Record:
        """A report and what was printed since the last, as fields of the record."""
        printed = [line.encode("utf-8", "replace").decode() for line in self._record.get("log") or ()]
        log = {} if printed == self._printed else {"log": to_json(printed)}
        self._printed = printed
        return log | ({"state": _encode(pending)} if pending else {})


def _encode(report: tuple[str, Any]) -> bytes:
    state, meta = report
    if isinstance(meta, tuple):
        done, total, text = meta
        meta = {"done": done, "total": total, "text": text}
    return to_json({"status": state, "meta": {} if meta is None else meta}, inf_nan_mode="null")
