"""The decorators that say how a method runs as a task."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

AnyFunction = TypeVar("AnyFunction", bound=Callable[..., Any])
Mark = Callable[[AnyFunction], AnyFunction]

LONGEST_DELAY = 600.0


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """How often, how soon and after which errors a task is tried again."""

    times: int
    backoff: bool | float
    on: tuple[type[BaseException], ...]

    def delay(self, retries: int) -> float:
        """Seconds before the next try: doubled each time, half of it by chance lest many come at once."""
        if not self.backoff:
            return 0.0
        first = 1.0 if self.backoff is True else float(self.backoff)
        most = min(LONGEST_DELAY, first * 2.0**retries)
        return most / 2 + random.uniform(0, most / 2)  # noqa: S311 - no secret


NO_RETRY = RetryPolicy(0, False, ())


def background(function: AnyFunction) -> AnyFunction:
    """Let a request with `Prefer: respond-async` (RFC 7240) run this method in a worker."""
    function.koa_background = True  # type: ignore[attr-defined]
    return function


def retry(
    times: int = 3, backoff: bool | float = True, on: tuple[type[BaseException], ...] = (Exception,)
) -> Mark[Any]:
    """Try a task method again, up to `times` times, when it raises one of `on`: `@retry(times=3, on=(IOError,))`.

    `backoff` waits a second, then two, four, … (a number: that many seconds first); False tries again at once.
    """
    if not isinstance(times, int) or times < 1:
        raise TypeError("@retry needs how often: write @retry(times=3)")
    policy = RetryPolicy(times, backoff, tuple(on))

    def mark(function: AnyFunction) -> AnyFunction:
        function.koa_retry = policy  # type: ignore[attr-defined]
        return function

    return mark


def queue(name: str) -> Mark[Any]:
    """Send a task method to a queue of its own, one of the setting `queues`: `@queue("reports")`."""
    if not isinstance(name, str):
        raise TypeError('@queue needs a name: write @queue("reports")')

    def mark(function: AnyFunction) -> AnyFunction:
        function.koa_queue = name  # type: ignore[attr-defined]
        return function

    return mark


def every(interval: str) -> Mark[Any]:
    """Run a task method again and again: `@every("30s")`, "5m", "2h", "1d"; the development server and
    `celery -A kernkoa.celery beat` see to it."""
    return _leave_as_it_is(interval)


def cron(line: str) -> Mark[Any]:
    """Run a task method at the times of a line of crontab(5): `@cron("0 2 * * *")` is two o'clock each night."""
    return _leave_as_it_is(line)


def _leave_as_it_is(text: str) -> Mark[Any]:
    """Schedules are read from the source: nothing need be imported to know them."""
    if not isinstance(text, str):
        raise TypeError('a schedule is a text: write @every("5m") or @cron("0 2 * * *")')

    def mark(function: AnyFunction) -> AnyFunction:
        return function

    return mark
