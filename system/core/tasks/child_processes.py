"""Processes that a task starts: a signal ends them, as in any script."""

from __future__ import annotations

import os
import signal
import sys
import threading
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from multiprocessing import process

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


def let_children_import_the_site() -> None:
    """Let the functions of controllers be found in processes that multiprocessing starts anew (spawn, forkserver).

    Such a process imports the main module first, here Celery's. With the site's it can import controllers.
    """
    sys.modules["__main__"] = sys.modules.get("kernkoa", sys.modules["__main__"])
    config = process.current_process()._config  # type: ignore[attr-defined]
    # one of billiard's class cannot be sent to such a process
    config["authkey"] = process.AuthenticationString(config["authkey"])  # type: ignore[attr-defined]


@contextmanager
def exit_in_child() -> Iterator[None]:
    """End a process that a task forked with os.fork() and that comes out of the task's method, as a script ends.

    It would go on as a second worker on the pipes of the first.
    """
    pid = os.getpid()
    try:
        yield
    except BaseException as error:
        if os.getpid() != pid:
            _exit(error)
        raise
    if os.getpid() != pid:
        _exit(None)


def _exit(error: BaseException | None) -> None:
    code = error.code if isinstance(error, SystemExit) else int(error is not None)
    if error is not None and not isinstance(error, SystemExit):
        traceback.print_exception(error)
    for stream in (sys.stdout, sys.stderr):
        stream.flush()
    os._exit(code if isinstance(code, int) else int(code is not None))
