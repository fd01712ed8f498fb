"""The error pages of the development server: 404 with explanation, exceptions, broken libraries.

Each is one record and two answers: a page for a browser, members of the problem document for everyone else.
In production, and for a request that did not come from this machine, there is none of it.
"""

from __future__ import annotations

import logging
import os
import secrets
import threading
from collections import OrderedDict
from collections.abc import Iterable, Sequence
from dataclasses import asdict, replace
from typing import Any
from urllib.parse import quote

from flask import Flask, Response
from werkzeug.datastructures import FileStorage
from werkzeug.exceptions import NotFound as StaticNotFound

from ..catalog.tree import Catalog
from ..dispatch.problems import Problem, is_fault
from ..dispatch.request import request
from ..dispatch.responses import json_response, no_store
from ..dispatch.routing import RESERVED
from ..errors import LibraryError, NotFound
from ..redaction import mask, message_of, shown, shown_items
from ..settings import Settings
from .hints import find_hint
from .missing_file import explain_file
from .not_found import Explanation, explain
from .suggestions import Choice
from .tracebacks import Frame, Trace, link_to, read_source, read_traces

log = logging.getLogger("kernkoa")

MOST_WATCHED = 64


class Watched:
    """The files behind the pages that are open: a page asks by a token whether they changed.

    Paths never come from a client. Only so many pages are remembered; an unknown token counts as a change.
    """

    def __init__(self) -> None:
        self._pages: OrderedDict[str, tuple[tuple[str, ...], str]] = OrderedDict()
        self._lock = threading.Lock()

    def add(self, paths: Iterable[str]) -> str:
        """Remember the files of a page; returns its token."""
        kept, token = tuple(dict.fromkeys(paths)), secrets.token_hex(8)
        with self._lock:
            self._pages[token] = (kept, _state_of(kept))
            while len(self._pages) > MOST_WATCHED:
                self._pages.popitem(last=False)
        return token

    def has_changed(self, token: str) -> bool:
        with self._lock:
            page = self._pages.get(token)
        return page is None or _state_of(page[0]) != page[1]


def _state_of(paths: Iterable[str]) -> str:
    """What changes with any of the files: times, sizes, and for a folder what is in it."""
    states = []
    for path in paths:
        try:
            status = os.stat(path)
            states.append((status.st_mtime_ns, status.st_size, status.st_ino))
        except OSError:
            states.append((0, 0, 0))
    return repr(states)


class Pages:
    """The pages that explain, for one app in development."""

    def __init__(self, app: Flask, catalog: Catalog, settings: Settings) -> None:
        self._app = app
        self._catalog = catalog
        self._settings = settings
        self._watched = Watched()
        app.add_url_rule("/_koa/changed", "changed", self._changed)

    def answer(self, error: Exception, problem: Problem) -> Response | None:
        """The response that explains an error; None if the plain one is right."""
        if not self._settings.flaskDebug or not request.is_local:
            return None
        try:
            if isinstance(error, NotFound | StaticNotFound):
                return self._not_found(error, problem)
            if is_fault(error, problem):
                return self._exception(error, problem)
        except Exception:  # an explanation that fails must not hide what it explains
            log.exception("The error page of the development server could not be rendered")
        return None

    def _changed(self) -> Response:
        if not request.is_local:
            raise NotFound
        changed = self._watched.has_changed(request.args.get("since", ""))
        return no_store(json_response({"changed": changed}))

    def _not_found(self, error: Exception, problem: Problem) -> Response | None:
        explanation = self._explain(error)
        if explanation is None:
            return None
        if not request.wants_html:
            return self._document(problem, self._members_of(explanation))
        return self._page("kernkoa/not_found.html", problem, explanation.watched, walk=explanation)

    def _explain(self, error: Exception) -> Explanation | None:
        """Why the request's path leads to no method; None where a method raised "not found" itself."""
        first = request.path.split("/", 2)[1]
        missing_file = explain_file(request.path, self._settings) if request.resolved is None else None
        if missing_file is not None:
            return missing_file
        if first in RESERVED:
            said = error.reason if isinstance(error, NotFound) else ""
            return Explanation(said or f"Nothing has this address: /{first} {RESERVED[first]}")
        if not isinstance(error, NotFound) or request.resolved is not None:
            return None
        return explain(error.stop) if error.stop else Explanation(error.reason)

    def _members_of(self, explanation: Explanation) -> dict[str, Any]:
        remedy = explanation.remedy
        callable_here = [
            {
                "url": self.url_of(choice),
                "kind": choice.kind,
                "signature": choice.signature,
                "does": choice.summary,
            }
            for choice in explanation.choices
        ]
        return {
            "reason": explanation.reason,
            "walk": [asdict(step) for step in explanation.steps],
            "near": [self.url_of(choice) for choice in explanation.near],
            "callable": callable_here,
            "remedy": asdict(remedy) if remedy else None,
        }

    def url_of(self, choice: Choice) -> str:
        """The URL of a choice; the query of this request is kept."""
        path = request.script_root + "/" + "/".join(quote(segment, safe="") for segment in choice.segments)
        query = request.query_string.decode("latin-1")
        return f"{path}?{query}" if query else path

    def _exception(self, error: Exception, problem: Problem) -> Response:
        traces = self._traces_of(error)
        hint = find_hint(error)
        if not request.wants_html:
            return self._document(problem, self._place_of(error) | self._members_of_traces(traces, hint))
        template = "kernkoa/library.html" if isinstance(error, LibraryError) else "kernkoa/exception.html"
        source: Sequence[Any] = ()
        if isinstance(error, LibraryError) and error.path:
            source = read_source(error.path, error.line, self._settings, _caret_of(error))
        return self._page(
            template,
            problem,
            self._files_behind(error, traces),
            error=error,
            message=mask(message_of(error), self._settings),
            traces=traces,
            hint=hint,
            source=source,
            sent=self._sent(),
            answering=_answering(),
        )

    def _traces_of(self, error: Exception) -> tuple[Trace, ...]:
        """The traces; the method that answers is the innermost frame of an error without a line of the site."""
        traces, method = read_traces(error, self._settings), _answering()
        if method is None or isinstance(error, LibraryError) or any(trace.own for trace in traces):
            return traces
        source = read_source(method["path"], method["line"], self._settings)
        frame = Frame(method["path"], method["line"], method["name"], "site", source)
        return replace(traces[0], frames=(*traces[0].frames, frame)), *traces[1:]

    def _files_behind(self, error: Exception, traces: Iterable[Trace]) -> list[str]:
        """The site's files that the error went through: a change in one of them may fix it."""
        paths = [frame.path for trace in traces for frame in trace.own]
        if isinstance(error, LibraryError) and error.path:
            paths += [error.path, os.path.dirname(error.path)]
        return paths

    def _place_of(self, error: Exception) -> dict[str, Any]:
        """Where a library is broken, for those who see no page: a file that does not compile has no frame."""
        if not isinstance(error, LibraryError) or not error.path:
            return {}
        return {"file": error.path, "line": error.line, "text": mask(error.text.strip(), self._settings)}

    def _members_of_traces(self, traces: Sequence[Trace], hint: str) -> dict[str, Any]:
        first = traces[0] if traces else Trace("", "", ())
        members = {
            "exception": first.type,
            "message": first.message,
            "frames": [_frame_member(frame) for frame in first.frames],
            "causes": [{"exception": trace.type, "message": trace.message} for trace in traces[1:]],
        }
        return members | ({"hint": hint} if hint else {})

    def _sent(self) -> list[tuple[str, list[tuple[str, str]]]]:
        """What the client sent, as tables; secrets masked."""
        settings = self._settings
        form, files = _read_form()
        tables = [
            ("Query", shown_items(request.args.to_dict(), settings)),
            ("Form", shown_items(form, settings)),
            ("Files", [(name, file.filename or "") for name, file in files.items()]),
        ]
        body = request.get_json(silent=True) if request.is_json else None
        if body is not None:
            pairs = shown_items(body, settings) if isinstance(body, dict) else [("", shown("", body, settings))]
            tables.append(("JSON", pairs))
        tables.append(("Headers", shown_items(dict(request.headers), settings)))
        return [(name, pairs) for name, pairs in tables if pairs]

    def _document(self, problem: Problem, members: dict[str, Any]) -> Response:
        document = problem.document() | members
        return self._finish(json_response(document, mimetype="application/problem+json"), problem)

    def _page(self, template: str, problem: Problem, watched: Iterable[str], **values: Any) -> Response:
        """A page rendered without the site's own context processors: they may be what failed."""
        watch = {
            "token": self._watched.add(watched),
            "url": f"{request.script_root}/_koa/changed",
            "reloads": request.method == "GET",
        }
        html = self._app.jinja_env.get_template(template).render(
            problem=problem,
            request=request,
            watch=watch,
            url_of=self.url_of,
            link_to=lambda path, line: link_to(self._settings, path, line),
            short=self._settings.shorten,
            **values,
        )
        return self._finish(Response(html), problem)

    def _finish(self, response: Response, problem: Problem) -> Response:
        response.status_code = problem.status
        response.headers.update(problem.headers)
        response.vary.add("Accept")
        return no_store(response)


def _caret_of(error: LibraryError) -> int:
    cause = error.__cause__
    return (cause.offset or 0) if isinstance(cause, SyntaxError) else 0


def _answering() -> dict[str, Any] | None:
    """The method that the URL led to, and where it is written."""
    resolved = getattr(request, "resolved", None)
    if resolved is None:
        return None
    code = resolved.endpoint.function.__code__
    return {"name": resolved.endpoint.name, "path": code.co_filename, "line": code.co_firstlineno}


def _read_form() -> tuple[dict[str, str], dict[str, FileStorage]]:
    """The form and files of the request; empty if reading them failed."""
    try:
        return request.form.to_dict(), request.files.to_dict()
    except Exception:  # noqa: BLE001 - a page about one error does not raise another
        return {}, {}


def _frame_member(frame: Frame) -> dict[str, Any]:
    return {"file": frame.path, "line": frame.line, "function": frame.function, "origin": frame.origin}
