"""Responds while the development server cannot start: the error, and a page that waits for the fix."""

from __future__ import annotations

import re
import secrets
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from flask import Response
from jinja2 import Environment, FileSystemLoader

from ..dispatch.page_policy import HEADER, NONCE_BYTES, policy_of
from ..dispatch.problems import UNEXPECTED
from ..dispatch.request import KernelRequest
from ..dispatch.responses import json_response
from ..redaction import mask
from ..settings import Settings
from .tracebacks import link_to

TEMPLATES = Path(__file__).parents[1] / "templates"
_PLACE = re.compile(r'(?:File "(?P<quoted>[^"\n]+)"|(?<!\S)(?P<bare>/\S+?\.py)), line (?P<line>\d+)')


class StandIn:
    """A WSGI application that answers every request with the reason why the server did not start."""

    def __init__(self, said: str, settings: Settings) -> None:
        self._said = mask(said.strip("\n"), settings)
        self._settings = settings
        self._token = secrets.token_hex(8)
        self._templates = Environment(loader=FileSystemLoader(TEMPLATES), autoescape=True)

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        return self._answer(KernelRequest(environ))(environ, start_response)

    def _answer(self, request: KernelRequest) -> Response:
        if request.path.endswith("/_koa/changed"):
            is_news = request.args.get("since") != self._token
            return json_response({"changed": is_news})
        shown = self._said if self._settings.flaskDebug and request.is_local else ""
        if request.wants_html:
            nonce = secrets.token_urlsafe(NONCE_BYTES)
            page = self._page(shown, nonce)
            return Response(page, 500, {HEADER: policy_of(nonce)}, mimetype="text/html")
        document = {"type": "about:blank", "title": "Internal Server Error", "status": 500, "detail": UNEXPECTED}
        said = {"detail": "The server did not start.", "said": shown.splitlines()} if shown else {}
        return json_response(document | said, 500, "application/problem+json")

    def _page(self, said: str, nonce: str) -> str:
        """The page; it polls under the site's own base, as the pages of the server do."""
        return self._templates.get_template("kernkoa/not_started.html").render(
            said=said,
            csp_nonce=lambda: nonce,
            unexpected=UNEXPECTED,
            place=self._place(said),
            watch={"token": self._token, "url": f"{self._settings.base}/_koa/changed", "reloads": True},
        )

    def _place(self, said: str) -> dict[str, Any] | None:
        """The last file and line that the error names: where its author should look."""
        found = list(_PLACE.finditer(said))
        if not found:
            return None
        path, line = found[-1]["quoted"] or found[-1]["bare"], int(found[-1]["line"])
        return {"path": path, "line": line, "link": link_to(self._settings, path, line)}
