"""/_koa/ready: for monitors only, and honest."""

from __future__ import annotations

from typing import Any

DOWN = {"driver": "postgresql", "host": "127.0.0.1", "port": 1, "user": "u", "password": "secret", "database": "d"}


def test_a_monitor_learns_that_all_is_well_and_which_file_is_broken(site: Any) -> None:
    site.write("fine.py", "class fine:\n    def index(self): return 'ok'\n")
    client = site.client()
    response = client.get("/_koa/ready")
    assert response.status_code == 200
    assert response.get_json() == {"status": "ok", "checks": {"database maindb": "ok", "disk": "ok"}, "broken": []}
    site.write("torn.py", "class torn(:\n")
    assert client.get("/_koa/ready").get_json()["broken"] == ["torn"]


def test_what_is_away_is_named_without_its_secrets(site: Any) -> None:
    client = site.client(databases={"far": DOWN}, defaultDatabase="far", redisUrl="redis://:secret@127.0.0.1:1/0")
    response = client.get("/_koa/ready")
    assert response.status_code == 503
    checks = response.get_json()["checks"]
    assert checks == {"database far": "DatabaseUnavailable", "redis": "BrokerUnavailable", "disk": "ok"}
    assert "secret" not in response.text


def test_nobody_else_learns_anything(site: Any) -> None:
    away = {"REMOTE_ADDR": "192.0.2.1"}
    assert site.client().get("/_koa/ready", environ_base=away).status_code == 404
    assert site.client(monitors=["192.0.2.0/24"]).get("/_koa/ready", environ_base=away).status_code == 200
    assert site.client(monitors=[]).get("/_koa/ready").status_code == 404
