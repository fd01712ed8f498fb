"""`python kernkoa.py tasks`: lists, shows, cancels, repeats and purges tasks."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator

import click

from ..errors import TaskError
from ..tasks.description import WORDS, measure, show_seconds
from ..tasks.payload import decode_message
from ..tasks.queues import QUEUE
from ..tasks.records import Record
from ..tasks.submission import Tasks
from ..tasks.task_search import Filter

STATUSES = ("PENDING", "STARTED", "RETRY", "SUCCESS", "FAILURE", "REVOKED")


@click.group()
def tasks() -> None:
    """List, show, cancel, repeat and purge tasks."""


def _tasks() -> Tasks:
    from ..runtime import start  # it reads config.py, which --help does without

    return start().tasks


@tasks.command("list")
@click.argument("word", default="")
@click.option("--status", type=click.Choice(STATUSES, case_sensitive=False), help="Only those of this status.")
@click.option("--most", type=click.IntRange(1, 200), default=20, show_default=True, help="How many.")
def list_tasks(word: str, status: str | None, most: int) -> None:
    """List the newest tasks, the queues and the workers.

    With a WORD, only tasks whose route or id contains it.
    """
    found = _tasks()
    records = found.records.read_many([word]) if word else []
    for record in records or found.search.find(Filter(status=status or "", method=word), most):
        click.echo(_describe(record))
    for line in _list_queues(found):
        click.echo(line)


def _list_queues(tasks: Tasks) -> Iterator[str]:
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
    line = f"{record['task_id']}  {queued}  {word:<10} {spent:>8}  {record.get('route', '')}  {error}".rstrip()
    return "".join(letter if letter.isprintable() else repr(letter)[1:-1] for letter in line)


@tasks.command("show")
@click.argument("task_id")
def show(task_id: str) -> None:
    """Show all that is known of a task, with its params, as JSON."""
    record = _tasks().records.load(task_id)
    if not record:
        raise TaskError(f"There is no task {task_id}.")
    message = record.pop("message", b"")
    if message:
        record["params"] = decode_message(message)["params"]
    click.echo(json.dumps(record, indent=2, ensure_ascii=False, default=str))


@tasks.command("cancel")
@click.argument("task_id")
def cancel(task_id: str) -> None:
    """Cancel a task that waits or runs."""
    before = _tasks().records.cancel(task_id)
    if not before:
        raise TaskError(f"There is no task {task_id}.")
    outcome = "was cancelled" if before in ("PENDING", "RETRY", "STARTED") else f"has ended already ({before})"
    click.echo(f"{task_id} {outcome}.")


@tasks.command("again")
@click.argument("task_id")
def again(task_id: str) -> None:
    """Run a task again that failed or was cancelled; prints the id of the new one."""
    click.echo(_tasks().run_again(task_id))


@tasks.command("purge")
@click.argument("queue", default=QUEUE)
@click.confirmation_option(prompt="Cancel all tasks that wait in this queue?")
def purge(queue: str) -> None:
    """Cancel all tasks that wait in a queue ("tasks" if none is named)."""
    found = _tasks()
    known = (QUEUE, *found.settings.queues)
    if queue not in known:
        raise TaskError(f"There is no queue {queue}. There are: {', '.join(known)}.")
    click.echo(f"{found.purge(queue)} tasks were cancelled.")
