"""The addon metrics, as Prometheus reads it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from prometheus_client.parser import text_string_to_metric_families

ROOT = Path(__file__).resolve().parents[2]
LABELS = ("method", "verb", "status")
SHOP = "class shop:\n    def index(self): return 'hello'\n    def show(self, n: int): return n\n"


def read(client: Any) -> dict[tuple[str, ...], float]:
    response = client.get("/_koa/metrics")
    assert response.mimetype == "text/plain"
    return {
        (sample.name, *(sample.labels[name] for name in LABELS if name in sample.labels)): sample.value
        for family in text_string_to_metric_families(response.text)
        for sample in family.samples
    }


def make(site: Any, **settings: Any) -> Any:
    site.write("shop.py", SHOP)
    return site.client(libs={"addon": str(ROOT / "system/addons")}, addons=["metrics"], **settings)


def test_requests_are_counted_by_method_verb_and_status(site: Any) -> None:
    client = make(site)
    for path in ("/shop", "/shop", "/shop/show/1", "/shop/show/x", "/nothing", "/nothing/else"):
        client.get(path)
    client.open("/shop", method="BREW")
    found = read(client)
    name = "kernkoa_requests_total"
    assert found[name, "shop/shop/index", "GET", "200"] == 2
    assert found[name, "shop/shop/show", "GET", "200"] == 1
    assert found[name, "shop/shop/show", "GET", "422"] == 1
    assert found[name, "none", "GET", "404"] == 2
    assert found[name, "shop/shop/index", "other", "405"] == 1
    assert found["kernkoa_request_seconds_count", "shop/shop/index"] == 3


def test_broken_libraries_are_counted_and_redis_that_is_away_is_told(site: Any) -> None:
    client = make(site, redisUrl="redis://127.0.0.1:1/0")
    site.write("torn.py", "class torn(:\n")
    found = read(client)
    assert (found["kernkoa_broken_libraries",], found["kernkoa_redis_up",]) == (1, 0)


def test_only_monitors_may_ask(site: Any) -> None:
    away = {"REMOTE_ADDR": "192.0.2.1"}
    assert make(site).get("/_koa/metrics", environ_base=away).status_code == 404
