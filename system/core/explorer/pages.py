"""The pages at /_koa/: the catalogue to read, with a form for each method.

Only the page of a typed method and the OpenAPI document load libraries; all others read the source.
"""

from __future__ import annotations

from itertools import groupby
from pathlib import Path
from typing import Any

from flask import Flask, Response, render_template, send_from_directory

from ..catalog.folder import GUARD
from ..dispatch.request import request
from ..dispatch.responses import no_store, respond
from ..errors import NotFound
from ..settings import Settings
from ..tasks.submission import Tasks
from .access import Visitor
from .answers import show_answers
from .descriptions import Descriptions
from .forms import make_form
from .listing import ListedLibrary, Listing
from .markdown import render_docstring, render_line
from .navigation import PAGE_LENGTH, Navigation, Place, list_pages
from .openapi import Documents
from .search import Finder, Found

ASSETS = Path(__file__).parents[1] / "assets"
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; media-src blob:; "
    "connect-src 'self'; frame-src 'self' blob:; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)


def is_shown(settings: Settings) -> bool:
    """Whether the pages are there: in development unless `explorer` is False, else if it is True or a role."""
    return settings.development if settings.explorer is None else bool(settings.explorer)


def add_explorer(app: Flask, tasks: Tasks) -> None:
    """Add the pages, if the settings say so, and their scripts; else those alone that the page of a task needs."""
    shown = is_shown(tasks.settings)
    names = "<name>" if shown else "<any('csv.js', 'element.js'):name>"
    app.add_url_rule(f"/_koa/assets/{names}", "kernel_asset", lambda name: send_from_directory(ASSETS, name))
    if not shown:
        return
    explorer = Explorer(tasks)
    app.add_url_rule("/_koa/", "explorer", explorer.show, defaults={"path": ""})
    app.add_url_rule("/_koa/at/<path:path>", "explorer", explorer.show)
    app.add_url_rule("/_koa/run/<path:path>", "explorer_run", explorer.start_task, methods=["POST"])
    app.add_url_rule("/_koa/find", "explorer_find", explorer.find)
    app.add_url_rule("/_koa/openapi.json", "openapi", explorer.document)


class Explorer:
    """The views of the pages."""

    def __init__(self, tasks: Tasks) -> None:
        self._tasks = tasks
        self._catalog = tasks.catalog
        self._settings = settings = tasks.settings
        self._listing = Listing(self._catalog, settings.home)
        self._descriptions = Descriptions(self._listing)
        self._documents = Documents(self._listing, self._descriptions, settings)
        self._finder = Finder(self._listing)
        self._navigation = Navigation(self._listing)

    def show(self, path: str) -> Response:
        """The page of a folder, a library or a method."""
        visitor, place, now = self._visit(path)
        query = request.args.get("q", "")
        page: dict[str, Any] = {
            "place": place,
            "query": query,
            "found": self._found(query, visitor, now) if query else None,
        }
        if place.library is None:
            kind, part = "folder", self._folder_page(place, visitor, now)
        else:
            listed = visitor.show(self._listing.list_library(place.library, now))
            kind = "method" if place.method else "library"
            part = self._method_page(place, listed, now) if place.method else self._library_page(listed)
        tree = self._navigation.tree(place, visitor, now)  # last: what the page parsed is not parsed again
        return self._render(kind, page | part | {"tree": tree})

    def find(self) -> Response:
        """What a query finds, as a piece of a page."""
        visitor, _, now = self._visit("")
        query = request.args.get("q", "")
        return self._render("found", {"found": self._found(query, visitor, now), "query": query})

    def start_task(self, path: str) -> Response:
        """Hand a task method to a worker, with what a form or a JSON body sent.

        Who may start it is who may see it. Raises NotFound for what is not a task method.
        """
        visitor, place, now = self._visit(path)
        method = self._navigation.find_method(place, visitor, now)
        if method is None or not method.is_task:
            raise NotFound("There is no such task method")
        return no_store(respond(self._tasks.exeTask(None, method.place, request.params())))

    def document(self) -> Response:
        """The same as an OpenAPI document."""
        visitor, _, _ = self._visit("")
        document = self._documents.encode(
            request.script_root, visitor.admits, visitor.show if visitor.is_guarded else None
        )
        return Response(document, mimetype="application/json")

    def _visit(self, path: str) -> tuple[Visitor, Place, float]:
        """The visitor, the place of a path, and the time. Raises NotFound for a place that is not listed."""
        visitor, now = Visitor(self._catalog, self._settings), self._catalog.now()
        place = self._navigation.find_place(path, now)
        visitor.enter(place.folders)
        return visitor, place, now

    def _render(self, name: str, values: dict[str, Any]) -> Response:
        own = self._settings.development and request.is_local
        values |= {"site": self._settings.name, "own": own, "links": list_pages()}
        values |= {"doc": render_docstring, "line": render_line}
        response = Response(render_template(f"kernkoa/explorer_{name}.html", **values))
        response.headers["Content-Security-Policy"] = POLICY
        response.headers["X-Content-Type-Options"] = "nosniff"
        response.headers["Referrer-Policy"] = "same-origin"
        return no_store(response)

    def _folder_page(self, place: Place, visitor: Visitor, now: float) -> dict[str, Any]:
        folder = place.folders[-1]
        entries, part = _part(self._navigation.entries(folder, place.names, visitor, now))
        self._navigation.describe(entries, visitor, now)
        guard = folder.libraries.get(GUARD)
        guarded = guard is not None and "before" in Path(guard.path).read_text("utf-8", "replace")
        return part | {"entries": entries, "guarded": guarded, "folder": self._settings.shorten(folder.path)}

    def _library_page(self, listed: ListedLibrary) -> dict[str, Any]:
        methods, part = _part(list(listed.methods))
        classes = [
            (listed.classes[name], list(group))
            for name, group in groupby(methods, lambda method: method.controller)
        ]
        return part | {"library": listed, "classes": classes, "file": self._settings.shorten(listed.library.path)}

    def _method_page(self, place: Place, listed: ListedLibrary, now: float) -> dict[str, Any]:
        method = listed.find(place.controller, place.method)
        if method is None:
            raise NotFound("A guard hides this method")
        described = self._descriptions.of(listed, method, now)
        base, verbs = request.script_root, ("POST",) if method.is_task else method.verbs
        shows_segments = method.url and "{" not in method.url
        segments = [f"{{{item.name}}}" for item in described.parameters if item.takes_segment and shows_segments]
        return {
            "method": method,
            "fault": described.fault,
            "file": self._settings.shorten(method.origin),
            "answers": show_answers(described.answers),
            "form": make_form(described.parameters, verbs, described.source.is_open),
            "url": f"{base}/_koa/run/{method.place}" if method.is_task else base + method.short_url,
            "whole_url": base + method.url,
            "path_form": "/".join([(base + method.short_url).rstrip("/"), *segments]) if segments else "",
        }

    def _found(self, query: str, visitor: Visitor, now: float) -> list[Found]:
        found = self._finder.find(query, now, visitor.admits)
        if not visitor.is_guarded:
            return found
        places = self._navigation
        return [
            item
            for item in found
            if isinstance(item, ListedLibrary)
            or places.find_method(places.find_place(item.place, now), visitor, now) is not None
        ]


def _part(every: list[Any]) -> tuple[list[Any], dict[str, Any]]:
    """The part of a long list that a page shows, and what its links to the other parts need."""
    start = max(0, request.args.get("from", 0, type=int))
    following = start + PAGE_LENGTH if start + PAGE_LENGTH < len(every) else None
    last = min(start + PAGE_LENGTH, len(every))
    before = max(0, start - PAGE_LENGTH)
    part = {"start": start, "last": last, "before": before, "following": following, "total": len(every)}
    return every[start : start + PAGE_LENGTH], part
