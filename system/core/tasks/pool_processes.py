"""The processes of a worker's pool: what they begin with, how they are ended and replaced."""

from __future__ import annotations

import gc
import logging
import multiprocessing
import signal
from typing import Any

import billiard.pool
from celery.signals import worker_process_init

from .child_processes import let_children_import_the_site, let_signals_end_children
from .output import capture_output
from .parent_process import make_lifeline

log = logging.getLogger("kernkoa.worker")

# after a process of the pool closed its pipes
LOOK_AGAIN_SECONDS = (0.005, 0.02, 0.1, 1.0)
# a process that ends looks so often whether its last result was received, for at most so long
RECEIVED_SECONDS = 0.005
WAIT_RECEIVED_SECONDS = 30
# more than any process sends
ALL_RESULTS = 2**31 - 1


def prepare_pool(app: Any) -> None:
    """Before the first process starts: what all need is loaded once, and replacing one is quick."""
    app.backend  # noqa: B018 - Celery finds it by a search through all installed packages
    billiard.pool.GUARANTEE_MESSAGE_CONSUMPTION_RETRY_INTERVAL = RECEIVED_SECONDS
    billiard.pool.GUARANTEE_MESSAGE_CONSUMPTION_RETRY_LIMIT = int(WAIT_RECEIVED_SECONDS / RECEIVED_SECONDS)
    # Celery collects garbage before each start of a process: not among what was loaded until now
    gc.collect()
    gc.freeze()
    # a process of the pool ends with the worker, or its task would run beside the one that takes it over
    hold_on = make_lifeline()
    worker_process_init.connect(lambda **_: hold_on(), weak=False)
    worker_process_init.connect(prepare_process, weak=False)


def prepare_process(**_: Any) -> None:
    """Let a process of the pool start processes and print, like an ordinary process."""
    multiprocessing.current_process()._config["daemon"] = False  # type: ignore[attr-defined]
    let_signals_end_children()
    let_children_import_the_site()
    capture_output()


def can_terminate(pool: Any) -> bool:
    return type(pool).__module__.endswith(".prefork")


def end_process(pool: Any, request: Any, number: signal.Signals) -> None:
    log.info("%s[%s] was cancelled: %s to its process", request.name, request.id, number.name)
    pool.terminate_job(request.worker_pid, number)


def end_promptly(pool: Any) -> None:
    """Let the processes of a pool that stops end when their tasks have.

    A process waits half a minute until the worker has received its last result. A task that the worker has just
    handed to a process when it is asked to end is given back, and its result not received: its record has it.
    """
    stop = pool._result_handler.stop

    def stop_and_release(timeout: float | None = None) -> None:
        stop(timeout)
        for received in pool._on_ready_counters.values():
            received.get_obj().value = ALL_RESULTS

    pool._result_handler.stop = stop_and_release


def replace_promptly(pool: Any) -> None:
    """Let a pool replace a process as soon as it has ended.

    A process closes its pipes a moment before the system counts it as ended. Celery looks at that moment, and next
    after five seconds.
    """
    look = pool._event_process_exit

    def look_again(hub: Any, process: Any) -> None:
        look(hub, process)
        for seconds in LOOK_AGAIN_SECONDS:
            hub.call_later(seconds, pool.maintain_pool)

    pool._event_process_exit = look_again
