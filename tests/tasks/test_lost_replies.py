"""A reply of Redis may be lost after Redis did what was asked: whatever is asked again must count once."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from tests.lossy_proxy import LossyProxy
from tests.task_bench import Bench, wait_for


@dataclass
class Site:
    bench: Bench
    proxy: LossyProxy


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    folder = tmp_path_factory.mktemp("lossy")
    bench = Bench(folder / "site", redisUrl=f"unix://{folder}/proxy.sock")
    bench.server.start()
    proxy = LossyProxy(folder / "proxy.sock", bench.server.socket)
    try:
        bench.start_web()
        bench.start_worker()
        bench.run("count", {"to": 1, "step": 0})  # the scripts are known from here on
        yield Site(bench, proxy)
    finally:
        bench.close()
        proxy.close()


# the script that takes and acknowledges: after the worker the seconds that a record lives, how many are acknowledged
EXCHANGE = "\r\n604800\r\n$1\r\n{}\r\n"
STEPS = {
    "put into the queue": "kernkoa.run",
    "received": "BRPOP",
    "held": "[{",
    "taken and held": EXCHANGE.format(0),
    "reported": "inProgress",
    "ended": "SUCCESS",
    "acknowledged": EXCHANGE.format(1),
}


@pytest.mark.parametrize("word", STEPS.values(), ids=STEPS)
def test_a_lost_reply_costs_no_task_and_no_second_run(site: Site, word: str) -> None:
    bench = site.bench
    before = site.proxy.lost
    site.proxy.lose(word)
    ids = [bench.start("count", {"to": 3, "step": 0.02}) for _ in range(4)]
    assert [bench.end(task_id)["data"] for task_id in ids] == [3] * 4
    assert [bench.runs(f"count {task_id}") for task_id in ids] == [1] * 4
    wait_for(lambda: site.proxy.lost == before + 1, what="the loss")
    assert bench.workers[0].poll() is None


def test_a_waiting_worker_notices_that_the_machine_of_redis_is_gone(site: Site) -> None:
    bench = site.bench
    bench.run("echo", 0)
    site.proxy.freeze()
    began = time.monotonic()

    def start() -> str:
        code, _, answer = bench.request("POST", "/jobs/Jobs/start", {"method": "echo", "params": 1})
        return str(json.loads(answer)["id"]) if code == 200 else ""

    assert bench.end(wait_for(start, what="the web process"))["data"] == 1
    assert time.monotonic() - began < 15
