"""The board of tasks, /_koa/tasks: what is queued, running, done and failed, the workers, the schedules."""

from __future__ import annotations

import time
from typing import Any

from flask import Flask, Response, render_template

from ..dispatch.request import request
from ..dispatch.responses import json_response, no_store
from ..tasks.queues import QUEUE
from ..tasks.records import Record
from ..tasks.schedules import list_schedules
from ..tasks.status import WORDS, describe_task, is_final, measure, show_seconds
from ..tasks.submission import Tasks
from .access import Visitor
from .pages import is_shown

MOST_LISTED = 200


def add_board(app: Flask, tasks: Tasks) -> None:
    """Add the board, if the settings show the explorer."""
    if is_shown(tasks.settings):
        app.add_url_rule("/_koa/tasks", "task_board", lambda: show_board(tasks))


def show_board(tasks: Tasks) -> Response:
    """The board, as a page or as JSON. Who may see it is who may see the root of the explorer."""
    refusal = Visitor(tasks.catalog, tasks.settings).response((tasks.catalog.roots["controller"],))
    if refusal is not None:
        return refusal
    board = read_board(tasks)
    if request.wants_html and request.args.get("format") != "json":
        return no_store(Response(render_template("kernkoa/tasks.html", **board)))
    return no_store(json_response(board))


def read_board(tasks: Tasks) -> dict[str, Any]:
    """What the board shows."""
    settings = tasks.settings
    rows = [_describe_row(record) for record in tasks.records.newest(MOST_LISTED)]
    counts: dict[str, int] = {}
    for row in rows:
        counts[row["word"]] = counts.get(row["word"], 0) + 1
    return {
        "tasks": rows,
        "counts": counts,
        "queues": tasks.queues.count((QUEUE, *settings.queues)),
        "workers": tasks.heartbeats.alive(settings.leaseSeconds),
        "schedules": [schedule.describe() for schedule in list_schedules(tasks.catalog)],
    }


def _describe_row(record: Record) -> dict[str, Any]:
    told = describe_task(record)
    queued = record.get("queued")
    return {
        "id": record["task_id"],
        "route": record.get("route", ""),
        "status": told["status"],
        "word": WORDS.get(told["status"], "Running"),
        "final": is_final(record),
        "queue": record.get("queue"),
        "worker": record.get("worker"),
        "queued": time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(queued)) if queued else "",
        "spent": show_seconds(measure(record)) if record.get("started") else "",
        "error": told.get("error", {}).get("message", ""),
    }
