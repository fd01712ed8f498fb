"""Requeues the tasks whose worker, or whose message, was lost."""

from __future__ import annotations

import logging

from ..errors import TaskFailed
from .queues import QUEUE
from .records import MOST_RESENDS, Record
from .submission import Tasks

log = logging.getLogger("kernkoa.worker")


def send_lost(tasks: Tasks, seconds: float) -> None:
    """Requeue the tasks of a lost worker."""
    if tasks.settings.brokerUrl:
        for record in tasks.leases.find_expired(seconds):
            log.warning("%s[%s] lost its worker and is queued again", record["route"], record["task_id"])
            tasks.send_again(record)
        return
    for queue in (QUEUE, *tasks.settings.queues):
        for record in tasks.queues.find_lost(queue, seconds):
            _send_again(tasks, record)


def _send_again(tasks: Tasks, record: Record) -> None:
    resends = int(record.get("resends", 0)) + 1
    if resends > MOST_RESENDS:
        tasks.celery.backend.mark_as_failure(record["task_id"], MessageLost(_LOST), store_result=True)
        return
    log.warning("The message of %s[%s] was lost and is sent again", record["route"], record["task_id"])
    tasks.send_again(record, lost=True, resends=resends)


class MessageLost(TaskFailed):
    """No worker could take the message of a task, though it was sent several times."""


_LOST = f"The message of this task was lost or could not be read {MOST_RESENDS} times. The worker's log says why."
