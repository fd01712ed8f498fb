"""The commands of `python kernkoa.py tasks`."""

from __future__ import annotations

from typing import Any

import click


@click.group()
def tasks() -> None:
    """List, show, cancel, repeat and purge tasks."""


def _tasks() -> Any:
    from ..runtime import start

    return start().tasks


@tasks.command(name="list")
@click.argument("word", default="")
@click.option("--status", default="", help="PENDING, STARTED, RETRY, SUCCESS, FAILURE or REVOKED.")
@click.option("--most", type=click.IntRange(1, 200), default=20, show_default=True, help="How many.")
def tasks_list(word: str, status: str, most: int) -> None:
    """List the newest tasks, the queues and the workers.

    With a WORD, only tasks whose route or id contains it.
    """
    from .tasks import list_queues, list_tasks

    found = _tasks()
    for line in (*list_tasks(found, word, status.upper(), most), *list_queues(found)):
        click.echo(line)


@tasks.command(name="show")
@click.argument("task_id")
def tasks_show(task_id: str) -> None:
    """Show all that is known of a task, with its params, as JSON."""
    from .tasks import show_task

    click.echo(show_task(_tasks(), task_id))


@tasks.command(name="cancel")
@click.argument("task_id")
def tasks_cancel(task_id: str) -> None:
    """Cancel a task that waits or runs."""
    from .tasks import cancel_task

    click.echo(f"{task_id} {cancel_task(_tasks(), task_id)}.")


@tasks.command(name="again")
@click.argument("task_id")
def tasks_again(task_id: str) -> None:
    """Run a task again that failed or was cancelled; prints the id of the new one."""
    click.echo(_tasks().run_again(task_id))


@tasks.command(name="purge")
@click.argument("queue", default="tasks")
@click.confirmation_option(prompt="Cancel all tasks that wait in this queue?")
def tasks_purge(queue: str) -> None:
    """Cancel all tasks that wait in a queue ("tasks" if none is named)."""
    click.echo(f"{_tasks().purge(queue)} tasks were cancelled.")
