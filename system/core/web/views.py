"""The few Flask routes of the kernel: the dispatcher and the static files."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

from flask import Flask, Response, request, send_from_directory

from ..catalog.tree import Catalog
from ..dispatch.calling import call
from ..dispatch.params import Params
from ..dispatch.request import KernelRequest
from ..dispatch.routing import Resolved, match, resolve
from ..errors import MethodNotAllowed, MissingParameter, NotFound
from ..settings import Settings
from ..tasks.respond_async import prefers_later
from ..tasks.submission import Tasks

View = Callable[..., Response]


def make_dispatcher(catalog: Catalog, settings: Settings, tasks: Tasks) -> Callable[[KernelRequest], Response]:
    """What runs the method that a request's path names."""
    home = match(settings.home)

    def dispatch(request: KernelRequest) -> Response:
        route = match(request.path)
        if not route.segments:
            route = home
        request.resolved = resolved = resolve(catalog, route, catalog.now())
        check_verb(resolved, request.method)
        if request.method == "OPTIONS":
            return allowed(resolved)

        def read() -> Params:
            return request.params(settings, route.segments)

        if "HTTP_PREFER" in request.environ:
            later = prefers_later(tasks, request, resolved)
            if later is not None:
                return call(resolved, read, later)
        return call(resolved, read)

    return dispatch


def check_verb(resolved: Resolved, verb: str) -> None:
    """Raises MethodNotAllowed where the method does not take the verb."""
    if verb not in resolved.endpoint.verbs:
        raise MethodNotAllowed(verb, resolved.endpoint.verbs)


def allowed(resolved: Resolved) -> Response:
    """The answer to OPTIONS: RFC 9110, section 9.3.7."""
    return Response(status=204, headers={"Allow": ", ".join(sorted(resolved.endpoint.verbs))})


def add_routes(app: Flask, settings: Settings) -> None:
    """Add the static files and the health of the process."""
    images, pdfs = settings.folder(settings.imagePath), settings.folder(settings.pdfPath)
    for rule, folder, name in (("/images", images, "image"), ("/pdf", pdfs, "pdf"), ("/pdfs", pdfs, "pdf")):
        view = _make_file_view(folder, name)
        app.add_url_rule(rule, rule[1:], view)
        if rule != "/pdf":
            app.add_url_rule(f"{rule}/<path:path>", rule[1:], view)
    app.add_url_rule("/favicon.ico", "favicon", lambda: send_file_of(images, "favicon.ico"))
    app.add_url_rule("/_koa/health", "health", lambda: {"status": "ok", "name": settings.name})


def _make_file_view(folder: Path, name: str) -> View:
    def serve(path: str | None = None) -> Response:
        wanted = path if path is not None else request.args.get(name)
        if wanted is None:
            raise MissingParameter(name)
        return send_file_of(folder, wanted)

    return serve


def send_file_of(folder: Path, path: str) -> Response:
    """A file of a folder, with its type, conditional requests and ranges.

    Raises NotFound for what is not in the folder itself: a path or a link that leads out of it, a dot file.
    """
    hidden = any(part.startswith(".") for part in path.split("/"))
    root = os.path.realpath(folder)
    if hidden or "\0" in path or not os.path.realpath(os.path.join(root, path)).startswith(root + os.sep):
        raise NotFound
    return send_from_directory(root, path)
