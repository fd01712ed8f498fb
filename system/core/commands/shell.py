"""`python kernkoa.py shell`: a Python prompt with the parts of the site."""

from __future__ import annotations

import code
import contextlib
from typing import Any

from ..web.application import KernKoa


def run_shell(app: KernKoa) -> None:
    """Run the prompt until its end of input. Statements are in the context of the app, as in a task."""
    names: dict[str, Any] = {
        "app": app,
        "config": app.settings,
        "dbs": app.dbs,
        "load": app.load,
        "exeTask": app.tasks.exeTask,
        "client": app.test_client(),
    }
    with contextlib.suppress(ImportError):  # some builds of Python lack it
        import readline
        import rlcompleter

        readline.set_completer(rlcompleter.Completer(names).complete)
        readline.parse_and_bind("tab: complete")
    with app.app_context():
        code.interact(f"KernKoa, {app.settings.name}: {', '.join(names)}", local=names, exitmsg="")
