"""/_koa/ready: whether the databases, Redis, workers, the disk and the catalogue work."""

from __future__ import annotations

import hmac
import shutil
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import Any

from flask import Response

from ..catalog.library import Library
from ..catalog.tree import Catalog
from ..database.databases import Databases
from ..dispatch.request import comes_from, comes_from_here, request
from ..dispatch.responses import json_response, no_store
from ..errors import KernKoaError, NotFound
from ..settings import LOOPBACK, Settings
from ..tasks.submission import Tasks

LEAST_FREE_BYTES = 100_000_000
KEPT_SECONDS = 2.0  # an answer serves for so long: many monitors cost no more than one
MOST_BROKEN = 20  # files that are named


class Readiness:
    """Answers monitors only: 200, or 503 with the faults."""

    def __init__(self, settings: Settings, catalog: Catalog, dbs: Databases, tasks: Tasks) -> None:
        self._settings = settings
        self._catalog = catalog
        self._dbs = dbs
        self._tasks = tasks
        self._lock = threading.Lock()
        self._found: dict[str, Any] = {}
        self._until = 0.0

    def answer(self) -> Response:
        """The checks by name, each "ok" or what is wrong. Raises NotFound for anyone who is not a monitor."""
        if not is_monitor(request.environ, self._settings):
            raise NotFound
        with self._lock:
            if time.monotonic() >= self._until:
                self._found = self._look()
                self._until = time.monotonic() + KEPT_SECONDS
            found = self._found
        return no_store(json_response(found, 200 if found["status"] == "ok" else 503))

    def _look(self) -> dict[str, Any]:
        checks = {name: _run(check) for name, check in self._checks().items()}
        broken = [library.place for library in find_broken(self._catalog)]
        more = {"more": len(broken) - MOST_BROKEN} if len(broken) > MOST_BROKEN else {}
        is_well = all(result == "ok" for result in checks.values())
        return {
            "status": "ok" if is_well else "not ready",
            "checks": checks,
            "broken": broken[:MOST_BROKEN],
            **more,
        }

    def _checks(self) -> dict[str, Callable[[], Any]]:
        checks: dict[str, Callable[[], Any]] = {
            f"database {name}": partial(self._dbs[name].getValue, "select 1") for name in self._dbs
        }
        if self._settings.redisUrl:
            checks["redis"] = self._ping
            if _has_tasks(self._catalog):
                checks["workers"] = self._count_workers
        checks["disk"] = self._look_at_disk
        return checks

    def _ping(self) -> None:
        with self._tasks.redis.reached():
            self._tasks.redis.client.ping()

    def _count_workers(self) -> None:
        if not self._tasks.heartbeats.alive(self._settings.leaseSeconds):
            raise OSError("no worker is alive, and the site has tasks")

    def _look_at_disk(self) -> None:
        self._settings.var.mkdir(parents=True, exist_ok=True)
        free = shutil.disk_usage(self._settings.var).free
        if free < LEAST_FREE_BYTES:
            raise OSError(f"{free:,} bytes are free")


def find_broken(catalog: Catalog) -> Iterator[Library]:
    """The controllers that do not compile: an older version may serve meanwhile."""
    for library in catalog.libraries("controller", catalog.now()):
        if catalog.sources.is_broken(library.path):
            yield library


def _has_tasks(catalog: Catalog) -> bool:
    """Whether a controller has a task method, or one that may run as a task."""
    outlines = (catalog.read(library).outline for library in catalog.libraries("controller", catalog.now()))
    return any(
        method.is_task or method.is_decorated("background")
        for outline in outlines
        if outline is not None
        for controller in outline.classes.values()
        for method in controller.methods.values()
    )


def is_monitor(environ: Mapping[str, Any], settings: Settings) -> bool:
    """Whether a request comes from an address of the setting `monitors`, or has the key `monitorKey`.

    Behind a proxy on this machine every client has its address, so that address admits nobody there.
    """
    sent, wanted = environ.get("HTTP_AUTHORIZATION", ""), f"Bearer {settings.monitorKey}"
    if settings.monitorKey and hmac.compare_digest(sent.encode(), wanted.encode()):
        return True
    is_proxy = comes_from(environ, LOOPBACK) and not comes_from_here(environ)
    return not is_proxy and comes_from(environ, settings.monitors)


def _run(check: Callable[[], Any]) -> str:
    """The result of a check. For a database only that it failed, because its message may name the server."""
    try:
        check()
    except KernKoaError as error:
        return type(error).__name__
    except OSError as error:
        return str(error)
    return "ok"
