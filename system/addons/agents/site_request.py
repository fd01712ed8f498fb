"""Runs a method for an assistant as a request to the site, so that all guards of the URL apply."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from io import BytesIO
from typing import Any
from urllib.parse import urlencode

from flask import Flask
from pydantic_core import to_json
from werkzeug.http import parse_options_header

from system.core.dispatch.request import JSON_BODY
from system.core.log import REQUEST_ID
from system.core.web.dispatcher import ADMITTED
from system.core.web.headers import PROXY_REQUEST_ID

LONGEST_TEXT = 100_000  # bytes of a text that are given to a model
LARGEST_FILE = 2_000_000  # bytes of a picture or sound

_WITHOUT_BODY = frozenset({"GET", "HEAD", "DELETE"})
# headers that concern the outer request only
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
    """The response of the site: status, headers, media type, and the kept part of the body."""

    status: str
    headers: list[tuple[str, str]]
    kind: str
    content: bytes
    is_cut: bool
    url: str
    is_admitted: bool  # whether there are guards and they let the request pass

    def header(self, name: str) -> str:
        """The value of a header, which is named as the kernel writes it; empty without one."""
        return _find(self.headers, name)

    @property
    def code(self) -> int:
        return int(self.status[:3])

    @property
    def text(self) -> str:
        charset = parse_options_header(self.header("Content-Type"))[1].get("charset", "utf-8")
        try:
            return self.content.decode(charset, "replace")
        except LookupError:
            return self.content.decode("latin-1")

    @property
    def is_json(self) -> bool:
        return not self.is_cut and (self.kind == "application/json" or self.kind.endswith("+json"))


def request_method(
    app: Flask,
    outer: Mapping[str, Any],
    verb: str,
    path: str,
    arguments: Mapping[str, Any],
    headers: Mapping[str, str] | None = None,
) -> Answer:
    """The answer of a URL of this site to the client of another request: its address, credentials and origin."""
    environ = _make_environ(outer, verb, path, arguments)
    if headers:
        environ |= headers
    sent: list[Any] = []
    admitted: list[bool] = []
    environ[ADMITTED] = admitted

    def start_response(*said: Any) -> Any:
        sent[:] = said

    body = app.wsgi_app(environ, start_response)
    try:
        kind, content, is_cut = _read(iter(body), sent)
    finally:
        if hasattr(body, "close"):
            body.close()
    query = environ["QUERY_STRING"]
    url = f"{path}?{query}" if query else path
    return Answer(sent[0], sent[1], kind, content, is_cut, url if verb == "GET" else "", bool(admitted))


def _make_environ(outer: Mapping[str, Any], verb: str, path: str, arguments: Mapping[str, Any]) -> dict[str, Any]:
    environ = {key: outer[key] for key in _keep(tuple(outer))}
    body = b"" if verb in _WITHOUT_BODY else to_json(arguments, inf_nan_mode="constants")
    environ["REQUEST_METHOD"] = verb
    environ["PATH_INFO"] = path.encode().decode("latin-1")  # PEP 3333, "Unicode Issues"
    environ["QUERY_STRING"] = "" if body else urlencode(list(_in_query(arguments)), errors="surrogatepass")
    environ["CONTENT_TYPE"] = "application/json" if body else ""
    environ["CONTENT_LENGTH"] = str(len(body)) if body else ""
    environ["HTTP_ACCEPT"] = "application/json, text/*;q=0.9, */*;q=0.5"
    environ["wsgi.input"] = BytesIO(body)
    if b"Infinity" not in body:  # a number beyond the range of a float is refused where the body is read
        environ[JSON_BODY] = body, arguments
    environ[PROXY_REQUEST_ID] = outer.get(REQUEST_ID, "")
    return environ


@lru_cache(1000)
def _keep(keys: tuple[str, ...]) -> list[str]:
    """The variables of the outer request that the request to the method gets too."""
    return [key for key in keys if key.startswith(_KEPT) and not key.startswith(_DROPPED)]


def _in_query(arguments: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Arguments as a query: lists repeat their name, null is left out, other values are written as in JSON."""
    for name, value in arguments.items():
        every = value if isinstance(value, list) and not any(isinstance(item, dict) for item in value) else [value]
        for item in every:
            if item is not None:
                yield name, item if isinstance(item, str) else json.dumps(item)


def _read(pieces: Iterator[bytes], sent: list[Any]) -> tuple[str, bytes, bool]:
    """The type and the first bytes of a body, and whether there are more: a stream may have no end."""
    content = next(pieces, b"")  # the headers may come with it
    kind = _find(sent[1], "Content-Type").partition(";")[0].strip().lower()
    most = LONGEST_TEXT if is_text(kind) else LARGEST_FILE
    if len(content) <= most:
        for piece in pieces:
            content += piece
            if len(content) > most:
                break
    return kind, content[:most], len(content) > most


def _find(headers: list[tuple[str, str]], name: str) -> str:
    for key, value in headers:
        if key == name or key.lower() == name.lower():
            return value
    return ""


def is_text(kind: str) -> bool:
    """Whether a media type is one of text."""
    return kind.startswith("text/") or kind.endswith(("json", "xml", "jsonl", "javascript"))
