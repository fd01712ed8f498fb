"""The files that the kernel serves, and the health of the process."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

from flask import Flask, Response, request, send_from_directory

from ..errors import MissingParameter, NotFound
from ..settings import Settings

View = Callable[..., Response]


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
