"""The decorators of methods: which verbs they answer, who inherits them, how they run as tasks."""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

AnyFunction = TypeVar("AnyFunction", bound=Callable[..., Any])
Mark = Callable[[AnyFunction], AnyFunction]

_ORIGIN = re.compile(r"\*|https?://[^\s/?#]+")
_SIZE = re.compile(r"([1-9][0-9]{0,11})(B|KB|MB|GB)")
_UNITS = {"B": 1, "KB": 1_000, "MB": 1_000_000, "GB": 1_000_000_000}
LONGEST_DELAY = 600.0


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """How often, how soon and after which errors a task is tried again."""

    times: int
    backoff: bool | float
    on: tuple[type[BaseException], ...]

    def delay(self, retries: int) -> float:
        """Seconds before the next try: exponential backoff with jitter."""
        if not self.backoff:
            return 0.0
        first = 1.0 if self.backoff is True else float(self.backoff)
        most = min(LONGEST_DELAY, first * 2.0**retries)
        return most / 2 + random.uniform(0, most / 2)  # noqa: S311 - no secret


NO_RETRY = RetryPolicy(0, False, ())


def allow(*verbs: str, origins: str | Sequence[str] = (), form: str = "") -> Callable[[AnyFunction], AnyFunction]:
    """Let a method answer these HTTP verbs only: `@allow("POST")`. GET brings HEAD with it.

    `origins` are those whose pages may call it and read its answer: `@allow("POST", origins="https://shop.example")`.
    `form` names the method that shows the form that this one receives: `@allow("POST", form="new")`. A browser
    whose values are refused gets that page again as a 422, and its templates have what was typed in `form`.
    """
    trusted = (origins,) if isinstance(origins, str) else tuple(origins)
    if not all(_ORIGIN.fullmatch(origin) for origin in trusted):
        raise TypeError(f'origins = {origins!r}: write scheme and host, such as "https://shop.example", or "*"')
    if not verbs or not all(isinstance(verb, str) and verb.isalpha() for verb in verbs):
        raise TypeError('@allow needs the verbs: write @allow("POST") or @allow("GET", "PUT")')

    return _mark(koa_verbs=frozenset(verb.upper() for verb in verbs), koa_origins=trusted, koa_form=form)


def limit(rate: str = "", *, upload: str = "", values: int = 0) -> Callable[[AnyFunction], AnyFunction]:
    """Limit the body of a method, `@limit(upload="500MB")`, or the requests of a client, `@limit("10/minute")`.

    `values`: how many fields or JSON values it takes, in place of maxParams and maxJsonValues. Rates need the
    addon `limits`. Units of sizes are KB, MB and GB, of 1,000.
    """
    size = _SIZE.fullmatch(upload) if upload else None
    if not (rate or upload or values) or (upload and size is None):
        raise TypeError('@limit needs a rate or a size: write @limit("10/minute") or @limit(upload="500MB")')

    bytes_taken = int(size[1]) * _UNITS[size[2]] if size else 0
    marks = {"koa_upload_bytes": bytes_taken, "koa_values": int(values), "koa_rate": rate}
    return _mark(**{name: value for name, value in marks.items() if value})


def expose(function: AnyFunction) -> AnyFunction:
    """Let subclasses answer URLs with this method too; without it nothing inherited is reachable."""
    function.koa_exposed = True  # type: ignore[attr-defined]
    return function


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
        raise TypeError("@retry needs the number of tries: write @retry(times=3)")
    return _mark(koa_retry=RetryPolicy(times, backoff, tuple(on)))


def queue(name: str) -> Mark[Any]:
    """Send a task method to another queue, one of the setting `queues`: `@queue("reports")`."""
    if not isinstance(name, str):
        raise TypeError('@queue needs a name: write @queue("reports")')
    return _mark(koa_queue=name)


def every(interval: str) -> Mark[Any]:
    """Run a task method at an interval: `@every("30s")`, "5m", "2h", "1d". The development server and
    `celery -A kernkoa.celery beat` start it."""
    return _schedule(interval)


def cron(line: str) -> Mark[Any]:
    """Run a task method at the times of a crontab(5) line: `@cron("0 2 * * *")` is 02:00 every day."""
    return _schedule(line)


def _schedule(text: str) -> Mark[Any]:
    """Checks the argument alone: schedules are read from the source, without importing it."""
    if not isinstance(text, str):
        raise TypeError('a schedule is a text: write @every("5m") or @cron("0 2 * * *")')
    return _mark()


def _mark(**attributes: Any) -> Mark[Any]:
    """A decorator that gives a function these attributes."""

    def mark(function: AnyFunction) -> AnyFunction:
        for name, value in attributes.items():
            setattr(function, name, value)
        return function

    return mark
