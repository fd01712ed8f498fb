"""Where the site has loaded OpenTelemetry, the trace of a request goes on in the tasks that it starts.

Its instrumentation of Celery does that for messages that Celery publishes; the messages in Redis are made here.
https://www.w3.org/TR/trace-context/
"""

from __future__ import annotations

import sys


def trace_headers() -> dict[str, str]:
    """The headers of a message that name the current span: traceparent. Empty without OpenTelemetry."""
    propagate = sys.modules.get("opentelemetry.propagate")
    headers: dict[str, str] = {}
    if propagate is not None:
        propagate.inject(headers)
    return headers


def name_span(route: str) -> None:
    """Name the span of a task, and its transaction for Sentry, after its method: all are one task of Celery."""
    trace, sentry = sys.modules.get("opentelemetry.trace"), sys.modules.get("sentry_sdk")
    if trace is not None:
        trace.get_current_span().update_name(f"run/{route}")
    if sentry is not None:
        sentry.get_current_scope().set_transaction_name(route.replace("/", "."), source="task")
