"""Lets nginx send a file (X-Accel-Redirect), so that the process is free again at once."""

from __future__ import annotations

import os
import stat
from functools import cache
from urllib.parse import quote

from flask import Response, request

# set by nginx as a uwsgi_param, which no header of a client can be: where it has the folders that it may send from
HANDOVER = "KERNKOA_FILES"


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
    response.headers["X-Accel-Redirect"] = quote(f"{place}/{role}/{path}")
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
