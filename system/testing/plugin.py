"""The fixtures for tests of a site: client, dbs, load, worker, mails, clock.

Loaded by `python kernkoa.py test`. The site runs in this process, with its own databases, folder var/ and PDFs.
"""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
from collections.abc import Iterator
from datetime import datetime
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import pytest

from system.core.errors import SettingsError
from system.core.settings import read_settings
from system.core.web.application import KernKoa

from .client import Client
from .databases import Files, RolledBack, redirect_files, roll_back
from .mails import record_mails
from .tasks import TestTasks

ROOT = Path(__file__).resolve().parents[2]
FOLDER = pytest.StashKey[Path]()


@pytest.hookimpl(tryfirst=True)
def pytest_load_initial_conftests(early_config: pytest.Config) -> None:
    """Redirect the site's databases and folders before a conftest.py or a test file can import it."""
    if "system.core.runtime" in sys.modules:
        raise pytest.UsageError(
            "The site runs in this process already. Run its tests with: python kernkoa.py test"
        )
    folder = early_config.stash[FOLDER] = Path(tempfile.mkdtemp(prefix="kernkoa-test-"))
    try:
        settings = read_settings(Path(os.environ.get("KERNKOA_CONFIG", ROOT / "config.py")))
    except SettingsError as error:
        raise pytest.UsageError(str(error)) from None
    for name in ("var", "pdfs"):
        (folder / name).mkdir()
    os.environ |= {
        "KERNKOA_DATABASES": redirect_files(settings, folder),
        "KERNKOA_VAR_PATH": str(folder / "var"),
        "KERNKOA_PDF_PATH": str(folder / "pdfs"),
        "KERNKOA_REDIS_URL": "",
        "KERNKOA_BROKER_URL": "",
    }


def pytest_unconfigure(config: pytest.Config) -> None:
    """Delete the temporary folder."""
    shutil.rmtree(config.stash[FOLDER], ignore_errors=True)


class SiteUnderTest:
    """The site, started once for all tests and restored to its initial state for each test."""

    def __init__(self, folder: Path) -> None:
        from system.core import runtime  # the first import reads the settings

        self.app: KernKoa = runtime.start()
        self.app.config["TESTING"] = True
        self.app.test_client_class = Client
        self.tasks = Client.tasks = TestTasks(self.app)
        self._servers: dict[str, RolledBack] = dict(roll_back(self.app.dbs, self.app.settings))
        self._files = Files(folder, self.app.dbs)

    def begin_test(self) -> None:
        self._files.restore()

    def end_test(self) -> None:
        self.tasks.end_test()
        self.app.dbs.release(error=True)
        self.app.dbs.close()


@pytest.fixture(scope="session")
def koa_site(pytestconfig: pytest.Config) -> Iterator[SiteUnderTest]:
    site = SiteUnderTest(pytestconfig.stash[FOLDER])
    yield site
    site.tasks.stop()
    site.app.catalog.close()


@pytest.fixture
def app(koa_site: SiteUnderTest) -> Iterator[KernKoa]:
    """The application, with fresh databases."""
    koa_site.begin_test()
    yield koa_site.app
    koa_site.end_test()


@pytest.fixture
def client(app: KernKoa) -> Any:
    """A browser without cookies: Flask's test client, with login(), logout() and follow()."""
    return app.test_client()


@pytest.fixture
def dbs(app: KernKoa) -> Any:
    """The databases, to prepare data and to check what the site stores."""
    return app.dbs


@pytest.fixture
def load(app: KernKoa) -> Any:
    """Models, controllers, print formats, languages and addons."""
    return app.load


@pytest.fixture
def worker(koa_site: SiteUnderTest, app: KernKoa) -> None:
    """Runs tasks in a real Celery worker on the embedded broker instead of in the test process."""
    koa_site.tasks.start_worker()


@pytest.fixture(autouse=True)
def mails(monkeypatch: pytest.MonkeyPatch) -> list[EmailMessage]:
    """The mails that the test sent; they are recorded and never delivered."""
    return record_mails(monkeypatch)


class Clock:
    """The time that the site sees: `clock.set("2026-01-31 12:00")`."""

    def __init__(self) -> None:
        self._travel: Any = None

    def set(self, when: str | datetime) -> None:
        """Stop the clock at this moment. Fails the test if the package time-machine is not installed."""
        try:
            import time_machine
        except ImportError:
            pytest.fail("The fixture clock needs the package time-machine. Run: pip install time-machine")
        self.reset()
        moment = datetime.fromisoformat(when) if isinstance(when, str) else when
        self._travel = time_machine.travel(moment, tick=False)
        self._travel.start()

    def reset(self) -> None:
        """Let the clock run again."""
        if self._travel is not None:
            self._travel.stop()
            self._travel = None


@pytest.fixture
def clock() -> Iterator[Clock]:
    """Sets the time that the site sees."""
    made = Clock()
    yield made
    made.reset()
