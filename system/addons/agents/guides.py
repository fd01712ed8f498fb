"""What assistants can read: a guide to each library, files under pdfs/ where the site says so, llms.txt."""

from __future__ import annotations

import base64
import os
from collections.abc import Iterator
from itertools import groupby
from typing import Any
from urllib.parse import quote, unquote

from mcp_types.jsonrpc import INVALID_PARAMS

from system.core.web.application import KernKoa

from .protocol import ProtocolError
from .site_request import request_method
from .tools import MethodTool, Tools
from .visits import Visit

GUIDE, FILE = "koa://guide/", "koa://pdfs/"
MOST_FILES = 100


class Guides:
    """The resources of a site."""

    def __init__(self, app: KernKoa, tools: Tools) -> None:
        self._app = app
        self._tools = tools

    def list_all(self, visit: Visit) -> dict[str, Any]:
        """A guide for each library that has tools, and the newest files."""
        guides = [
            {"uri": GUIDE + library, "name": library, "title": f"Guide to {library}", "mimeType": "text/markdown"}
            for library in self._by_library(visit)
        ]
        return {"resources": [*guides, *self._files()]}

    def read(self, uri: str, visit: Visit) -> dict[str, Any]:
        """The contents of a resource. Raises ProtocolError for one that is not listed."""
        content: dict[str, str] | None = None
        if uri.startswith(GUIDE):
            tools = self._by_library(visit).get(uri.removeprefix(GUIDE))
            content = {"text": "\n\n".join(map(_describe, tools)), "mimeType": "text/markdown"} if tools else None
        elif uri in (item["uri"] for item in self._files()):
            content = self._read_file(uri.removeprefix(FILE), visit)
        if content is None:
            raise ProtocolError(INVALID_PARAMS, f"There is no resource {uri[:200]!r}. List the resources again.")
        return {"contents": [{"uri": uri, **content}]}

    def overview(self, visit: Visit) -> str:
        """The catalogue in short Markdown."""
        settings = self._app.settings
        parts = [f"# {settings.name}", f"> The methods of this site. Call them by URL below {settings.url}"]
        for library, tools in self._by_library(visit).items():
            lines = [
                f"- [{tool.method.place}]({_link(settings.url, tool)}): {tool.method.summary}" for tool in tools
            ]
            parts.append("\n".join([f"## {library}", "", *lines]))
        return "\n\n".join(parts) + "\n"

    def _by_library(self, visit: Visit) -> dict[str, list[MethodTool]]:
        every = self._tools.every(visit)
        return {name: list(tools) for name, tools in groupby(every, lambda tool: tool.method.library)}

    def _files(self) -> Iterator[dict[str, str]]:
        """The newest files of the folder pdfs, with the setting agentFiles."""
        settings = self._app.settings
        if not getattr(settings, "agentFiles", False):
            return
        folder = settings.folder(settings.pdfPath)
        with os.scandir(folder) as entries:
            found = [entry for entry in entries if entry.is_file() and not entry.name.startswith(".")]
        for entry in sorted(found, key=lambda entry: -entry.stat().st_mtime)[:MOST_FILES]:
            kind = "application/pdf" if entry.name.endswith(".pdf") else "application/octet-stream"
            yield {"uri": FILE + quote(entry.name), "name": entry.name, "mimeType": kind}

    def _read_file(self, name: str, visit: Visit) -> dict[str, str] | None:
        """A file as the site serves it to this visitor."""
        answer = request_method(self._app, visit.environ, "GET", f"/pdfs/{unquote(name)}", {})
        if answer.code != 200 or answer.is_cut:
            return None
        return {"blob": base64.b64encode(answer.content).decode(), "mimeType": answer.kind}


def _link(site: str, tool: MethodTool) -> str:
    return site + tool.method.short_url.lstrip("/") if tool.method.short_url else site


def _describe(tool: MethodTool) -> str:
    method = tool.method
    how = f"`{tool.verb} {method.short_url}`" if method.short_url else "a job: it answers with an id"
    return f"## {method.place}\n\nTool `{tool.name}`, {how}\n\n{method.doc}".strip()
