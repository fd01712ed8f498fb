"""Tasks in tests: run in the test process after the request that started them, or by a real worker."""

from __future__ import annotations

import os
from typing import Any

from flask import has_request_context

from system.core.development.services import Services, find_server
from system.core.tasks.queues import RUN
from system.core.web.application import KernKoa

MOST_TRIES = 20


class TestTasks:
    """The tasks of a site under test. Its own Valkey server starts with the first task."""

    __test__ = False

    def __init__(self, app: KernKoa) -> None:
        self._app = app
        self._services = Services(app.settings, os.environ)
        self._send = app.tasks.send
        self._pending: list[str] = []
        self._is_started = self._has_worker = False
        app.tasks.send = self._start  # type: ignore[method-assign]
        app.tasks.celery.conf.task_store_eager_result = True

    def _start(self, *arguments: Any, **options: Any) -> str:
        self._ensure_server()
        name = self._send(*arguments, **options)
        if not self._has_worker:
            self._pending.append(name)
            if not has_request_context():
                self.run_pending()
        return name

    def _ensure_server(self) -> None:
        if not self._is_started and find_server() is not None:
            self._services.start()
            self._is_started = True

    def run_pending(self) -> None:
        """Run the waiting tasks and those that they start; retries run at once."""
        while self._pending:
            name = self._pending.pop(0)
            for _ in range(MOST_TRIES):
                if self._app.tasks.celery.tasks[RUN].apply(task_id=name).state != "RETRY":
                    break

    def start_worker(self) -> None:
        """Start a real worker, which runs all following tasks."""
        self._ensure_server()
        self._has_worker = True
        self._services.check()

    def end_test(self) -> None:
        """Delete all tasks and stop the worker; without a worker, the server keeps running for the next test."""
        self._pending.clear()
        if self._has_worker:
            self.stop()
            self._has_worker = False
        elif self._is_started:
            self._app.tasks.redis.client.flushall()

    def stop(self) -> None:
        if self._is_started:
            self._services.stop()
            self._is_started = False
