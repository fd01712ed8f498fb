"""Rate limits of requests, counted by Flask-Limiter."""

from __future__ import annotations

import inspect
import logging
import time
from collections.abc import Mapping
from typing import Any

from flask_limiter import Limiter
from flask_limiter.util import get_remote_address
from redis.exceptions import RedisError
from werkzeug.exceptions import TooManyRequests

from limits import RateLimitItem, parse
from system.core.dispatch.request import KernelRequest
from system.core.errors import SettingsError
from system.core.web.origins import SAFE

log = logging.getLogger("kernkoa.limits")

DEFAULTS = {"write": "120/minute", "login": "20/minute"}
LOGIN = "/_koa/login"


def make_limits(app: Any) -> Limits:
    """The limits of a site. The Flask-Limiter object is `app.extensions["limiter"]`."""
    limiter = Limiter(
        get_remote_address,
        app=app,
        strategy="sliding-window-counter",
        storage_uri="redis://",  # the address comes from the connection pool
        storage_options={"connection_pool": app.tasks.redis.client.connection_pool},
        key_prefix=f"{app.settings.name}:limits",
    )
    return Limits(limiter, DEFAULTS | getattr(app.settings, "rateLimits", {}))


class Limits:
    """Checks the rate of each request."""

    def __init__(self, limiter: Limiter, rates: Mapping[str, str]) -> None:
        self._limiter = limiter
        self._rates = {name: _parse(rate) for name, rate in rates.items() if rate}
        self._own: dict[str, RateLimitItem] = {}

    def check(self, request: KernelRequest) -> None:
        """Raises TooManyRequests (429, with Retry-After) over the rate. Without Redis, only warns."""
        found = self._find(request)
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
        raise TooManyRequests(f"At most {rate} are accepted here. Try again in {wait} seconds.", retry_after=wait)

    def _find(self, request: KernelRequest) -> tuple[str, RateLimitItem] | None:
        """The scope of the count and its rate; None if the request is not limited."""
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
        raise SettingsError(f"{rate!r} is not a rate. Write it as 10/minute or 100 per hour.") from error
