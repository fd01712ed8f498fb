"""Runs a method for an assistant as a separate request to the site: what guards a URL guards a tool too.

The result is what a model can read: text, structured data, a picture, or what went wrong and what to do about it.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from io import BytesIO
from typing import Any
from urllib.parse import urlencode, urljoin

from flask import Flask
from mcp_types.jsonrpc import INVALID_REQUEST
from werkzeug.test import run_wsgi_app
from werkzeug.wrappers import Response

from system.core.settings import Settings

from .protocol import ProtocolError

LONGEST_TEXT = 100_000  # characters that a model is given of one answer
LARGEST_FILE = 2_000_000  # bytes of a picture or sound
MOST_FAULTS = 20

_WITHOUT_BODY = frozenset({"GET", "HEAD", "DELETE"})
# headers that speak of the outer request alone
_DROPPED = (
    "HTTP_MCP_", "HTTP_ACCEPT", "HTTP_PREFER", "HTTP_IF_", "HTTP_RANGE", "HTTP_TRANSFER_ENCODING", "HTTP_EXPECT",
    "HTTP_CONTENT_", "HTTP_CONNECTION",
)  # fmt: skip
_KEPT = (
    "HTTP_", "SERVER_", "REMOTE_", "wsgi.version", "wsgi.url_scheme", "wsgi.errors", "wsgi.multi", "wsgi.run_once",
    "SCRIPT_NAME", "HTTPS",
)  # fmt: skip


@dataclass(slots=True)
class Answer:
    """What the site answered: its status, type and headers, and as much of the body as is kept."""

    response: Response
    content: bytes
    is_cut: bool
    url: str

    @property
    def text(self) -> str:
        return self.content.decode(self.response.mimetype_params.get("charset", "utf-8"), "replace")

    @property
    def is_json(self) -> bool:
        return self.response.is_json and not self.is_cut


def request_method(
    app: Flask,
    outer: Mapping[str, Any],
    verb: str,
    path: str,
    arguments: Mapping[str, Any],
    headers: Mapping[str, str] | None = None,
) -> Answer:
    """The answer of a URL of this site to the client of another request: its address, credentials and origin."""
    environ = _make_environ(outer, verb, path, arguments) | dict(headers or {})
    body, status, sent = run_wsgi_app(app.wsgi_app, environ)
    response = Response(status=status, headers=sent)
    try:
        most = LONGEST_TEXT if _is_text(response) else LARGEST_FILE
        content, is_cut = _read(iter(body), most)
    finally:
        getattr(body, "close", lambda: None)()
    query = f"?{environ['QUERY_STRING']}" if environ["QUERY_STRING"] else ""
    return Answer(response, content, is_cut, path + query if verb == "GET" else "")


def _make_environ(outer: Mapping[str, Any], verb: str, path: str, arguments: Mapping[str, Any]) -> dict[str, Any]:
    environ = {
        key: value for key, value in outer.items() if key.startswith(_KEPT) and not key.startswith(_DROPPED)
    }
    body = b"" if verb in _WITHOUT_BODY else json.dumps(arguments).encode()
    query = "" if body else urlencode(list(_in_query(arguments)), errors="surrogatepass")
    return environ | {
        "REQUEST_METHOD": verb,
        "PATH_INFO": path.encode().decode("latin-1"),  # PEP 3333, "Unicode Issues"
        "QUERY_STRING": query,
        "CONTENT_TYPE": "application/json" if body else "",
        "CONTENT_LENGTH": str(len(body)) if body else "",
        "HTTP_ACCEPT": "application/json, text/*;q=0.9, */*;q=0.5",
        "wsgi.input": BytesIO(body),
    }


def _in_query(arguments: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Arguments as a query: lists repeat their name, null is left out, other values are written as in JSON."""
    for name, value in arguments.items():
        every = value if isinstance(value, list) and not any(isinstance(item, dict) for item in value) else [value]
        for item in every:
            if item is not None:
                yield name, item if isinstance(item, str) else json.dumps(item)


def _read(pieces: Iterator[bytes], most: int) -> tuple[bytes, bool]:
    """The first bytes of a body, and whether there are more: a stream may have no end."""
    content = bytearray()
    for piece in pieces:
        content += piece
        if len(content) > most:
            return bytes(content[:most]), True
    return bytes(content), False


def _is_text(response: Response) -> bool:
    kind = response.mimetype or ""
    return kind.startswith("text/") or kind.endswith(("json", "xml", "jsonl", "javascript"))


def describe(answer: Answer, settings: Settings) -> dict[str, Any]:
    """The result of a tool. The URL of the site in `settings` leads to what is too large to be shown whole.

    Raises ProtocolError with status 401 where the site asks for credentials.
    """
    status = answer.response.status_code
    if status == 401:
        challenge = answer.response.headers.get("WWW-Authenticate", "Bearer")
        raise ProtocolError(
            INVALID_REQUEST, _refusal(answer), status=401, headers=[("WWW-Authenticate", challenge)]
        )
    if status >= 400:
        return failure(_refusal(answer))
    if 300 <= status < 400:
        return {
            "content": [
                _text(f"It leads to {urljoin(settings.url, answer.response.headers.get('Location', ''))}.")
            ]
        }
    if status == 204 or not answer.content:
        return {"content": [_text("Done. There is no result to show.")]}
    if answer.is_json:
        return describe_value(json.loads(answer.content))
    return {"content": [_describe_content(answer, settings.url)]}


def describe_value(value: Any) -> dict[str, Any]:
    """A JSON value as text and as structured content, which is an object."""
    structured = value if isinstance(value, dict) else {"result": value}
    return {"content": [_text(json.dumps(value, ensure_ascii=False))], "structuredContent": structured}


def failure(text: str) -> dict[str, Any]:
    """The result of a tool that did not work, in words that let a model do better."""
    return {"content": [_text(text)], "isError": True}


def _describe_content(answer: Answer, site: str) -> dict[str, Any]:
    kind = answer.response.mimetype or "application/octet-stream"
    where = f" The whole is at {urljoin(site, answer.url.lstrip('/'))}" if answer.url else ""
    if _is_text(answer.response):
        cut = f"\n[Cut after {LONGEST_TEXT} bytes.{where}]" if answer.is_cut else ""
        return _text(answer.text + cut)
    if answer.is_cut or not kind.startswith(("image/", "audio/")):
        return _text(f"The result is a file of the type {kind}.{where or ' It cannot be shown here.'}")
    return {"type": kind.partition("/")[0], "data": base64.b64encode(answer.content).decode(), "mimeType": kind}


def _refusal(answer: Answer) -> str:
    """Why the site refused, with each fault that it found."""
    try:
        problem = json.loads(answer.content)
    except ValueError:
        problem = {}
    if not isinstance(problem, dict) or "detail" not in problem:
        return f"The site answered {answer.response.status}: {answer.text[:1000]}".strip()
    faults = [
        f"- {fault.get('name')}: expected {fault.get('expected')}, got {json.dumps(fault.get('got'))}. "
        f"{fault.get('hint', '')}"
        for fault in problem.get("errors", ())[:MOST_FAULTS]
    ]
    return "\n".join([f"{problem.get('title', 'Error')}: {problem['detail']}", *faults])


def _text(text: str) -> dict[str, Any]:
    return {"type": "text", "text": text}
