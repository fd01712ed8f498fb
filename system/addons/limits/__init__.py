"""The addon `limits`: how often a client may ask, counted in Redis by Flask-Limiter.

Switched on with `config.addons = ["limits"]`; it does nothing in development. A method's own rate is
`@limit("10/minute")`. Without one the setting `rateLimits` holds, `{"write": "120/minute", "login": "20/minute"}`:
`write` for requests that may change something or start a task. An empty text sets no limit.
"""

from __future__ import annotations

import inspect
import logging
import time
from collections.abc import Mapping
from typing import Any

from redis.exceptions import RedisError
from werkzeug.exceptions import TooManyRequests

from limits import RateLimitItem, parse
from system.core.dispatch.request import request
from system.core.errors import SettingsError
from system.core.web.origins import SAFE

try:
    from flask_limiter import Limiter
    from flask_limiter.util import get_remote_address
except ImportError as error:
    raise SettingsError(
        "The addon limits needs Flask-Limiter. Install it: venv3/bin/pip install Flask-Limiter"
    ) from error

__all__ = ["init_app"]

log = logging.getLogger("kernkoa.limits")

DEFAULTS = {"write": "120/minute", "login": "20/minute"}
LOGIN = "/_koa/login"


def init_app(app: Any) -> None:
    """Limit the requests of each client. Flask-Limiter itself is `app.extensions["limiter"]`."""
    settings = app.settings
    if settings.development:
        return
    storage: dict[str, Any] = {"connection_pool": app.tasks.redis.client.connection_pool}
    limiter = Limiter(
        get_remote_address,
        app=app,
        strategy="sliding-window-counter",
        storage_uri="redis://",  # the pool knows where that is
        storage_options=storage,
        key_prefix=f"{settings.name}:limits",
    )
    limits = Limits(limiter, DEFAULTS | getattr(settings, "rateLimits", {}))
    app.before_request(limits.check)


class Limits:
    """Checks the rate of each request."""

    def __init__(self, limiter: Limiter, rates: Mapping[str, str]) -> None:
        self._limiter = limiter
        self._rates = {name: _parse(rate) for name, rate in rates.items() if rate}
        self._own: dict[str, RateLimitItem] = {}

    def check(self) -> None:
        """Raises TooManyRequests (429, with Retry-After). Without Redis requests pass, with a warning."""
        found = self._find()
        if found is None:
            return
        scope, rate = found
        client = get_remote_address()
        try:
            if self._limiter.limiter.hit(rate, client, scope):
                return
            reset = self._limiter.limiter.get_window_stats(rate, client, scope).reset_time
        except (RedisError, OSError) as error:
            log.warning("Redis does not answer, so requests are not limited: %s", error)
            return
        wait = max(1, round(reset - time.time()))
        raise TooManyRequests(f"At most {rate} are taken here. Try again in {wait} seconds.", retry_after=wait)

    def _find(self) -> tuple[str, RateLimitItem] | None:
        """What is counted together, and how often it may be asked for."""
        resolved = request.resolved
        if resolved is not None:
            function = inspect.unwrap(resolved.endpoint.function)
            own = getattr(resolved.endpoint.function, "koa_rate", "")
            if own:
                return resolved.endpoint.name, self._own.get(own) or self._own.setdefault(own, _parse(own))
            starts_work = request.method not in SAFE or "exeTask" in function.__code__.co_names
        else:
            starts_work = request.method not in SAFE
        name = "login" if request.path == LOGIN else "write"
        return (name, self._rates[name]) if starts_work and name in self._rates else None


def _parse(rate: str) -> RateLimitItem:
    try:
        return parse(rate)
    except ValueError as error:
        raise SettingsError(f"{rate!r} is no rate. Write it as 10/minute or 100 per hour.") from error
