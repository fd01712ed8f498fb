"""Tasks with ten, and with 10,000 queued and a million finished: does anything become slower?

    venv3/bin/python benchmarks/tasks_at_scale.py [--finished 1000000] [--queued 10000] [--pages 200]

Prints the medians of exeTask, a status, the board (JSON) and a whole task, from its start to its result, with an
almost empty Redis and with a full one, and their ratio; then how other requests fare while status pages are open
behind nginx and uWSGI; and what one task costs: commands and bytes in Redis, connections of a process.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import statistics
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from tests.servers import Production, production
from tests.task_bench import Bench, Server, bench

ROUNDS = 60
RECORD = """
local first, count, now = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
for number = first, first + count - 1 do
  local id = string.format('00000000-0000-4000-8000-%012x', number)
  local at = now - 3600 - number / 1000
  redis.call('HSET', 'kernkoa:task:' .. id, 'status', 'SUCCESS', 'route', 'jobs/Jobs/echo', 'queue', 'tasks',
             'queued', at, 'due', at, 'started', at, 'done', at, 'runs', 1, 'worker', 'w@host', 'result', '1')
  redis.call('EXPIRE', 'kernkoa:task:' .. id, 604800)
  if number < 10000 then redis.call('ZADD', 'kernkoa:tasks:newest', at, id) end
end
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--finished", type=int, default=1_000_000)
    parser.add_argument("--queued", type=int, default=10_000)
    parser.add_argument("--pages", type=int, default=200)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="koa-") as folder:
        with bench(Path(folder) / "site", explorer="public", maxQueued=0, leaseSeconds=30) as site:
            compare(site, options.finished, options.queued)
            count_costs(site)
        with serving(Path(folder)) as served:
            open_pages(served, options.pages)


def compare(site: Bench, finished: int, queued: int) -> None:
    """The medians with ten tasks and with many, which wait in a queue that no worker serves."""
    for _ in range(10):
        site.run("echo", 1)
    few = measure(site)
    fill(site.server.client, finished)
    for _ in range(queued):
        site.start("echo", 1, delay=86_400)
    many = measure(site)
    print(f"{'median in ms':16}{'ten':>10}{f'{queued:,} + {finished:,}':>22}{'ratio':>8}")
    for name, value in few.items():
        print(f"{name:16}{value:10.2f}{many[name]:22.2f}{many[name] / value:8.2f}")


def measure(site: Bench) -> dict[str, float]:
    known = site.start("echo", 1)
    site.end(known)
    return {
        "exeTask": median(lambda: site.start("echo", 1)),
        "status": median(lambda: site.status(known)),
        "board": median(lambda: site.request("GET", "/_koa/tasks?format=json")),
        "start to result": median(lambda: site.run("echo", 1)),
    }


def median(action: Callable[[], Any]) -> float:
    spent = []
    for _ in range(ROUNDS):
        began = time.perf_counter()
        action()
        spent.append((time.perf_counter() - began) * 1000)
    return statistics.median(spent)


def fill(client: Any, finished: int) -> None:
    """Records of finished tasks, as a worker leaves them."""
    for first in range(0, finished, 5000):
        client.eval(RECORD, 0, first, min(5000, finished - first), time.time())


def count_costs(site: Bench) -> None:
    """What a task costs in Redis."""
    client, count = site.server.client, 200
    time.sleep(1)
    before, memory = client.info("commandstats"), client.info("memory")["used_memory"]
    sent = client.info("stats")
    ids = [site.start("echo", {"text": "x" * 100}) for _ in range(count)]
    held = client.info("memory")["used_memory"] - memory
    for task_id in ids:
        site.end(task_id)
    after, received = client.info("commandstats"), client.info("stats")
    names = {name: after[name]["calls"] - before.get(name, {"calls": 0})["calls"] for name in after}
    shown = {name[8:]: round(calls / count, 2) for name, calls in names.items() if calls >= count / 10}
    traffic = [received[name] - sent[name] for name in ("total_net_input_bytes", "total_net_output_bytes")]
    print(f"\ncommands a task, the polling of its status included: {json.dumps(shown)}")
    print(f"bytes to and from Redis a task: {traffic[0] / count:.0f}, {traffic[1] / count:.0f}")
    print(f"bytes of memory a task of 100 bytes, once started: {held / count:.0f}")
    print(f"connections of a web process and a worker of two processes: {len(client.client_list()) - 1}")


@contextlib.contextmanager
def serving(folder: Path) -> Iterator[Production]:
    """nginx and uWSGI with two processes, whose tasks no worker runs."""
    server = Server(folder / "redis").start()
    library = (
        "from kernkoa import *\n\n\nclass Jobs:\n    def start(self):\n        return exeTask(self, 'work')\n\n"
        "    def work(self, celery_instance):\n        return 1\n\n    def hello(self):\n        return 'hello'\n"
    )
    config = f"redisUrl = {server.url!r}\n"
    try:
        with production(files={"catalog/controller/jobs.py": library, "config.py": config}) as site:
            yield site
    finally:
        server.stop()


def open_pages(site: Production, pages: int) -> None:
    """How long another request takes while status pages are open, each asking for its status as the page does."""
    task_id = json.loads(site.get("/jobs/Jobs/start", Accept="application/json").body)["id"]

    def ask() -> None:
        assert site.get("/jobs/Jobs/hello").status == 200

    alone = median(ask)
    over = threading.Event()

    def watch() -> None:
        # the page asks in steps from 0.5 to 5 s; these have been open for a while
        while not over.wait(5):
            site.get(f"/status/{task_id}?format=json")

    watchers = [threading.Thread(target=watch) for _ in range(pages)]
    for watcher in watchers:
        watcher.start()
        time.sleep(5 / pages)
    among = median(ask)
    over.set()
    for watcher in watchers:
        watcher.join()
    print(f"\nanother request: {alone:.2f} ms, with {pages} open status pages {among:.2f} ms: {among / alone:.2f}")


if __name__ == "__main__":
    main()
