"""A process that ends when its parent process ends, for whatever reason."""

from __future__ import annotations

import ctypes
import os
import signal
import sys
from collections.abc import Callable

from ..settings import DEVELOPMENT

_PR_SET_PDEATHSIG = 1


def make_lifeline(number: signal.Signals = signal.SIGKILL) -> Callable[[], None]:
    """What a new process calls first: Linux then signals it when the thread that started it ends (prctl(2)).

    Elsewhere it does nothing: see is_orphan.
    """
    prctl = ctypes.CDLL(None).prctl if sys.platform == "linux" else None
    parent = os.getpid()

    def hold_on() -> None:
        if prctl is not None:
            prctl(_PR_SET_PDEATHSIG, int(number))
            if os.getppid() != parent:  # it ended before the call
                os.kill(os.getpid(), number)

    return hold_on


def is_orphan() -> bool:
    """Whether the development server that started this process has ended."""
    parent = os.environ.get(DEVELOPMENT)
    return parent is not None and os.getppid() != int(parent)
