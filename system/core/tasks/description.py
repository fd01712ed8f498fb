"""The description of a task: its status, state, result or error, and duration."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

from .records import FINAL, Record

WORDS = {
    "PENDING": "Queued",
    "SUCCESS": "Done",
    "FAILURE": "Failed",
    "REVOKED": "Cancelled",
    "RETRY": "Waiting to try again",
}


def describe_task(record: Record, development: bool = False) -> dict[str, Any]:
    """The JSON of a task's status: its state, data or error; in development its traceback and what it printed."""
    printed = record.get("log") if development else None
    return _describe(record, development) | ({"log": printed} if isinstance(printed, list) else {})


def _describe(record: Record, development: bool) -> dict[str, Any]:
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
        error["traceback"] = str(found["traceback"])
    return error


def is_final(record: Record) -> bool:
    """Whether a task has ended."""
    return record.get("status") in FINAL


def measure(record: Record) -> float:
    """The seconds that a task has run, or has waited if it still waits."""
    begun = record.get("started") or record.get("queued") or time.time()
    return max(0.0, (record.get("done") or time.time()) - begun)


def show_seconds(seconds: float) -> str:
    """Seconds in words: 24 ms, 1.5 s, 2 h 3 min."""
    if seconds < 0.1:
        return f"{seconds * 1000:.0f} ms"
    if seconds < 10:
        return f"{seconds:.1f} s"
    if seconds < 60:
        return f"{seconds:.0f} s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min {rest} s"


def show_time(moment: float | None) -> str:
    """A moment in local time; nothing for none."""
    return time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(moment)) if moment else ""
