"""Any URL as a task: `Prefer: respond-async` (RFC 7240) on a method that allows it."""

from __future__ import annotations

import hashlib
import time
import uuid
from collections.abc import Callable
from contextlib import nullcontext
from typing import Any

from flask import Request, Response, current_app
from pydantic_core import to_json
from werkzeug.http import parse_list_header

from ..dispatch.calling import Runner, arguments_of, run
from ..dispatch.params import Params
from ..dispatch.responses import respond
from ..dispatch.walk import Resolved
from ..errors import IdempotencyReused, ServiceUnavailable
from .payload import pack_params
from .queues import QUEUE
from .records import FINAL, Raw, Record, decode_fields, watch
from .submission import DAY, Tasks
from .waiting import RETRY_AFTER, waiting_place

LONGEST_WAIT = 30.0


def prefers_later(tasks: Tasks, request: Request, resolved: Resolved) -> Runner | None:
    """A runner that hands the method to a worker; None if the client or the method does not allow it.

    The method allows it with @background, or the setting respondAsync does for all.
    """
    function = resolved.endpoint.function
    if not (tasks.settings.respondAsync or getattr(function, "koa_background", False)):
        return None
    preferences = _read_preferences(request)
    if "respond-async" not in preferences:
        return None
    wait = _read_wait(preferences)

    def hand_over(resolved: Resolved, controller: object, read: Callable[[], Params]) -> Any:
        params = read()
        if params.files:  # uploads do not travel; a preference may be passed over
            return run(resolved, controller, lambda: params)
        arguments_of(resolved.endpoint, resolved.arguments, params)  # what cannot be bound is refused now
        task_id = _start(tasks, request, resolved, params)
        return _answer(tasks, request, task_id, wait)

    return hand_over


def _read_preferences(request: Request) -> dict[str, str]:
    """The preferences of all Prefer headers: RFC 7240, section 2. The first of a repeated name counts."""
    found: dict[str, str] = {}
    for item in parse_list_header(",".join(request.headers.getlist("Prefer"))):
        name, _, value = item.partition(";")[0].partition("=")
        found.setdefault(name.strip().lower(), value.strip().strip('"'))
    return found


def _read_wait(preferences: dict[str, str]) -> float:
    """RFC 7240, section 4.3: whole seconds. Anything else is ignored, as every preference may be."""
    text = preferences.get("wait", "")
    return min(LONGEST_WAIT, float(text)) if text.isdecimal() and text.isascii() else 0.0


def _start(tasks: Tasks, request: Request, resolved: Resolved, params: Params) -> str:
    endpoint = resolved.endpoint
    route = "/".join((endpoint.name, *resolved.arguments))
    packed = pack_params(params)
    queue = str(getattr(endpoint.function, "koa_queue", QUEUE))
    key = request.headers.get("Idempotency-Key")
    if not key:
        return tasks.send(route, packed, queue, answer=True)
    token = _digest(request.method, route, key, *_name_client(request))
    fingerprint = hashlib.sha256(packed.text).hexdigest()
    task_id = str(uuid.uuid4())
    known = _claim(tasks, token, f"{task_id} {fingerprint}")
    if known:
        first_id, _, first_fingerprint = known.partition(" ")
        if first_fingerprint != fingerprint:
            raise IdempotencyReused("This Idempotency-Key came with other parameters before. Take a new one.")
        return first_id
    try:
        return tasks.send(route, packed, queue, task_id=task_id, answer=True)
    except ServiceUnavailable:
        with tasks.redis.reached():
            tasks.redis.client.delete(tasks.redis.key("once", token))
        raise


def _name_client(request: Request) -> tuple[str, ...]:
    """The identity of a client: its signed-in user, else its Authorization and its session."""
    user = request.environ.get("koa.user")
    if user:
        return ("user", str(user))
    session = request.cookies.get(current_app.config["SESSION_COOKIE_NAME"], "")
    return ("anyone", request.headers.get("Authorization", ""), session)


def _claim(tasks: Tasks, token: str, value: str) -> str:
    """Keep a value under a token for a day. Returns the value that was there before, or ""."""
    with tasks.redis.reached():
        key = tasks.redis.key("once", token)
        if tasks.redis.client.set(key, value, nx=True, ex=DAY):
            return ""
        return str((tasks.redis.client.get(key) or b"").decode())


def _digest(*parts: Any) -> str:
    return hashlib.sha256(to_json(parts)).hexdigest()


def _answer(tasks: Tasks, request: Request, task_id: str, wait: float) -> Response:
    """The method's own answer if it comes in time, else 202 and the address of its status."""
    with waiting_place(tasks.settings, request.environ) if wait else nullcontext(True) as may_wait:
        record = _await_end(tasks, task_id, wait if may_wait else 0.0)
    if record.get("status") == "SUCCESS":
        return _mark(respond(record.get("result")))
    described = tasks.describe(task_id)
    response = respond(described)
    if response.status_code != 303:  # a program, which waits for no page
        response.status_code = 202
    response.headers["Location"] = described["url"]
    if not may_wait:
        response.headers["Retry-After"] = RETRY_AFTER
    return _mark(response)


def _await_end(tasks: Tasks, task_id: str, wait: float) -> Record:
    deadline = time.monotonic() + wait
    raw: Raw | None = None
    record: Record = {}
    while wait:
        raw = watch(lambda: tasks.records.read(task_id), raw, deadline - time.monotonic())
        record = decode_fields(raw) if raw else {}
        if record.get("status") in FINAL or time.monotonic() >= deadline:
            break
    return record


def _mark(response: Response) -> Response:
    response.headers["Preference-Applied"] = "respond-async"
    response.vary.add("Prefer")
    return response
