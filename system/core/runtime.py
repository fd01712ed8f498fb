"""The application of this process, and its parts. Only this file and kernkoa.py read config.py."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, cast

from werkzeug.local import LocalProxy

from .app import create_app
from .log import set_up_log
from .settings import read_settings
from .web.application import KernKoa
from .web.startup import start as start_app

if TYPE_CHECKING:
    from celery import Celery

ROOT = Path(__file__).resolve().parents[2]

settings = read_settings(Path(os.environ.get("KERNKOA_CONFIG", ROOT / "config.py")))
app = create_app(settings)
load = app.load
celery = cast("Celery", LocalProxy(lambda: app.tasks.celery))  # without it a web process needs no Celery
exeTask = app.tasks.exeTask
dbs = app.dbs


def start() -> KernKoa:
    """The app, after catalog/startup.py and the addons have set it up; that happens once.

    It is a separate step, because they may import `kernkoa`, which needs the names above.
    """
    set_up_log(settings)
    start_app(app)
    if "celery" in sys.modules:
        app.tasks.celery  # noqa: B018 - made here, it is celery.current_app for the addon that uses Celery
    return app
