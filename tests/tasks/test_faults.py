"""What may go wrong around a task, made to go wrong: processes are killed, Redis is frozen, restarted and away.

Each accepted task ends, once where it was queued, at least once where it was running: the methods keep count.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import pytest

from tests.task_bench import ROOT, Bench, bench, wait_for

LEASE = 2
# what a task asks of Redis; the reads of its status, which belong to whoever watches it, are not among them
COMMANDS = {"EVALSHA", "BRPOP", "MULTI", "EXEC", "ZADD", "ZREM", "HSET", "HDEL", "LPUSH", "SET", "TIME"}


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    """One bench for the faults that leave its worker alive; its result is kept for a Redis that is away."""
    with bench(tmp_path_factory.mktemp("faults"), leaseSeconds=LEASE, taskSeconds=2) as made:
        yield made


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Bench]:
    """A bench of the test's own, without a worker."""
    with bench(tmp_path / "site", workers=0, leaseSeconds=LEASE) as made:
        yield made


def test_a_killed_process_of_the_pool_costs_no_task(shared: Bench) -> None:
    task_id = shared.start("die_once")
    assert shared.end(task_id) == {"status": "SUCCESS", "data": {"row": 41}}
    assert shared.runs(f"die {task_id}") == 2


def test_a_task_that_kills_its_process_is_given_up_after_three_runs(shared: Bench) -> None:
    task_id = shared.start("poison")
    error = shared.end(task_id, 60)["error"]
    assert error["type"] == "WorkerKilled"
    assert "3 times" in error["message"]
    assert shared.runs(f"poison {task_id}") == 3
    assert shared.run("echo", 1)["data"] == 1


def test_a_task_that_runs_too_long_is_ended_and_its_process_killed_if_it_goes_on(shared: Bench) -> None:
    before = shared.children(shared.workers[0])
    swallows = shared.start("swallow")
    task_id = shared.start("sleep", {"seconds": 30})
    assert shared.end(task_id)["error"] == {
        "type": "TaskTimeout",
        "message": "The task ran longer than taskSeconds = 2 s, and was ended.",
    }
    assert shared.runs(f"slept {task_id}") == 0
    assert shared.end(swallows)["error"]["type"] == "TaskTimeout"
    assert shared.runs(f"swallow {swallows}") == 1
    wait_for(lambda: len(set(before) & set(shared.children(shared.workers[0]))) == 1, what="the killed process")
    assert shared.run("echo", 1)["data"] == 1


def test_redis_restarts_while_a_task_runs_and_reports(shared: Bench) -> None:
    task_id = shared.start("count", {"to": 14, "step": 0.1})
    wait_for(lambda: shared.runs(f"count {task_id}"))
    shared.server.stop()
    time.sleep(0.5)
    shared.server.start()
    assert shared.end(task_id) == {"status": "SUCCESS", "data": 14}
    time.sleep(LEASE * 1.5)  # had its message been handed out again, it would run by now
    assert shared.runs(f"counted {task_id}") == 1
    assert shared.run("echo", 1)["data"] == 1
    assert shared.workers[0].poll() is None


def test_a_result_waits_for_a_redis_that_is_away(shared: Bench) -> None:
    task_id = shared.start("sleep", {"seconds": 0.4})
    wait_for(lambda: shared.runs(f"sleep {task_id}"))
    shared.server.stop()
    wait_for(lambda: shared.runs(f"slept {task_id}"))
    time.sleep(1.5)
    shared.server.start()
    assert shared.end(task_id) == {"status": "SUCCESS", "data": "slept"}
    assert shared.runs(f"sleep {task_id}") == 1
    assert shared.workers[0].poll() is None


def test_a_library_that_is_being_replaced_is_awaited(shared: Bench) -> None:
    library = shared.root / "catalog" / "controller" / "jobs.py"
    running = [shared.start("sleep", {"seconds": 0.5}) for _ in range(2)]
    waiting = shared.start("echo", "after the edit")
    wait_for(lambda: all(shared.runs(f"sleep {task_id}") for task_id in running))
    text = library.read_text()
    library.write_text("")
    assert [shared.end(task_id)["data"] for task_id in running] == ["slept"] * 2
    time.sleep(0.5)
    library.write_text(text)
    assert shared.end(waiting)["data"] == "after the edit"


def test_a_task_costs_at_most_twelve_commands(shared: Bench) -> None:
    with shared.server.client.monitor() as monitor:
        for number in range(10):
            assert shared.run("echo", number)["data"] == number
        shared.server.client.echo("the end")
        seen = []
        while "the end" not in (line := monitor.next_command())["command"]:
            seen.append((line["client_type"], line["command"].split()[0]))
    ours = [word for place, word in seen if place != "lua" and word in COMMANDS]
    assert len(ours) / 10 <= 12, ours


@pytest.mark.parametrize("kind", ["normal", "pubsub"])
def test_a_worker_goes_on_when_redis_closes_its_connections(shared: Bench, kind: str) -> None:
    running = shared.start("count", {"to": 5, "step": 0.1})
    wait_for(lambda: shared.runs(f"count {running}"))
    assert shared.server.client.client_kill_filter(_type=kind, skipme=True)
    assert [shared.run("echo", number)["data"] for number in range(3)] == [0, 1, 2]
    assert shared.end(running)["data"] == 5
    assert shared.runs(f"count {running}") == 1


@pytest.mark.parametrize("how", ["refused", "frozen"])
def test_redis_away_is_a_503_within_a_second(shared: Bench, how: str) -> None:
    task_id = shared.start("echo", 1)
    shared.end(task_id)
    if how == "refused":
        shared.server.stop()
    else:
        shared.server.signal(signal.SIGSTOP)
    try:
        for verb, path, body in (
            ("POST", "/jobs/Jobs/start", {"method": "echo"}),
            ("GET", f"/status/{task_id}", None),
            ("DELETE", f"/status/{task_id}", None),
        ):
            began = time.monotonic()
            code, headers, answer = shared.request(verb, path, body)
            assert time.monotonic() - began < 3, (verb, path)
            assert code == 503
            assert headers["retry-after"]
            assert "Redis does not answer" in json.loads(answer)["detail"]
        began = time.monotonic()
        assert shared.request("GET", "/jobs/Jobs/plain")[2] == b"now"
        assert time.monotonic() - began < 2
    finally:
        if how == "refused":
            shared.server.start()
        else:
            shared.server.signal(signal.SIGCONT)
    assert shared.run("echo", 2)["data"] == 2
    assert shared.workers[0].poll() is None


def test_a_killed_worker_is_taken_over(site: Bench) -> None:
    first = site.start_worker()
    running = site.start("count", {"to": 8, "step": 0.1})
    waiting = [site.start("echo", number) for number in range(5)]
    wait_for(lambda: site.runs(f"count {running}"))
    children = site.children(first)
    first.kill()
    first.wait()
    wait_for(lambda: not any(_is_alive(pid) for pid in children), what="the end of the pool's processes")
    site.start_worker()
    assert site.end(running)["data"] == 8
    assert [site.end(task_id)["data"] for task_id in waiting] == list(range(5))
    assert site.runs(f"count {running}") == 2
    assert site.runs(f"counted {running}") == 1


def test_a_message_that_a_dying_worker_took_is_sent_again(site: Bench) -> None:
    lost = [site.start("count", {"to": 1, "step": 0}) for _ in range(3)]
    assert site.server.client.delete("kernkoa:tasks") == 1  # popped, and the socket that it went to is gone
    kept = site.start("echo", "kept")
    site.start_worker()
    assert site.end(kept)["data"] == "kept"
    assert [site.end(task_id)["data"] for task_id in lost] == [1, 1, 1]
    assert [site.runs(f"count {task_id}") for task_id in lost] == [1, 1, 1]


def test_a_message_that_is_lost_on_its_second_way_is_sent_again(site: Bench) -> None:
    first = site.start_worker()
    running = site.start("count", {"to": 5, "step": 0.1})
    wait_for(lambda: site.runs(f"count {running}"))
    site.kill(first)
    site.start_worker("--queues=reports")  # it requeues what the first one held, and takes nothing of it
    wait_for(lambda: site.server.client.delete("kernkoa:tasks"), what="the requeued message, which is lost now")
    site.start_worker()
    assert site.end(running)["data"] == 5
    assert site.runs(f"counted {running}") == 1


def test_a_second_message_of_a_task_that_runs_is_passed_over(site: Bench) -> None:
    task_id = site.start("count", {"to": 5, "step": 0.1})
    message = site.server.client.lindex("kernkoa:tasks", 0)
    site.server.client.lpush("kernkoa:tasks", message)
    site.start_worker()
    assert site.end(task_id)["data"] == 5
    assert site.run("echo", 1)["data"] == 1
    assert site.runs(f"count {task_id}") == 1


def _is_alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def test_a_task_longer_than_the_lease_and_one_that_waits_longer_run_once(site: Bench) -> None:
    for pool in ("prefork", "threads"):
        site.start_worker("-P", pool)
    ids = [site.start("sleep", {"seconds": 0}, delay=LEASE * 2) for _ in range(3)]
    ids += [site.start("sleep", {"seconds": LEASE * 2.5}) for _ in range(4)]  # all that the two can run at once
    assert [site.end(task_id)["data"] for task_id in ids] == ["slept"] * 7
    assert [site.runs(f"sleep {task_id}") for task_id in ids] == [1] * 7


def test_a_worker_does_not_pause_between_tasks(site: Bench) -> None:
    """Its loop calls the pool and the transport in any order: what one takes, the other sends at once."""
    ids = [site.start("echo", number) for number in range(80)]
    site.start_worker("-I", "tests.pool_first")
    for task_id in ids:
        site.end(task_id)
    started = sorted(float(site.server.client.hget(f"kernkoa:task:{task_id}", "started")) for task_id in ids)
    pauses = [later - sooner for sooner, later in pairwise(started) if later - sooner > 0.7]
    assert len(pauses) < 2, pauses


def test_solo_is_refused_with_the_reason(site: Bench) -> None:
    worker = site.start_celery("worker", "-P", "solo")
    try:
        assert worker.wait(20) != 0
    finally:
        worker.kill()
        worker.wait()
    assert "-P solo runs a task in the thread that renews the leases" in site.log.read_text()


def test_soft_shutdown_gives_the_running_task_back_and_warm_shutdown_finishes_it(site: Bench) -> None:
    first = site.start_worker()
    task_id = site.start("count", {"to": 120, "step": 0.1})
    wait_for(lambda: site.runs(f"count {task_id}"))
    first.send_signal(signal.SIGQUIT)
    first.wait(20)
    assert site.status(task_id)["status"] == "PENDING"
    second = site.start_worker()
    wait_for(lambda: site.runs(f"count {task_id}") == 2, 5, "the second run, before any lease is over")
    site.request("DELETE", f"/status/{task_id}")
    last = site.start("sleep", {"seconds": LEASE * 2})
    wait_for(lambda: site.runs(f"sleep {last}"))
    second.terminate()  # warm: what runs is finished, and its lease renewed meanwhile
    site.start_worker()
    assert site.end(last)["data"] == "slept"
    assert site.runs(f"sleep {last}") == 1
    # a process of the pool may wait half a minute to be heard when it ends as the worker does
    assert second.wait(45) == 0


def test_redis_killed_with_tasks_queued_loses_none(site: Bench) -> None:
    ids = [site.start("echo", number) for number in range(20)]
    site.server.signal(signal.SIGKILL)
    assert site.server.process
    site.server.process.wait()
    site.server.start()
    site.start_worker()
    assert [site.end(task_id)["data"] for task_id in ids] == list(range(20))


def test_two_sites_share_one_redis(site: Bench, tmp_path: Path) -> None:
    other = Bench(tmp_path / "other", redisUrl=site.server.url, name="other")
    try:
        other.start_web()
        stranger = other.start("echo", "theirs")
        site.start_worker()
        assert site.run("echo", "ours")["data"] == "ours"
        assert other.status(stranger)["status"] == "PENDING"
        assert site.status(stranger)["code"] == 404
        assert other.request("POST", f"/status/{stranger}/cancel")[0] == 303
    finally:
        other.close()


def test_without_redis_the_answer_says_what_to_set(tmp_path: Path) -> None:
    made = Bench(tmp_path / "site", redisUrl="")
    try:
        made.start_web()
        code, _, body = made.request("POST", "/jobs/Jobs/start", {"method": "echo"})
        assert code == 503
        assert "Set redisUrl in config.py, or start python kernkoa.py" in json.loads(body)["detail"]
    finally:
        made.close()


def test_starting_the_site_connects_to_nothing(tmp_path: Path) -> None:
    made = Bench(tmp_path / "site", redisUrl="redis://192.0.2.1:6379/0")  # RFC 5737: nobody answers there
    began = time.monotonic()
    program = "import sys, kernkoa; sys.exit('redis' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", program], cwd=ROOT, env=made.environ, check=False).returncode == 0
    assert time.monotonic() - began < 10
    assert os.listdir(made.root / "redis") == [] if (made.root / "redis").exists() else True


def test_a_process_that_has_run_its_share_of_tasks_is_replaced_at_once(tmp_path: Path) -> None:
    with bench(tmp_path / "site", workers=0, tasksPerChild=1) as site:
        worker = site.start_worker("--concurrency=1")
        began, first = time.monotonic(), site.children(worker)
        assert [site.run("echo", number)["data"] for number in range(4)] == [0, 1, 2, 3]
        assert site.children(worker) != first
        assert time.monotonic() - began < 4  # Celery's own look comes after five seconds
