"""Tasks with few, and with 10,000 queued and a million finished: does anything become slower?

    venv3/bin/python benchmarks/tasks_at_scale.py [--finished 1000000] [--queued 10000] [--pages 200] [--rabbitmq]

Prints the medians of exeTask, a status, the board (JSON) and a whole task, from its start to its result, of two
sites by turns, and the ratio; then how other requests fare while status pages are open
behind nginx and uWSGI; and what one task costs: commands and bytes in Redis, connections of a process.
"""

from __future__ import annotations

import argparse
import contextlib
import http.client
import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks.server import cpu_seconds
from system.core.tasks.counts import COUNT
from system.core.tasks.records import _END, _START
from tests.rabbitmq_cluster import Cluster, rabbitmq_cluster
from tests.servers import Production, production
from tests.task_bench import Bench, Server, bench

ROUNDS = 100
LISTED = 200
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
    parser.add_argument("--watch", nargs=2, help=argparse.SUPPRESS)
    parser.add_argument("--rabbitmq", action="store_true", help="the costs with RabbitMQ too")
    options = parser.parse_args()
    if options.watch:
        watch(int(options.watch[0]), options.watch[1], options.pages)
    settings: dict[str, Any] = {"explorer": "public", "maxQueued": 0, "leaseSeconds": 30}
    with tempfile.TemporaryDirectory(prefix="koa-") as name:
        folder = Path(name)
        with bench(folder / "few", **settings) as few, bench(folder / "many", **settings) as many:
            compare(few, many, options.finished, options.queued)
            count_costs(few)
            count_board(few.server.client)
        if options.rabbitmq:
            with (
                rabbitmq_cluster(folder / "rabbitmq") as cluster,
                bench(folder / "b", brokerUrl=cluster.url) as site,
            ):
                count_costs(site, cluster)
        with serving(folder) as served:
            open_pages(served, options.pages)


def compare(few: Bench, many: Bench, finished: int, queued: int) -> None:
    """The medians of two sites by turns: one with as many tasks as the board lists, one with many more."""
    fill(few.server.client, LISTED)
    fill(many.server.client, finished)
    began = time.perf_counter()
    for _ in range(queued):
        many.start("echo", 1, delay=86_400)
    print(f"{queued:,} tasks were queued in {time.perf_counter() - began:.0f} s", flush=True)
    known = {site: site.start("echo", 1) for site in (few, many)}
    steps: dict[str, Callable[[Bench], Any]] = {
        "exeTask": lambda site: site.start("echo", 1),
        "status": lambda site: site.status(known[site]),
        "board": lambda site: site.request("GET", "/_koa/tasks?format=json"),
        "start to result": lambda site: site.run("echo", 1),
    }
    print(f"{'median in ms':16}{LISTED:>10}{f'{queued:,} + {finished:,}':>22}{'ratio':>8}")
    for name, step in steps.items():
        pairs = [(clock(step, few), clock(step, many)) for _ in range(ROUNDS)]
        ratio = statistics.median(second / first for first, second in pairs)
        first, second = (statistics.median(column) for column in zip(*pairs, strict=True))
        print(f"{name:16}{first:10.2f}{second:22.2f}{ratio:8.2f}", flush=True)


def clock(action: Callable[[Bench], Any], site: Bench) -> float:
    """The milliseconds of an action."""
    began = time.perf_counter()
    action(site)
    return (time.perf_counter() - began) * 1000


def fill(client: Any, finished: int) -> None:
    """Records of finished tasks, as a worker leaves them."""
    for first in range(0, finished, 5000):
        client.eval(RECORD, 0, first, min(5000, finished - first), time.time())


def count_costs(site: Bench, cluster: Cluster | None = None) -> None:
    """What a task costs, in Redis and in CPU time of each part, the polling of its status included."""
    assert site.web is not None
    client, count = site.server.client, 300
    parts = {"web process": {site.web.pid}, "worker": family(site.workers[0].pid)}
    if site.server.process is not None:
        parts["Redis"] = {site.server.process.pid}
    if cluster is not None:
        parts["three nodes of RabbitMQ"] = {pid for process in cluster.processes for pid in family(process.pid)}
    site.run("echo", 1)
    before, memory = client.info("commandstats"), client.info("memory")["used_memory"]
    sent, spent = client.info("stats"), {name: cpu_seconds(pids) for name, pids in parts.items()}
    ids = [site.start("echo", {"text": "x" * 100}) for _ in range(count)]
    held = client.info("memory")["used_memory"] - memory
    for task_id in ids:
        site.end(task_id)
    after, received = client.info("commandstats"), client.info("stats")
    calls = {name[8:]: after[name]["calls"] - before.get(name, {"calls": 0})["calls"] for name in after}
    traffic = [received[name] - sent[name] for name in ("total_net_input_bytes", "total_net_output_bytes")]
    print(f"\nRedis commands a task: {sum(calls.values()) / count:.1f}, those in scripts included")
    print(f"bytes to and from Redis a task: {traffic[0] / count:.0f}, {traffic[1] / count:.0f}")
    print(f"bytes of memory a task of 100 bytes, once started: {held / count:.0f}")
    print(f"connections of a web process and a worker of two processes: {len(client.client_list()) - 1}")
    for name, pids in parts.items():
        print(f"CPU ms a task, {name}: {(cpu_seconds(pids) - spent[name]) / count * 1000:.2f}")


# the start and the end of a task, whole and without what the board and its charts need
NO_COUNTS = "local function note_waiting() end\nlocal function count_ended() end\n"
NO_INDEXES = ("redis.call('ZADD', keys[4]", "redis.call('ZREMRANGEBYRANK'", "redis.call('ZREM', KEYS[3]")
SLICES, SLICE = 40, 100


def count_board(client: Any) -> None:
    """The commands and microseconds in Redis of a task's start and end, with and without the board's share."""
    whole = [_START, _END]
    uncounted = [script.replace(COUNT, NO_COUNTS) for script in whole]
    bare = [without_lines(script, NO_INDEXES) for script in uncounted]
    kinds = {"whole": whole, "without charts": uncounted, "without charts and indexes": bare}
    spent: dict[str, list[tuple[float, int]]] = {name: [] for name in kinds}
    scripts = {name: [client.register_script(text) for text in texts] for name, texts in kinds.items()}
    for number in range(SLICES):
        for name, (start, end) in scripts.items():
            spent[name].append(start_and_end(client, start, end, f"bench:{number}:{name}"))
    for name, slices in spent.items():
        microseconds = statistics.median(each for each, _ in slices[1:])
        print(f"start and end of a task in Redis, {name}: {slices[-1][1]} commands, {microseconds:.1f} us")


def without_lines(script: str, beginnings: tuple[str, ...]) -> str:
    return "\n".join(line for line in script.splitlines() if not line.strip().startswith(beginnings))


def start_and_end(client: Any, start: Any, end: Any, name: str) -> tuple[float, int]:
    """The microseconds and commands of a task, the mean of a slice."""
    ids = [f"{name}:{number}" for number in range(SLICE)]
    for task_id in ids:
        client.hset(task_id, mapping={"status": "PENDING", "queue": "tasks", "message": "x" * 500})
    client.config_resetstat()
    for task_id in ids:
        now = time.time()
        keys = [task_id, "bench:waiting", "bench:counts", "bench:started", "bench:running"]
        start(keys, [task_id, 600, 0, 30, now, "run", "w@host"])
        end(
            [task_id, "bench:counts", "bench:started", "bench:failed"],
            [task_id, 600, now + 1, "SUCCESS", "result", "1"],
        )
    stats = client.info("commandstats")
    calls = sum(
        found["calls"]
        for name, found in stats.items()
        if name not in ("cmdstat_evalsha", "cmdstat_config|resetstat")
    )
    client.delete(*ids)
    return stats["cmdstat_evalsha"]["usec"] / SLICE, round(calls / SLICE)


def family(pid: int) -> set[int]:
    """A process and those below it."""
    found = {pid}
    for task in Path(f"/proc/{pid}/task").iterdir():
        for child in (task / "children").read_text().split():
            found |= family(int(child))
    return found


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


# a status page asks in steps from 0.5 to 5 s; one that has been open for a while
WATCHED_SECONDS = 5


def open_pages(site: Production, pages: int) -> None:
    """How long another request takes while status pages are open, each in turn with and without them."""
    task_id = json.loads(site.get("/jobs/Jobs/start", Accept="application/json").body)["id"]
    command = [sys.executable, __file__, "--watch", str(site.port), task_id, "--pages", str(pages)]

    def median() -> float:
        spent = []
        for _ in range(ROUNDS):
            began = time.perf_counter()
            assert site.get("/jobs/Jobs/hello").status == 200
            spent.append((time.perf_counter() - began) * 1000)
        return statistics.median(spent)

    def among() -> float:
        with subprocess.Popen(command) as watchers:
            time.sleep(WATCHED_SECONDS + 1)  # all of them are open
            try:
                return median()
            finally:
                watchers.terminate()

    pairs = [(median(), among()) for _ in range(5)]
    alone, watched = (statistics.median(column) for column in zip(*pairs, strict=True))
    ratio = statistics.median(second / first for first, second in pairs)
    print(f"\nanother request: {alone:.2f} ms, with {pages} open status pages {watched:.2f} ms: {ratio:.2f}")


def watch(port: int, task_id: str, pages: int) -> None:
    """Open status pages: each asks for itself as its script does."""
    while True:
        began = time.monotonic()
        with contextlib.closing(http.client.HTTPConnection("127.0.0.1", port)) as connection:
            connection.request("GET", f"/status/{task_id}", headers={"Accept": "text/html"})
            connection.getresponse().read()
        time.sleep(max(0.0, WATCHED_SECONDS / pages - (time.monotonic() - began)))


if __name__ == "__main__":
    main()
