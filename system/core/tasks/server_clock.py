"""The clock of the Redis server, which all machines of a site go by: their own clocks need not agree."""

from __future__ import annotations

import time
from typing import Any

# goes on while the machine sleeps, where the system has such a clock
_TICKS = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)


class ServerClock:
    """Seconds since the epoch, as the server counts them.

    The server is asked once in `seconds`; between, the machine's ticks are added: a step of its own clock changes
    nothing.
    """

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._asked = (float("-inf"), 0.0)  # the ticks, and the server's time then

    def now(self, client: Any) -> float:
        """The server's time. Raises what asking the server raises."""
        ticks, told = self._asked
        if time.clock_gettime(_TICKS) - ticks > self._seconds:
            whole, micro = client.time()
            ticks, told = self._asked = (time.clock_gettime(_TICKS), whole + micro / 1e6)
        return told + time.clock_gettime(_TICKS) - ticks
