"""What answers while the development server cannot start: the error, and a page that waits for the repair."""

from __future__ import annotations

import re
import secrets
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from flask import Request, Response
from jinja2 import Environment, FileSystemLoader

from ..dispatch.calling import encode_json
from ..dispatch.guard import is_from_this_machine
from ..dispatch.problems import UNEXPECTED, is_browser
from ..settings import Settings
from .editor import link_to
from .redaction import mask

TEMPLATES = Path(__file__).parents[1] / "templates"
_PLACE = re.compile(r'(?:File "(?P<quoted>[^"\n]+)"|(?P<bare>/\S+\.py)), line (?P<line>\d+)')


class StandIn:
    """A WSGI application that answers everything with why the server did not start."""

    def __init__(self, said: str, settings: Settings) -> None:
        self._said = mask(said.strip("\n"), settings)
        self._settings = settings
        self._token = secrets.token_hex(8)
        self._templates = Environment(loader=FileSystemLoader(TEMPLATES), autoescape=True)

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        return self._answer(Request(environ))(environ, start_response)

    def _answer(self, request: Request) -> Response:
        if request.path.endswith("/_koa/changed"):
            is_news = request.args.get("since") != self._token
            return Response(encode_json({"changed": is_news}), mimetype="application/json")
        shown = self._said if self._may_see(request) else ""
        if is_browser(request):
            return Response(self._page(request, shown), 500, mimetype="text/html")
        document = {"type": "about:blank", "title": "Internal Server Error", "status": 500, "detail": UNEXPECTED}
        said = {"detail": "The server did not start.", "said": shown.splitlines()} if shown else {}
        return Response(encode_json(document | said), 500, mimetype="application/problem+json")

    def _may_see(self, request: Request) -> bool:
        return self._settings.flaskDebug and is_from_this_machine(request.environ)

    def _page(self, request: Request, said: str) -> str:
        """The page; it polls under the site's own base, as the pages of the server do."""
        return self._templates.get_template("kernkoa/not_started.html").render(
            said=said,
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
