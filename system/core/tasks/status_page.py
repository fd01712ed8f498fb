"""The status of a task as a page."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import PurePosixPath
from typing import Any

from flask import render_template
from markupsafe import Markup, escape

from ..errors import TaskError
from ..redaction import mask, without_secrets
from ..settings import Settings
from .description import WORDS, describe_task, is_final, measure, show_seconds, show_time
from .payload import decode_message, unpack_params
from .records import Record

_ADDRESS = re.compile(r"(?:https?://|/(?!/))[^\s\"<>\\\\]+")
_QUOTED_ADDRESS = re.compile(r"&#34;((?:https?://|/(?!/))[^\s&\\\\]+)&#34;")
_FILES = {".pdf": "pdf", ".csv": "csv"} | dict.fromkeys(
    (".png", ".jpg", ".jpeg", ".gif", ".webp", ".svg"), "image"
)
# as many files that a record names are shown in place
_MOST_FILES = 3
LONGEST_PARAMS = 20_000


def render_status(
    settings: Settings, record: Record, task_id: str, tracebacks: bool = False, details: bool = False, **more: Any
) -> str:
    """The page of a task. `details` are for those who run the site: method, params, times, worker, log."""
    told = describe_task(record, tracebacks)
    meta = told.get("state")
    named = meta if isinstance(meta, Mapping) else {}
    share = _share(named)
    return render_template(
        "kernkoa/status.html",
        told=told,
        task_id=task_id,
        word=WORDS.get(told["status"], "Running"),
        final=is_final(record),
        title=str(named.get("title") or named.get("text") or ""),
        share=share,
        details={name: value for name, value in named.items() if name not in ("title", "text")},
        result=_show_result(told.get("data")),
        spent=show_seconds(measure(record)),
        left=_time_left(record, share),
        route=record.get("route") if details else "",
        facts=_list_facts(record) if details else {},
        params=show_params(record, settings) if details else "",
        printed="\n".join(map(str, record.get("log") or ())) if details else "",
        **more,
    )


def show_params(record: Record, settings: Settings) -> str:
    """The params of a task as JSON without the values of secrets; nothing if they are not kept."""
    try:
        params = unpack_params(decode_message(record["message"])["params"]) if record.get("message") else None
    except TaskError:
        return ""
    if params is None:
        return ""
    text = json.dumps(without_secrets(params), indent=2, ensure_ascii=False, default=str)
    return mask(text[:LONGEST_PARAMS], settings)


def _list_facts(record: Record) -> dict[str, Any]:
    """When and where a task ran, and which try it is."""
    facts = {
        "Queued": show_time(record.get("queued")),
        "Started": show_time(record.get("started")),
        "Ended": show_time(record.get("done")),
        "Queue": record.get("queue"),
        "Worker": record.get("worker"),
        "Try": int(record.get("retries") or 0) + max(1, int(record.get("runs") or 1)),
    }
    return {name: value for name, value in facts.items() if value}


def _share(meta: Mapping[str, Any]) -> float | None:
    """How much is done, 0 to 1, where the report says it: done of total, number of total, or percent."""
    done, total = meta.get("done", meta.get("number", meta.get("current"))), meta.get("total")
    if "percent" in meta:
        done, total = meta["percent"], 100
    if isinstance(done, int | float) and isinstance(total, int | float) and total > 0:
        return max(0.0, min(1.0, done / total))
    return None


def _time_left(record: Record, share: float | None) -> str:
    """The remaining time of a running task at its rate so far; empty if unknown."""
    if not share or share >= 1 or record.get("status") != "STARTED":
        return ""
    return show_seconds(measure(record) * (1 - share) / share)


def _show_result(value: Any) -> dict[str, Any]:
    """A result by its kind: nothing, a link, a table, text, or JSON in lines; and its files of this site."""
    if value is None:
        return {"kind": "nothing"}
    if isinstance(value, str):
        kind = "link" if _ADDRESS.fullmatch(value) else "text"
        return {"kind": kind, "text": value, "files": _find_files([value])}
    if _is_table(value):
        return {"kind": "table", "names": list(value[0]), "rows": [[*row.values()] for row in value[:1000]]}
    if isinstance(value, dict | list):
        files = _find_files([*value.values()] if isinstance(value, dict) else [])
        return {"kind": "json", "text": _link(json.dumps(value, indent=2, ensure_ascii=False)), "files": files}
    return {"kind": "text", "text": json.dumps(value)}


def _find_files(values: list[Any]) -> list[tuple[str, str]]:
    """The first of these values that are images, PDFs or CSV files of this site: (kind, address)."""
    texts = (value for value in values if isinstance(value, str) and value.startswith("/"))
    kinds = ((_kind_of_file(text), text) for text in texts if _ADDRESS.fullmatch(text))
    return [(kind, text) for kind, text in kinds if kind][:_MOST_FILES]


def _kind_of_file(address: str) -> str:
    path = address.lower().partition("?")[0].partition("#")[0]
    return _FILES.get(PurePosixPath(path).suffix, "")


def _is_table(value: Any) -> bool:
    """Whether a value is a list of flat records with the same names."""
    if not isinstance(value, list) or len(value) < 2 or not all(isinstance(row, dict) for row in value):
        return False
    names = list(value[0])
    return bool(names) and all(
        list(row) == names and not any(isinstance(cell, dict | list) for cell in row.values()) for row in value
    )


def _link(text: str) -> Markup:
    """JSON text in which each value that is an address is a link."""
    return Markup(_QUOTED_ADDRESS.sub(r'&#34;<a href="\1">\1</a>&#34;', str(escape(text))))  # noqa: S704 - escaped
