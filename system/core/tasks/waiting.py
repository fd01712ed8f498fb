"""Requests that wait for a task: at most a quarter of the server's processes do, so that the rest can serve."""

from __future__ import annotations

import contextlib
import fcntl
import importlib
import os
from collections.abc import Iterator, Mapping
from typing import Any

from ..settings import Settings

SHARE = 4
# a server with a thread for each request has no such limit; each still costs memory and polls Redis
MOST_THREADS = 100
RETRY_AFTER = "1"


def count_places(environ: Mapping[str, Any]) -> int:
    """How many requests may wait on this machine."""
    try:
        uwsgi: Any = importlib.import_module("uwsgi")  # there in a process of uWSGI only
        return int(uwsgi.numproc) * int(uwsgi.opt.get("threads", 1) or 1) // SHARE
    except ImportError:
        pass
    if environ.get("wsgi.multithread"):
        return MOST_THREADS
    workers = os.environ.get("WEB_CONCURRENCY", "")
    return int(workers) // SHARE if workers.isdecimal() else int(bool(environ.get("wsgi.multiprocess")))


@contextlib.contextmanager
def waiting_place(settings: Settings, environ: Mapping[str, Any]) -> Iterator[bool]:
    """Whether this request may wait. A place is a locked file, so it is free again when its process ends."""
    folder = settings.var / "waiting"
    folder.mkdir(parents=True, exist_ok=True)
    for number in range(count_places(environ)):
        with open(folder / str(number), "ab") as place:
            if _lock(place):
                yield True
                return
    yield False


def _lock(place: Any) -> bool:
    try:
        fcntl.flock(place, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True
