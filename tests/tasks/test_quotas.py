"""What one client may cost: the size of a task, how many wait in a queue, how many requests wait for a task."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.servers import free_port
from tests.task_bench import ROOT, Bench, bench, wait_for

BULKY = """
from kernkoa import *

class Bulky:
    def start(self):
        return exeTask(self, "keep", {"text": "x" * 200_000})

    def wrong(self):
        return exeTask(self, "area", {"width": "wide"})

    def right(self, width: str):
        return exeTask(self, "area", {"width": width})

    def keep(self, celery_instance=None, params=None):
        return len(params["text"])

    def area(self, celery_instance, width: float):
        return width
"""


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    root, files = tmp_path_factory.mktemp("quotas"), {"bulky.py": BULKY}
    with bench(root, workers=0, files=files, maxTaskBytes=100_000, maxQueued=3) as made:
        yield made


def test_params_that_are_too_large_are_the_clients_fault_or_the_sites(site: Bench) -> None:
    code, _, body = site.request("POST", "/jobs/Jobs/start", {"method": "echo", "params": "x" * 150_000})
    assert code == 413
    assert "maxTaskBytes = 100,000" in json.loads(body)["detail"]
    assert site.request("GET", "/bulky/start")[0] == 500
    assert "Save them to a file or to a table" in (site.root / "web.log").read_text()
    assert site.server.client.zcard("kernkoa:tasks:newest") == 0


def test_a_value_that_does_not_fit_is_the_fault_of_who_wrote_it(site: Bench) -> None:
    assert site.request("GET", "/bulky/wrong")[0] == 500
    assert "bulky/Bulky/area cannot take: width must be" in (site.root / "web.log").read_text()
    assert site.request("GET", "/bulky/right?width=wide")[0] == 422


def test_a_queue_takes_no_more_than_it_may(site: Bench) -> None:
    ids = [site.start("echo", number) for number in range(3)]
    code, headers, body = site.request("POST", "/jobs/Jobs/start", {"method": "echo"})
    assert (code, bool(headers["retry-after"])) == (503, True)
    assert "3 tasks wait in the queue 'tasks' already (maxQueued)" in json.loads(body)["detail"]
    assert site.start("echo", 1, queue="reports")
    worker = site.start_worker()
    assert [site.end(task_id)["data"] for task_id in ids] == [0, 1, 2]
    assert site.run("echo", 4)["data"] == 4
    worker.terminate()
    worker.wait(20)


def test_params_are_stored_once(site: Bench) -> None:
    rows = [{"name": f"row {number}", "number": number} for number in range(2_000)]
    task_id = site.start("echo", rows, queue="reports")
    assert site.server.client.memory_usage(f"kernkoa:task:{task_id}", samples=0) < len(json.dumps(rows)) / 2
    assert site.server.client.memory_usage("kernkoa:reports", samples=0) < 5_000


def test_an_id_that_no_task_can_have_is_a_404_without_redis(tmp_path: Path) -> None:
    made = Bench(tmp_path / "site", redisUrl="redis://127.0.0.1:1/0")
    try:
        made.start_web()
        for name in ("nobody", "x" * 5000, "../../x", "0" * 36, "0F4BD7DC-0000-4000-8000-000000000000"):
            for verb in ("GET", "DELETE"):
                assert made.request(verb, f"/status/{name}")[0] == 404
    finally:
        made.close()


def test_those_who_wait_leave_three_quarters_of_the_processes_to_others(site: Bench) -> None:
    port = free_port()
    options = ["--http-socket", f"127.0.0.1:{port}", "--master", "--processes", "4", "--module", "kernkoa:app"]
    with open(site.root / "uwsgi.log", "wb") as log:
        command = [str(Path(sys.executable).with_name("uwsgi")), *options, "--need-app", "--buffer-size", "8192"]
        server = subprocess.Popen(command, cwd=ROOT, env=site.environ, stdout=log, stderr=log)
    other = Bench.__new__(Bench)
    other.port = port
    try:
        wait_for(other._answers, what="uWSGI")
        task_id = site.start("echo", 1, queue="reports")  # nobody serves it
        answers: list[tuple[int, dict[str, str], bytes]] = []

        def wait() -> None:
            answers.append(other.request("GET", f"/status/{task_id}?wait=4"))

        threads = [threading.Thread(target=wait) for _ in range(8)]
        began = time.monotonic()
        for thread in threads:
            thread.start()
        wait_for(lambda: len(answers) == 7, 3, "those who may not wait")
        assert all(headers["retry-after"] for _, headers, _ in answers)
        for _ in range(20):
            assert other.request("GET", "/jobs/Jobs/plain")[2] == b"now"
        assert time.monotonic() - began < 4
        code, headers, _ = other.request("POST", "/jobs/Jobs/slow", {}, {"Prefer": "respond-async, wait=20"})
        assert (code, headers["retry-after"]) == (202, "1")
        for thread in threads:
            thread.join()
        assert "retry-after" not in answers[-1][1]
    finally:
        server.terminate()
        server.wait(20)
