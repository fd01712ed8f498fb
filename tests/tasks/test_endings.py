"""A task always ends, and says how: whatever its method raises, swallows, prints or starts."""

from __future__ import annotations

import json
import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.task_bench import Bench, bench, wait_for

ENDINGS = """
import asyncio, concurrent.futures, logging, multiprocessing, os, signal, subprocess, threading
from kernkoa import *
import celery.exceptions as control
from catalog.controller.jobs import note


class TwoArguments(Exception):
    def __init__(self, name, number):
        super().__init__(f"{name} has {number}")


class Unprintable(Exception):
    def __str__(self):
        raise ValueError("no text")


class Leaving(Exception):
    def __str__(self):
        sys.exit(4)


def double(number):
    return 2 * number


class Endings:
    def ignore(self, celery_instance=None):
        raise control.Ignore()

    def reject(self, celery_instance=None):
        raise control.Reject("no", requeue=True)

    def retry(self, celery_instance=None):
        raise control.Retry()

    def terminate(self, celery_instance=None):
        raise control.WorkerShutdown(3)

    def interrupt(self, celery_instance=None):
        raise KeyboardInterrupt

    def generator_exit(self, celery_instance=None):
        raise GeneratorExit

    def own(self, celery_instance=None):
        raise TwoArguments("box", 7)

    def unprintable(self, celery_instance=None):
        raise Unprintable

    def leaving(self, celery_instance=None):
        raise Leaving

    def generates(self, celery_instance=None):
        yield 1
        raise LookupError("after one")

    def retries_at_no_time(self, celery_instance=None):
        raise celery_instance.retry(countdown=float("inf"))

    def missing_file(self, celery_instance=None):
        open("/nowhere/list.csv")

    def bad_text(self, celery_instance=None):
        b"\\xff".decode()

    def surrogate(self, celery_instance=None):
        raise ValueError("half a \\ud83d pair")

    def aborted(self, celery_instance=None):
        abort(400, "bad year")

    def long(self, celery_instance=None):
        raise ValueError("x" * 5_000_000)

    def retries_by_hand(self, celery_instance=None):
        note("by hand " + celery_instance.id)
        if celery_instance.request.retries < 2:
            raise celery_instance.retry(countdown=0.1)
        return celery_instance.request.retries

    def pool(self, celery_instance=None, params="fork"):
        with multiprocessing.get_context(params).Pool(2) as pool:
            return pool.map(double, [1, 2, 3])

    def executor(self, celery_instance=None):
        context = multiprocessing.get_context("fork")
        with concurrent.futures.ProcessPoolExecutor(2, mp_context=context) as pool:
            return list(pool.map(double, [1, 2, 3]))

    def terminated(self, celery_instance=None):
        process = multiprocessing.get_context("fork").Process(target=threading.Event().wait)
        process.start()
        process.terminate()
        process.join(10)
        return process.exitcode

    def terminated_early(self, celery_instance=None):
        parent = os.getpid()
        os.register_at_fork(after_in_child=lambda: os.getppid() == parent and os.kill(os.getpid(), signal.SIGTERM))
        return self.terminated()

    def forks(self, celery_instance=None, params=None):
        child = os.fork()
        if child == 0:
            return {"returns": lambda: "child", "raises": lambda: 1 / 0, "exits": lambda: sys.exit(3)}[params]()
        return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])

    def program(self, celery_instance=None):
        return subprocess.run(["echo", "from a program"], stdout=sys.stdout, stderr=sys.stderr).returncode

    def prints(self, celery_instance=None):
        print("first line\\nsecond", "line")
        print("to stderr", file=sys.stderr)
        for percent in range(100_000):
            sys.stdout.write(f"\\rnumber {percent}")
        print("\\nhalf a \\ud83d pair")
        current_app.logger.error("to the log of Flask")
        sys.stdout.write("no newline")

    def logs_to_stdout(self, celery_instance=None):
        handler = logging.StreamHandler(sys.stdout)
        logging.getLogger().addHandler(handler)
        print("logged by a handler that prints")
        logging.getLogger().removeHandler(handler)
        return sys.stdout.reconfigure(line_buffering=True) or [sys.stdout.name, sys.stdout.errors]

    async def produces(self, celery_instance=None):
        yield 1
        yield 2

    async def later(self, celery_instance, n: int):
        await asyncio.sleep(0.01)
        return n + 1
"""


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    with bench(tmp_path_factory.mktemp("endings"), files={"endings.py": ENDINGS}) as made:
        yield made


def run(site: Bench, method: str, params: Any = None) -> dict[str, Any]:
    return site.run(f"endings/Endings/{method}", params)


@pytest.mark.parametrize(
    ("method", "kind", "message"),
    [
        ("ignore", "TaskError", "The task raised Celery's Ignore: return instead"),
        ("reject", "TaskError", "The task raised Celery's Reject"),
        ("retry", "TaskError", "Write: raise celery_instance.retry(countdown=10)"),
        ("terminate", "TaskExited", "The task called sys.exit"),
        ("interrupt", "KeyboardInterrupt", ""),
        ("generator_exit", "GeneratorExit", ""),
        ("own", "TwoArguments", "box has 7"),
        ("unprintable", "Unprintable", "its __str__ raised ValueError"),
        ("leaving", "Leaving", "its __str__ raised SystemExit"),
        ("generates", "LookupError", "after one"),
        ("retries_at_no_time", "TaskError", "countdown=inf cannot be used: write seconds"),
        ("missing_file", "FileNotFoundError", "No such file or directory: '/nowhere/list.csv'"),
        ("bad_text", "UnicodeDecodeError", "'utf-8' codec can't decode byte 0xff"),
        ("surrogate", "ValueError", "half a \\ud83d pair"),
        ("aborted", "BadRequest", "bad year"),
        ("long", "ValueError", "… (5,000,000 characters) …"),
    ],
)
def test_a_failure_names_its_type_and_its_text(site: Bench, method: str, kind: str, message: str) -> None:
    before = site.children(site.workers[0])
    told = run(site, method)
    assert told["status"] == "FAILURE"
    assert told["error"]["type"] == kind
    assert message in told["error"]["message"]
    assert len(json.dumps(told)) < 5_000
    assert site.workers[0].poll() is None
    assert site.children(site.workers[0]) == before


def test_the_traceback_begins_in_the_sites_own_code(site: Bench) -> None:
    task_id = site.start("endings/Endings/missing_file")
    site.end(task_id)
    trace = json.loads(site.server.client.hget(f"kernkoa:task:{task_id}", "error"))["traceback"]
    assert trace.splitlines()[1].strip().startswith('File "' + str(site.root))
    assert "in missing_file" in trace
    log = site.log.read_text().partition(f"endings/Endings/missing_file[{task_id}] failed in")[2]
    assert log.splitlines()[1:3] == [f"  {line}" for line in trace.splitlines()[:2]]


def test_a_task_that_retries_by_hand(site: Bench) -> None:
    task_id = site.start("endings/Endings/retries_by_hand")
    assert site.end(task_id) == {"status": "SUCCESS", "data": 2}
    assert site.runs(f"by hand {task_id}") == 3


def test_a_cancelled_task_that_swallows_everything_is_killed(site: Bench) -> None:
    before = site.children(site.workers[0])
    task_id = site.start("swallow")
    wait_for(lambda: site.runs(f"swallow {task_id}"))
    site.request("DELETE", f"/status/{task_id}")
    wait_for(lambda: len(set(before) & set(site.children(site.workers[0]))) == 1, what="the end of its process")
    assert site.run("echo", 1)["data"] == 1
    assert site.status(task_id)["status"] == "REVOKED"
    assert site.runs(f"swallow {task_id}") == 1


@pytest.mark.parametrize(
    ("method", "params"), [("pool", "fork"), ("pool", "spawn"), ("pool", "forkserver"), ("executor", None)]
)
def test_a_task_may_start_processes(site: Bench, method: str, params: Any) -> None:
    assert run(site, method, params) == {"status": "SUCCESS", "data": [2, 4, 6]}


@pytest.mark.parametrize(("how", "code"), [("returns", 0), ("raises", 1), ("exits", 3)])
def test_a_forked_process_that_leaves_the_method_ends(site: Bench, how: str, code: int) -> None:
    assert run(site, "forks", how) == {"status": "SUCCESS", "data": code}


@pytest.mark.parametrize("method", ["terminated", "terminated_early"])
def test_a_process_that_a_task_started_ends_by_a_signal(site: Bench, method: str) -> None:
    assert run(site, method) == {"status": "SUCCESS", "data": -signal.SIGTERM}


def test_a_task_may_hand_its_output_to_a_program(site: Bench) -> None:
    assert run(site, "program") == {"status": "SUCCESS", "data": 0}
    assert "from a program" in site.log.read_text()


def test_what_a_task_prints_are_lines_of_the_log_with_its_id(site: Bench) -> None:
    task_id = site.start("endings/Endings/prints")
    site.end(task_id)
    lines = [line for line in site.log.read_text().splitlines() if f"prints[{task_id}]" in line]
    half = "half a \\ud83d pair"
    for text in ("first line", "second line", "to stderr", "number 99999", half, "no newline"):
        (line,) = [line for line in lines if line.endswith(f"endings/Endings/prints[{task_id}] {text}")]
        assert "WARNING" not in line
    assert "to the log of Flask" in site.log.read_text()


def test_a_handler_that_prints_is_not_logged_again(site: Bench) -> None:
    assert run(site, "logs_to_stdout") == {"status": "SUCCESS", "data": ["<stdout>", "surrogateescape"]}


def test_the_values_of_a_generator_are_the_result(site: Bench) -> None:
    assert run(site, "produces") == {"status": "SUCCESS", "data": [1, 2]}


def test_an_async_task_method_runs(site: Bench) -> None:
    assert run(site, "later", {"n": 4}) == {"status": "SUCCESS", "data": 5}


def test_a_busy_worker_that_is_asked_to_end_waits_for_its_tasks_only(tmp_path: Path) -> None:
    with bench(tmp_path / "site") as site:
        worker = site.workers[0]
        site.run("echo", 1)
        processes = site.children(worker)
        for pid in processes:
            os.kill(pid, signal.SIGSTOP)
        ids = [site.start("echo", 1) for _ in range(3)]
        queue = site.server.client
        wait_for(lambda: queue.llen("kernkoa:tasks") == 1, what="each process was handed a task")
        worker.send_signal(signal.SIGTERM)
        wait_for(lambda: "Warm shutdown" in site.log.read_text(), what="the worker ends")
        time.sleep(0.5)  # nothing shows that it no longer expects the tasks that no process has begun
        for pid in processes:
            os.kill(pid, signal.SIGCONT)
        worker.wait(timeout=15)
        site.start_worker()
        assert [site.end(task_id) for task_id in ids] == [{"status": "SUCCESS", "data": 1}] * 3
