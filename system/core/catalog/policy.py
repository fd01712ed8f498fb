"""What the libraries of a catalogue share: when they are looked at again, and what a broken one does."""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from ..errors import ServiceUnavailable
from .execution import Version
from .last_good import LastGood

# A file is read when it has been quiet for this long where the version before can serve meanwhile.
SETTLED_SECONDS = 0.1
# A thread waits this long for another one that loads.
LONGEST_WAIT = 20


@dataclass(slots=True)
class LivePolicy:
    """How long a look at a file holds, and whether a broken file is an error although an older version runs.

    `live_seconds` is 0 to look every time, infinite to never look again. `plain_verbs` are those of methods that
    do not say theirs. `report` is called with each version that was loaded, `find` gives
    the folder or library of a dotted name, `find_file` the library of a path.
    """

    live_seconds: float
    development: bool
    last_good: LastGood
    plain_verbs: frozenset[str] = frozenset({"GET", "POST"})
    report: Callable[[Version], None] = lambda version: None
    find: Callable[[str, float], object | None] = lambda name, now: None
    find_file: Callable[[str, float], Any] = lambda path, now: None
    least_moment: float = 0.0
    builtins: dict[str, Any] = field(default_factory=dict)
    lock: threading.RLock = field(default_factory=threading.RLock)
    open_mark: str = ""  # the file that is there while the root has no guard, for nginx to look for
    guards: dict[str, Any] = field(default_factory=dict)  # the guard that each folder has or had, by its name

    @contextmanager
    def loading(self) -> Iterator[None]:
        """Load alone: one thread at a time. Raises ServiceUnavailable after LONGEST_WAIT seconds."""
        if not self.lock.acquire(timeout=LONGEST_WAIT):
            raise ServiceUnavailable(
                f"Another thread has been loading files of the catalogue for {LONGEST_WAIT} seconds. Try again. "
                "A file that starts threads while it loads, and waits for them, imports first what they need."
            )
        try:
            yield
        finally:
            self.lock.release()

    def now(self) -> float:
        """The moment of a request: taken once, so that each file is looked at once."""
        now = time.monotonic()
        return now if now > self.least_moment else self.least_moment

    def look_again(self) -> None:
        """From now on every file is looked at again when it is used next, however young the last look at it."""
        self.least_moment = self.after_every_look()

    def after_every_look(self) -> float:
        """A moment at which each file is due, however young the last look at it."""
        return time.monotonic() + (0 if math.isinf(self.live_seconds) else self.live_seconds + SETTLED_SECONDS)

    def next_look(self, now: float) -> float:
        """When a file that was looked at now is looked at again."""
        if not self.live_seconds:
            return time.monotonic()
        return min(now, time.monotonic()) + self.live_seconds
