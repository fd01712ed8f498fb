"""exeTask: from a controller's call to a message for a worker."""

from __future__ import annotations

import logging
import math
import uuid
from collections.abc import Callable
from functools import cached_property
from typing import TYPE_CHECKING, Any

from flask import has_request_context, request
from pydantic_core import to_json

from ..catalog.tree import Catalog
from ..dispatch.calling import arguments_of
from ..dispatch.params import Params
from ..dispatch.responses import Task
from ..dispatch.routing import Endpoint
from ..dispatch.walk import Resolved, resolve
from ..errors import BrokerUnavailable, InvalidParameters, NotFound, QueueFull, TaskError, TooLarge
from ..settings import Settings
from .heartbeats import Heartbeats
from .json_text import walk
from .payload import Packed, decode_message, describe_origin, encode_message, pack_params
from .queues import QUEUE, RUN, Queues, make_message
from .records import FINAL, MOST_KEPT_BYTES, Record, Records
from .redis_connection import RedisConnection
from .schedule_times import ScheduleTimes
from .task_leases import TaskLeases
from .task_search import TaskSearch
from .tracing import continue_trace
from .zones import find_zone

if TYPE_CHECKING:
    from celery import Celery

log = logging.getLogger("kernkoa.tasks")

DAY = 86_400
LONGEST_DELAY = 366 * DAY
# how long RabbitMQ may take to confirm a message
CONFIRM_SECONDS = 5.0


def check_delay(name: str, delay: Any) -> None:
    """Raises TaskError unless a delay is a number of seconds, of a year at most."""
    if not (isinstance(delay, int | float) and math.isfinite(delay) and 0 <= delay <= LONGEST_DELAY):
        raise TaskError(f"{name}={delay!r} cannot be used: write seconds, from 0 to {LONGEST_DELAY:,} (a year).")


class Tasks:
    """The tasks of a site: starts them, and has their records, their queues and the workers."""

    def __init__(self, settings: Settings, catalog: Catalog, make_celery: Callable[[], Celery]) -> None:
        self.settings = settings
        self.catalog = catalog
        self._make_celery = make_celery
        self.redis = RedisConnection(settings)
        self.records = Records(self.redis, settings.resultDays * DAY)
        self.queues = Queues(self.redis, self.records)
        self.search = TaskSearch(self.redis, self.records)
        self.schedule_times = ScheduleTimes(self.redis)
        self.heartbeats = Heartbeats(self.redis)
        self.leases = TaskLeases(self.redis, self.records)
        # an addon may refuse a client's task, by its id; called in a request only
        self.check_client: Callable[[str], None] | None = None
        self.zone = find_zone(settings.timezone)

    @cached_property
    def celery(self) -> Celery:
        """Celery's app, made when it is first used: by a worker, and where brokerUrl is set."""
        return self._make_celery()

    def exeTask(  # the contract's spelling
        self, controller: object, method: str, params: Any = None, *, queue: str | None = None, delay: float = 0
    ) -> dict[str, str]:
        """Hand a task method to a worker: `exeTask(self, "build", params)`.

        `method` is one of the caller's own class, or of any by its address, "folder/library/Class/method"; a task
        method has a `celery_instance` parameter. `params` is None, a Params or any JSON value. `queue` is one of
        the setting `queues`; `delay` is seconds to wait. Returns {"type": "task", "id": …, "url": …}; a GET of the
        url shows its status. Raises TaskError for what cannot be a task, QueueFull if maxQueued tasks wait
        already, BrokerUnavailable if Redis does not answer.
        """
        endpoint = self._find(controller, method)
        packed = pack_params(params)
        try:
            task_arguments(endpoint, (), packed.value)
        except InvalidParameters as error:
            raise _blame(error, endpoint, params) from error
        chosen = queue or str(getattr(endpoint.function, "koa_queue", QUEUE))
        return self.describe(self.send(endpoint.name, packed, chosen, delay))

    def describe(self, task_id: str) -> Task[Any]:
        """What exeTask returns for a task."""
        return Task(type="task", id=task_id, url=f"{self.settings.url}status/{task_id}")

    def send(
        self,
        route: str,
        packed: Packed,
        queue: str = QUEUE,
        delay: float = 0,
        task_id: str = "",
        origin: dict[str, str] | None = None,
        answer: bool = False,
    ) -> str:
        """Record a task and queue it; returns its id. A `task_id` that is taken is not queued again."""
        self._check(queue, delay, packed)
        name = task_id or str(uuid.uuid4())
        around = request if has_request_context() else None
        if around is not None and self.check_client is not None:
            self.check_client(name)
        now = self.redis.now()
        message = encode_message(packed, origin or describe_origin(around, self.settings.url), answer)
        fields: Record = {"route": route, "message": message}
        if len(message) > MOST_KEPT_BYTES:
            fields["bytes"] = len(message)
        most = self.settings.maxQueued
        envelope = self._envelope(name, route, queue, now + delay if delay else None)
        taken = self.queues.put(name, queue, (now, now + delay), most, envelope, fields)
        if taken < 0:
            raise QueueFull(f"{most:,} tasks wait in the queue {queue!r} already (maxQueued). Try again later.")
        if taken and self.settings.brokerUrl:
            self._publish_or_take_back(name, route, queue, now + delay)
        log.debug("%s[%s] is queued in %s", route, name, queue)
        return name

    def send_again(
        self, record: Record, due: float | None = None, retries: int = 0, lost: bool = False, **fields: Any
    ) -> str:
        """Queue a task again unless it is final, and write `fields` to its record. Returns its status before.

        With `lost` only if it waits still.
        """
        name, route, queue = record["task_id"], record["route"], record["queue"]
        eta, due = due, due or self.redis.now()
        envelope = self._envelope(name, route, queue, eta, retries)
        before = self.queues.put_again(name, queue, due, envelope, {**fields, "retries": retries}, lost)
        if before and before not in FINAL and self.settings.brokerUrl:
            self._publish(name, route, queue, due, retries)
        return before

    def run_again(self, task_id: str) -> str:
        """Start a task that has ended once more, with the same params; returns the id of the new one.

        Raises TaskError for an unknown id, a task that has not ended, and one whose params are not kept.
        """
        record = self.records.load(task_id)
        if record.get("status") not in FINAL:
            raise TaskError(f"{task_id} has not ended." if record else f"There is no task {task_id}.")
        if not record.get("message"):
            raise TaskError(f"{task_id} was successful, and its params are too large to be kept. Start a new one.")
        message = decode_message(record["message"])
        packed = Packed(to_json(message["params"]), None)
        return self.send(
            record["route"], packed, record["queue"], origin=message["origin"], answer=bool(message["answer"])
        )

    def purge(self, queue: str) -> int:
        """Cancel all tasks that wait in a queue; returns how many."""
        return sum(self.records.cancel(task_id) in ("PENDING", "RETRY") for task_id in self.queues.purge(queue))

    def send_due(self) -> None:
        """Publish the delayed tasks that are due. A message that is sent twice is ignored once."""
        for record in self.queues.find_due():
            if record.get("status") in ("PENDING", "RETRY"):
                retries = int(record.get("retries", 0))
                with continue_trace(record.get("trace")):
                    self._publish(record["task_id"], record["route"], record["queue"], 0.0, retries)
            self.queues.drop_delayed(record["task_id"])

    def _check(self, queue: str, delay: float, packed: Packed) -> None:
        if queue != QUEUE and queue not in self.settings.queues:
            known = ", ".join((QUEUE, *self.settings.queues))
            raise TaskError(f"There is no queue {queue!r}: add it to queues in config.py. There are: {known}.")
        check_delay("delay", delay)
        size, most = len(packed.text), self.settings.maxTaskBytes
        if size > most:
            told = f"The params of this task have {size:,} bytes as JSON; maxTaskBytes = {most:,}."
            sent = (request.content_length or 0) + len(request.query_string) if has_request_context() else 0
            if sent >= most / 2:
                raise TooLarge(f"{told} Send less.")
            raise TaskError(f"{told} Save them to a file or to a table, and pass where they are.")

    def _envelope(self, name: str, route: str, queue: str, eta: float | None, retries: int = 0) -> str:
        return "" if self.settings.brokerUrl else make_message(name, route, queue, eta, retries)

    def _publish_or_take_back(self, name: str, route: str, queue: str, due: float) -> None:
        try:
            self._publish(name, route, queue, due)
        except BrokerUnavailable:
            self.queues.take_back(name, queue)
            raise

    def _publish(self, name: str, route: str, queue: str, due: float, retries: int = 0) -> None:
        """Send a message to RabbitMQ; returns when RabbitMQ has confirmed it."""
        from kombu.exceptions import KombuError

        if due > self.redis.now():
            self.queues.put_off(name, due)
            return
        try:
            self.celery.tasks[RUN].apply_async(
                task_id=name,
                queue=queue,
                retries=retries,
                confirm_timeout=CONFIRM_SECONDS,
                shadow=route,
                argsrepr="()",
                kwargsrepr="{}",
                add_to_parent=False,
            )
        except (KombuError, OSError, *self.celery.connection_for_write().connection_errors) as error:
            log.warning("The broker does not answer: %s", error)
            raise BrokerUnavailable("Tasks cannot be started at the moment. Try again soon.") from error

    def _find(self, controller: object, method: str) -> Endpoint:
        """The task method that exeTask names."""
        segments = tuple(method.split("/")) if "/" in method else (*_address(controller), method)
        try:
            resolved = self._resolve(segments)
        except NotFound as error:
            raise self._explain(controller, method, str(error.reason)) from error
        if not _is_exact(resolved, segments) or not resolved.endpoint.outline.is_task:
            raise self._explain(controller, method, "it is not a task method")
        return resolved.endpoint

    def _resolve(self, route: tuple[str, ...]) -> Resolved:
        """A missing method is looked up again without waiting for the next check."""
        try:
            return resolve(self.catalog, route, self.catalog.now(), tasks=True)
        except NotFound:
            return resolve(self.catalog, route, self.catalog.policy.after_every_look(), tasks=True)

    def _explain(self, controller: object, method: str, reason: str) -> TaskError:
        library = self.catalog.find(type(controller).__module__, self.catalog.now())
        outlines = getattr(getattr(library, "version", None), "outline", None)
        own = outlines.classes.get(type(controller).__name__) if outlines else None
        found = [name for name, outline in own.methods.items() if outline.is_task] if own else []
        there = f"The task methods of {type(controller).__name__} are: {', '.join(found) or 'none'}."
        return TaskError(
            f"exeTask found no task method {method!r}: {reason}. {there} A task method has a parameter "
            f"celery_instance; one of another class is named by its address, folder/library/Class/method."
        )


def _blame(error: InvalidParameters, endpoint: Endpoint, params: Any) -> Exception:
    """The error for invalid params: of the client if it sent these values, else of the site."""
    names = [str(fault["name"]).partition(".")[0].partition("[")[0] for fault in error.errors]
    wrong = [params, *(params[name] for name in names if isinstance(params, dict) and name in params)]
    sent = list(walk(_sent_values())) if has_request_context() else []
    if isinstance(params, Params) or any(
        type(item) is type(known) and item == known for item in wrong for known in sent
    ):
        return error
    faults = "; ".join(f"{fault['name']} must be {fault.get('expected')}" for fault in error.errors)
    return TaskError(f"exeTask was called with params that {endpoint.name} cannot take: {faults}.")


def _sent_values() -> Any:
    return [list(request.args.values()), list(request.form.values()), request.get_json(silent=True)]


def task_arguments(endpoint: Endpoint, segments: tuple[str, ...], params: Any) -> dict[str, Any]:
    """The arguments of a task method by name, celery_instance left out."""
    signature = endpoint.signature
    if signature.style == "nothing":
        return {}
    if signature.style == "params" and not segments:
        if params is None and not signature.params_required:
            return {}
        return {"params": Params() if params is None else params}
    if params is not None and not isinstance(params, dict):
        raise TaskError(f"{endpoint.name} takes its params by name: pass a dict, not {type(params).__name__}.")
    values = params if isinstance(params, Params) else Params(json_body=params)
    args, kwargs = arguments_of(endpoint, segments, values)
    return dict(zip((parameter.name for parameter in signature.parameters), args, strict=False)) | kwargs


def _address(controller: object) -> tuple[str, ...]:
    """The segments that lead to the class of a controller: its library's place, then its name."""
    return (*type(controller).__module__.split(".")[2:], type(controller).__name__)


def _is_exact(resolved: Resolved, segments: tuple[str, ...]) -> bool:
    """Whether the address was written out: no default class, no index, no arguments."""
    return not resolved.arguments and resolved.endpoint.name.split("/") == list(segments)
