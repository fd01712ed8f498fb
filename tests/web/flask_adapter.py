"""A pytest plugin that puts the kernel's application class in the place of flask.Flask: pytest -p flask_adapter."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path
from typing import Any

import _pytest.monkeypatch
import flask

from system.core.catalog.tree import Catalog
from system.core.database.databases import Databases
from system.core.settings import Settings
from system.core.web.application import KernKoa
from system.core.web.dispatcher import Dispatcher
from system.core.web.headers import ResponseHeaders
from system.core.web.hosts import Hosts
from system.core.web.matching import ViewFunctions
from system.core.web.origins import Origins

SETTINGS = Settings(path=Path(tempfile.gettempdir()) / f"kernkoa-no-site-{os.getpid()}")
CATALOG = Catalog({"controller": SETTINGS.path}, live_seconds="off")

PlainFlask: Any = flask.Flask


class Adapted(KernKoa):
    """The kernel's application with Flask's constructor and an empty catalogue; nothing of config.py is set."""

    def __init__(self, import_name: str, *args: Any, **options: Any) -> None:
        self.is_started = False
        self.settings = SETTINGS
        self.catalog = CATALOG
        self.hosts, self.origins, self.headers = Hosts(SETTINGS), Origins(SETTINGS), ResponseHeaders(SETTINGS)
        PlainFlask.__init__(self, import_name, *args, **options)
        self.dbs = Databases(SETTINGS)
        self.dispatcher = Dispatcher(CATALOG, SETTINGS, None)  # type: ignore[arg-type]
        self.view_functions = ViewFunctions(self.view_functions, self.dispatcher)


flask.Flask = Adapted  # type: ignore[misc]
if not hasattr(_pytest.monkeypatch, "notset"):  # its name before pytest 9.1, which Flask's tests use
    _pytest.monkeypatch.notset = _pytest.monkeypatch.NOTSET
