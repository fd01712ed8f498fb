"""The addon `metrics`: /_koa/metrics for Prometheus.

Open to the addresses in `monitors` and to clients with the key `monitorKey`.
Enabled with `config.addons = ["metrics"]`. Counts requests and their durations by catalogue method, HTTP verb and
status, and the loaded versions of libraries. Tasks, queues, workers and broken libraries are read when Prometheus
scrapes the page. The processes of uWSGI share their counts through files in `var/metrics`.
"""

from __future__ import annotations

import importlib
import os
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from flask import Response, g

from system.core.dispatch.request import request
from system.core.errors import NotFound, SettingsError
from system.core.web.readiness import is_monitor

from .gauges import Gauges

__all__ = ["init_app"]

DIRECTORY = "PROMETHEUS_MULTIPROC_DIR"


def init_app(app: Any) -> None:
    """Count the requests of an app and add the page."""
    _share_counts(app.settings.folder(app.settings.varPath) / "metrics")
    try:
        metrics = Metrics(app)
    except ImportError as error:
        raise SettingsError(
            "The addon metrics needs prometheus-client. Install it: venv3/bin/pip install prometheus-client"
        ) from error
    app.before_request(metrics.begin)
    app.after_request(metrics.count)
    app.add_url_rule("/_koa/metrics", "metrics", metrics.show)


def _share_counts(folder: Path) -> None:
    """Make each uWSGI process write to its own file; must run before the counters are created."""
    try:
        uwsgi: Any = importlib.import_module("uwsgi")  # exists only in the processes of uWSGI
    except ImportError:
        return
    folder.mkdir(parents=True, exist_ok=True)
    os.environ.setdefault(DIRECTORY, str(folder))
    from prometheus_client import values

    values.ValueClass = values.MultiProcessValue(uwsgi.worker_id)  # type: ignore[no-untyped-call]


class Metrics:
    """The counts of an app, in its own registry."""

    def __init__(self, app: Any) -> None:
        from prometheus_client import CollectorRegistry, Counter, Histogram

        self._app = app
        self._registry = CollectorRegistry()
        labels = ("method", "verb", "status")
        self._requests = Counter("kernkoa_requests", "Requests answered", labels, registry=self._registry)
        self._seconds = Histogram(
            "kernkoa_request_seconds", "Time to the response", ("method",), registry=self._registry
        )
        self._loads = Counter("kernkoa_library_loads", "Versions of libraries loaded", registry=self._registry)
        self._gauges = Gauges(app)
        policy = app.catalog.policy
        policy.report = partial(self._count_load, policy.report)

    def _count_load(self, report: Callable[[Any], None], version: Any) -> None:
        self._loads.inc()
        report(version)

    def begin(self) -> None:
        g.metrics_began = time.perf_counter()

    def count(self, response: Response) -> Response:
        """Count a request; verbs and URLs that a client invents share one label."""
        resolved = request.resolved
        method = resolved.endpoint.name if resolved is not None else str(request.endpoint or "none")
        verb = request.method if request.method in ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE") else "other"
        self._requests.labels(method, verb, str(response.status_code)).inc()
        if "metrics_began" in g:
            self._seconds.labels(method).observe(time.perf_counter() - g.metrics_began)
        return response

    def show(self) -> Response:
        """The metrics in the text format of Prometheus. Raises NotFound for anyone who is not a monitor."""
        from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest
        from prometheus_client.multiprocess import MultiProcessCollector

        if not is_monitor(request.environ, self._app.settings):
            raise NotFound
        registry = self._registry
        if DIRECTORY in os.environ:
            registry = CollectorRegistry()
            MultiProcessCollector(registry)  # type: ignore[no-untyped-call]
        text = generate_latest(registry).decode() + self._gauges.text()
        return Response(text, content_type=CONTENT_TYPE_LATEST)
