"""/_koa/ready: whether the databases, Redis, workers, the disk and the catalogue are as they should be."""

from __future__ import annotations

import ipaddress
import shutil
from collections.abc import Callable
from functools import partial
from typing import Any

from flask import Response

from ..catalog.tree import Catalog
from ..database.databases import Databases
from ..dispatch.request import request
from ..dispatch.responses import json_response, no_store
from ..errors import KernKoaError, NotFound
from ..settings import Settings
from ..tasks.submission import Tasks

LEAST_FREE_BYTES = 100_000_000


class Readiness:
    """Answers the addresses of `monitors` only: 200 where all is well, else 503 with what is not."""

    def __init__(self, settings: Settings, catalog: Catalog, dbs: Databases, tasks: Tasks) -> None:
        self._settings = settings
        self._catalog = catalog
        self._dbs = dbs
        self._tasks = tasks

    def answer(self) -> Response:
        """The checks by name, each "ok" or what is wrong. Raises NotFound for anyone who is no monitor."""
        if not is_monitor(request.environ.get("REMOTE_ADDR", ""), self._settings):
            raise NotFound
        checks = {name: _run(check) for name, check in self._checks().items()}
        is_well = all(told == "ok" for told in checks.values())
        found = {"status": "ok" if is_well else "not ready", "checks": checks, "broken": self._broken()}
        return no_store(json_response(found, 200 if is_well else 503))

    def _checks(self) -> dict[str, Callable[[], Any]]:
        checks: dict[str, Callable[[], Any]] = {
            f"database {name}": partial(self._dbs[name].getValue, "select 1") for name in self._dbs
        }
        if self._settings.redisUrl:
            checks["redis"] = self._ping
        checks["disk"] = self._look_at_disk
        return checks

    def _ping(self) -> None:
        with self._tasks.redis.reached():
            self._tasks.redis.client.ping()

    def _look_at_disk(self) -> None:
        self._settings.var.mkdir(parents=True, exist_ok=True)
        free = shutil.disk_usage(self._settings.var).free
        if free < LEAST_FREE_BYTES:
            raise OSError(f"{free:,} bytes are free")

    def _broken(self) -> list[str]:
        """The controllers that do not compile: an older version may serve meanwhile."""
        libraries = self._catalog.libraries("controller", self._catalog.now())
        return [library.place for library in libraries if self._catalog.sources.is_broken(library.path)]


def is_monitor(address: str, settings: Settings) -> bool:
    """Whether an address is of the setting `monitors`."""
    try:
        found = ipaddress.ip_address(address)
    except ValueError:
        return False
    return any(found in ipaddress.ip_network(network) for network in settings.monitors)


def _run(check: Callable[[], Any]) -> str:
    """What a check says; of a database no more than that it failed, for its message may name the server."""
    try:
        check()
    except KernKoaError as error:
        return type(error).__name__
    except OSError as error:
        return str(error)
    return "ok"
