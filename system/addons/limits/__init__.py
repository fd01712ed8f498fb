"""The addon `limits`: rate limits per client, counted in Redis by Flask-Limiter.

Enabled in the shipped config.py. It has no effect in development or without a redisUrl. `@limit("10/minute")`
sets the rate of one method. The other methods use the setting `rateLimits`, by default
`{"write": "120/minute", "login": "20/minute"}`: `write` is for requests that may change data or start a task.
An empty text means no limit. At most `maxQueuedPerClient` tasks of one client can wait: by default 1,000;
0 means no limit.
"""

from __future__ import annotations

import logging
from typing import Any

from .queued import QueuedTasks

__all__ = ["init_app"]

MOST_QUEUED = 1000

log = logging.getLogger("kernkoa.limits")


def init_app(app: Any) -> None:
    """Limit the requests and the waiting tasks of each client in production."""
    if app.settings.development or not app.settings.redisUrl:
        return
    try:
        from .rates import make_limits
    except ModuleNotFoundError as error:
        log.warning("No request is limited: %s. Install it: venv3/bin/pip install Flask-Limiter", error)
        return
    app.check_rate = make_limits(app).check
    most = int(getattr(app.settings, "maxQueuedPerClient", MOST_QUEUED))
    if most:
        app.tasks.check_client = QueuedTasks(app.tasks, most).check
