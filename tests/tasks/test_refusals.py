"""What Redis refuses for a while is waited for, at every step of a task: nothing is lost, run twice or replaced."""

from __future__ import annotations

import contextlib
import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.task_bench import Bench, bench, wait_for


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    with bench(tmp_path_factory.mktemp("refusals")) as made:
        yield made


def config(site: Bench, **values: str) -> None:
    for name, value in values.items():
        site.server.client.config_set(name.replace("_", "-"), value)


def out_of_memory(site: Bench, on: bool) -> None:
    config(site, maxmemory="1" if on else "0")


def no_replicas(site: Bench, on: bool) -> None:
    config(site, min_replicas_to_write="1" if on else "0")


def read_only(site: Bench, on: bool) -> None:
    """A replica of a master that it knows: what a server is after a failover, until its clients have noticed."""
    if on:
        site.server.client.replicaof("127.0.0.1", "1")
    else:
        site.server.client.replicaof("NO", "ONE")


def master_down(site: Bench, on: bool) -> None:
    config(site, replica_serve_stale_data="no" if on else "yes")
    read_only(site, on)


def no_snapshot(site: Bench, on: bool) -> None:
    """MISCONF: the last snapshot could not be written."""
    folder = site.root / "gone"
    if on:
        folder.mkdir()
        config(site, save="3600 1", dir=str(folder))
        folder.rmdir()
        site.server.client.bgsave()
        wait_for(lambda: site.server.client.info("persistence")["rdb_last_bgsave_status"] == "err")
    else:
        config(site, save="", dir=str(site.server.folder))


def loading(site: Bench, on: bool) -> None:
    """A restart that takes seconds, because every key takes 20 ms."""
    if on:
        for number in range(100):
            site.server.client.set(f"filler:{number}", "x")
        site.server.client.bgrewriteaof()
        wait_for(lambda: not site.server.client.info("persistence")["aof_rewrite_in_progress"])
        site.server.stop()
        site.server.launch("--key-load-delay", "20000", "--loading-process-events-interval-bytes", "1024")
    else:
        wait_for(site.server.answers, what="the end of loading")


REFUSALS = [out_of_memory, no_replicas, read_only, master_down, no_snapshot, loading]


@contextlib.contextmanager
def refusing(site: Bench, refusal: Any) -> Iterator[None]:
    refusal(site, True)
    try:
        yield
    finally:
        refusal(site, False)


@pytest.mark.parametrize("refusal", REFUSALS)
def test_a_refusal_at_any_step_costs_no_task(site: Bench, refusal: Any) -> None:
    ids = [site.start("count", {"to": 20, "step": 0.05}) for _ in range(2)]  # reports, and ends meanwhile
    ids += [site.start("count", {"to": 1, "step": 0}) for _ in range(4)]  # starts meanwhile
    ids += [site.start("count", {"to": 1, "step": 0}, delay=1)]
    wait_for(lambda: site.runs(f"count {ids[0]}"))
    with refusing(site, refusal):
        time.sleep(1.5)
        code, headers, body = site.request("POST", "/jobs/Jobs/start", {"method": "echo"})
        assert (code, "Redis does not answer" in json.loads(body)["detail"]) == (503, True)
        assert headers["retry-after"]
    assert [site.end(task_id)["status"] for task_id in ids] == ["SUCCESS"] * 7
    assert [site.runs(f"counted {task_id}") for task_id in ids] == [1] * 7
    assert site.run("echo", 2)["data"] == 2
    assert site.workers[0].poll() is None


def test_a_permanent_fault_is_told_as_one(site: Bench, tmp_path: Path) -> None:
    other = Bench(tmp_path / "other", redisUrl=f"{site.server.url}?db=99")
    try:
        other.start_web()
        code, _, body = other.request("POST", "/jobs/Jobs/start", {"method": "echo"})
        assert (code, json.loads(body)["detail"]) == (
            503,
            "Tasks cannot be used: Redis refuses the connection. The site's log says why.",
        )
        assert "Waiting does not help: correct redisUrl in config.py" in (other.root / "web.log").read_text()
    finally:
        other.close()


def test_a_wrong_password_is_told_without_it(site: Bench, tmp_path: Path) -> None:
    site.server.client.acl_setuser(
        "default", enabled=True, nopass=True, keys="*", channels="*", commands=["+@all"]
    )
    other = Bench(tmp_path / "other", redisUrl=f"unix://ann:s3cret@{site.server.socket}")
    try:
        other.start_web()
        assert other.request("POST", "/jobs/Jobs/start", {"method": "echo"})[0] == 503
        said = (other.root / "web.log").read_text()
        assert "Waiting does not help" in said
        assert "s3cret" not in said
    finally:
        other.close()
