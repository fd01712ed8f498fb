"""Puts the parts together: `create_app(settings)`."""

from __future__ import annotations

import logging
import os
from functools import partial
from typing import TYPE_CHECKING

from flask import Response, got_request_exception
from werkzeug.exceptions import InternalServerError

from .catalog.last_good import LastGood
from .catalog.loader import Loader
from .catalog.tree import Catalog
from .database.databases import Databases
from .dispatch.problems import describe, is_fault, render
from .dispatch.request import request
from .dispatch.routing import kept_names
from .dispatch.signature_check import report_unusable
from .errors import FolderClosed, KernKoaError, LibraryError
from .settings import Settings
from .tasks.status import add_task_routes
from .tasks.submission import Tasks
from .web.access_log import AccessLog
from .web.application import KernKoa
from .web.dispatcher import Dispatcher
from .web.matching import ViewFunctions
from .web.readiness import Readiness
from .web.views import add_routes

if TYPE_CHECKING:
    from celery import Celery

    from .development.error_pages import Pages

log = logging.getLogger("kernkoa")


def create_app(settings: Settings) -> KernKoa:
    """The application of a site. Its parts: `app.catalog`, `app.load`, `app.dbs`, `app.tasks`."""
    app = KernKoa(settings)
    app.catalog = Catalog(
        {kind: settings.folder(name) for kind, name in settings.libs.items()},
        live_seconds=0 if settings.development else settings.liveSeconds,
        development=settings.development,
        strict_verbs=settings.strictVerbs,
        last_good=LastGood(None if settings.development else settings.var / "loaded", str(app.secret_key)),
    )
    app.catalog.policy.report = report_unusable
    app.catalog.policy.open_mark = os.environ.get("KERNKOA_OPEN_MARK", "")
    app.load = Loader(app.catalog)
    app.dbs = Databases(settings)
    app.tasks = Tasks(settings, app.catalog, partial(_make_celery, app))
    app.dispatcher = Dispatcher(app.catalog, settings, app.tasks)
    app.view_functions = ViewFunctions(app.view_functions, app.dispatcher)
    add_routes(app, settings)
    ready = Readiness(settings, app.catalog, app.dbs, app.tasks)
    app.add_url_rule("/_koa/ready", "ready", ready.answer)
    add_task_routes(app, app.tasks)
    if settings.development or settings.explorer:
        _add_explorer(app)
    app.register_error_handler(Exception, partial(answer_error, app, _make_pages(app)))
    _report_reserved(app.catalog)
    for line in settings.warnings:
        log.warning("%s", line)
    if settings.logFormat == "json":
        app.wsgi_app = AccessLog(app.wsgi_app)  # type: ignore[method-assign]
    return app


def _make_celery(app: KernKoa) -> Celery:
    """Imported here: a web process starts its tasks without Celery, in half the time and with 6 MB less."""
    from .log import protect_worker_log
    from .tasks.celery_app import TaskApp
    from .tasks.execution import register

    celery = TaskApp(app.settings, app.tasks)
    register(app, app.tasks, celery)
    protect_worker_log(app.settings)
    return celery


def _add_explorer(app: KernKoa) -> None:
    """Imported here: a site that does not show these pages starts faster and keeps 1 MB less."""
    from .explorer.documentation import add_documentation
    from .explorer.pages import add_explorer
    from .explorer.task_board import add_board

    add_board(app, app.tasks)
    add_explorer(app, app.tasks)
    add_documentation(app, app.settings)


def _make_pages(app: KernKoa) -> Pages | None:
    """The pages that explain errors. Only the development server imports them."""
    if not app.settings.development:
        return None
    from .development.error_pages import Pages

    return Pages(app, app.catalog, app.settings)


def answer_error(app: KernKoa, pages: Pages | None, error: Exception) -> Response:
    """The response for any error; errors of the site are logged. `pages` explain it in development."""
    app.dbs.release(error=True)
    if isinstance(error, InternalServerError) and isinstance(error.original_exception, Exception):
        error = error.original_exception  # raised when the response was finished
    problem = describe(error)
    if isinstance(error, FolderClosed) and isinstance(error.__cause__, LibraryError):
        error = error.__cause__  # what the author has to repair
    if is_fault(error, problem):
        reason = error.detail if isinstance(error, KernKoaError) else type(error).__name__
        log.error("%s %s: %s", request.method, request.path, reason, exc_info=_trace_of(error))
        got_request_exception.send(app, exception=error)
    explained = pages.answer(error, problem) if pages else None
    return render(problem, request._get_current_object()) if explained is None else explained  # type: ignore[attr-defined]


def _trace_of(error: Exception) -> BaseException | None:
    """The error whose traceback is logged: a library's own; none for a syntax error, whose message is complete."""
    if not isinstance(error, LibraryError):
        return error
    return None if isinstance(error.__cause__, SyntaxError) else error.__cause__


def _report_reserved(catalog: Catalog) -> None:
    root = catalog.roots["controller"]
    root.refresh(catalog.now())
    for name, path in kept_names(root):
        log.warning("%s is not reachable: the kernel reserves the name %r.", path, name)
