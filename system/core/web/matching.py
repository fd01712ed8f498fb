"""Flask's URL map with the methods of the catalogue: rules, endpoints and view functions."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from functools import wraps
from typing import Any

from flask import current_app, request
from werkzeug.exceptions import NotFound
from werkzeug.routing import Map, MapAdapter, Rule, RuleFactory

from ..dispatch.request import KernelRequest
from ..errors import LibraryError
from .dispatcher import Dispatcher, rule_of, view_args_of

# paths that are remembered, and the longest of them
MOST_FREE = 4096
LONGEST_FREE = 256


class RuleMap(Map):
    """Flask's URL map, which knows whether a rule may match a path before it is searched.

    `free` are paths of earlier requests that no rule claims, and that Werkzeug reads as they are in the environ.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        self._claimed: set[str] = set()
        self.free: set[str] = set()
        super().__init__(*args, **kwargs)

    def add(self, rulefactory: RuleFactory) -> None:
        firsts = (rule.rule.split("/")[1] for rule in rulefactory.get_rules(self) if not rule.build_only)
        self._claimed |= {"<" if "<" in first else first for first in firsts}
        self.free.clear()
        super().add(rulefactory)

    def claims(self, path: str) -> bool:
        """Whether a rule may match a path, by its first segment; "<" stands for a variable one."""
        return path.split("/", 2)[1] in self._claimed or "<" in self._claimed

    def is_free(self, path: str) -> bool:
        """Whether a path of the environ is plain and no rule claims it; it is remembered then."""
        if path[:1] != "/" or path[:2] == "//" or not path.isascii() or self.claims(path):
            return False
        if len(path) <= LONGEST_FREE:
            if len(self.free) >= MOST_FREE:
                self.free.clear()
            self.free.add(path)
        return True


@dataclass(slots=True, eq=False, repr=False)
class Adapter:
    """Stands in for Werkzeug's MapAdapter, which `make_real` makes when it is needed.

    `is_claimed` is whether a rule of Flask may match the path; else only the catalogue is asked.
    """

    _request: KernelRequest
    _is_claimed: bool
    _dispatcher: Dispatcher
    _make_real: Callable[[], Any]
    _real: MapAdapter | None = None

    def match(self, *args: Any, **kwargs: Any) -> tuple[Rule | None, dict[str, Any] | None]:
        """The rule of a request and its arguments. Raises NotFound if neither Flask nor the catalogue has one."""
        request = self._request
        if "kernkoa.task" in request.environ:  # a task runs in the context of a request that was answered long ago
            return None, None
        if self._is_claimed:
            with suppress(NotFound):
                return self.__getattr__("match")(*args, **kwargs)  # type: ignore[no-any-return]
        try:
            request.resolved = resolved = self._dispatcher.resolve(request)
        except LibraryError as error:
            request.routing_exception = error  # type: ignore[assignment]  # raised when the request is dispatched
            return None, None
        return rule_of(resolved.endpoint), view_args_of(resolved)

    def __getattr__(self, name: str) -> Any:
        if self._real is None:
            self._real = self._make_real()
        return getattr(self._real, name)


class ViewFunctions(dict[str, Any]):
    """Flask's view functions by endpoint; extensions find the methods of the catalogue among them."""

    def __init__(self, known: dict[str, Any], dispatcher: Dispatcher) -> None:
        super().__init__(known)
        self._dispatcher = dispatcher

    def __missing__(self, endpoint: str) -> Any:
        function = self._dispatcher.find(endpoint)
        if function is None:
            raise KeyError(endpoint)

        @wraps(function)
        def view(**_view_args: str) -> Any:
            """Answer the current request: some extensions do it in place of the app."""
            if request.endpoint != endpoint:
                raise RuntimeError(
                    f"{endpoint} is not the method of this request: load.controller gives its class."
                )
            app: Any = current_app
            return app.answer_method(request._get_current_object())  # type: ignore[attr-defined]

        return view

    def get(self, endpoint: str, default: Any = None) -> Any:
        """The view function of an endpoint, or of the method that it names; `default` without one."""
        try:
            return self[endpoint]
        except KeyError:
            return default
