"""Watching tasks from the terminal: list, show, cancel, run again, purge."""

from __future__ import annotations

import contextlib
import http.client
import json
import secrets
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest

from tests.servers import free_port
from tests.task_bench import ROOT, Bench, bench, wait_for


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    with bench(tmp_path_factory.mktemp("watching"), workers=0) as made:
        yield made


def type_command(site: Bench, *words: str) -> tuple[int, str]:
    command = [sys.executable, "kernkoa.py", "tasks", *words]
    done = subprocess.run(command, cwd=ROOT, env=site.environ, capture_output=True, text=True, timeout=60)
    return done.returncode, done.stdout + done.stderr


def test_a_task_is_listed_shown_cancelled_and_run_again(site: Bench) -> None:
    task_id, other = site.start("echo", {"a": 1}), site.start("sleep", {"seconds": 60})
    code, said = type_command(site, "list")
    assert code == 0
    assert [line.split()[0] for line in said.splitlines()[:2]] == [other, task_id]
    assert "Queued" in said
    assert "tasks: 2 waiting" in said
    assert type_command(site, "list", "sleep")[1].count("jobs/Jobs/") == 1
    shown = json.loads(type_command(site, "show", task_id)[1])
    assert (shown["status"], shown["route"], shown["params"]) == ("PENDING", "jobs/Jobs/echo", {"value": {"a": 1}})
    assert type_command(site, "cancel", task_id) == (0, f"{task_id} was cancelled.\n")
    assert type_command(site, "cancel", task_id) == (0, f"{task_id} has ended already (REVOKED).\n")
    new = type_command(site, "again", task_id)[1].strip()
    assert type_command(site, "again", other) == (1, f"Error: {other} has not ended.\n")
    assert type_command(site, "purge", "reports", "--yes") == (0, "0 tasks were cancelled.\n")
    site.request("DELETE", f"/status/{other}")
    worker = site.start_worker()
    assert site.end(new) == {"status": "SUCCESS", "data": {"a": 1}}
    large = site.start("echo", secrets.token_hex(2_000))
    site.end(large)
    assert type_command(site, "again", large)[0] == 1
    assert site.end(type_command(site, "again", new)[1].strip())["data"] == {"a": 1}
    assert "0 of 2 processes run (reports, tasks)" in type_command(site, "list")[1]
    worker.terminate()
    worker.wait(20)
    ids = [site.start("echo", number) for number in range(3)]
    assert type_command(site, "purge", "--yes") == (0, "3 tasks were cancelled.\n")
    assert [site.status(name)["status"] for name in ids] == ["REVOKED"] * 3
    assert not site.server.client.llen("kernkoa:tasks")


def test_an_unknown_id_and_a_redis_that_is_away_are_told(site: Bench) -> None:
    for words in (("show", "x"), ("cancel", "x"), ("again", "x")):
        assert type_command(site, *words) == (1, "Error: There is no task x.\n")
    wrong = "Error: There is no queue nope. There are: tasks, reports.\n"
    assert type_command(site, "purge", "nope", "--yes") == (1, wrong)
    assert type_command(site, "list", "--status", "nope")[0] == 2
    site.server.stop()
    code, said = type_command(site, "list")
    assert (code, "Redis does not answer" in said) == (1, True)
    assert "Traceback" not in said
    site.server.start()
    wait_for(lambda: site.request("GET", "/_koa/health")[0] == 200)


def test_flower_shows_the_workers_and_their_tasks(site: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FLOWER_UNAUTHENTICATED_API", "true")
    worker = site.start_worker("-E")
    port = free_port()
    flower = site.start_celery("flower", f"--port={port}", "--address=127.0.0.1")
    try:
        wait_for(lambda: get_json(port, "/api/workers?refresh=1"), 60, "a worker in Flower")
        done, failed = site.start("echo", 1), site.start("fail")
        site.end(done), site.end(failed)
        shown = wait_for(
            lambda: (found := get_json(port, "/api/tasks")) and {done, failed} <= set(found) and found,
            what="both tasks",
        )
        wait_for(lambda: get_json(port, f"/api/task/info/{failed}").get("state") == "FAILURE", what="the failure")
        assert shown[done]["name"] == "jobs/Jobs/echo"
        assert "failed for" not in site.log.read_text()
        assert "Inspect method stats failed" not in site.log.read_text()
    finally:
        flower.terminate()
        flower.wait(20)
        worker.terminate()
        worker.wait(20)


def get_json(port: int, path: str) -> Any:
    with (
        contextlib.suppress(OSError),
        contextlib.closing(http.client.HTTPConnection("127.0.0.1", port)) as connection,
    ):
        connection.request("GET", path)
        answer = connection.getresponse()
        return json.loads(answer.read()) if answer.status == 200 else {}
    return {}
