"""A site of its own for each test: a folder with a catalogue, and the app that serves it."""

from __future__ import annotations

import atexit
import logging
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

# controllers of a test import the face of KernKoa, which makes the app of this clone: it keeps its key aside
os.environ["KERNKOA_VAR_PATH"] = tempfile.mkdtemp(prefix="kernkoa-tests-")

import kernkoa  # noqa: F401 - as in each process that serves: before any library that imports it
from system.core.app import create_app
from system.core.settings import Settings
from system.core.web.application import KernKoa
from system.core.web.startup import start

# a shell ignores SIGINT for what it starts in the background, and so would every program that a test starts
signal.signal(signal.SIGINT, signal.default_int_handler)

# the site's own tests, which `python kernkoa.py test` runs
collect_ignore = ["site"]

atexit.register(shutil.rmtree, os.environ["KERNKOA_VAR_PATH"], ignore_errors=True)


ROOT = Path(__file__).resolve().parents[1]


class Site:
    """A folder with a catalogue. Its app looks at every file at every request unless told otherwise."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.controllers = root / "catalog" / "controller"
        self.controllers.mkdir(parents=True)
        self._apps: list[KernKoa] = []

    def write(self, path: str, text: str) -> Path:
        """Write a file of the site; a bare name is a controller's library."""
        first = path.split("/")[0]
        above = self.root if first in ("catalog", "templates", "images", "pdfs", "system") else self.controllers
        file = above / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(textwrap.dedent(text), encoding="utf-8")
        return file

    def app(self, **settings: Any) -> KernKoa:
        values = {"path": self.root, "liveSeconds": 0, **settings}
        app = create_app(Settings(**values))
        self._apps.append(app)
        start(app)
        return app

    def client(self, **settings: Any) -> Any:
        return self.app(**settings).test_client()

    def kernkoa(self, *words: str, **environ: str) -> subprocess.CompletedProcess[str]:
        """Run `python kernkoa.py` with the site's config.py, in its folder."""
        clean = {name: value for name, value in os.environ.items() if not name.startswith("KERNKOA_")}
        return subprocess.run(
            [sys.executable, str(ROOT / "kernkoa.py"), *words],
            env=clean | {"KERNKOA_CONFIG": str(self.root / "config.py")} | environ,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
            cwd=self.root,
        )

    def close(self) -> None:
        for app in self._apps:
            app.catalog.close()
            app.dbs.close()


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    made = Site(tmp_path / "site")
    yield made
    made.close()


@pytest.fixture(autouse=True)
def loggers_stay_on() -> Iterator[None]:
    """logging.config.fileConfig, which Alembic's env.py calls, turns off every logger that it does not name."""
    yield
    for logger in logging.Logger.manager.loggerDict.values():
        if isinstance(logger, logging.Logger):
            logger.disabled = False


# begun in this order, two processes end at about the same time
SLOW_FILES = (
    "test_box.py",
    "test_faults.py",
    "test_plugin.py",
    "test_docs_live.py",
    "test_setup.py",
    "test_reload.py",
)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Run the slowest files first."""
    places = {name: place for place, name in enumerate(SLOW_FILES)}
    items.sort(key=lambda item: places.get(item.path.name, len(places)))


BROWSER = {"Accept": "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"}


@pytest.fixture
def browser_headers() -> dict[str, str]:
    """What a browser sends with a navigation."""
    return dict(BROWSER)
