"""The short way of a request through Flask: its steps in its order, without their cost where nothing happens.

For each request Flask.wsgi_app makes two contexts, a request and a session, matches the URL map, sends six signals
and walks five lists of functions. Here these things are made when they are read, and each step is taken if
anything is registered for it. A request that this file does not know takes Flask's own way: see `_is_short`.

The short way uses private names of Flask (the context variables, `_cv_tokens`, `_session`), so it is taken only
with versions of Flask that it was tested with. tests/web/test_short_way.py compares the two ways.
"""

from __future__ import annotations

import importlib.metadata
from collections.abc import Iterable
from contextvars import Token
from typing import Any, cast

from flask import Flask, Response, request_finished, request_started
from flask.ctx import AppContext, RequestContext
from flask.globals import _cv_app, _cv_request
from flask.sessions import SessionMixin
from flask.signals import appcontext_popped, appcontext_pushed, appcontext_tearing_down, request_tearing_down

from ..database.databases import Databases
from ..dispatch.lean_response import LeanResponse
from ..dispatch.request import KernelRequest
from ..errors import LibraryError, NotFound
from ..settings import Settings
from .dispatcher import Dispatcher
from .headers import ResponseHeaders, StartResponse
from .lean_request import Lazy, LeanRequest
from .matching import RuleMap
from .sessions import Sessions

VERBS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
IS_KNOWN_FLASK = importlib.metadata.version("flask").startswith("3.1.")
PRESERVE = "werkzeug.debug.preserve_context"  # of the test client, which reads the contexts after the request


def _take_entry(context: Any) -> list[Any]:
    """Flask's list of entries, which code reads that enters or leaves a context again; `entry` moves there."""
    entry, context.entry = context.entry, None
    return [entry] if entry is not None else []


class LeanAppContext(AppContext):
    """An AppContext without the URL adapter, which is made when it is read."""

    url_adapter = Lazy(lambda context: context.app.create_url_adapter(None))
    g = Lazy(lambda context: context.app.app_ctx_globals_class())
    _cv_tokens = Lazy(_take_entry)
    entry: Token[AppContext] | None

    def __init__(self, app: Flask) -> None:
        self.app = app


class LeanContext(RequestContext):
    """A RequestContext whose URL adapter and session are made when they are read."""

    url_adapter = Lazy(lambda context: context.app.create_url_adapter(context.request))
    _cv_tokens = Lazy(_take_entry)
    entry: tuple[Token[RequestContext], LeanAppContext] | None
    flashes: list[tuple[str, str]] | None = None

    def __init__(self, app: Flask, request: LeanRequest) -> None:
        self.app = app
        self.request = request
        self.entry = self._session = None
        self._after_request_functions = []

    def copy(self) -> LeanContext:
        """A context of the same request and session for another thread."""
        copied = LeanContext(self.app, cast(LeanRequest, self.request))
        copied._session = self.open_session()
        return copied

    def open_session(self) -> SessionMixin:
        """The session, opened when it is first asked for."""
        if self._session is None:
            interface = self.app.session_interface
            opened = interface.open_session(self.app, self.request)
            self._session = interface.make_null_session(self.app) if opened is None else opened
        return self._session

    @property
    def session(self) -> SessionMixin:
        session = self.open_session()
        session.accessed = True
        return session


class ShortWay(Flask):
    """A Flask that answers the requests of the catalogue by the short way."""

    url_map: RuleMap
    dispatcher: Dispatcher
    headers: ResponseHeaders
    dbs: Databases
    session_interface: Any
    settings: Settings

    def answer_request(self, environ: dict[str, Any], start_response: StartResponse) -> Iterable[bytes]:
        """What Flask.wsgi_app does."""
        if not self._is_short(environ):
            return Flask.wsgi_app(self, environ, self.headers.adding(environ, start_response))
        context, above = self._enter(environ)
        error: BaseException | None = None
        try:
            try:
                response = self._answer(context)
            except Exception as raised:  # noqa: BLE001 - as Flask: its handlers decide
                error = raised
                response = self.handle_exception(raised)
            except BaseException as raised:
                error = raised
                raise
            if type(response) is LeanResponse and not response.own_headers:
                return response.send(environ, start_response, self.headers.of(environ))
            return response(environ, self.headers.adding(environ, start_response))
        finally:
            self._leave(context, above, error)

    def _is_short(self, environ: dict[str, Any]) -> bool:
        """Whether a request is one of the catalogue, outside of any context, and nothing of Flask is replaced."""
        path = environ.get("PATH_INFO", "")
        return (
            IS_KNOWN_FLASK
            and environ.get("REQUEST_METHOD") in VERBS
            and (path in self.url_map.free or self.url_map.is_free(path))
            and environ.get("QUERY_STRING", "").isascii()
            and PRESERVE not in environ
            and _cv_app.get(None) is None
            and self.request_class is KernelRequest
            and self.config["TRUSTED_HOSTS"] is None
        )

    def _enter(self, environ: dict[str, Any]) -> tuple[LeanContext, LeanAppContext]:
        """What AppContext.push and the start of RequestContext.push do."""
        context, above = LeanContext(self, LeanRequest(environ, self.settings)), LeanAppContext(self)
        above.entry = _cv_app.set(above)
        if appcontext_pushed.receivers:
            appcontext_pushed.send(self, _async_wrapper=self.ensure_sync)
        context.entry = _cv_request.set(context), above
        return context, above

    def _answer(self, context: LeanContext) -> Response:
        """What the end of RequestContext.push (open the session, find the method) and full_dispatch_request do."""
        request: Any = context.request
        if type(self.session_interface) is not Sessions:
            context.open_session()
        try:
            request.resolved = self.dispatcher.resolve(request)
        except (NotFound, LibraryError) as error:
            request.routing_exception = error
        self._got_first_request = True
        answer: Any
        try:
            if request_started.receivers:
                request_started.send(self, _async_wrapper=self.ensure_sync)
            answer = self.preprocess_request()
            if answer is None:
                answer = self.dispatch_request()
        except Exception as error:  # noqa: BLE001 - as Flask: its handlers decide
            answer = self.handle_user_exception(error)
        response = self.process_response(answer if isinstance(answer, Response) else self.make_response(answer))
        if request_finished.receivers:
            request_finished.send(self, _async_wrapper=self.ensure_sync, response=response)
        return response

    def keep_session(self, context: Any, response: Response) -> Response:
        """What Flask.process_response does."""
        if self.after_request_funcs or context._after_request_functions:
            return Flask.process_response(self, response)
        session, interface = context._session, self.session_interface
        if session is None:  # unread, which only Sessions knows
            cookies = context.request.environ.get("HTTP_COOKIE")
            if cookies is None or not interface.is_old(self, cookies):
                return response
        if not interface.is_null_session(session):
            interface.save_session(self, session, response)
        return response

    def _leave(self, context: LeanContext, above: LeanAppContext, error: BaseException | None) -> None:
        """What RequestContext.pop and AppContext.pop do; a stream that holds the contexts leaves that to them."""
        if error is not None and self.should_ignore_error(error):
            error = None
        entry, entry_above = context.entry, above.entry
        if error is not None or entry is None or entry_above is None or self._is_watched():
            context.pop(error)
            return
        request: Any = context.request
        try:
            self.dbs.release()  # what do_teardown_request does where nothing is registered
            if request.has_body and request.temporary_files:
                request.close()
        finally:
            request.routing_exception = None  # its traceback holds the request: a circle for the collector
            request.environ["werkzeug.request"] = None
            context.entry = above.entry = None
            _cv_request.reset(entry[0])
            _cv_app.reset(entry_above)

    def _is_watched(self) -> object:
        """Whether anything is registered for the end of a context: what is, or something empty."""
        return (
            self.teardown_appcontext_funcs
            or appcontext_tearing_down.receivers
            or appcontext_popped.receivers
            or self.teardown_request_funcs
            or request_tearing_down.receivers
        )
