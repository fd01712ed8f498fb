"""The views: `POST /_koa/mcp`, the page that says how to connect, and llms.txt."""

from __future__ import annotations

import json
import logging
import sys
import time
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from flask import Response, render_template
from mcp_types.jsonrpc import INVALID_PARAMS
from werkzeug.exceptions import Forbidden, NotAcceptable, UnsupportedMediaType

from system.core.dispatch.request import request
from system.core.errors import KernKoaError
from system.core.explorer.listing import Listing
from system.core.settings import Settings
from system.core.web.application import KernKoa

from .calls import describe, failure, request_method
from .guides import Guides
from .jobs import TASK_TOOLS, call_task_tool, describe_handle
from .protocol import Handler, ProtocolError, Server
from .tools import MethodTool, Tools
from .visits import Visit

log = logging.getLogger("kernkoa.agents")

TOOLS_A_PAGE = 500
LARGEST_MESSAGE = 1_000_000  # bytes
MOST_CALLS = 50
HEADERS = {
    "mcp-protocol-version": "HTTP_MCP_PROTOCOL_VERSION",
    "mcp-method": "HTTP_MCP_METHOD",
    "mcp-name": "HTTP_MCP_NAME",
}


@dataclass(frozen=True, slots=True)
class LastCall:
    """A call of a tool, for the page: when (seconds since 1970), which, how long, and whether it failed."""

    when: float
    tool: str
    milliseconds: float
    failed: bool


class Door:
    """What assistants reach of a site. `policy` is the setting `agents`; empty, the developer's machine only."""

    def __init__(self, app: KernKoa, policy: str) -> None:
        self.app = app
        self.policy = policy
        self.tools = Tools(Listing(app.catalog, app.settings.home))
        self.guides = Guides(app, self.tools)
        self.last_calls: deque[LastCall] = deque(maxlen=MOST_CALLS)

    def visit(self) -> Visit:
        """The visit of this request. Raises Forbidden where the site is not open to it."""
        if not self.policy and not request.is_local:
            raise Forbidden("Assistants on other machines need the setting agents in config.py.")
        return self.visit_from(request.environ)

    def visit_from(self, environ: Mapping[str, Any]) -> Visit:
        return Visit(
            self.app.catalog, self.app.settings, environ, bool(self.policy), needs_guard=self.policy == "guarded"
        )

    def server(self, visit: Visit) -> Server:
        """What speaks to this visitor."""
        settings = self.app.settings
        handlers: dict[str, Handler] = {
            "tools/list": lambda params: self._list_tools(params, visit),
            "tools/call": lambda params: self._call_tool(params, visit),
            "resources/list": lambda params: self.guides.list_all(visit),
            "resources/templates/list": lambda params: {"resourceTemplates": []},
            "resources/read": lambda params: self.guides.read(params.uri, visit),
        }
        version = str(getattr(settings, "version", "1.0.0"))
        about = (
            f"The methods of the site {settings.name}. A long job answers at once with its id; ask task_status."
        )
        return Server(settings.name, version, about, handlers)

    def _list_tools(self, params: Any, visit: Visit) -> dict[str, Any]:
        start = _read_cursor(params.cursor if params else None)
        every = [*TASK_TOOLS, *(tool.described for tool in self.tools.every(visit))]
        listed: dict[str, Any] = {"tools": every[start : start + TOOLS_A_PAGE]}
        if start + TOOLS_A_PAGE < len(every):
            listed["nextCursor"] = str(start + TOOLS_A_PAGE)
        return listed

    def _call_tool(self, params: Any, visit: Visit) -> dict[str, Any]:
        begun = time.perf_counter()
        arguments = params.arguments or {}
        result = call_task_tool(self.app, params.name, arguments, visit.environ)
        if result is None:
            tool = self.tools.find(params.name, visit)
            if tool is None:
                raise ProtocolError(
                    INVALID_PARAMS, f"There is no tool {params.name[:100]!r}. List the tools again."
                )
            result = self._run(tool, arguments, visit)
        spent = 1000 * (time.perf_counter() - begun)
        failed = bool(result.get("isError"))
        self.last_calls.appendleft(LastCall(time.time(), params.name, spent, failed))
        log.info("tool %s %s in %.0f ms", params.name[:100], "failed" if failed else "done", spent)
        return result

    def _run(self, tool: MethodTool, arguments: dict[str, Any], visit: Visit) -> dict[str, Any]:
        if tool.method.is_task:
            return self._start_task(tool, arguments)
        environ = dict(visit.environ)
        prefer = {"HTTP_PREFER": "respond-async"} if tool.is_background else {}
        answer = request_method(self.app, environ, tool.verb, tool.path, arguments, prefer)
        handle = _handle_of(answer.content) if answer.is_json and answer.response.status_code < 300 else None
        return describe_handle(handle) if handle else describe(answer, self.app.settings)

    def _start_task(self, tool: MethodTool, arguments: dict[str, Any]) -> dict[str, Any]:
        """Task methods have no URL: they are started as exeTask starts them, their guards asked before."""
        try:
            return describe_handle(self.app.tasks.exeTask(None, tool.method.place, arguments or None))
        except KernKoaError as error:
            return failure(error.detail)

    # --- views ---

    def answer(self) -> Response:
        """The answer to one message of a client."""
        _check_types()
        request.max_content_length = LARGEST_MESSAGE
        reply = self.server(self.visit()).answer(request.get_data(), _headers())
        response = Response(reply.body, reply.status, mimetype="application/json" if reply.body else None)
        response.headers.extend(reply.headers)
        response.headers["Cache-Control"] = "no-store"
        return response

    def page(self) -> Response:
        """How to connect an assistant, the tools as this visitor has them, the last calls of this process."""
        visit = self.visit()
        address = f"{self.app.settings.url}_koa/mcp"
        page = {
            "site": self.app.settings.name,
            "address": address,
            "policy": self.policy,
            "snippets": _snippets(self.app.settings, address),
            "tools": [*TASK_TOOLS, *(tool.described for tool in self.tools.every(visit))],
            "calls": list(self.last_calls) if request.is_local else [],
        }
        response = Response(render_template("agents/connect.html", **page))
        response.headers["Cache-Control"] = "no-store"
        return response

    def llms(self) -> Response:
        """The catalogue in short Markdown, for models that read: https://llmstxt.org"""
        return Response(self.guides.overview(self.visit()), mimetype="text/plain")


def _check_types() -> None:
    if request.mimetype != "application/json":
        raise UnsupportedMediaType("Send the message as application/json.")
    if request.accept_mimetypes and not request.accept_mimetypes.accept_json:
        raise NotAcceptable("The answer is application/json: say so in Accept.")


def _headers() -> dict[str, str]:
    """The headers of the protocol by their lower-case names."""
    environ = request.environ
    return {name: environ[variable] for name, variable in HEADERS.items() if variable in environ}


def _read_cursor(cursor: str | None) -> int:
    if cursor is None:
        return 0
    if not (cursor.isascii() and cursor.isdecimal() and len(cursor) < 10):
        raise ProtocolError(INVALID_PARAMS, "This cursor is not one of ours. List again without it.")
    return int(cursor)


def _handle_of(content: bytes) -> dict[str, str] | None:
    """The handle of a task that a method started; None for any other answer."""
    value = json.loads(content)
    if isinstance(value, dict) and value.get("type") == "task" and {"id", "url"} <= value.keys():
        return {"type": "task", "id": str(value["id"]), "url": str(value["url"])}
    return None


def _snippets(settings: Settings, address: str) -> list[tuple[str, str]]:
    """Configurations of common clients, each with the name of the client."""
    name, server = settings.name, {"type": "http", "url": address}
    found = [
        ("Claude Code", f"claude mcp add --transport http {name} {address}"),
        ("VS Code: .vscode/mcp.json", json.dumps({"servers": {name: server}}, indent=2)),
        ("Other clients", json.dumps({"mcpServers": {name: server}}, indent=2)),
    ]
    if request.is_local:  # the paths of this machine are for its own clients
        command = {"command": sys.executable, "args": [str(settings.path / "kernkoa.py"), "mcp"]}
        text = json.dumps({"mcpServers": {name: command}}, indent=2)
        found.append(("Clients on this machine that start the server themselves", text))
    return found
