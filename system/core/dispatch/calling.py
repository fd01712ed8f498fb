"""Runs the method of an endpoint between its hooks: `before` and `after` of its folders, its class and itself."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from types import CoroutineType
from typing import Any

from flask import Response

from ..catalog.folder import Folder
from ..errors import AnswerError
from .coroutines import finish
from .params import Params
from .responses import respond
from .routing import Endpoint
from .signature import Arguments, Signature
from .walk import Resolved

# the functions by name: "before", "after"
Hooks = Mapping[str, Any]
_NAMES = ("before", "after")
# runs between the hooks: the method itself, or what hands it to a worker
Runner = Callable[[Resolved, object, Callable[[], Params]], Any]
# calls a function with a controller and the arguments that the remaining segments and the params are for it
Binding = Callable[[Callable[..., Any], object, tuple[str, ...], Callable[[], Params]], Any]


def run(resolved: Resolved, controller: object, read: Callable[[], Params]) -> Any:
    """Run a method with its arguments."""
    endpoint = resolved.endpoint
    answer = (endpoint.binding or binding_of(endpoint))(endpoint.function, controller, resolved.arguments, read)
    return answer if type(answer) is not CoroutineType else finish(answer)


def call(
    resolved: Resolved, controller: object, hooks: Sequence[Hooks], read: Callable[[], Params], run: Runner = run
) -> Response:
    """Run a method after its `before` hooks; the first hook that returns something ends the request with that.

    Raises AnswerError for what cannot be sent, and for sys.exit().
    """
    try:
        if not hooks:
            return respond(run(resolved, controller, read))
        params = read()
        answer = ask_hooks(controller, hooks, params)
        return answer if answer is not None else respond(run(resolved, controller, lambda: params))
    except (Exception, KeyboardInterrupt):
        raise
    except BaseException as error:  # the server would close the connection without an answer
        did = f"called sys.exit({error.code!r})" if isinstance(error, SystemExit) else f"raised {error!r}"
        raise AnswerError(f"{resolved.endpoint.name} {did}. Use return, or abort(…).") from error


def read_hooks(endpoint: Endpoint) -> list[Hooks]:
    """The hooks of an endpoint: those of its folders, outermost first, of its class, then of the method."""
    if endpoint.own_hooks is None:
        guards = ({"before": guard} for guard in getattr(endpoint.function, "koa_before", ()))
        endpoint.own_hooks = list(filter(None, (class_hooks(endpoint.controller), *guards)))
    own: list[Hooks] = endpoint.own_hooks
    for folder in endpoint.folders:
        if folder.is_guarded:
            return [*(hooks for folder in endpoint.folders if (hooks := folder_hooks(folder))), *own]
    return own


def folder_hooks(folder: Folder) -> Hooks:
    """The functions of a folder's _folder.py; empty without that file.

    Raises FolderClosed for one that cannot be read.
    """
    guard = folder.guard()
    return vars(guard) if guard is not None else {}


def class_hooks(controller: type) -> Hooks:
    """The hooks of a class, inherited ones too; empty where it has none."""
    return {name: getattr(controller, name) for name in _NAMES if hasattr(controller, name)}


def ask_hooks(controller: object, hooks: Sequence[Hooks], params: Params) -> Response | None:
    """The answer of the first `before` hook that returns something; None where each lets the request pass."""
    for before in (hook.get("before") for hook in hooks):
        answer = finish(before(controller, params)) if before else None
        if answer is not None:
            return respond(answer)
    return None


def run_after(controller: object, hooks: Sequence[Hooks], response: Response) -> Response:
    """Pass a response through the `after` hooks, innermost first; what a hook returns takes its place."""
    for after in (hook.get("after") for hook in reversed(hooks)):
        changed = finish(after(controller, response)) if after else None
        response = response if changed is None else respond(changed)
    return response


def binding_of(endpoint: Endpoint) -> Binding:
    """What calls a method with its arguments; made once and kept with the endpoint."""
    if endpoint.binding is None:
        endpoint.binding = make_binding(endpoint.signature)
    binding: Binding = endpoint.binding
    return binding


def make_binding(signature: Signature) -> Binding:
    """What calls a method of this signature with its arguments."""
    if signature.style == "nothing":
        return _call_plain
    if signature.style == "params":
        return _call_with_params if signature.params_required else _call_with_sent_params
    from .binding import TypedBinding  # pydantic: for the first typed method

    return TypedBinding(signature)


def _call_plain(function: Any, controller: object, segments: object, read: object) -> Any:
    return function(controller)


def _call_with_params(function: Any, controller: object, segments: object, read: Callable[[], Params]) -> Any:
    return function(controller, params=read())


def _call_with_sent_params(function: Any, controller: object, segments: object, read: Callable[[], Params]) -> Any:
    params = read()
    if params or params.files or params.json is not None:
        return function(controller, params=params)
    return function(controller)


def arguments_of(endpoint: Endpoint, segments: tuple[str, ...], params: Params) -> Arguments:
    """What a method is called with for these params: by position, by name."""
    arguments: Arguments = binding_of(endpoint)(_collect, None, segments, lambda: params)
    return arguments


def _collect(controller: None, /, *args: Any, **kwargs: Any) -> Arguments:
    return args, kwargs
