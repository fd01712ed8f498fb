"""Tasks under random faults: kills of workers, restarts and refusals of Redis, edits of the catalogue.

    venv3/bin/python benchmarks/soak.py [--tasks 20000] [--seconds 600]

In each round tasks are started through the web, one fault happens, and all of them must end. Counted are: tasks
that were accepted and did not end, tasks that ran twice though their worker was not killed, and wrong results.
"""

from __future__ import annotations

import argparse
import json
import random
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from tests.task_bench import JOBS, Bench, bench

BATCH = 60


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tasks", type=int, default=20_000)
    parser.add_argument("--seconds", type=float, default=600)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, bench(Path(folder) / "site", workers=2) as site:
        print(json.dumps(run(site, arguments.tasks, time.monotonic() + arguments.seconds)))


def run(site: Bench, tasks: int, deadline: float) -> dict[str, int]:
    """Rounds until so many tasks were started or the time is up; what was counted."""
    counted = {
        "tasks": 0,
        "rounds": 0,
        "refused": 0,
        "lost": 0,
        "twice": 0,
        "wrong": 0,
        "run again after a kill": 0,
    }
    while counted["tasks"] < tasks and time.monotonic() < deadline:
        fault = random.choice(FAULTS)
        half = start_batch(site, counted)
        fault(site)
        half += start_batch(site, counted)
        judge(site, half, fault is kill_worker, counted)
        counted["rounds"] += 1
        print(fault.__name__, json.dumps(counted), file=sys.stderr, flush=True)
    return counted


def start_batch(site: Bench, counted: dict[str, int]) -> list[str]:
    """The ids of the tasks that were accepted; a 503 while Redis is away is no fault."""
    ids = []
    for _ in range(BATCH // 2):
        body = {"method": "count", "params": {"to": 1, "step": random.choice((0, 0, 0.02))}}
        code, _, answer = site.request("POST", "/jobs/Jobs/start", body)
        if code == 200:
            ids.append(str(json.loads(answer)["id"]))
        else:
            counted["refused"] += 1
    counted["tasks"] += len(ids)
    return ids


def judge(site: Bench, ids: list[str], killed: bool, counted: dict[str, int]) -> None:
    for task_id in ids:
        try:
            told = site.end(task_id, 20)
        except AssertionError:
            counted["lost"] += 1
            print("not ended:", site.status(task_id), file=sys.stderr, flush=True)
            continue
        if told != {"status": "SUCCESS", "data": 1}:
            counted["wrong"] += 1
            print("wrong:", told, file=sys.stderr, flush=True)
    noted = (site.root / "runs.log").read_text().splitlines()
    again = [task_id for task_id in ids if noted.count(f"count {task_id}") > 1]
    counted["run again after a kill" if killed else "twice"] += len(again)
    if again and not killed:
        show_log(site, again)
    (site.root / "runs.log").write_text("")


def show_log(site: Bench, ids: list[str]) -> None:
    """What the workers' log says of tasks that ran twice."""
    for line in site.log.read_text().splitlines():
        if any(task_id in line for task_id in ids):
            print("twice:", line[:200], file=sys.stderr, flush=True)


def kill_worker(site: Bench) -> None:
    site.kill(random.choice([worker for worker in site.workers if worker.poll() is None]))
    site.start_worker()


def restart_redis(site: Bench) -> None:
    site.server.stop()
    time.sleep(random.random())
    site.server.start()


def refuse_writes(site: Bench) -> None:
    name, value = random.choice((("maxmemory", "1"), ("min-replicas-to-write", "1")))
    site.server.client.config_set(name, value)
    time.sleep(random.random())
    site.server.client.config_set(name, "0")


def edit_catalogue(site: Bench) -> None:
    site.write("jobs.py", JOBS + f"\n# {time.time()}\n")


def no_fault(_: Bench) -> None:
    pass


FAULTS = (kill_worker, restart_redis, refuse_writes, edit_catalogue, no_fault)

if __name__ == "__main__":
    main()
