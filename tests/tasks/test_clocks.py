"""Machines whose clocks disagree, and one that is stopped for a while."""

from __future__ import annotations

import json
import os
import signal
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from system.core.tasks.server_clock import ServerClock
from tests.programs import MAY_BE_MISSING
from tests.task_bench import Bench, bench, wait_for


def an_hour_ahead() -> tuple[str, ...]:
    """What runs a program whose clock is an hour ahead. `faketime` itself would stay beside it."""
    found = sorted(Path("/usr/lib").glob("*/faketime/libfaketime.so.1"))
    if not found and MAY_BE_MISSING in os.environ:
        pytest.skip("faketime is not installed")
    return ("env", f"LD_PRELOAD={found[0]}", "FAKETIME=+1h")


class Server:
    """What a ServerClock asks: a server that is an hour ahead."""

    asked = 0

    def time(self) -> tuple[int, int]:
        self.asked += 1
        return divmod(int((time.time() + 3600) * 1e6), 1_000_000)


def test_the_clock_is_that_of_the_server_and_asks_it_now_and_then() -> None:
    server, clock = Server(), ServerClock(0.05)
    for _ in range(100):
        assert abs(clock.now(server) - time.time() - 3600) < 1
    assert server.asked < 10
    time.sleep(0.06)
    before = server.asked
    clock.now(server)
    assert server.asked == before + 1


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    """Two workers; the clock of the second is an hour ahead."""
    with bench(tmp_path_factory.mktemp("clocks") / "site", explorer="public") as made:
        made.prefix = an_hour_ahead()
        made.start_worker()
        yield made


def test_a_task_runs_once_whatever_the_clocks_say(site: Bench) -> None:
    # longer than a lease of two seconds
    ids = [site.start("sleep", {"seconds": 4}) for _ in range(4)]
    for task_id in ids:
        assert site.end(task_id)["status"] == "SUCCESS"
        assert site.runs(f"sleep {task_id}") == 1
    board = json.loads(site.request("GET", "/_koa/tasks?format=json")[2])
    assert len(board["workers"]) == 2


def test_a_delay_is_as_long_as_it_was_asked_for(site: Bench) -> None:
    began = time.time()
    ids = [site.start("echo", 1, delay=1) for _ in range(6)]
    for task_id in ids:
        site.end(task_id)
    assert 1 <= time.time() - began < 6


def test_beats_with_different_clocks_start_a_schedule_once_each_time(site: Bench) -> None:
    for prefix in ((), an_hour_ahead()):
        site.prefix = prefix
        site.workers.append(site.start_celery("beat", "--pidfile=", f"--schedule={site.root}/beat{len(prefix)}"))
    log = site.root / "runs.log"

    def ticks() -> list[str]:
        return [line for line in log.read_text().splitlines() if line.startswith("tick ")]

    wait_for(lambda: len(ticks()) >= 4, what="four runs of a schedule")
    assert max(Counter(ticks()).values()) == 1


def test_a_stopped_worker_keeps_nothing_from_ending(tmp_path: Path) -> None:
    with bench(tmp_path / "site", workers=2) as site:
        ids = [site.start("sleep", {"seconds": 1}) for _ in range(4)]
        wait_for(lambda: sum(site.runs(f"sleep {task_id}") for task_id in ids) == 4, what="both workers are busy")
        stopped = [site.workers[0].pid, *site.children(site.workers[0])]
        for pid in stopped:
            os.kill(pid, signal.SIGSTOP)
        for task_id in ids:
            assert site.end(task_id) == {"status": "SUCCESS", "data": "slept"}
        for pid in stopped:
            os.kill(pid, signal.SIGCONT)
        for task_id in ids:  # a final record is never written over
            assert site.end(task_id) == {"status": "SUCCESS", "data": "slept"}
        assert site.run("echo", 1)["data"] == 1
