"""The status of a task: GET /status/<id> as JSON or as a page, and cancelling."""

from __future__ import annotations

import hashlib
import json
import re
import time
from collections.abc import Mapping
from typing import Any

from flask import Flask, Request, Response, redirect, render_template

from ..dispatch.request import request
from ..dispatch.responses import json_response, no_store
from ..errors import MalformedBody, NotFound
from ..settings import Settings
from .records import FINAL, Raw, Record, decode_fields, watch
from .submission import Tasks
from .waiting import RETRY_AFTER, waiting_place

LONGEST_WAIT = 30.0
# a UUID, as exeTask makes them
_ID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")

WORDS = {
    "PENDING": "Queued",
    "SUCCESS": "Done",
    "FAILURE": "Failed",
    "REVOKED": "Cancelled",
    "RETRY": "Waiting to try again",
}


def add_task_routes(app: Flask, tasks: Tasks) -> None:
    """Add /status/<id>."""

    def status(task_id: str) -> Response:
        return show_status(tasks, task_id)

    def cancel(task_id: str) -> Response:
        return cancel_task(tasks, task_id)

    def cancel_by_button(task_id: str) -> Any:
        cancel_task(tasks, task_id)
        back = request.form.get("back") == "board"
        return redirect(f"{request.script_root}{'/_koa/tasks' if back else f'/status/{task_id}'}", 303)

    app.add_url_rule("/status/<task_id>", "status", status, methods=["GET"])
    app.add_url_rule("/status/<task_id>", "cancel_task", cancel, methods=["DELETE"])
    app.add_url_rule("/status/<task_id>/cancel", "cancel_task_by_button", cancel_by_button, methods=["POST"])


def describe_task(record: Record, development: bool = False) -> dict[str, Any]:
    """The JSON of a task's status: its state, data or error."""
    status = record["status"]
    report = record.get("state") if isinstance(record.get("state"), Mapping) else {}
    state = (report or {}).get("meta", {})
    if status == "SUCCESS":
        return {"status": status, "data": record.get("result")}
    if status == "FAILURE":
        return {"status": status, "error": _describe_error(record, development)}
    if status == "RETRY":
        return {"status": status, "state": state, "error": _describe_error(record, development)}
    if status == "STARTED":
        return {"status": (report or {}).get("status", "inProgress"), "state": state}
    return {"status": status, "state": state}


def _describe_error(record: Record, development: bool) -> dict[str, str]:
    found = record.get("error") or {}
    error = {"type": str(found.get("type", "Exception")), "message": str(found.get("message", ""))}
    if development and found.get("traceback"):
        error["traceback"] = found["traceback"]
    return error


def show_status(tasks: Tasks, task_id: str) -> Response:
    """The status of a task: a page for a browser, JSON else and for `?format=json`. `?wait=10` waits."""
    raw, has_waited = _await_change(tasks, task_id)
    record = decode_fields(raw)
    if request.wants_html and request.args.get("format") != "json":
        response = Response(_render_page(record, task_id, tasks.settings))
    else:
        response = json_response(describe_task(record, _shows_tracebacks(tasks.settings)))
        response.headers["ETag"] = f'"{_make_tag(raw)}"'
        if "HTTP_IF_NONE_MATCH" in request.environ:
            response.make_conditional(request)
    response.headers["Vary"] = "Accept"
    if not has_waited:
        response.headers["Retry-After"] = RETRY_AFTER
    return no_store(response)


def _await_change(tasks: Tasks, task_id: str) -> tuple[Raw, bool]:
    """The record, after a change if the client asked to wait for one; and whether it got what it asked for."""
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


def is_final(record: Record) -> bool:
    """Whether a task has ended."""
    return record.get("status") in FINAL


def _read(tasks: Tasks, task_id: str) -> Raw:
    raw = tasks.records.read(task_id) if _ID.fullmatch(task_id) else None
    if raw is None:
        raise NotFound("no task has this id, or its result has expired")
    return raw


def _make_tag(raw: Raw) -> str:
    return hashlib.blake2b(repr(raw).encode(), digest_size=12).hexdigest()


def _read_wait(request: Request) -> float:
    text = request.args.get("wait")
    if text is None:
        return 0.0
    try:
        seconds = float(text)
    except ValueError as error:
        raise MalformedBody(f"wait={text!r} is no number of seconds. Write wait=10.") from error
    return min(LONGEST_WAIT, seconds) if seconds > 0 else 0.0


def cancel_task(tasks: Tasks, task_id: str) -> Response:
    """Cancel a task, queued or running; 404 for an unknown id, the status it has for one that ended."""
    if not (_ID.fullmatch(task_id) and tasks.records.cancel(task_id)):
        raise NotFound("no task has this id, or its result has expired")
    record = decode_fields(_read(tasks, task_id))
    return no_store(json_response(describe_task(record)))


def _render_page(record: Record, task_id: str, settings: Settings) -> str:
    told = describe_task(record, _shows_tracebacks(settings))
    meta = told.get("state")
    named = meta if isinstance(meta, Mapping) else {}
    return render_template(
        "kernkoa/status.html",
        told=told,
        task_id=task_id,
        word=WORDS.get(told["status"], "Running"),
        final=is_final(record),
        title=str(named.get("title") or named.get("text") or ""),
        share=_share(named),
        details={name: value for name, value in named.items() if name not in ("title", "text")},
        result=_show_result(told.get("data")),
        spent=show_seconds(measure(record)),
        route=record.get("route") if settings.development else "",
        facts=_list_facts(record) if settings.development else {},
    )


def _list_facts(record: Record) -> dict[str, Any]:
    """When and where a task ran, and which try it is."""
    times = {
        name: record.get(field)
        for name, field in (("Queued", "queued"), ("Started", "started"), ("Ended", "done"))
    }
    facts = {
        name: time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(value)) for name, value in times.items() if value
    }
    return facts | {
        name: value
        for name, value in (
            ("Queue", record.get("queue")),
            ("Worker", record.get("worker")),
            ("Try", int(record.get("retries") or 0) + 1),
        )
        if value
    }


def _share(meta: Mapping[str, Any]) -> float | None:
    """How much is done, 0 to 1, where the report says it: done of total, number of total, or percent."""
    done, total = meta.get("done", meta.get("number", meta.get("current"))), meta.get("total")
    if "percent" in meta:
        done, total = meta["percent"], 100
    if isinstance(done, int | float) and isinstance(total, int | float) and total > 0:
        return max(0.0, min(1.0, done / total))
    return None


def _show_result(value: Any) -> dict[str, Any]:
    """A result by its kind: nothing, a link, text, or JSON in lines."""
    if value is None:
        return {"kind": "nothing"}
    if isinstance(value, str):
        is_link = value.startswith(("http://", "https://")) and not any(mark in value for mark in " \n<>\"'")
        return {"kind": "link" if is_link else "text", "text": value}
    if isinstance(value, dict | list):
        return {"kind": "json", "text": json.dumps(value, indent=2, ensure_ascii=False)}
    return {"kind": "text", "text": json.dumps(value)}


def measure(record: Record) -> float:
    begun = record.get("started") or record.get("queued") or time.time()
    return max(0.0, (record.get("done") or time.time()) - begun)


def show_seconds(seconds: float) -> str:
    if seconds < 0.1:
        return f"{seconds * 1000:.0f} ms"
    if seconds < 10:
        return f"{seconds:.1f} s"
    if seconds < 60:
        return f"{seconds:.0f} s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min {rest} s"
