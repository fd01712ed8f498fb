"""Answers the requests of the catalogue: from a path to a method, and from the method to a response."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from typing import Any

from flask import Response
from werkzeug.routing import Rule

from ..catalog.tree import Catalog
from ..dispatch.calling import call, run
from ..dispatch.hooks import read_hooks
from ..dispatch.params import Params
from ..dispatch.request import KernelRequest
from ..dispatch.routing import Endpoint, Route, match
from ..dispatch.walk import Resolved, resolve
from ..errors import LibraryError, MethodNotAllowed, NotFound
from ..settings import Settings
from ..tasks.respond_async import prefers_later
from ..tasks.submission import Tasks


class Dispatcher:
    """Finds and runs the method that the path of a request names."""

    def __init__(self, catalog: Catalog, settings: Settings, tasks: Tasks) -> None:
        self._catalog = catalog
        self._settings = settings
        self._tasks = tasks
        self._home = match(settings.home)

    def resolve(self, request: KernelRequest) -> Resolved:
        """The live method of a request. Raises NotFound without one, LibraryError for a broken file."""
        return resolve(self._catalog, self._route(request), self._catalog.now())

    def _route(self, request: KernelRequest) -> Route:
        route = match(request.path)
        return route if route.segments else self._home

    def find(self, endpoint: str) -> Callable[..., Any] | None:
        """The method that an endpoint such as "shop.orders.Orders.show" names, None without one."""
        segments = tuple(endpoint.split("."))
        if len(segments) < 3:  # not library, class and method: an endpoint of Flask's own
            return None
        with suppress(NotFound, LibraryError):
            found = resolve(self._catalog, Route(segments), self._catalog.now()).endpoint
            return found.function if found.name == "/".join(segments) else None
        return None

    def answer(self, request: KernelRequest) -> Response:
        """Run the method of a resolved request after its `before` hooks; OPTIONS runs neither."""
        resolved = request.resolved
        hooks = read_hooks(resolved.endpoint)
        if hooks:  # from here on `after` hooks see the response, of an error too
            request.controller, request.hooks = resolved.endpoint.controller(), hooks
        if request.method not in resolved.endpoint.verbs:
            raise MethodNotAllowed(request.method, resolved.endpoint.verbs)
        if request.method == "OPTIONS":
            return _describe_verbs(resolved)

        def read() -> Params:
            return request.params(self._settings, self._route(request).segments)

        prefers = "HTTP_PREFER" in request.environ
        runner = (prefers and prefers_later(self._tasks, request, resolved)) or run
        controller = request.controller or resolved.endpoint.controller()
        return call(resolved, controller, hooks, read, runner)


def _describe_verbs(resolved: Resolved) -> Response:
    """The answer to OPTIONS: RFC 9110, section 9.3.7."""
    return Response(status=204, headers={"Allow": ", ".join(sorted(resolved.endpoint.verbs))})


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
