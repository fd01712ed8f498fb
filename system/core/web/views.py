"""The files that the kernel serves, and the health of the process."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from flask import Flask, Response, request

from ..errors import MissingParameter
from ..settings import Settings
from .static import StaticFiles, send_file_of

View = Callable[..., Response]


def add_routes(app: Flask, settings: Settings) -> None:
    """Add the files of static/, images/, pdfs/, the health of the process, and `url_for("dispatch", path=…)`."""
    verbs = ["GET", "POST"]  # extensions that walk the URL map expect verbs and a view function of each rule
    app.add_url_rule("/<path:path>", "dispatch", app.dispatch_request, methods=verbs, build_only=True)
    static = StaticFiles(settings.folder(settings.staticPath))
    app.static_folder = str(settings.folder(settings.staticPath))
    app.add_url_rule("/static/<path:filename>", "static", static.send)
    app.url_defaults(static.add_version)
    images, pdfs = settings.folder(settings.imagePath), settings.folder(settings.pdfPath)
    pdf_role = "pdfs" if settings.pdfPath == "pdfs" else ""  # what nginx's configuration has
    for rule, folder, name in (("/images", images, "image"), ("/pdf", pdfs, "pdf"), ("/pdfs", pdfs, "pdf")):
        view = _make_file_view(folder, name, "images" if name == "image" else pdf_role)
        app.add_url_rule(rule, rule[1:], view)
        if rule != "/pdf":
            app.add_url_rule(f"{rule}/<path:path>", rule[1:], view)
    app.add_url_rule("/favicon.ico", "favicon", lambda: send_file_of(images, "favicon.ico", "images"))
    app.add_url_rule("/_koa/health", "health", lambda: {"status": "ok", "name": settings.name})


def _make_file_view(folder: Path, name: str, role: str) -> View:
    def serve(path: str | None = None) -> Response:
        wanted = path if path is not None else request.args.get(name)
        if wanted is None:
            raise MissingParameter(name)
        return send_file_of(folder, wanted, role)

    return serve
