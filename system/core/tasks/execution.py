"""Executes one task message in a worker: finds the live method, runs it, records how it ended."""

from __future__ import annotations

import logging
import signal
import threading
import time
import uuid
from collections.abc import AsyncGenerator, Generator, Iterator
from contextlib import contextmanager
from typing import Any

from billiard.common import terminate_handler_fired
from billiard.exceptions import SoftTimeLimitExceeded
from billiard.pool import SIG_SOFT_TIMEOUT, soft_timeout_sighandler
from celery import Celery
from celery.exceptions import Ignore, Reject, Retry
from flask import Flask, Response
from pydantic_core import from_json

from ..catalog.outline import TASK_PARAMETER
from ..dispatch.calling import arguments_of
from ..dispatch.coroutines import finish, iterate
from ..dispatch.decorators import NO_RETRY, RetryPolicy
from ..dispatch.responses import respond
from ..dispatch.routing import Endpoint
from ..dispatch.walk import Resolved, resolve
from ..errors import (
    NotFound,
    OutOfMemory,
    ResultRefused,
    TaskCancelled,
    TaskError,
    TaskExited,
    TaskTimeout,
    WorkerKilled,
)
from .child_processes import exit_in_child
from .failures import Failure, describe_error, site_frames
from .json_text import NotJson, encode_value
from .output import output_of
from .payload import decode_message, make_environ, unpack_params
from .progress import Reporter
from .queues import QUEUE, RUN
from .records import Record, decode_pairs
from .redis_connection import patiently
from .submission import Tasks, task_arguments
from .tracing import name_span

log = logging.getLogger("kernkoa.tasks")

# a task that ended its worker so often is not tried again
MOST_RUNS = 3
# so long a library may be missing or empty while an editor, git or rsync replaces it
REPLACE_SECONDS = 2.0
_NEVER_RETRIED = (Ignore, Retry, Reject, SoftTimeLimitExceeded, ResultRefused, TaskError)


def register(app: Flask, tasks: Tasks, celery: Celery) -> None:
    """Make the one Celery task of a site, which runs any task method."""

    def run(task: Any, *_: Any, **__: Any) -> str:
        began = time.monotonic()
        record = _start(task, tasks)
        name_span(record["route"])
        try:
            text = _run_method(app, tasks, task, record)
        except (Ignore, Retry):
            raise
        except BaseException as error:
            if isinstance(error, SystemExit) and terminate_handler_fired():
                raise
            failure = describe_error(error)
            log.error(
                "%s[%s] failed in %.3f s: %s",
                record["route"],
                task.request.id,
                time.monotonic() - began,
                failure,
                exc_info=(type(error), error, site_frames(error.__traceback__)),
            )
            raise failure from None
        log.info("%s[%s] succeeded in %.3f s", record["route"], task.request.id, time.monotonic() - began)
        return text

    request = "system.core.tasks.worker:KoaRequest"
    celery.task(run, name=RUN, bind=True, shared=False, throws=(Failure,), Request=request)


def _start(task: Any, tasks: Tasks) -> Record:
    """Record that the task runs. Raises Ignore for a message that must not run."""
    request = task.request
    begun = getattr(request, "begun", None)  # only a message of Redis has it, and none in a site's tests
    if not tasks.settings.brokerUrl and begun:
        _, runs, fields = begun
        return _describe(request.id, runs, decode_pairs(fields))
    redelivered = bool((request.delivery_info or {}).get("redelivered"))
    lease = tasks.settings.leaseSeconds if tasks.settings.brokerUrl else 0.0
    records = task.backend.records
    run = str(uuid.uuid4())
    runs, record = patiently(lambda: records.start(request.id, run, request.hostname, redelivered, lease))
    if runs < 0:
        log.info("A message of %s is ignored: %s", request.id, _PASSED_OVER[runs])
        raise Ignore
    return _describe(request.id, runs, record)


def _describe(task_id: str, runs: int, record: Record) -> Record:
    return {"route": "", "queue": QUEUE, **record, "task_id": task_id, "runs": runs}


_PASSED_OVER = {
    -1: "there is no such task, or its record was deleted",
    -2: "it has ended, or was cancelled",
    -3: "it runs already",
}


def _run_method(app: Flask, tasks: Tasks, task: Any, record: Record) -> str:
    """Run the task method; returns its result as JSON text. Raises Ignore or Retry if the kernel asked for it."""
    if record["runs"] > MOST_RUNS:
        raise WorkerKilled(
            f"The task ended its worker {MOST_RUNS} times and was given up. Look in the worker's log for what "
            "killed it: memory, a crash in a library, os._exit()."
        )
    message = decode_message(record.pop("message", b""))
    reporter = Reporter(task, tasks, record)
    origin = message["origin"]
    _hear_time_limit(True)
    try:
        with app.request_context(make_environ(origin)), output_of(record), _control(reporter, tasks):
            log.info(
                "%s[%s] runs for request %s of %s", record["route"], reporter.id, origin["id"], origin["path"]
            )
            return _perform(reporter, tasks, record["route"], message)
    finally:
        _record_last_report(reporter)
        _hear_time_limit(False)  # a result is not lost because Redis is away for longer than the task may run


def _hear_time_limit(hears: bool) -> None:
    """Whether the soft time limit, a signal to the process, interrupts it. Threads have no limit."""
    if threading.current_thread() is threading.main_thread() and SIG_SOFT_TIMEOUT is not None:
        signal.signal(SIG_SOFT_TIMEOUT, soft_timeout_sighandler if hears else signal.SIG_IGN)


def _record_last_report(reporter: Reporter) -> None:
    fields = reporter.close()
    if fields and not reporter.retry_request:
        patiently(lambda: reporter.backend.records.write(reporter.id, fields))


@contextmanager
def _control(reporter: Reporter, tasks: Tasks) -> Iterator[None]:
    """Convert the exception of a method to that of the task; those that the kernel requested stay as they are."""
    try:
        yield
    except TaskCancelled:
        if reporter.is_cancelled:
            log.info("%s was cancelled", reporter.id)
            raise Ignore from None
        raise
    except Retry as error:
        if error is reporter.retry_request:
            raise
        raise TaskError(
            "The task raised Retry itself. Write: raise celery_instance.retry(countdown=10)."
        ) from error
    except (Ignore, Reject) as error:
        raise TaskError(
            f"The task raised Celery's {type(error).__name__}: return instead, or raise an error."
        ) from error
    except MemoryError as error:
        raise OutOfMemory("The task ran out of memory.") from error
    except SoftTimeLimitExceeded as error:
        limit = tasks.settings.taskSeconds
        raise TaskTimeout(f"The task ran longer than taskSeconds = {limit:g} s, and was ended.") from error
    except SystemExit as error:
        if terminate_handler_fired():
            _give_back(reporter, tasks)
            raise
        raise TaskExited(f"The task called sys.exit({error.code!r}).") from error


def _give_back(reporter: Reporter, tasks: Tasks) -> None:
    """The worker is ending: requeue the message; this run is not counted."""
    record = reporter._record
    fields = {"status": "PENDING", "runs": record["runs"] - 1, **reporter.close()}
    try:
        tasks.records.write(reporter.id, fields)
    except Exception as error:  # noqa: BLE001 - the process ends in any case
        log.warning("The record of %s still has the status inProgress: %s", reporter.id, error)


def _perform(reporter: Reporter, tasks: Tasks, route: str, message: dict[str, Any]) -> str:
    answer = bool(message["answer"])
    resolved = _resolve(tasks, route)
    _check_reachable(resolved.endpoint, tasks, answer)
    policy: RetryPolicy = getattr(resolved.endpoint.function, "koa_retry", NO_RETRY)
    try:
        params = unpack_params(message["params"])
        value = _answer(resolved, params) if answer else _call(resolved, params, reporter)
        return encode_result(value, tasks.settings.maxResultBytes)
    except policy.on as error:
        if isinstance(error, _NEVER_RETRIED):
            raise
        delay = policy.delay(int(reporter.request.retries or 0))
        raise reporter.retry(exc=error, countdown=delay, max_retries=policy.times) from error


def _resolve(tasks: Tasks, route: str) -> Resolved:
    """The live method of a task. Waits while its file is being replaced."""
    segments, deadline = tuple(route.split("/")), time.monotonic() + REPLACE_SECONDS
    while True:
        try:
            tasks.catalog.policy.look_again()  # the process that sent the task may have seen an edit a moment ago
            return resolve(tasks.catalog, segments, tasks.catalog.now(), tasks=True)
        except NotFound:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.1)


def _check_reachable(endpoint: Endpoint, tasks: Tasks, answer: bool) -> None:
    """Refuses a record in Redis that names a method which cannot be started."""
    allowed = tasks.settings.respondAsync or getattr(endpoint.function, "koa_background", False)
    if endpoint.outline.is_task == answer or (answer and not allowed):
        raise TaskError(
            f"{endpoint.name} cannot be run as {'an answer in the background' if answer else 'a task'}."
        )


def _call(resolved: Resolved, params: Any, reporter: Reporter) -> Any:
    endpoint = resolved.endpoint
    arguments = task_arguments(endpoint, resolved.arguments, params)
    if endpoint.outline.is_task:
        arguments[TASK_PARAMETER] = reporter
    with exit_in_child():
        return _exhaust(finish(endpoint.function(endpoint.controller(), **arguments)))


def _exhaust(value: Any) -> Any:
    """The values of a generator, whose code is part of the task; any other value as it is."""
    if isinstance(value, AsyncGenerator):
        value = iterate(value)
    return list(value) if isinstance(value, Generator) else value


def _answer(resolved: Resolved, params: Any) -> Any:
    """The response of a URL's method as a result: JSON as its data, text unchanged."""
    endpoint = resolved.endpoint
    args, kwargs = arguments_of(endpoint, resolved.arguments, params)
    with exit_in_child():
        response = respond(finish(endpoint.function(endpoint.controller(), *args, **kwargs)))
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
            f"The method answered {response.mimetype}, which is not text: in the background it can return text "
            "or JSON. Save it to a file and answer its address."
        ) from error


def encode_result(value: Any, most_bytes: int) -> str:
    """A result as JSON text. Raises ResultRefused for what JSON cannot hold, or what is too big."""
    try:
        text = encode_value(value, "result", nan="null")
    except NotJson as error:
        raise ResultRefused(
            f"{error}, which cannot be sent as JSON. Return text, numbers, dates, lists and dicts; of a file its "
            "address."
        ) from error
    if len(text) > most_bytes:
        raise ResultRefused(
            f"The result has {len(text):,} bytes; maxResultBytes = {most_bytes:,}. Save it to a file or to a "
            "table and return where it is."
        )
    return text.decode()
