"""The real instrumentation of OpenTelemetry: one span for each request and each task, joined."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import Site
from tests.task_bench import Bench, wait_for

pytest.importorskip("opentelemetry.instrumentation.flask", reason="OpenTelemetry is not installed")

from opentelemetry.instrumentation.flask import FlaskInstrumentor
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

ADDONS = str(Path(__file__).resolve().parents[2] / "system" / "addons")
TRACE, PARENT = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
TRACEPARENT = {"traceparent": f"00-{TRACE}-{PARENT}-01"}
SHOP = "class Shop:\n    def index(self): return 'x'\n    def show(self, number: int): return {'number': number}\n"


@pytest.fixture
def traced(site: Site) -> Iterator[tuple[Any, InMemorySpanExporter]]:
    """A client of a site whose app is instrumented, and its spans."""
    site.write("shop.py", SHOP)
    exporter, provider = InMemorySpanExporter(), TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    app = site.app(addons=["agents"], agents="public", libs={"addon": ADDONS})
    FlaskInstrumentor().instrument_app(app, tracer_provider=provider)
    yield app.test_client(), exporter
    FlaskInstrumentor.uninstrument_app(app)


@pytest.mark.parametrize(
    ("path", "name", "status"),
    [
        ("/shop", "GET /shop/Shop/index", 200),
        ("/shop/show/3", "GET /shop/Shop/show/<number>", 200),
        ("/shop/show/x", "GET /shop/Shop/show/<number>", 422),
        ("/nothing", "GET /nothing", 404),
        ("/_koa/health", "GET /_koa/health", 200),
    ],
)
def test_a_request_is_one_span_of_the_trace_of_its_client(traced: Any, path: str, name: str, status: int) -> None:
    client, exporter = traced
    assert client.get(path, headers=TRACEPARENT).status_code == status
    (span,) = exporter.get_finished_spans()
    assert (span.name, span.attributes["http.status_code"]) == (name, status)
    assert (f"{span.context.trace_id:032x}", f"{span.parent.span_id:016x}") == (TRACE, PARENT)


def test_the_call_of_a_tool_is_one_span_with_the_name_of_the_method(traced: Any) -> None:
    client, exporter = traced
    params = {"name": "shop_Shop_show", "arguments": {"number": 3}}
    message = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params}
    client.post("/_koa/mcp", json=message)  # lists the tools
    exporter.clear()
    assert client.post("/_koa/mcp", json=message, headers=TRACEPARENT).status_code == 200
    (span,) = exporter.get_finished_spans()
    assert span.name == "POST /shop/Shop/show/<number>"
    assert f"{span.context.trace_id:032x}" == TRACE


STARTUP = """
from opentelemetry import trace
from opentelemetry.instrumentation.celery import CeleryInstrumentor
from opentelemetry.instrumentation.flask import FlaskInstrumentor
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import ConsoleSpanExporter, SimpleSpanProcessor


def startup(app):
    out = open(app.settings.path / "spans", "a", buffering=1)
    exporter = ConsoleSpanExporter(out=out, formatter=lambda span: span.to_json(indent=None) + "\\n")
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    trace.set_tracer_provider(provider)
    FlaskInstrumentor().instrument_app(app)
    CeleryInstrumentor().instrument()
"""
JOBS = """
from kernkoa import *

class Reports:
    def start(self, title: str):
        return exeTask(self, "build", {"title": title})

    def build(self, celery_instance=None, title: str = ""):
        return {"title": title}
"""


def test_a_task_is_one_span_below_that_of_its_request(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    (tmp_path / "catalog" / "startup.py").write_text(STARTUP)
    bench.write("reports.py", JOBS)
    bench.server.start()
    try:
        bench.start_worker()
        bench.start_web()
        _, _, body = bench.request("POST", "/reports/Reports/start", {"title": "May"}, TRACEPARENT)
        assert bench.end(json.loads(body)["id"])["data"] == {"title": "May"}
        spans = wait_for(lambda: (found := read_spans(tmp_path / "spans")) and len(found) > 1 and found)
    finally:
        bench.close()
    request, task = spans["POST /reports/Reports/start/<title>"], spans["run/reports/Reports/build"]
    assert {span["context"]["trace_id"] for span in (request, task)} == {f"0x{TRACE}"}
    assert request["parent_id"] == f"0x{PARENT}"
    assert task["parent_id"] == request["context"]["span_id"]
    assert task["attributes"]["celery.state"] == "SUCCESS"


def read_spans(file: Path) -> dict[str, Any]:
    """The spans of the trace by their names, each of which is there once."""
    spans = [json.loads(line) for line in file.read_text().splitlines()]
    mine = [span for span in spans if span["context"]["trace_id"] == f"0x{TRACE}"]
    assert len({span["name"] for span in mine}) == len(mine)
    return {span["name"]: span for span in mine}
