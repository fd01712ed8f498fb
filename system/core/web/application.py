"""The WSGI application: a Flask whose URLs are methods.

A URL that no Flask rule claims by its first segment is looked up in the catalogue without the URL map, and steps
of a request for which nothing is registered are skipped. The rest is Flask's own.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable
from datetime import timedelta
from functools import partial
from pathlib import Path
from types import FrameType
from typing import Any, cast

from flask import Request, Response, has_request_context, request_tearing_down
from flask.globals import _cv_request  # the proxies cost a microsecond each
from flask.templating import Environment
from flask.typing import ResponseReturnValue
from jinja2 import ChoiceLoader, FileSystemLoader
from werkzeug.local import LocalProxy
from werkzeug.routing import BuildError
from werkzeug.utils import redirect
from werkzeug.wrappers import Response as WerkzeugResponse

from ..catalog.loader import Loader
from ..catalog.tree import Catalog
from ..database.databases import Databases
from ..dispatch.calling import run_after
from ..dispatch.lean_response import LeanResponse
from ..dispatch.page_policy import HEADER, csp_nonce, policy_of
from ..dispatch.request import KernelRequest
from ..dispatch.responses import check_sendable, enter_stream
from ..errors import InvalidParameters, LibraryError, NotFound, SetupError, UnknownRoute
from ..settings import Settings, obtain_secret_key
from ..tasks.submission import Tasks
from .forms import answer_again, current_form, page_of
from .headers import ResponseHeaders, StartResponse
from .hosts import Hosts
from .matching import Adapter, RuleMap
from .origins import SAFE, Origins
from .sessions import Sessions
from .short_way import ShortWay
from .urls import find_path, make_url, take_segments

KERNEL_TEMPLATES = Path(__file__).parents[1] / "templates"


class KernKoa(ShortWay):
    """The application of a site; create_app sets its parts."""

    request_class = KernelRequest
    url_map_class = RuleMap
    session_interface = Sessions()
    catalog: Catalog
    load: Loader
    tasks: Tasks
    dbs: Databases
    check_rate: Callable[[KernelRequest], None] | None = None  # of the addon limits

    def __init__(self, settings: Settings) -> None:
        self.is_started = False
        # each request reads these: an attribute of the object is found faster than one of its class
        self.request_class, self.session_interface = self.request_class, self.session_interface
        self.check_rate = self.check_rate
        keys = settings.secretKeys or [obtain_secret_key(settings)]
        root, templates = str(settings.path), settings.templatePath
        super().__init__("kernkoa", root_path=root, template_folder=templates, static_folder=None)
        self.settings = settings
        self.hosts, self.origins, self.headers = Hosts(settings), Origins(settings), ResponseHeaders(settings)
        self.url_map.merge_slashes = False
        self.config.update(
            SECRET_KEY=keys[0],
            SECRET_KEY_FALLBACKS=keys[1:],
            APPLICATION_ROOT=settings.base or "/",
            SESSION_COOKIE_NAME=f"{settings.name}_session",
            SESSION_COOKIE_SAMESITE="Lax",
            PERMANENT_SESSION_LIFETIME=timedelta(minutes=settings.session_timeout),
            MAX_CONTENT_LENGTH=settings.maxUploadBytes,
            MAX_FORM_MEMORY_SIZE=settings.maxParamsBytes,
            MAX_FORM_PARTS=settings.maxParams,
            TEMPLATES_AUTO_RELOAD=True,
        )

    def create_jinja_environment(self) -> Environment:
        environment = super().create_jinja_environment()
        environment.globals["csp_nonce"] = csp_nonce
        environment.globals["form"] = LocalProxy(current_form)
        return environment

    def create_global_jinja_loader(self) -> Any:
        """The site's templates first, then those of blueprints, then the kernel's."""
        return ChoiceLoader([super().create_global_jinja_loader(), FileSystemLoader(KERNEL_TEMPLATES)])

    def _check_setup_finished(self, f_name: str) -> None:
        """Refuses Flask's set-up methods while a library loads: it is loaded again whenever its file changes."""
        library = self._loading_library()
        if library or self._got_first_request:
            moment = f"while {library} loads" if library else "after the first request"
            raise SetupError(
                f"The setup method '{f_name}' of the app was called {moment}. Call it in `def startup(app)` of "
                "catalog/startup.py, which runs once at start."
            )

    def _loading_library(self) -> str:
        """The file of the catalogue whose top level is running in this thread; empty without one."""
        frame: FrameType | None = sys._getframe(1)
        while frame is not None:
            if frame.f_code.co_name == "<module>" and frame.f_builtins is self.catalog.policy.builtins:
                return frame.f_code.co_filename
            frame = frame.f_back
        return ""

    def url_for(self, /, endpoint: str, **values: Any) -> str:
        """Flask's url_for, for methods of the catalogue too: `url_for("shop/orders/show", number=3)`.

        Outside of a request it is the full URL, on `config.url`. Raises UnknownRoute for a path without a method.
        """
        path = None if endpoint in self.view_functions else find_path(self.catalog, endpoint)
        if path is not None:
            names = ("_external", "_scheme", "_anchor", "_method")
            external, scheme, anchor, _ = (values.pop(name, None) for name in names)
            is_external = external or (external is None and not has_request_context())
            path += take_segments(self.catalog, path, values) if values else ""
            return make_url(self.settings.url, path, values, is_external, scheme, anchor)
        try:
            return super().url_for(endpoint, **values)
        except BuildError as error:
            if "/" in endpoint:  # Flask would suggest endpoints of its own
                raise UnknownRoute(endpoint) from error
            raise

    def create_url_adapter(self, request: Request | None) -> Any:
        make_real = partial(super().create_url_adapter, request)
        if request is None:
            return make_real()
        if self.config["TRUSTED_HOSTS"] is not None:
            make_real()  # raises for a host that is not trusted
        return Adapter(cast(KernelRequest, request), self.url_map.claims(request.path), self.dispatcher, make_real)

    def preprocess_request(self) -> ResponseReturnValue | None:
        request: Any = _cv_request.get().request  # a KernelRequest: a cast costs as much as a step
        if request.environ.get("HTTP_HOST") not in self.hosts.known:
            self.hosts.check(request.environ)
        if request.method not in SAFE:
            self.origins.check(request)
        if self.check_rate is not None:
            self.check_rate(request)
        if request.resolved is None:
            refusal = self.dispatcher.ask_root_guard(request)
            if refusal is not None:
                return refusal
        elif request.has_body:
            request.limit_body()
        if self.before_request_funcs or self.url_value_preprocessors:
            return super().preprocess_request()
        return None

    def do_teardown_request(self, exc: BaseException | None = None) -> None:
        self.dbs.release(error=exc is not None)
        if self.teardown_request_funcs or request_tearing_down.receivers:
            super().do_teardown_request(exc)

    def dispatch_request(self) -> ResponseReturnValue:
        request: Any = _cv_request.get().request
        if request.resolved is not None:
            return self.answer_method(request)
        if isinstance(request.routing_exception, NotFound | LibraryError):
            answer = self.dispatcher.ask_guards(request)
            if answer is not None:
                return answer
            raise request.routing_exception
        return super().dispatch_request()

    def answer_method(self, request: KernelRequest) -> Response:
        """The response of the method of a request; the form again where its values are refused."""
        try:
            return self.dispatcher.answer(request)
        except InvalidParameters as error:
            page = page_of(self.catalog, request)
            if page is None:
                raise
            self.dbs.release(error=True)
            return answer_again(request, page, error)

    def process_response(self, response: Response) -> Response:
        context: Any = _cv_request.get()
        request = context.request
        if request.hooks:
            # an error in a hook makes another response: no hook runs for that
            hooks, request.hooks = request.hooks, ()
            response = run_after(request.controller, hooks, response)
        if self.origins.trusted or (request.resolved is not None and request.resolved.endpoint.origins):
            self.origins.add_headers(request, response)
        if request.nonce:
            response.headers.setdefault(HEADER, policy_of(request.nonce))
        response = self.keep_session(context, response)
        if type(response) is LeanResponse:  # it is unchanged
            return response
        check_sendable(response)
        if request.answer_stream is not None:
            enter_stream(request, response)
        return response

    def wsgi_app(self, environ: dict[str, Any], start_response: StartResponse) -> Iterable[bytes]:
        self.headers.give_id(environ)
        outside = self._leave_out_base(environ) if self.settings.base else None
        if outside is not None:
            return outside(environ, self.headers.adding(environ, start_response))
        return self.answer_request(environ, start_response)

    def _leave_out_base(self, environ: dict[str, Any]) -> WerkzeugResponse | None:
        """Split the base off the path; the answer to a path that does not begin with it."""
        base, path = self.settings.base, environ.get("PATH_INFO", "")
        if path.startswith(base + "/"):
            environ["PATH_INFO"] = path[len(base) :]
            environ["SCRIPT_NAME"] = base
        elif path == base:
            query = environ.get("QUERY_STRING", "")
            return redirect(f"{base}/?{query}" if query else f"{base}/", 308)
        elif environ.get("SCRIPT_NAME") != base:  # else the server has split the path itself
            return Response("Not Found", 404, mimetype="text/plain")
        return None
