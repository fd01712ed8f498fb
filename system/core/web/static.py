"""Files that are sent: static/, as in Flask, with a hash of the content in its URLs, images/ and pdfs/.

nginx sends them where it can (X-Accel-Redirect), so that the process is free again at once.
"""

from __future__ import annotations

import hashlib
import mimetypes
import os
import stat
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import quote

from flask import Response, request, send_from_directory

from ..catalog.source import Remembered
from ..errors import NotFound

YEAR = 365 * 86_400
MOST_DIGESTS = 10_000
# files made beforehand and the name of their encoding, the better first
ENCODINGS = {".br": "br", ".gz": "gzip"}
# set by nginx as a uwsgi_param, which no header of a client can be: where it has the folders that it may send from
HANDOVER = "KERNKOA_FILES"


def send_file_of(folder: Path, path: str, role: str) -> Response:
    """A file of a folder, with its type, conditional requests and ranges; `role` is the folder's name for nginx.

    Raises NotFound for what is not in the folder itself: a path or a link that leads out of it, a dot file.
    """
    _ignore_unknown_range()
    root, path = _locate(folder, path)
    return hand_over(_open(root, path), role, root, path)


def _ignore_unknown_range() -> None:
    """Ignore a Range in another unit than bytes, or of several parts: Werkzeug answers 416 (RFC 9110, 14.2)."""
    asked = request.environ.get("HTTP_RANGE", "bytes=").strip().lower()
    if not asked.startswith("bytes=") or "," in asked:
        del request.environ["HTTP_RANGE"]


def _locate(folder: Path, path: str) -> tuple[str, str]:
    hidden = any(part.startswith(".") for part in path.split("/"))
    root = os.path.realpath(folder)
    if hidden or "\0" in path or not _is_inside(root, path):
        raise NotFound
    return root, path


def _is_inside(root: str, path: str) -> bool:
    """Whether a path leads to a place in its folder, links followed."""
    return os.path.realpath(os.path.join(root, path)).startswith(root + os.sep)


def _open(root: str, path: str, **more: Any) -> Response:
    """The response with a file; NotFound if it was removed, or replaced by a link, since it was looked for."""
    try:
        response = send_from_directory(root, path, **more)
    except FileNotFoundError as error:
        raise NotFound from error
    if not _is_inside(root, path):
        response.close()
        raise NotFound
    return response


def _digest_of(path: str, before: str | None) -> str:
    with open(path, "rb") as content:
        return hashlib.file_digest(content, "sha256").hexdigest()[:12]


class StaticFiles:
    """The files of static/: the versions in their URLs, and compressed files beside them (site.css.gz)."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._digests = Remembered(_digest_of, MOST_DIGESTS)

    def add_version(self, endpoint: str, values: dict[str, object]) -> None:
        """Add the hash of the content to `url_for("static", filename=...)`: an app.url_defaults function."""
        if endpoint == "static" and "filename" in values and "v" not in values:
            version = self.version(str(values["filename"]))
            if version:
                values["v"] = version

    def version(self, path: str) -> str:
        """A hash of a file's content and when it was changed, empty without the file.

        nginx cannot make hashes: it compares the time with that of the file that it sends. A file is read again
        when its stamp changed.
        """
        file = self._folder / path
        try:
            return "-".join([self._digests.get(str(file)), *self._times(file)])
        except (OSError, ValueError):
            return ""

    def _times(self, file: Path) -> list[str]:
        """When a file and its compressed ones were changed, as in nginx's ETag: hexadecimal seconds."""
        files = (file, *(file.with_name(file.name + suffix) for suffix in ENCODINGS))
        return sorted({f"{int(each.stat().st_mtime):x}" for each in files if each.is_file()})

    def send(self, filename: str) -> Response:
        """A file: the compressed one if the client takes it; kept for a year under the URL of its version."""
        _ignore_unknown_range()
        root, path = _locate(self._folder, filename)
        asked = request.args.get("v", "")
        max_age = YEAR if asked and asked == self.version(path) else None
        there = [suffix for suffix in ENCODINGS if os.path.isfile(os.path.join(root, path + suffix))]
        there = [suffix for suffix in there if _is_inside(root, path + suffix)]
        taken = next((suffix for suffix in there if request.accept_encodings[ENCODINGS[suffix]] > 0), "")
        kind = mimetypes.guess_type(path)[0] if taken else None
        response = _open(root, path + taken, mimetype=kind, max_age=max_age)
        if taken:
            response.headers["Content-Encoding"] = ENCODINGS[taken]
        if there:
            response.vary.add("Accept-Encoding")
        return hand_over(response, "static", root, path)


def hand_over(response: Response, role: str, root: str, path: str) -> Response:
    """The response without its body if nginx can send the file instead; else as it is.

    `role` is the name of the folder in the configuration of nginx, empty for one that it does not have. Ranges and
    conditions are then for nginx to answer.
    """
    place = request.environ.get(HANDOVER)
    is_whole = response.status_code in (200, 206) and "Content-Encoding" not in response.headers
    if not (place and role and is_whole) or not _may_read(root, path):
        return response
    response.close()
    response.response, response.status_code = [], 200
    for name in ("Content-Length", "Content-Range", "ETag", "Last-Modified"):
        response.headers.pop(name, None)
    real = os.path.relpath(os.path.realpath(os.path.join(root, path)), root)  # nginx follows no links there
    response.headers["X-Accel-Redirect"] = quote(f"{place}/{role}/{real}")
    return response


def _may_read(root: str, path: str) -> bool:
    """Whether all users may read a file; nginx runs as another user."""
    return _is_passable(os.path.dirname(os.path.realpath(os.path.join(root, path)))) and bool(
        os.stat(os.path.join(root, path)).st_mode & stat.S_IROTH
    )


@cache
def _is_passable(folder: str) -> bool:
    above = os.path.dirname(folder)
    return bool(os.stat(folder).st_mode & stat.S_IXOTH) and (above == folder or _is_passable(above))
