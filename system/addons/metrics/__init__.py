"""The addon `metrics`: /_koa/metrics for Prometheus, for the addresses of `monitors`.

Switched on with `config.addons = ["metrics"]`. Requests are counted by method of the catalogue, verb and status,
with their durations; workers, Redis and broken libraries are looked at when Prometheus asks. The processes of
uWSGI share their counts through files in `var/metrics`.
"""

from __future__ import annotations

import importlib
import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from flask import Response, g

from system.core.dispatch.request import request
from system.core.errors import BrokerUnavailable, NotFound, SettingsError
from system.core.web.readiness import is_monitor

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
    """Let the processes of uWSGI write to files, one for each worker's number, before the library is imported."""
    try:
        uwsgi: Any = importlib.import_module("uwsgi")  # there in the processes of uWSGI only
    except ImportError:
        return
    folder.mkdir(parents=True, exist_ok=True)
    os.environ.setdefault(DIRECTORY, str(folder))
    from prometheus_client import values

    values.ValueClass = values.MultiProcessValue(uwsgi.worker_id)  # type: ignore[no-untyped-call]


class Metrics:
    """The counts of an app, in a registry of its own."""

    def __init__(self, app: Any) -> None:
        from prometheus_client import CollectorRegistry, Counter, Histogram

        self._app = app
        self._registry = CollectorRegistry()
        labels = ("method", "verb", "status")
        self._requests = Counter("kernkoa_requests", "Requests answered", labels, registry=self._registry)
        self._seconds = Histogram(
            "kernkoa_request_seconds", "Time to an answer", ("method",), registry=self._registry
        )

    def begin(self) -> None:
        g.metrics_began = time.perf_counter()

    def count(self, response: Response) -> Response:
        """Count a request; names that a client makes up share one label."""
        resolved = request.resolved
        method = resolved.endpoint.name if resolved is not None else str(request.endpoint or "none")
        verb = request.method if request.method in ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE") else "other"
        self._requests.labels(method, verb, str(response.status_code)).inc()
        if "metrics_began" in g:
            self._seconds.labels(method).observe(time.perf_counter() - g.metrics_began)
        return response

    def show(self) -> Response:
        """The metrics as Prometheus reads them. Raises NotFound for anyone who is no monitor."""
        from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest
        from prometheus_client.multiprocess import MultiProcessCollector

        if not is_monitor(request.environ.get("REMOTE_ADDR", ""), self._app.settings):
            raise NotFound
        registry = self._registry
        if DIRECTORY in os.environ:
            registry = CollectorRegistry()
            MultiProcessCollector(registry)  # type: ignore[no-untyped-call]
        now = "".join(f"# TYPE {name} gauge\n{name} {value}\n" for name, value in self._read_gauges())
        return Response(generate_latest(registry).decode() + now, content_type=CONTENT_TYPE_LATEST)

    def _read_gauges(self) -> Iterator[tuple[str, int]]:
        catalog, tasks = self._app.catalog, self._app.tasks
        libraries = catalog.libraries("controller", catalog.now())
        yield "kernkoa_broken_libraries", sum(catalog.sources.is_broken(library.path) for library in libraries)
        if not self._app.settings.redisUrl:
            return
        try:
            yield "kernkoa_workers", len(tasks.heartbeats.alive(self._app.settings.leaseSeconds))
        except BrokerUnavailable:
            yield "kernkoa_redis_up", 0
        else:
            yield "kernkoa_redis_up", 1
