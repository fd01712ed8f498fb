"""Answers the requests of the catalogue: from a path to a method, and from the method to a response."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import partial
from typing import Any

from flask import Response
from werkzeug.routing import Rule

from ..catalog.folder import Folder, is_public
from ..catalog.tree import Catalog
from ..dispatch.calling import Runner, ask_hooks, call, folder_hooks, read_hooks, run
from ..dispatch.request import KernelRequest
from ..dispatch.routing import Endpoint, match
from ..dispatch.walk import Resolved, resolve, resolve_until
from ..errors import LibraryError, MethodNotAllowed, NotFound
from ..settings import Settings
from ..tasks.respond_async import prefers_later
from ..tasks.submission import Tasks

# paths whose method is kept, and the longest of them
MOST_KEPT = 4096
LONGEST_KEPT = 256
# the first segments of the kernel that the guard of the catalogue's root protects too
GUARDED = frozenset({"images", "pdf", "pdfs", "static", "status"})
# in the WSGI environment of a request: a list, to which the dispatcher appends when its guards let it pass
ADMITTED = "kernkoa.admitted"


class Dispatcher:
    """Finds and runs the method that the path of a request names."""

    def __init__(self, catalog: Catalog, settings: Settings, tasks: Tasks) -> None:
        self._catalog, self._policy = catalog, catalog.policy
        self._tasks = tasks
        self._home = match(settings.home)
        self._kept: dict[str, tuple[Resolved, float]] = {}
        self._kept_until = 0.0

    def resolve(self, request: KernelRequest) -> Resolved:
        """The live method of a request. Raises NotFound without one, LibraryError for a broken file.

        What a path led to is kept until the first file on the way is looked at again, and all of them are
        forgotten as often: no memory is held by the paths that somebody guessed.
        """
        path, policy = request.path, self._policy
        kept = self._kept.get(path)
        if kept is not None and kept[1] > time.monotonic() and kept[1] > policy.least_moment:
            return kept[0]
        now = policy.now()
        kept = resolve_until(self._catalog, self._route(request), now)
        if len(path) <= LONGEST_KEPT and now < kept[1]:
            if now >= self._kept_until or len(self._kept) >= MOST_KEPT:
                self._kept.clear()
                self._kept_until = kept[1]
            self._kept[path] = kept
        return kept[0]

    def _route(self, request: KernelRequest) -> tuple[str, ...]:
        return match(request.path) or self._home

    def find(self, endpoint: str) -> Callable[..., Any] | None:
        """The method that an endpoint such as "shop.orders.Orders.show" names, None without one."""
        segments = tuple(endpoint.split("."))
        if len(segments) < 3:  # not library, class and method: an endpoint of Flask's own
            return None
        with suppress(NotFound, LibraryError):
            found = resolve(self._catalog, segments, self._catalog.now()).endpoint
            return found.function if found.name == "/".join(segments) else None
        return None

    def answer(self, request: KernelRequest) -> Response:
        """Run the method of a resolved request after its `before` hooks; nothing is revealed before these."""
        resolved = request.resolved
        endpoint, method = resolved.endpoint, request.method
        is_plain = method in endpoint.verbs and method != "OPTIONS" and "HTTP_PREFER" not in request.environ
        hooks, runner = read_hooks(endpoint), run if is_plain else self._runner(request)
        controller = endpoint.controller()
        if hooks:  # from here on `after` hooks see the response, of an error too
            request.controller, request.hooks = controller, hooks
            if ADMITTED in request.environ:
                runner = partial(_note_admission, request.environ[ADMITTED], runner)
        return call(resolved, controller, hooks, request.params, runner)

    def _runner(self, request: KernelRequest) -> Runner:
        """The runner that is called after the hooks."""
        if request.method == "OPTIONS" or request.method not in request.resolved.endpoint.verbs:
            return partial(_describe_verbs, request.method)
        prefers = "HTTP_PREFER" in request.environ
        return (prefers and prefers_later(self._tasks, request, request.resolved)) or run

    def ask_guards(self, request: KernelRequest) -> Response | None:
        """What a guard answers on the way of a path that leads to no method; None where each lets it pass."""
        hooks = [hooks for folder in self._folders(request) if (hooks := folder_hooks(folder))]
        if not hooks:
            return None
        return ask_hooks(object(), hooks, request.params(self._route(request)))

    def ask_root_guard(self, request: KernelRequest) -> Response | None:
        """The response of the `before` of the root's _folder.py to a request for a file or the status of a task.

        None if it admits the request or there is no guard. Raises FolderClosed where it cannot be read.
        """
        if request.path.split("/", 2)[1] not in GUARDED:
            return None
        root = self._catalog.roots["controller"]
        root.refresh(self._catalog.now())
        hooks = folder_hooks(root)
        return ask_hooks(object(), [hooks], request.params()) if "before" in hooks else None

    def _folders(self, request: KernelRequest) -> Iterator[Folder]:
        """The folders that a path leads through, outermost first."""
        folder: Folder | None = self._catalog.roots["controller"]
        segments = iter(request.path.strip("/").split("/"))
        while folder is not None:
            folder.refresh(self._catalog.now())
            yield folder
            name = next(segments, "")
            folder = folder.folders.get(name) if is_public(name) else None


def _note_admission(admitted: list[bool], run: Runner, *args: Any) -> Any:
    admitted.append(True)
    return run(*args)


def _describe_verbs(method: str, resolved: Resolved, controller: object, read: object) -> Response:
    """The answer to OPTIONS: RFC 9110, section 9.3.7. Raises MethodNotAllowed for a verb that is not allowed."""
    verbs = resolved.endpoint.verbs
    if method not in verbs:
        raise MethodNotAllowed(method, verbs)
    return Response(status=204, headers={"Allow": ", ".join(sorted(verbs))})


def rule_of(endpoint: Endpoint) -> Rule:
    """A method as a URL rule of Flask: `request.url_rule`. Its endpoint is "shop.orders.Orders.show"."""
    if endpoint.rule is None:
        arguments = [parameter for parameter in endpoint.signature.parameters if parameter.takes_segment]
        path = "".join(f"/<{parameter.name}>" for parameter in arguments)
        name = endpoint.name.replace("/", ".")
        endpoint.rule = Rule(f"/{endpoint.name}{path}", endpoint=name, methods=endpoint.verbs)
        endpoint.rule.arguments = {parameter.name for parameter in arguments}
    rule: Rule = endpoint.rule
    return rule


def view_args_of(resolved: Resolved) -> dict[str, str]:
    """The positional arguments of a request by name, as text."""
    if not resolved.arguments:
        return {}
    names = (parameter.name for parameter in resolved.endpoint.signature.parameters if parameter.takes_segment)
    return dict(zip(names, resolved.arguments, strict=False))
