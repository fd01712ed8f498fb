"""Processes that a task starts: a signal ends them, as in any script."""

from __future__ import annotations

import os
import signal
import threading
from functools import cache

_WORKER_LIBRARIES = ("billiard.", "celery.")
_of_thread = threading.local()


@cache
def let_signals_end_children() -> None:
    """Give each process that is forked from now on the default signal handlers in place of the worker's.

    The worker's handlers raise SystemExit, or only note that the worker is to end. And Python drops a signal that
    a handler would take and that comes before fork() is done: SIGTERM is held back meanwhile. Either would let
    multiprocessing's Pool.terminate() wait for ever.
    """
    os.register_at_fork(before=_hold, after_in_parent=_release, after_in_child=_begin)


def _hold() -> None:
    _of_thread.mask = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})


def _release() -> None:
    signal.pthread_sigmask(signal.SIG_SETMASK, _of_thread.mask)


def _begin() -> None:
    for number in signal.valid_signals():
        if getattr(signal.getsignal(number), "__module__", "").startswith(_WORKER_LIBRARIES):
            signal.signal(number, signal.SIG_DFL)
    _release()
