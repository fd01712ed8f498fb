"""The results of tools for a model: text, data, an image, or an error with advice."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from typing import Any
from urllib.parse import urljoin

from mcp_types.jsonrpc import INVALID_REQUEST
from pydantic_core import from_json, to_json

from system.core.settings import Settings

from .protocol import ProtocolError
from .site_request import LONGEST_TEXT, Answer, is_text

MOST_FAULTS = 20


def describe(answer: Answer, settings: Settings) -> dict[str, Any] | bytes:
    """The result of a tool. The URL of the site in `settings` leads to what is too large to be shown whole.

    Raises ProtocolError with status 401 where the site asks for credentials.
    """
    status = answer.code
    if status == 401:
        challenge = answer.header("WWW-Authenticate") or "Bearer"
        raise ProtocolError(
            INVALID_REQUEST, _refusal(answer), status=401, headers=(("WWW-Authenticate", challenge),)
        )
    if status >= 400:
        return failure(_refusal(answer))
    if status >= 300:
        return {"content": [_text(f"It leads to {urljoin(settings.url, answer.header('Location'))}.")]}
    if status == 204 or not answer.content:
        return {"content": [_text("Done. There is no result to show.")]}
    made = _describe_json(answer.content) if answer.is_json else None
    return made or {"content": [_describe_content(answer, settings.url)]}


def _describe_json(content: bytes) -> dict[str, Any] | bytes | None:
    """A JSON body as text and as structured content, unchanged; None for invalid JSON."""
    try:
        value = from_json(content, allow_inf_nan=False)
    except ValueError:
        return None
    text = to_json(content.decode())
    if isinstance(value, dict):
        if value.get("type") == "task" and value.keys() >= {"id", "url"}:
            return describe_handle(value)
    else:
        content = b'{"result":%s}' % content
    made = b'{"content":[{"type":"text","text":%s}],"structuredContent":%s}'
    return made % (text, content.translate(None, b"\r\n"))


def describe_handle(handle: Mapping[str, Any]) -> dict[str, Any]:
    """The result of a tool that started a task."""
    told = {"type": "task", "id": str(handle["id"]), "url": str(handle["url"])}
    hint = f"The job runs. Call task_status with the id {told['id']} until its status is SUCCESS or FAILURE."
    return {"content": [_text(json.dumps(told)), _text(hint)], "structuredContent": told}


def failure(text: str) -> dict[str, Any]:
    """The result of a tool that failed, with a text that helps the model to correct its call."""
    return {"content": [_text(text)], "isError": True}


def _describe_content(answer: Answer, site: str) -> dict[str, Any]:
    kind = answer.kind or "application/octet-stream"
    where = f" The whole is at {urljoin(site, answer.url.lstrip('/'))}" if answer.url else ""
    if is_text(kind):
        cut = f"\n[Cut after {LONGEST_TEXT} bytes.{where}]" if answer.is_cut else ""
        return _text(answer.text + cut)
    if answer.is_cut or not kind.startswith(("image/", "audio/")):
        return _text(f"The result is a file of the type {kind}.{where or ' It cannot be shown here.'}")
    return {"type": kind.partition("/")[0], "data": base64.b64encode(answer.content).decode(), "mimeType": kind}


def _refusal(answer: Answer) -> str:
    """The reason of a refusal, with each fault."""
    try:
        problem = json.loads(answer.content)
    except ValueError:
        problem = {}
    if not isinstance(problem, dict) or "detail" not in problem:
        return f"The site answered {answer.status}: {answer.text[:1000]}".strip()
    faults = [
        f"- {fault.get('name')}: expected {fault.get('expected')}, got {json.dumps(fault.get('got'))}. "
        f"{fault.get('hint', '')}"
        for fault in problem.get("errors", ())[:MOST_FAULTS]
    ]
    return "\n".join([f"{problem.get('title', 'Error')}: {problem['detail']}", *faults])


def _text(text: str) -> dict[str, Any]:
    return {"type": "text", "text": text}
