"""/_koa/ready: for monitors only, and honest."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.task_bench import Server

DOWN = {"driver": "postgresql", "host": "127.0.0.1", "port": 1, "user": "u", "password": "secret", "database": "d"}


def test_a_monitor_learns_that_all_is_well_and_which_file_is_broken(site: Any) -> None:
    site.write("fine.py", "class fine:\n    def index(self): return 'ok'\n")
    client = site.client()
    response = client.get("/_koa/ready")
    assert response.status_code == 200
    assert response.get_json() == {"status": "ok", "checks": {"database maindb": "ok", "disk": "ok"}, "broken": []}
    site.write("torn.py", "class torn(:\n")
    assert site.client().get("/_koa/ready").get_json()["broken"] == ["torn"]


def test_many_broken_files_are_counted(site: Any) -> None:
    for number in range(25):
        site.write(f"torn{number}.py", "class torn(:\n")
    found = site.client().get("/_koa/ready").get_json()
    assert (len(found["broken"]), found["more"]) == (20, 5)


def test_many_monitors_cost_no_more_than_one(site: Any) -> None:
    app = site.app()
    asked: list[str] = []
    look = app.dbs["maindb"].getValue
    app.dbs["maindb"].getValue = lambda sql: (asked.append(sql), look(sql))[1]
    client = app.test_client()
    for _ in range(30):
        assert client.get("/_koa/ready").status_code == 200
    assert 1 <= len(asked) <= 2


def test_a_site_with_tasks_needs_a_worker(site: Any, tmp_path: Path) -> None:
    server = Server(tmp_path).start()
    try:
        site.write("jobs.py", "class jobs:\n    def index(self): return 'ok'\n")
        options = {"redisUrl": server.url}
        assert "workers" not in site.client(**options).get("/_koa/ready").get_json()["checks"]
        site.write("jobs.py", "class jobs:\n    def build(self, celery_instance=None): return 'ok'\n")
        response = site.client(**options).get("/_koa/ready")
        assert response.status_code == 503
        assert response.get_json()["checks"]["workers"] == "no worker is alive, and the site has tasks"
        app = site.app(**options)
        app.tasks.heartbeats.send("worker@here", {"name": "worker@here"})
        assert app.test_client().get("/_koa/ready").get_json()["checks"]["workers"] == "ok"
    finally:
        server.stop()


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


@pytest.mark.parametrize(
    "forwarded",
    [
        {"headers": {"X-Forwarded-For": "192.0.2.1"}},
        {"headers": {"Forwarded": "for=192.0.2.1"}},
        {"headers": {"X-Real-IP": "127.0.0.1"}},
        {"headers": {"Via": "1.1 proxy"}},
        {"environ_overrides": {"SERVER_PROTOCOL": "HTTP/1.0"}},
    ],
)
def test_a_proxy_on_this_machine_is_no_monitor(site: Any, forwarded: dict[str, Any]) -> None:
    """Else everyone would be one, where gunicorn stands behind a plain proxy_pass."""
    assert site.client().get("/_koa/ready", **forwarded).status_code == 404
    key = "a-key-of-24-characters-a"
    headers = {**forwarded.get("headers", {}), "Authorization": f"Bearer {key}"}
    assert site.client(monitorKey=key).get("/_koa/ready", **{**forwarded, "headers": headers}).status_code == 200


def test_a_monitor_elsewhere_sends_the_key(site: Any) -> None:
    key = "a-key-of-24-characters-a"
    client = site.client(monitorKey=key)
    for sent, status in ((f"Bearer {key}", 200), (f"Bearer {key}x", 404), ("Bearer ", 404), ("Bearer é", 404)):
        headers = {"Authorization": sent}
        assert (
            client.get("/_koa/ready", environ_base={"REMOTE_ADDR": "192.0.2.1"}, headers=headers).status_code
            == status
        )
    nobody = site.client(monitors=[])
    assert nobody.get("/_koa/ready", headers={"Authorization": "Bearer "}).status_code == 404
