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
# makes a method's arguments of the remaining segments and a function that reads the params
Binding = Callable[[tuple[str, ...], Callable[[], Params]], Arguments]

_NONE: Arguments = ((), {})


def run(resolved: Resolved, controller: object, read: Callable[[], Params]) -> Any:
    """Run a method with its arguments."""
    endpoint = resolved.endpoint
    args, kwargs = (endpoint.binding or binding_of(endpoint))(resolved.arguments, read)
    answer = endpoint.function(controller, *args, **kwargs) if args or kwargs else endpoint.function(controller)
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
    from .binding import TypedBinding  # pydantic: for the first typed method

    return TypedBinding(signature)


def _bind_params(params: Params, required: bool) -> Arguments:
    if params or required or params.files or params.json is not None:
        return (), {"params": params}
    return _NONE
