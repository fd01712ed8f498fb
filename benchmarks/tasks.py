"""Tasks a second, latency and status reads: KernKoa beside Celery wired by hand, Huey, RQ and Dramatiq.

    venv3/bin/pip install -r benchmarks/requirements.txt
    venv3/bin/python benchmarks/tasks.py [--tasks 1000] [--rounds 5]

One Redis on a Unix socket, two worker processes each, all up while each is measured in turn; each figure is the
median of the rounds, its ratio that of the rounds' ratios. A task answers the number it was given. A round of
tasks a second starts them one after the other and asks for each result in turn; latency is of one task at a time,
from the call to the first look that finds it done.

celery-by-hand has the guarantees that settings alone can give: late acknowledgement, prefetch 1, rejected when its
process dies, a mark for what is queued and for what runs. celery-defaults may lose the task that it runs.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
PEERS = ("kernkoa", "celery-by-hand", "celery-defaults", "huey", "rq", "dramatiq")
WORKER = ["worker", "--concurrency=2", "--loglevel=error", "--hostname"]
LOOK_SECONDS = 0.0005
SITE = """
class Bench:
    def echo(self, celery_instance=None, params=None):
        return params
"""
CONFIG = "redisUrl = 'unix://{socket}'\nname = 'bench'\n"


def commands(peer: str) -> list[list[str]]:
    """What starts the two worker processes of a peer."""
    python = [sys.executable, "-m"]
    if peer == "kernkoa":
        return [[*python, "celery", "-q", "-A", "kernkoa.celery", *WORKER, peer]]
    if peer.startswith("celery"):
        return [[*python, "celery", "-q", "-A", "benchmarks.task_peers.celery", *WORKER, peer, "-Q", peer]]
    if peer == "huey":
        return [
            [*python, "huey.bin.huey_consumer", "benchmarks.task_peers.huey", "-w", "2", "-k", "process", "-q"]
        ]
    if peer == "dramatiq":
        return [[*python, "dramatiq", "benchmarks.task_peers", "-p", "2", "-t", "1"]]
    url = f"unix://{os.environ['BENCH_REDIS']}"
    return [[*python, "rq.cli", "worker", "bench", "-w", "rq.SimpleWorker", "-q", "--url", url]] * 2


def connect(peer: str) -> tuple[Callable[[int], Any], Callable[[Any], bool]]:
    if peer != "kernkoa":
        from benchmarks.task_peers import connect as connect_peer

        return connect_peer()
    from system.core.runtime import app

    controller = app.catalog.find("catalog.controller.bench", app.catalog.now())
    bench = controller.current(app.catalog.now()).module.Bench()
    read = app.tasks.records.read
    return (
        lambda n: app.tasks.exeTask(bench, "echo", n)["id"],
        lambda name: read(name)[0] == b"SUCCESS",
    )


def client(peer: str, tasks: int) -> None:
    """One round of one peer, in a process of its own: prints tasks a second, ms to start one, ms of latency."""
    start, is_done = connect(peer)
    finish(start(0), is_done)
    latencies = []
    for number in range(50):
        began = time.perf_counter()
        finish(start(number), is_done)
        latencies.append(time.perf_counter() - began)
    began = time.perf_counter()
    started = [start(number) for number in range(tasks)]
    spent_starting = time.perf_counter() - began
    for task in started:
        finish(task, is_done)
    spent = time.perf_counter() - began
    print(tasks / spent, spent_starting / tasks * 1e3, statistics.median(latencies) * 1e3)


def finish(task: Any, is_done: Callable[[Any], bool]) -> None:
    deadline = time.monotonic() + 120
    while not is_done(task):
        if time.monotonic() > deadline:
            raise SystemExit("a task did not end")
        time.sleep(LOOK_SECONDS)


def status(reads: int) -> None:
    """Status reads a second through the whole of Flask: ours, a view by hand, and a bare AsyncResult."""
    from celery.result import AsyncResult
    from flask import Flask
    from werkzeug.test import EnvironBuilder

    from system.core.runtime import app, celery

    start, is_done = connect("kernkoa")
    task = start(1)
    finish(task, is_done)
    by_hand = Flask("by-hand")

    @by_hand.get("/status/<name>")
    def show(name: str) -> Any:
        result = AsyncResult(name, app=celery)
        if result.state == "SUCCESS":
            return {"status": result.state, "data": result.result}
        return {"status": result.state, "state": result.info}

    environ = EnvironBuilder(path=f"/status/{task}").get_environ()

    def ask(wsgi: Any) -> None:
        list(wsgi(environ.copy(), lambda *_: None))

    def bare() -> None:
        result = AsyncResult(task, app=celery)
        assert (result.state, result.result) == ("SUCCESS", 1)

    ways: dict[str, Callable[[], None]] = {
        "kernkoa": lambda: ask(app),
        "by-hand": lambda: ask(by_hand),
        "bare": bare,
    }
    for name, way in ways.items():
        began = time.perf_counter()
        for _ in range(reads):
            way()
        print(name, reads / (time.perf_counter() - began))


def run_client(peer: str, *words: str) -> str:
    command = [sys.executable, str(ROOT / "benchmarks" / "tasks.py"), "--client", peer, *words]
    environ = {**os.environ, "BENCH_PEER": peer}
    return subprocess.run(command, cwd=ROOT, env=environ, check=True, stdout=subprocess.PIPE, text=True).stdout


def show(peer: str, rounds: dict[str, list[list[float]]]) -> None:
    """A line of the table; the ratio is to celery-by-hand, round by round."""
    rate, starting, latency = (statistics.median(column) for column in zip(*rounds[peer], strict=True))
    pairs = zip(rounds[peer], rounds["celery-by-hand"], strict=True)
    ratio = statistics.median(ours[0] / theirs[0] for ours, theirs in pairs)
    print(f"{peer:16} {rate:8.0f}/s {ratio:6.2f} x {starting:8.2f} ms to start {latency:8.2f} ms latency")


def show_status(rounds: int) -> None:
    rates: dict[str, list[float]] = {}
    for _ in range(rounds):
        for line in run_client("status", "2000").splitlines():
            name, rate = line.split()
            rates.setdefault(name, []).append(float(rate))
    for name, found in rates.items():
        rate = statistics.median(found)
        print(f"status, {name:8} {rate:8.0f} reads/s {1e3 / rate:8.3f} ms")


def measure(tasks: int, rounds: int, peers: tuple[str, ...]) -> None:
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        site = Path(folder)
        socket = str(site / "redis.sock")
        (site / "catalog" / "controller").mkdir(parents=True)
        (site / "catalog" / "controller" / "bench.py").write_text(SITE)
        (site / "config.py").write_text(CONFIG.format(socket=socket))
        os.environ |= {"BENCH_REDIS": socket, "KERNKOA_CONFIG": str(site / "config.py"), "PYTHONPATH": str(ROOT)}
        processes = [subprocess.Popen(["redis-server", "--port", "0", "--unixsocket", socket, "--save", ""],
                                      stdout=subprocess.DEVNULL)]  # fmt: skip
        try:
            time.sleep(0.5)
            for peer in peers:
                for command in commands(peer):
                    environ = {**os.environ, "BENCH_PEER": peer}
                    processes.append(
                        subprocess.Popen(
                            command, cwd=ROOT, env=environ, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
                        )
                    )
            found: dict[str, list[list[float]]] = {peer: [] for peer in peers}
            for _ in range(rounds):
                for peer in peers:
                    found[peer].append([float(word) for word in run_client(peer, str(tasks)).split()])
            for peer in peers:
                show(peer, found)
            show_status(rounds)
        finally:
            for process in reversed(processes):
                process.terminate()
            for process in reversed(processes):
                try:
                    process.wait(15)
                except subprocess.TimeoutExpired:
                    process.kill()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tasks", type=int, default=1000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--peers", nargs="+", default=PEERS, choices=PEERS)
    parser.add_argument("--client", nargs=2, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    sys.path.insert(0, str(ROOT))
    if arguments.client is None:
        measure(arguments.tasks, arguments.rounds, tuple(arguments.peers))
    elif arguments.client[0] == "status":
        status(int(arguments.client[1]))
    else:
        client(arguments.client[0], int(arguments.client[1]))


if __name__ == "__main__":
    main()
