"""The addon `limits`: how often a client may ask, counted in Redis by Flask-Limiter.

On in the shipped config.py; it does nothing in development, and nothing without a redisUrl. A method's own rate is
`@limit("10/minute")`. Without one the setting `rateLimits` holds, `{"write": "120/minute", "login": "20/minute"}`:
`write` for requests that may change something or start a task. An empty text sets no limit. At most
`maxQueuedPerClient` tasks of one client wait, 1,000 unless it is set; 0 sets no limit.
"""

from __future__ import annotations

import logging
from typing import Any

from .queued import QueuedTasks

__all__ = ["init_app"]

MOST_QUEUED = 1000

log = logging.getLogger("kernkoa.limits")


def init_app(app: Any) -> None:
    """Limit the requests of each client in production."""
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
