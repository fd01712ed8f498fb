"""The command tasks: lists, shows, cancels, repeats and purges tasks from the terminal."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from typing import Any

from ..errors import TaskError
from ..tasks.description import WORDS, measure, show_seconds
from ..tasks.payload import decode_message
from ..tasks.queues import QUEUE
from ..tasks.records import Record
from ..tasks.submission import Tasks
from ..tasks.task_search import Filter


def list_tasks(tasks: Tasks, word: str, status: str, most: int) -> Iterator[str]:
    """A line for each of the newest tasks whose route contains a word, or whose id it is."""
    found = tasks.records.read_many([word]) if word else []
    for record in found or tasks.search.find(Filter(status=status, method=word), most):
        yield _describe(record)


def list_queues(tasks: Tasks) -> Iterator[str]:
    """A line for each queue and for each worker that is alive."""
    for name, count in tasks.queues.count((QUEUE, *tasks.settings.queues)).items():
        yield f"{name}: {count} waiting"
    for worker in tasks.heartbeats.alive(tasks.settings.leaseSeconds):
        queues = ", ".join(worker.get("queues", ()))
        yield f"{worker['name']}: {worker.get('active', 0)} of {worker.get('processes')} processes run ({queues})"


def _describe(record: Record) -> str:
    status = record.get("status", "")
    queued = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(record.get("queued", 0)))
    spent = show_seconds(measure(record)) if "started" in record else ""
    error = (record.get("error") or {}).get("message", "") if status == "FAILURE" else ""
    word = WORDS.get(status, "Running")
    return f"{record['task_id']}  {queued}  {word:<10} {spent:>8}  {record.get('route', '')}  {error}".rstrip()


def show_task(tasks: Tasks, task_id: str) -> str:
    """All details of a task, as JSON. Raises TaskError for an unknown id."""
    record: dict[str, Any] = tasks.records.load(task_id)
    if not record:
        raise TaskError(f"There is no task {task_id}.")
    message = record.pop("message", b"")
    if message:
        record["params"] = decode_message(message)["params"]
    return json.dumps(record, indent=2, ensure_ascii=False, default=str)


def cancel_task(tasks: Tasks, task_id: str) -> str:
    """Cancel a task; returns the outcome in words. Raises TaskError for an unknown id."""
    before = tasks.records.cancel(task_id)
    if not before:
        raise TaskError(f"There is no task {task_id}.")
    return "was cancelled" if before in ("PENDING", "RETRY", "STARTED") else f"has ended already ({before})"
