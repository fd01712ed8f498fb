"""The status of a task: GET /status/<id> as JSON or as a page, and cancelling."""

from __future__ import annotations

import hashlib
import re
from typing import Any

from flask import Flask, Request, Response, redirect

from ..dispatch.request import request
from ..dispatch.responses import json_response, no_store
from ..errors import MalformedBody, NotFound
from ..settings import Settings
from .description import describe_task, is_final
from .records import Raw, Record, decode_fields, watch
from .status_page import render_status
from .submission import Tasks
from .waiting import RETRY_AFTER, waiting_place

LONGEST_WAIT = 30.0
# a UUID, as exeTask makes them
_ID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")


def add_task_routes(app: Flask, tasks: Tasks) -> None:
    """Add /status/<id>."""

    def status(task_id: str) -> Response:
        return show_status(tasks, task_id)

    def cancel(task_id: str) -> Response:
        return cancel_task(tasks, task_id)

    def cancel_by_button(task_id: str) -> Any:
        cancel_task(tasks, task_id)
        above = "/_koa/tasks" if request.form.get("back") == "board" else "/status"
        return redirect(f"{request.script_root}{above}/{task_id}", 303)

    app.add_url_rule("/status/<task_id>", "status", status, methods=["GET"])
    app.add_url_rule("/status/<task_id>", "cancel_task", cancel, methods=["DELETE"])
    app.add_url_rule("/status/<task_id>/cancel", "cancel_task_by_button", cancel_by_button, methods=["POST"])


def show_status(tasks: Tasks, task_id: str) -> Response:
    """The status of a task: a page for a browser, JSON else and for `?format=json`. `?wait=10` waits."""
    raw, has_waited = _await_change(tasks, task_id)
    record = decode_fields(raw)
    if request.wants_html and request.args.get("format") != "json":
        response = Response(_render_page(tasks, record, task_id))
    else:
        response = json_response(describe_task(record, _shows_tracebacks(tasks.settings)))
        response.headers["ETag"] = f'"{_make_tag(raw)}"'
        if "HTTP_IF_NONE_MATCH" in request.environ:
            response.make_conditional(request)
    response.headers["Vary"] = "Accept"
    if not has_waited:
        response.headers["Retry-After"] = RETRY_AFTER
    return no_store(response)


def _render_page(tasks: Tasks, record: Record, task_id: str) -> str:
    """The page of a task; in development with all details."""
    settings = tasks.settings
    if not settings.development:
        return render_status(settings, record, task_id)
    whole = tasks.records.load(task_id) or record
    return render_status(settings, whole, task_id, tracebacks=_shows_tracebacks(settings), details=True)


def _await_change(tasks: Tasks, task_id: str) -> tuple[Raw, bool]:
    """The record, after a change if the client asked to wait for one; and whether the wait was granted."""
    raw = _read(tasks, task_id)
    wait = _read_wait(request) if request.query_string else 0.0
    if not wait or is_final(decode_fields(raw)) or not _is_known(request, raw):
        return raw, True
    with waiting_place(tasks.settings, request.environ) as may_wait:
        if may_wait:
            raw = watch(lambda: tasks.records.read(task_id), raw, wait) or raw
        return raw, may_wait


def _shows_tracebacks(settings: Settings) -> bool:
    """Tracebacks are for the developer on this machine."""
    return settings.development and request.is_local


def _is_known(request: Request, raw: Raw) -> bool:
    """Whether the client has this record, by its ETag; one that sends none waits for the next."""
    tags = request.if_none_match
    return not tags or tags.contains(_make_tag(raw))


def _read(tasks: Tasks, task_id: str) -> Raw:
    raw = tasks.records.read(task_id) if _ID.fullmatch(task_id) else None
    if raw is None:
        raise NotFound("No task has this id, or its result has expired")
    return raw


def _make_tag(raw: Raw) -> str:
    return hashlib.blake2b(repr(raw).encode(), digest_size=12).hexdigest()


def _read_wait(request: Request) -> float:
    text = request.args.get("wait")
    if text is None:
        return 0.0
    try:
        seconds = float(text)
    except ValueError:
        seconds = -1.0
    if not seconds >= 0:  # nor NaN
        raise MalformedBody(f"wait={text!r} is not a number of seconds. Write wait=10.")
    return min(LONGEST_WAIT, seconds)


def cancel_task(tasks: Tasks, task_id: str) -> Response:
    """Cancel a task, queued or running; 404 for an unknown id; a final status is returned unchanged."""
    if not (_ID.fullmatch(task_id) and tasks.records.cancel(task_id)):
        raise NotFound("No task has this id, or its result has expired")
    record = decode_fields(_read(tasks, task_id))
    return no_store(json_response(describe_task(record)))
