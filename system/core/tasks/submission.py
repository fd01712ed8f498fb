"""exeTask: from a controller's call to a message for a worker."""

from __future__ import annotations

import logging
import time
import uuid
from typing import Any

from flask import has_request_context, request

from ..catalog.tree import Catalog
from ..dispatch.calling import bind
from ..dispatch.params import Params
from ..dispatch.routing import Endpoint, Route
from ..dispatch.walk import Resolved, resolve
from ..errors import BrokerUnavailable, NotFound, TaskError
from ..settings import Settings
from .celery_app import QUEUE, TaskApp
from .payload import describe_origin, pack_params, unpack_params
from .records import Records

log = logging.getLogger("kernkoa.tasks")

RUN = "kernkoa.run"
NO_SERVER = "Set redisUrl in config.py, or start python kernkoa.py, which brings a server of its own."


class Tasks:
    """The tasks of a site: starts them, knows their records."""

    def __init__(self, settings: Settings, catalog: Catalog, celery: TaskApp) -> None:
        self.settings = settings
        self.catalog = catalog
        self.celery = celery
        celery.site = self
        advice = "" if settings.redisUrl else NO_SERVER
        self.records = Records(settings.name, celery.address, celery.conf.result_expires, advice)

    def exeTask(  # the contract's spelling
        self, controller: object, method: str, params: Any = None, *, queue: str | None = None, delay: float = 0
    ) -> dict[str, str]:
        """Hand a task method to a worker: `exeTask(self, "build", params)`.

        `method` is one of the caller's own class, or of any by its address, "folder/library/Class/method"; a task
        method has a `celery_instance` parameter. `params` is None, a Params or any JSON value. `queue` is one of
        the setting `queues`; `delay` is seconds to wait. Answers {"type": "task", "id": …, "url": …}; GET of the
        url tells how it goes. Raises TaskError for what cannot be a task, BrokerUnavailable where Redis is away.
        """
        endpoint = self._find(controller, method)
        packed = pack_params(params)
        check_arguments(endpoint, packed)
        chosen = queue or str(getattr(endpoint.function, "koa_queue", QUEUE))
        return self.describe(self.send(endpoint.name, packed, chosen, delay))

    def describe(self, task_id: str) -> dict[str, str]:
        """What the caller of a task gets."""
        return {"type": "task", "id": task_id, "url": f"{self.settings.url}status/{task_id}"}

    def send(
        self,
        route: str,
        packed: dict[str, Any],
        queue: str = QUEUE,
        delay: float = 0,
        task_id: str = "",
        origin: dict[str, str] | None = None,
        answer: bool = False,
    ) -> str:
        """Mark a task as queued, then queue it; its id. An id that is given and taken is not queued again."""
        if queue != QUEUE and queue not in self.settings.queues:
            known = ", ".join((QUEUE, *self.settings.queues))
            raise TaskError(f"There is no queue {queue!r}: add it to queues in config.py. There are: {known}.")
        name = task_id or str(uuid.uuid4())
        around = request if has_request_context() else None
        message: dict[str, Any] = {
            "route": route,
            "params": packed,
            "origin": origin or describe_origin(around, self.settings.url),
            "queued": time.time(),
            "answer": answer,
        }
        if not self.records.mark(name, queue, message, message["queued"] + delay) and task_id:
            return name
        try:
            self._publish(name, route, queue, delay, message)
        except BrokerUnavailable:
            self.records.forget(name, queue)
            raise
        return name

    def send_lost(self, seconds: float) -> None:
        """Queue again what was lost between Redis and a worker that died."""
        for queue in (QUEUE, *self.settings.queues):
            for record in self.records.find_lost(queue, seconds):
                log.warning("%s[%s] was lost on its way and is queued again", record["route"], record["task_id"])
                with self.records.reached():
                    self.records.wait(self.records.client, record["task_id"], queue, time.time())
                self._publish(record["task_id"], record["route"], queue, 0, record["message"])

    def _publish(self, name: str, route: str, queue: str, delay: float, message: dict[str, Any]) -> None:
        from kombu.exceptions import OperationalError
        from redis.exceptions import RedisError

        try:
            self.celery.tasks[RUN].apply_async(
                kwargs=message,
                task_id=name,
                queue=queue,
                countdown=delay or None,
                shadow=route,
                argsrepr="()",  # the log of a worker is no place for what people send
                kwargsrepr="{}",
                add_to_parent=False,
            )
        except (OperationalError, RedisError, OSError) as error:
            raise self.records.unavailable(error) from error

    def _find(self, controller: object, method: str) -> Endpoint:
        """The task method that exeTask names."""
        segments = tuple(method.split("/")) if "/" in method else (*_address(controller), method)
        try:
            resolved = resolve(self.catalog, Route(segments), self.catalog.now(), tasks=True)
        except NotFound as error:
            raise self._explain(controller, method, str(error.reason)) from error
        if not _is_exact(resolved, segments) or not resolved.endpoint.outline.is_task:
            raise self._explain(controller, method, "it is no task method")
        return resolved.endpoint

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


def check_arguments(endpoint: Endpoint, packed: dict[str, Any]) -> None:
    """Raises TaskError, or what the typed binding raises, for params that the method cannot take."""
    task_arguments(endpoint, (), unpack_params(packed))


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
    args, kwargs = bind(endpoint, segments, lambda: values)
    return dict(zip((parameter.name for parameter in signature.parameters), args, strict=False)) | kwargs


def _address(controller: object) -> tuple[str, ...]:
    """The segments that lead to the class of a controller: its library's place, then its name."""
    return (*type(controller).__module__.split(".")[2:], type(controller).__name__)


def _is_exact(resolved: Resolved, segments: tuple[str, ...]) -> bool:
    """Whether the address was written out: no default class, no index, nothing left over."""
    return not resolved.arguments and resolved.endpoint.name.split("/") == list(segments)
