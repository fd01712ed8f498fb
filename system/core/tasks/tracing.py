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
    """Name the span of a task after its method: all of them run as one task of Celery."""
    trace = sys.modules.get("opentelemetry.trace")
    if trace is not None:
        trace.get_current_span().update_name(f"run/{route}")
