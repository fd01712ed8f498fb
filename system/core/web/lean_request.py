"""The request of the short way: what Werkzeug reads from the environ at once is read when it is asked for."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from flask import Request

from ..dispatch.request import KernelRequest, has_body
from ..settings import Settings
from .dispatcher import rule_of, view_args_of

PARTS = ("method", "scheme", "server", "root_path", "path", "query_string", "headers", "remote_addr")


class Lazy:
    """An attribute that is made when it is read for the first time; it can be set as any other."""

    def __init__(self, make: Callable[[Any], Any]) -> None:
        self._make = make

    def __set_name__(self, owner: type, name: str) -> None:
        self._name = name

    def __get__(self, instance: Any, owner: type | None = None) -> Any:
        if instance is None:
            return self
        value = instance.__dict__[self._name] = self._make(instance)
        return value


def _of_werkzeug(name: str) -> Lazy:
    """A part as Werkzeug's own constructor reads it; it reads all of them."""

    def make(request: LeanRequest) -> Any:
        whole = Request(request.environ, populate_request=False)
        for part in PARTS:
            request.__dict__.setdefault(part, whole.__dict__[part])
        return request.__dict__[name]

    return Lazy(make)


class LeanRequest(KernelRequest):
    """A KernelRequest made without reading the environ."""

    shallow = False
    scheme = _of_werkzeug("scheme")
    server = _of_werkzeug("server")
    root_path = _of_werkzeug("root_path")
    query_string = _of_werkzeug("query_string")
    headers = _of_werkzeug("headers")
    remote_addr = _of_werkzeug("remote_addr")
    url_rule = Lazy(lambda request: rule_of(request.resolved.endpoint) if request.resolved else None)
    view_args = Lazy(lambda request: view_args_of(request.resolved) if request.resolved else None)

    def __init__(self, environ: dict[str, Any], settings: Settings) -> None:
        self.environ, self.settings = environ, settings
        self.path = environ["PATH_INFO"]
        self.method = environ["REQUEST_METHOD"]
        self.has_body = has_body(environ)
        self.hooks, self.nonce = (), ""  # the defaults of the class, which are slower to read
        environ["werkzeug.request"] = self
