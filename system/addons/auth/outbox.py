"""Mails that are sent after the response, tried again after a failure, and once more before the process exits."""

from __future__ import annotations

import atexit
import logging
import threading
import time
from collections.abc import Callable
from functools import cache
from heapq import heappop, heappush
from itertools import count

Send = Callable[[], object]

THREADS = 2
RETRY_SECONDS = (5.0, 60.0, 300.0)
EXIT_SECONDS = 10.0

log = logging.getLogger("kernkoa.auth")


class Outbox:
    """The waiting mails of one process.

    The threads are daemons, so a mail server that does not answer delays the exit by `EXIT_SECONDS` at most.
    """

    def __init__(self) -> None:
        self._waiting: list[tuple[float, int, str, Send, tuple[float, ...]]] = []
        self._numbers = count()
        self._sending = 0
        self._is_closing = False
        self._changed = threading.Condition()
        for _ in range(THREADS):
            threading.Thread(target=self._work, name="auth-mail", daemon=True).start()
        atexit.register(self.close)

    def add(self, title: str, send: Send, waits: tuple[float, ...] | None = None, seconds: float = 0) -> None:
        """Call `send` in so many seconds, and again after each of `waits` while it raises. Logs show the title."""
        waits = RETRY_SECONDS if waits is None else waits
        with self._changed:
            heappush(self._waiting, (time.monotonic() + seconds, next(self._numbers), title, send, waits))
            self._changed.notify()

    def close(self, seconds: float = EXIT_SECONDS) -> None:
        """Send what waits, each mail once, within so many seconds in all."""
        with self._changed:
            self._is_closing = True
            self._changed.notify_all()
            self._changed.wait_for(lambda: not self._waiting and not self._sending, seconds)
            lost = len(self._waiting) + self._sending
        if lost:
            log.error("The process exits before %s mails could be sent: the users can ask again.", lost)

    def _work(self) -> None:
        while True:
            title, send, waits = self._take()
            self._try(title, send, waits)
            with self._changed:
                self._sending -= 1
                self._changed.notify_all()

    def _take(self) -> tuple[str, Send, tuple[float, ...]]:
        """Wait for the next mail that is due; when the process exits, all are."""
        with self._changed:
            while True:
                seconds = self._waiting[0][0] - time.monotonic() if self._waiting else None
                if seconds is not None and (seconds <= 0 or self._is_closing):
                    self._sending += 1
                    return heappop(self._waiting)[2:]
                self._changed.wait(seconds)

    def _try(self, title: str, send: Send, waits: tuple[float, ...]) -> None:
        try:
            send()
        except Exception:
            if self._is_closing or not waits:
                log.exception("%s was not sent. It is not tried again: the user can ask again.", title)
                return
            log.exception("%s was not sent. It is tried again in %g seconds.", title, waits[0])
            self.add(title, send, waits[1:], waits[0])


@cache
def outbox() -> Outbox:
    """Made at the first mail, so in the process that sends it."""
    return Outbox()
