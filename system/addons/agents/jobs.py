"""The tools for running jobs: task_status and task_cancel."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

from system.core.web.application import KernKoa

from .results import describe
from .site_request import request_method

_ID = {
    "type": "object",
    "properties": {
        "id": {"type": "string", "description": "The id of the task, from the answer that started it."}
    },
    "required": ["id"],
}
TASK_TOOLS: tuple[dict[str, Any], ...] = (
    {
        "name": "task_status",
        "title": "Status of a task",
        "description": "How far a long job is: status, the state it reports, and its result or error at the end.",
        "inputSchema": _ID,
        "annotations": {"readOnlyHint": True, "destructiveHint": False, "idempotentHint": True},
    },
    {
        "name": "task_cancel",
        "title": "Cancel a task",
        "description": "Cancels a long job, waiting or running.",
        "inputSchema": _ID,
        "annotations": {"readOnlyHint": False, "destructiveHint": True, "idempotentHint": True},
    },
)
_VERBS = {"task_status": "GET", "task_cancel": "DELETE"}


def call_task_tool(
    app: KernKoa, name: str, arguments: Mapping[str, Any], environ: Mapping[str, Any]
) -> dict[str, Any] | bytes | None:
    """The result of one of the tools for tasks, over the site's own /status/<id>; None for another tool."""
    verb = _VERBS.get(name)
    if verb is None:
        return None
    task_id = str(arguments.get("id", ""))
    answer = request_method(app, environ, verb, f"/status/{quote(task_id, safe='')}", {})
    return describe(answer, app.settings)
