"""What a worker does with a message: find the live method of that moment, run it, see that it ends well."""

from __future__ import annotations

import logging
import signal
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from billiard.common import terminate_handler_fired
from billiard.exceptions import SoftTimeLimitExceeded
from billiard.pool import SIG_SOFT_TIMEOUT, soft_timeout_sighandler
from celery.exceptions import Ignore, Reject, Retry
from flask import Flask, Response
from pydantic_core import PydanticSerializationError, from_json, to_json

from ..catalog.outline import TASK_PARAMETER
from ..dispatch.calling import bind
from ..dispatch.decorators import NO_RETRY, RetryPolicy
from ..dispatch.responses import respond
from ..dispatch.routing import Route
from ..dispatch.walk import Resolved, resolve
from ..errors import OutOfMemory, ResultRefused, TaskCancelled, TaskError, TaskExited, TaskTimeout, WorkerKilled
from .payload import find_fault, make_environ, unpack_params
from .progress import Reporter
from .records import Record, encode_tail
from .submission import RUN, Tasks, task_arguments

log = logging.getLogger("kernkoa.tasks")

# a task that ended its worker so often is not tried again
MOST_RUNS = 3
# Celery's own words, and what another try does not better
_NEVER_RETRIED = (Ignore, Retry, Reject, SoftTimeLimitExceeded, ResultRefused, TaskError)


def register(app: Flask, tasks: Tasks) -> None:
    """Make the one Celery task of a site: it runs any method."""

    def run(task: Any, route: str, params: Any, origin: Any, queued: float, answer: bool = False) -> Any:
        about = _describe(task, route, queued)
        task.request.koa_about = about
        message = {"route": route, "params": params, "origin": origin, "queued": queued, "answer": answer}
        reporter = _begin(task, tasks, about, message)
        _hear_time_limit(True)
        try:
            with app.request_context(make_environ(origin)), _ending_well(reporter, tasks):
                log.info("%s[%s] runs for request %s of %s", route, reporter.id, origin["id"], origin["path"])
                return _perform(reporter, tasks, route, params, answer)
        finally:
            reporter.close()
            _hear_time_limit(False)  # what is done is not lost because its Redis is away for long

    tasks.celery.task(run, name=RUN, bind=True, shared=False)


def _hear_time_limit(hears: bool) -> None:
    """Whether the soft time limit, a signal to the process, interrupts what it does. Threads have no limit."""
    if threading.current_thread() is threading.main_thread() and SIG_SOFT_TIMEOUT is not None:
        signal.signal(SIG_SOFT_TIMEOUT, soft_timeout_sighandler if hears else signal.SIG_IGN)


def _describe(task: Any, route: str, queued: float) -> Record:
    queue = (task.request.delivery_info or {}).get("routing_key")
    return {
        "route": route,
        "queue": queue,
        "queued": queued,
        "started": time.time(),
        "worker": task.request.hostname,
    }


def _begin(task: Any, tasks: Tasks, about: Record, message: Record) -> Reporter:
    """Write the start record, with the backend's patient client. Ends a run that should not be."""
    backend = task.backend
    reporter = Reporter(task, tasks.records, about, message)
    record = {"status": "STARTED", "task_id": reporter.id, **about}
    redelivered = bool((task.request.delivery_info or {}).get("redelivered"))

    def write() -> tuple[int, Record]:
        return backend.records.start(backend.client, reporter.id, record, about["queue"], redelivered)  # type: ignore[no-any-return]

    runs, old = backend.ensure(write, ())
    if runs < 0:  # it was cancelled while it waited, has ended, or runs: this message is one too many
        raise Ignore
    if runs > MOST_RUNS:
        raise WorkerKilled(
            f"The task ended its worker {MOST_RUNS} times and was given up. Look in the worker's log for what "
            "killed it: memory, a crash in a library, os._exit()."
        )
    reporter.resume(old)
    return reporter


@contextmanager
def _ending_well(reporter: Reporter, tasks: Tasks) -> Iterator[None]:
    """Whatever ends the method, the worker goes on and the record says what it was."""
    try:
        yield
    except TaskCancelled:
        raise Ignore from None
    except MemoryError as error:  # Celery's worker would exit
        raise OutOfMemory("The task ran out of memory.") from error
    except SoftTimeLimitExceeded as error:
        limit = tasks.settings.taskSeconds
        raise TaskTimeout(f"The task ran longer than taskSeconds = {limit:g} s, and was ended.") from error
    except SystemExit as error:
        if terminate_handler_fired():
            _give_back(reporter)
            raise
        raise TaskExited(f"The task called sys.exit({error.code!r}).") from error


def _give_back(reporter: Reporter) -> None:
    """The worker is asked to end: the task is queued again, and this run does not count as a death."""
    about = dict(reporter.request.koa_about)
    state = reporter.close()
    record = {"status": "PENDING", "task_id": reporter.id, **about, "state": state}
    backend = reporter.backend
    try:
        backend.records.write_with(backend.client, reporter.id, encode_tail(record), -1, False)
    except Exception as error:  # noqa: BLE001 - the process ends, whatever this says
        log.warning("The record of %s says that it runs still: %s", reporter.id, error)


def _perform(reporter: Reporter, tasks: Tasks, route: str, packed: Mapping[str, Any], answer: bool) -> Any:
    # a task may have been sent the moment after its library was written: see at least what its sender saw
    now = tasks.catalog.after_every_look()
    resolved = resolve(tasks.catalog, Route(tuple(route.split("/"))), now, tasks=True)
    policy: RetryPolicy = getattr(resolved.endpoint.function, "koa_retry", NO_RETRY)
    try:
        params = unpack_params(packed)
        value = _answer(resolved, params) if answer else _call(resolved, params, reporter)
        return jsonable(value, tasks.settings.maxResultBytes)
    except policy.on as error:
        if isinstance(error, _NEVER_RETRIED):
            raise
        delay = policy.delay(reporter.request.retries)
        raise reporter.retry(exc=error, countdown=delay, max_retries=policy.times) from error


def _call(resolved: Resolved, params: Any, reporter: Reporter) -> Any:
    endpoint = resolved.endpoint
    arguments = task_arguments(endpoint, resolved.arguments, params)
    if endpoint.outline.is_task:
        arguments[TASK_PARAMETER] = reporter
    return endpoint.function(endpoint.controller(), **arguments)


def _answer(resolved: Resolved, params: Any) -> Any:
    """What a URL's method would have answered: JSON as its data, text as it is."""
    endpoint = resolved.endpoint
    args, kwargs = bind(endpoint, resolved.arguments, lambda: params)
    response = respond(endpoint.function(endpoint.controller(), *args, **kwargs))
    body = response.get_data()
    if response.status_code == 204 or not body:
        return None
    if response.is_json:
        return from_json(body)
    return _read_text(response, body)


def _read_text(response: Response, body: bytes) -> str:
    try:
        return body.decode()
    except UnicodeDecodeError as error:
        raise ResultRefused(
            f"The method answered {response.mimetype}, which is no text: run in the background it can answer text "
            "or JSON. Save it to a file and answer its address."
        ) from error


def jsonable(value: Any, most_bytes: int) -> Any:
    """A result as JSON values. Raises ResultRefused for what is none, or is too big."""
    try:
        text = to_json(value, inf_nan_mode="null")
    except (PydanticSerializationError, ValueError, RecursionError) as error:
        place = find_fault(value, "result") or f"result ({error})"
        raise ResultRefused(
            f"{place} cannot be sent as JSON. Return text, numbers, dates, lists and dicts; of a file its address."
        ) from error
    if len(text) > most_bytes:
        raise ResultRefused(
            f"The result has {len(text):,} bytes; maxResultBytes = {most_bytes:,}. Save it to a file or to a "
            "table and return where it is."
        )
    return from_json(text)
