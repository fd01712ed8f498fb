"""The addon metrics, as Prometheus reads it."""

from __future__ import annotations

import http.client
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families

from tests.servers import free_port
from tests.task_bench import Server, wait_for

UWSGI = Path(sys.prefix) / "bin" / "uwsgi"
ROOT = Path(__file__).resolve().parents[2]
LABELS = ("method", "verb", "status", "queue", "quantile")
SHOP = "class shop:\n    def index(self): return 'hello'\n    def show(self, n: int): return n\n"


def read(client: Any) -> dict[tuple[str, ...], float]:
    response = client.get("/_koa/metrics")
    assert response.mimetype == "text/plain"
    return {
        (sample.name, *(sample.labels[name] for name in LABELS if name in sample.labels)): sample.value
        for family in text_string_to_metric_families(response.text)
        for sample in family.samples
    }


def get(port: int, path: str) -> bytes:
    """The body of an answer; empty where nothing serves yet."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    try:
        connection.request("GET", path)
        return connection.getresponse().read()
    except OSError:
        return b""
    finally:
        connection.close()


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
    assert ("kernkoa_workers",) not in found


def test_a_reload_of_a_library_is_counted(site: Any) -> None:
    client = make(site, liveSeconds=0)
    client.get("/shop")
    before = read(client)["kernkoa_library_loads_total",]
    site.write("shop.py", SHOP.replace("hello", "hi"))
    assert client.get("/shop").text == "hi"
    client.get("/shop")
    assert read(client)["kernkoa_library_loads_total",] == before + 1


def test_tasks_queues_and_workers_are_told(site: Any, tmp_path: Path) -> None:
    server = Server(tmp_path).start()
    try:
        site.write("jobs.py", "class Jobs:\n    def build(self, celery_instance=None): return 1\n")
        client = make(site, redisUrl=server.url, queues=["slow"])
        tasks = client.application.tasks
        ids = [tasks.exeTask(None, "jobs/Jobs/build", queue=queue)["id"] for queue in ("tasks", "slow", "slow")]
        for task_id, status in zip(ids[:2], ("SUCCESS", "FAILURE"), strict=True):
            tasks.records.start(task_id, "run", "w", False, 30)
            tasks.records.end(task_id, status, {})
        tasks.records.start(ids[2], "run", "w", False, 30)
        tasks.heartbeats.send("w@here", {"name": "w@here"})
        found = read(client)
    finally:
        server.stop()
    assert (found["kernkoa_workers",], found["kernkoa_redis_up",], found["kernkoa_tasks_running",]) == (1, 1, 1)
    assert (found["kernkoa_queue_tasks", "tasks"], found["kernkoa_queue_tasks", "slow"]) == (0, 0)
    for status in ("SUCCESS", "FAILURE"):
        assert found["kernkoa_tasks_ended_last_hour", status] == 1
    assert found["kernkoa_task_seconds_last_hour", "0.99"] > 0


@pytest.mark.skipif(not UWSGI.exists(), reason="uWSGI is needed: sh setup.sh test installs it")
def test_the_processes_of_uwsgi_add_up(site: Any) -> None:
    site.write("shop.py", "import os\nclass shop:\n    def index(self): return str(os.getpid())\n")
    libs = {"addon": str(ROOT / "system/addons")}
    (site.root / "config.py").write_text(f"addons = ['metrics']\nlibs = {libs!r}\n")
    port = free_port()
    options = ["--http-socket", f"127.0.0.1:{port}", "--module", "kernkoa:app", "--processes", "2", "--master"]
    more = ["--need-app", "--die-on-term", "--disable-logging", "--chdir", str(ROOT), "--enable-threads"]
    environ = {**os.environ, "KERNKOA_CONFIG": str(site.root / "config.py")}
    server = subprocess.Popen([str(UWSGI), *options, *more], env=environ, stderr=subprocess.DEVNULL)
    try:
        wait_for(lambda: get(port, "/_koa/health"))
        pids: list[bytes] = []
        wait_for(lambda: pids.append(get(port, "/shop")) or len(set(pids)) == 2)
        found = text_string_to_metric_families(get(port, "/_koa/metrics").decode())
        counted = {
            sample.labels["method"]: sample.value
            for family in found
            for sample in family.samples
            if sample.name == "kernkoa_requests_total"
        }
        assert counted["shop/shop/index"] == len(pids)
    finally:
        server.terminate()
        server.wait(30)


def test_only_monitors_may_ask(site: Any) -> None:
    away = {"REMOTE_ADDR": "192.0.2.1"}
    assert make(site).get("/_koa/metrics", environ_base=away).status_code == 404
    client = make(site, monitorKey="a-key-of-24-characters-a")
    sent = {"Authorization": "Bearer a-key-of-24-characters-a"}
    assert client.get("/_koa/metrics", environ_base=away, headers=sent).status_code == 200
