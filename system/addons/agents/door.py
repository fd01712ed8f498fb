"""The views: `POST /_koa/mcp`, the page that says how to connect, and llms.txt."""

from __future__ import annotations

import json
import logging
import sys
import time
from collections.abc import Mapping
from typing import Any

from flask import Response, render_template, url_for
from mcp_types.jsonrpc import INVALID_PARAMS
from werkzeug.exceptions import Forbidden, NotAcceptable, UnsupportedMediaType

from system.core.dispatch.request import request
from system.core.dispatch.responses import no_store
from system.core.errors import KernKoaError
from system.core.explorer.access import PUBLIC, Visitor
from system.core.explorer.listing import Listing
from system.core.explorer.markdown import render_line
from system.core.settings import Settings
from system.core.web.application import KernKoa

from .front import LARGEST_MESSAGE, read_headers
from .guides import Guides
from .jobs import TASK_TOOLS, call_task_tool
from .last_calls import LastCalls
from .protocol import Handler, ProtocolError, Reply, Server, encode_tool, read_message
from .results import describe, describe_handle, failure
from .site_request import request_method
from .tools import MethodTool, Tools
from .visits import Visit

log = logging.getLogger("kernkoa.agents")

TOOLS_A_PAGE = 1000


class Door:
    """The interface for assistants. `policy` is the setting `agents`; if empty, only this machine has access."""

    def __init__(self, app: KernKoa, policy: str) -> None:
        self.app = app
        self.policy = policy
        self.tools = Tools(Listing(app.catalog, app.settings.home))
        self.guides = Guides(app, self.tools)
        self.last_calls = LastCalls(app.settings.var / "agents")
        settings = app.settings
        version = str(getattr(settings, "version", "1.0.0"))
        about = (
            f"The methods of the site {settings.name}. A long job answers at once with its id; ask task_status."
        )
        handlers: dict[str, Handler] = {
            "tools/list": self._list_tools,
            "tools/call": self._call_tool,
            "resources/list": lambda params, visit: self.guides.list_all(visit),
            "resources/templates/list": lambda params, visit: {"resourceTemplates": []},
            "resources/read": lambda params, visit: self.guides.read(params.uri, visit),
        }
        self.server = Server(settings.name, version, about, handlers)

    def visit(self) -> Visit:
        """The visit of this request. Raises Forbidden where the site is not open to it."""
        if not self.policy and not request.is_local:
            raise Forbidden("Assistants on other machines need the setting agents in config.py.")
        return self.visit_from(request.environ)

    def visit_from(self, environ: Mapping[str, Any]) -> Visit:
        return Visit(
            self.app.catalog, self.app.settings, environ, bool(self.policy), needs_guard=self.policy == "guarded"
        )

    # --- methods of the protocol ---

    def _list_tools(self, params: Any, visit: Visit) -> bytes:
        start = _read_cursor(params.cursor if params else None)
        every = [*map(encode_tool, TASK_TOOLS), *(tool.encoded for tool in self.tools.every(visit))]
        end = start + TOOLS_A_PAGE
        more = b',"nextCursor":"%d"' % end if end < len(every) else b""
        return b'{"tools":[%s]%s}' % (b",".join(every[start:end]), more)

    def _call_tool(self, params: Any, visit: Visit) -> dict[str, Any] | bytes:
        begun = time.perf_counter()
        name, arguments = params.name, params.arguments or {}
        result = call_task_tool(self.app, name, arguments, visit.environ)
        if result is None:
            tool = self.tools.find(name, visit)
            if tool is None:
                raise _no_tool(name)
            result = self._run(tool, arguments, visit)
        spent = 1000 * (time.perf_counter() - begun)
        failed = isinstance(result, dict) and bool(result.get("isError"))
        self.last_calls.add(name, spent, failed)
        log.info("tool %s %s in %.0f ms", name, "failed" if failed else "done", spent)
        return result

    def _run(self, tool: MethodTool, arguments: dict[str, Any], visit: Visit) -> dict[str, Any] | bytes:
        if tool.method.is_task:
            return self._start_task(tool, arguments)
        prefer = {"HTTP_PREFER": "respond-async"} if tool.is_background else None
        answer = request_method(self.app, visit.environ, tool.verb, tool.method.url, arguments, prefer)
        if visit.needs_guard and not answer.is_admitted:
            raise _no_tool(tool.name)
        result = describe(answer, self.app.settings)
        if isinstance(result, dict) and "structuredContent" not in result and "outputSchema" in tool.described:
            result["isError"] = True  # clients hold a result without an error against the schema
        return result

    def _start_task(self, tool: MethodTool, arguments: dict[str, Any]) -> dict[str, Any]:
        """Task methods have no URL: they are started like exeTask does, after their guards."""
        try:
            return describe_handle(self.app.tasks.exeTask(None, tool.method.place, arguments or None))
        except KernKoaError as error:
            return failure(error.detail)

    # --- calls without the context of a request ---

    def answer_call(self, body: bytes, environ: Mapping[str, Any]) -> Reply | None:
        """The reply to a call of a method that has a URL; None for messages that need the context of a request."""
        try:
            message = read_message(body)
        except ProtocolError:
            return None
        if message.get("method") != "tools/call" or not self.tools.has_url(message["params"].get("name")):
            return None
        return self.server.answer_message(message, read_headers(environ), self.visit_from(environ))

    # --- views ---

    def answer(self) -> Response:
        """The answer to one message of a client."""
        _check_types()
        request.max_content_length = LARGEST_MESSAGE
        reply = self.server.answer(request.get_data(), read_headers(request.environ), self.visit())
        response = Response(reply.body, reply.status, mimetype="application/json" if reply.body else None)
        response.headers.extend(reply.headers)
        return no_store(response)

    def page(self) -> Response:
        """How to connect an assistant, the tools as this visitor has them, the last calls."""
        visit = self.visit()
        address = f"{self.app.settings.url}_koa/mcp"
        page = {
            "site": self.app.settings.name,
            "address": address,
            "policy": self.policy,
            "explorer": url_for("explorer") if "explorer" in self.app.view_functions else "",
            "line": render_line,
            "snippets": _snippets(self.app.settings, address),
            "tools": [*TASK_TOOLS, *(tool.described for tool in self.tools.every(visit))],
            "calls": self.last_calls.newest() if self._sees_calls() else [],
        }
        return no_store(Response(render_template("agents/connect.html", **page)))

    def _sees_calls(self) -> bool:
        """Whether the client may see the last calls: this machine, and users with the role in `explorer`."""
        role = self.app.settings.explorer
        if request.is_local or not isinstance(role, str) or role == PUBLIC:
            return request.is_local
        return Visitor(self.app.catalog, self.app.settings).has_role()

    def llms(self) -> Response:
        """The catalogue in short Markdown, for models that read: https://llmstxt.org"""
        return Response(self.guides.overview(self.visit()), mimetype="text/plain")


def _no_tool(name: str) -> ProtocolError:
    """The error for a tool that is not there, or not for this visitor."""
    return ProtocolError(INVALID_PARAMS, f"There is no tool {name[:100]!r} for you. List the tools again.")


def _check_types() -> None:
    if request.mimetype != "application/json":
        raise UnsupportedMediaType("Send the message as application/json.")
    if request.accept_mimetypes and not request.accept_mimetypes.accept_json:
        raise NotAcceptable("The answer is application/json: say so in Accept.")


def _read_cursor(cursor: str | None) -> int:
    if cursor is None:
        return 0
    if not (cursor.isascii() and cursor.isdecimal() and len(cursor) < 10):
        raise ProtocolError(INVALID_PARAMS, "This cursor is not one of ours. List again without it.")
    return int(cursor)


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
