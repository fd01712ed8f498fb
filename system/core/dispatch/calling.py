"""From a method's signature to its arguments, from its return value to a response."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator
from typing import Any

from flask import Response, current_app, stream_with_context
from pydantic import BaseModel
from pydantic_core import to_json

from .binding import Arguments, TypedBinding
from .params import Params
from .routing import Endpoint, Resolved
from .signature import Signature

# from the left-over segments and a way to read the params to the method's arguments
# what stands between the hooks: the method itself, or a task in its place
Runner = Callable[[Resolved, object, Callable[[], Params]], Any]
Binding = Callable[[tuple[str, ...], Callable[[], Params]], Arguments]

_NONE: Arguments = ((), {})
_JSON_TYPES = (dict, list, bool, int, float)


def run(resolved: Resolved, controller: object, read: Callable[[], Params]) -> Any:
    """Run a method with its arguments."""
    args, kwargs = bind(resolved.endpoint, resolved.arguments, read)
    return resolved.endpoint.function(controller, *args, **kwargs)


def call(resolved: Resolved, read: Callable[[], Params], run: Runner = run) -> Response:
    """Run a method between its hooks: `before` ends the request by returning something, `after` may change it."""
    endpoint = resolved.endpoint
    controller = endpoint.controller()
    hooks = _hooks(endpoint)
    if not hooks:
        return respond(run(resolved, controller, read))
    params = read()
    for before in (hook.get("before") for hook in hooks):
        answer = before(controller, params) if before else None
        if answer is not None:
            break
    else:
        answer = run(resolved, controller, lambda: params)
    response = respond(answer)
    for after in (hook.get("after") for hook in reversed(hooks)):
        changed = after(controller, response) if after else None
        response = response if changed is None else respond(changed)
    return response


def _hooks(endpoint: Endpoint) -> list[dict[str, Any]]:
    """The namespaces that may hold `before` and `after`: those of _folder.py, outermost first, then the class."""
    hooks: list[dict[str, Any]] = []
    for folder in endpoint.folders:
        library = folder.libraries.get("_folder")
        if library is not None:
            hooks.append(vars(library.current(library.catalog.now()).module))
    controller = endpoint.controller
    own = {name: getattr(controller, name) for name in ("before", "after") if hasattr(controller, name)}
    return [*hooks, own] if own else hooks


def bind(endpoint: Endpoint, arguments: tuple[str, ...], read: Callable[[], Params]) -> Arguments:
    """The arguments of a method."""
    return binding_of(endpoint)(arguments, read)


def binding_of(endpoint: Endpoint) -> Binding:
    """How a method gets its arguments; made once and kept with the endpoint."""
    if endpoint.binding is None:
        endpoint.binding = make_binding(endpoint.signature)
    binding: Binding = endpoint.binding
    return binding


def make_binding(signature: Signature) -> Binding:
    """How a method of this signature gets its arguments."""
    if signature.style == "nothing":
        return lambda arguments, read: _NONE
    if signature.style == "params":
        required = signature.params_required
        return lambda arguments, read: _bind_params(read(), required)
    return TypedBinding(signature)


def _bind_params(params: Params, required: bool) -> Arguments:
    if params or required or params.files or params.json is not None:
        return (), {"params": params}
    return _NONE


def respond(value: Any) -> Response:
    """The response that a method's return value means.

    str is HTML, bytes a download; dict, list, numbers, dataclasses and pydantic models are JSON; a generator
    streams; None is 204; a tuple and a Flask Response are what they are in Flask.
    """
    if isinstance(value, str):
        return Response(value)
    if isinstance(value, Response):
        return value
    if value is None:
        return Response(status=204)
    if isinstance(value, bytes | bytearray):
        return _download(bytes(value))
    if isinstance(value, _JSON_TYPES) or is_record(value):
        return Response(encode_json(value), mimetype="application/json")
    if isinstance(value, Iterator):
        return _stream(value)
    if isinstance(value, tuple) and len(value) in (2, 3):
        return current_app.make_response((respond(value[0]), *value[1:]))
    return current_app.make_response(value)


def is_record(value: object) -> bool:
    """Whether a value is an instance of a dataclass or of a pydantic model."""
    return isinstance(value, BaseModel) or (dataclasses.is_dataclass(value) and not isinstance(value, type))


def encode_json(value: Any) -> bytes:
    """A value as JSON: dates in ISO 8601, Decimal and UUID as text, not-a-number as null (RFC 8259, section 6)."""
    return to_json(value, inf_nan_mode="null")


def _download(content: bytes) -> Response:
    response = Response(content, mimetype="application/octet-stream")
    response.headers["Content-Disposition"] = "attachment"
    response.headers["X-Content-Type-Options"] = "nosniff"
    return response


def _stream(values: Iterator[Any]) -> Response:
    """Begun before the headers go out, so that what fails at once is an error and not half a page."""
    first = next(values, b"")
    response = Response(stream_with_context(_resume(first, values)))
    response.headers["X-Accel-Buffering"] = "no"  # nginx: pass each piece on as it comes
    return response


def _resume(first: Any, values: Iterator[Any]) -> Iterator[Any]:
    try:
        yield first
        yield from values
    finally:  # a client that leaves ends the user's generator too
        getattr(values, "close", lambda: None)()
