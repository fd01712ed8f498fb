"""A site of three web and two worker machines under load, while machines are reloaded, changed and lost.

    sudo venv3/bin/python benchmarks/several_machines.py [--rabbitmq] [--alone] [--step NAME ...] [--pause 0.005]

The machines are network namespaces, which the script makes and removes: one nginx in front, three machines with
Redis and Sentinel, one PostgreSQL, and RabbitMQ with --rabbitmq. Clients read pages, keep a session, write to the
database, start tasks and watch them. It prints how many requests failed in each step, and what was lost.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import signal
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from tests.machine_site import LIBRARY, Host, MachineSite, machine_site
from tests.machine_traffic import Traffic, judge


def rest(_: MachineSite, traffic: Traffic) -> None:
    traffic.more(300)


def change_catalogue(site: MachineSite, traffic: Traffic) -> None:
    """git pull on each machine."""
    site.write("catalog/controller/site.py", LIBRARY.replace('VERSION = "1"', 'VERSION = "2"'))
    for host in (*site.web, *site.workers):
        host.pull()
        traffic.more(30)


def rolling_reload(site: MachineSite, traffic: Traffic) -> None:
    """git pull && sh setup.sh reload on each machine."""
    site.write("config.py", 'release = "2"\nleaseSeconds = 4\n')
    for host in (*site.web, *site.workers):
        host.reload()
        traffic.more(30)


def kill_web_services(site: MachineSite, traffic: Traffic) -> None:
    """kill -9 of nginx and uWSGI on a web machine; it starts again after three seconds."""
    host = site.web[2]
    host.machine.signal(signal.SIGKILL)
    time.sleep(3)
    host.start_web()
    traffic.more(100)


def power_off_web(site: MachineSite, traffic: Traffic) -> None:
    """A web machine loses its power; it comes back after eight seconds."""
    power_off(site.web[1], site.web[1].start_web, traffic)


def power_off_worker(site: MachineSite, traffic: Traffic) -> None:
    """A worker machine loses its power; it comes back after eight seconds."""
    power_off(site.workers[0], site.workers[0].start_tasks, traffic)


def power_off(host: Host, start: Callable[[], object], traffic: Traffic) -> None:
    host.machine.power_off()
    time.sleep(8)
    host.machine.plug("up")
    start()
    traffic.more(100)


def power_off_redis(site: MachineSite, traffic: Traffic) -> None:
    """The machine with the master of Redis loses its power; without Sentinel it comes back after five seconds."""
    store = site.master()
    store.power_off()
    time.sleep(5)
    if len(site.stores) == 1:
        store.plug("up")
        site.start_redis(store)
    time.sleep(10)
    traffic.more(100)


def kill_rabbitmq_leader(site: MachineSite, traffic: Traffic) -> None:
    """The RabbitMQ node with the leader of the queue is killed; without RabbitMQ nothing happens."""
    if site.rabbitmq is not None:
        site.rabbitmq.kill(site.rabbitmq.leader_of("tasks"))
        time.sleep(10)
        traffic.more(100)


STEPS: dict[str, Callable[[MachineSite, Traffic], None]] = {
    function.__name__: function
    for function in (
        rest,
        change_catalogue,
        rolling_reload,
        kill_web_services,
        power_off_web,
        power_off_worker,
        kill_rabbitmq_leader,
        power_off_redis,
    )
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rabbitmq", action="store_true", help="RabbitMQ delivers the tasks")
    parser.add_argument("--alone", action="store_true", help="one Redis, without Sentinel")
    parser.add_argument("--step", action="append", choices=[*STEPS], help="only these steps")
    parser.add_argument("--pause", type=float, default=0.02, help="seconds between two requests of a client")
    options = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("ended by SIGTERM"))
    # short, because the name of a socket may have 107 bytes
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="koa-")))
        stores = 1 if options.alone else 3
        made = machine_site(folder / "m", web=3, workers=2, stores=stores, rabbitmq=options.rabbitmq)
        site = stack.enter_context(made)
        run(site, options.step or [*STEPS], options.pause)


def run(site: MachineSite, steps: list[str], pause: float) -> None:
    with Traffic(site, pause) as traffic:
        for name in steps:
            before = traffic.snapshot()
            began = time.monotonic()
            STEPS[name](site, traffic)
            print(f"{name:20} {time.monotonic() - began:5.1f} s  {traffic.describe_since(before)}", flush=True)
    print(json.dumps(judge(traffic), indent=2))


if __name__ == "__main__":
    main()
