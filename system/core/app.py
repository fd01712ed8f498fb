"""Puts the parts together: `create_app(settings)`."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from datetime import timedelta
from pathlib import Path
from typing import Any

from flask import Flask, Request, Response, got_request_exception, request
from flask.sessions import SecureCookieSession, SecureCookieSessionInterface
from itsdangerous import URLSafeTimedSerializer
from jinja2 import BaseLoader, ChoiceLoader, FileSystemLoader
from werkzeug.exceptions import HTTPException
from werkzeug.routing import MapAdapter, Rule
from werkzeug.utils import redirect

from .catalog import Catalog
from .loader import Loader
from .problems import describe, render
from .routing import RESERVED
from .settings import Settings, obtain_secret_key
from .views import add_routes

log = logging.getLogger("kernkoa")
KERNEL_TEMPLATES = Path(__file__).parent / "templates"

StartResponse = Callable[..., Any]


class KernKoa(Flask):
    """The WSGI application of a site, with the parts that its controllers use: a Flask whose URLs are methods.

    Any URL that no Flask rule claims by its first segment goes to the dispatcher without the URL map.
    """

    def __init__(self, settings: Settings, catalog: Catalog) -> None:
        self._claimed: frozenset[str] = frozenset()
        super().__init__("kernkoa", root_path=str(settings.path), static_folder=None)
        self.settings = settings
        self.catalog = catalog
        self.load = Loader(catalog)
        self.url_map.merge_slashes = False
        self.catch_all = Rule("/<path:path>", endpoint="dispatch")
        self.catch_all.provide_automatic_options = False  # type: ignore[attr-defined]
        self.url_map.add(self.catch_all)
        self.session_interface = Sessions()
        self.config.update(
            SECRET_KEY=obtain_secret_key(settings),
            APPLICATION_ROOT=settings.base or "/",
            SESSION_COOKIE_NAME=f"{settings.name}_session",
            SESSION_COOKIE_SAMESITE="Lax",
            PERMANENT_SESSION_LIFETIME=timedelta(minutes=settings.session_timeout),
            MAX_CONTENT_LENGTH=settings.maxUploadBytes,
            MAX_FORM_MEMORY_SIZE=settings.maxParamsBytes,
            MAX_FORM_PARTS=settings.maxParams,
            TEMPLATES_AUTO_RELOAD=True,
        )

    def create_global_jinja_loader(self) -> Any:
        """The site's templates first, then the kernel's."""
        own = FileSystemLoader(self.settings.folder(self.settings.templatePath))
        loaders: list[BaseLoader] = [own, FileSystemLoader(KERNEL_TEMPLATES)]
        return ChoiceLoader(loaders)

    def add_url_rule(self, rule: str, *args: Any, **kwargs: Any) -> None:
        super().add_url_rule(rule, *args, **kwargs)
        first = rule.split("/")[1]
        self._claimed |= {"<" if "<" in first else first}

    def create_url_adapter(self, request: Request | None) -> Any:
        if request is None:
            return super().create_url_adapter(None)
        return _Adapter(self, request)

    def claims(self, path: str) -> bool:
        """Whether a Flask rule may answer the path, by its first segment; "<" stands for one of any segment."""
        return path.split("/", 2)[1] in self._claimed or "<" in self._claimed

    def make_real_adapter(self, request: Request) -> MapAdapter | None:
        return super().create_url_adapter(request)

    def wsgi_app(self, environ: dict[str, Any], start_response: StartResponse) -> Iterable[bytes]:
        base = self.settings.base
        if base:
            path = environ.get("PATH_INFO", "")
            if path == base:
                target = environ.get("SCRIPT_NAME", "") + base + "/"
                query = environ.get("QUERY_STRING", "")
                return redirect(f"{target}?{query}" if query else target, 308)(environ, start_response)
            if not path.startswith(base + "/"):
                return _outside(environ, start_response)
            environ["SCRIPT_NAME"] = environ.get("SCRIPT_NAME", "") + base
            environ["PATH_INFO"] = path[len(base) :]
        return super().wsgi_app(environ, start_response)


def _outside(environ: dict[str, Any], start_response: StartResponse) -> Iterable[bytes]:
    return Response("Not Found", 404, mimetype="text/plain")(environ, start_response)


class _Adapter:
    """Stands in for Werkzeug's MapAdapter: leads to the dispatcher at once, builds the real one for url_for."""

    def __init__(self, app: KernKoa, request: Request) -> None:
        self._app = app
        self._request = request
        self._real: MapAdapter | None = None

    def match(self, *args: Any, **kwargs: Any) -> tuple[Rule, dict[str, Any]]:
        path = self._request.path
        if self._app.claims(path):
            return self.__getattr__("match")(*args, **kwargs)  # type: ignore[no-any-return]
        return self._app.catch_all, {"path": path}

    def __getattr__(self, name: str) -> Any:
        if self._real is None:
            self._real = self._app.make_real_adapter(self._request)
        return getattr(self._real, name)


class _Session(SecureCookieSession):
    """Lasts session_timeout minutes from the last request that used it."""

    permanent = True


class Sessions(SecureCookieSessionInterface):
    """Flask's signed cookies; the signer is made once."""

    session_class = _Session

    def __init__(self) -> None:
        self._serializer: URLSafeTimedSerializer | None = None
        self._key: Any = None

    def get_signing_serializer(self, app: Flask) -> URLSafeTimedSerializer | None:
        if self._serializer is None or self._key != app.secret_key:
            self._key = app.secret_key
            self._serializer = super().get_signing_serializer(app)
        return self._serializer

    def open_session(self, app: Flask, request: Request) -> SecureCookieSession | None:
        if self.get_cookie_name(app) not in request.cookies:
            return self.session_class()
        return super().open_session(app, request)


def create_app(settings: Settings) -> KernKoa:
    """The application of a site. Its catalogue is `app.catalog`, its loader `app.load`."""
    catalog = Catalog(
        {kind: settings.folder(name) for kind, name in settings.libs.items()},
        live_seconds=0 if settings.development else settings.liveSeconds,
        development=settings.development,
        keep_in=None if settings.development else settings.var / "loaded",
    )
    app = KernKoa(settings, catalog)
    add_routes(app, catalog, settings)
    app.register_error_handler(Exception, answer_error)
    _report_reserved(settings)
    return app


def answer_error(error: Exception) -> Response:
    """The answer to whatever was raised; what is the site's own fault is logged."""
    problem = describe(error)
    if problem.status >= 500 and not isinstance(error, HTTPException):
        log.error("%s %s: %s", request.method, request.path, error, exc_info=error)
        got_request_exception.send(request, exception=error)
    return render(problem, request)


def _report_reserved(settings: Settings) -> None:
    root = settings.folder(settings.libs["controller"])
    for name in sorted(RESERVED):
        for place in (root / name, root / f"{name}.py"):
            if place.exists():
                log.warning("%s is not reachable: the kernel keeps the name %r for itself.", place, name)
