"""Where the site has loaded OpenTelemetry, the trace of a request goes on in the tasks that it starts.

Its instrumentation of Celery does that for messages that Celery publishes; the messages in Redis are made here.
https://www.w3.org/TR/trace-context/
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any


def trace_headers() -> dict[str, str]:
    """The headers of a message that name the current span: traceparent. Empty without OpenTelemetry."""
    propagate = sys.modules.get("opentelemetry.propagate")
    headers: dict[str, str] = {}
    if propagate is not None:
        propagate.inject(headers)
    return headers


@contextmanager
def continue_trace(headers: Mapping[str, Any] | None) -> Iterator[None]:
    """Let messages that are sent within belong to the span that these headers name."""
    propagate, context = sys.modules.get("opentelemetry.propagate"), sys.modules.get("opentelemetry.context")
    if not headers or propagate is None or context is None:
        yield
        return
    token = context.attach(propagate.extract({name: str(value) for name, value in headers.items()}))
    try:
        yield
    finally:
        context.detach(token)


def name_span(route: str) -> None:
    """Name the span of a task, and its transaction for Sentry, after its method: all are one task of Celery."""
    trace, sentry = sys.modules.get("opentelemetry.trace"), sys.modules.get("sentry_sdk")
    if trace is not None:
        trace.get_current_span().update_name(f"run/{route}")
    if sentry is not None:
        sentry.get_current_scope().set_transaction_name(route.replace("/", "."), source="task")
