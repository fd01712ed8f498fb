"""The report of `sh setup.sh status`."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Iterator
from pathlib import Path

from . import release, workers
from .machine import Machine
from .processes import run_as
from .site import Facts, Site

ERROR = re.compile(r"error|critical|traceback|harakiri|no app loaded|unable to", re.IGNORECASE)

VERSIONS = """
import platform
from importlib.metadata import version
print(f"Python {platform.python_version()}, Flask {version('flask')}, Celery {version('celery')}")
"""
QUEUE = """
from kernkoa import celery
with celery.connection_for_read() as connection:
    count = connection.default_channel.client.llen
    print(", ".join(f"{queue} {count(queue)}" for queue in celery.amqp.queues))
"""


def status(machine: Machine) -> None:
    """Print the services, the release, the load, the last errors and the log files."""
    sys.stdout.write("\n".join(_lines(machine)) + "\n")


def _lines(machine: Machine) -> Iterator[str]:
    site = machine.site
    running = os.readlink(site.current).rpartition("/")[2] if site.current.is_symlink() else "none"
    facts = release.learn(machine)
    yield f"{site.address(facts.base)}  from {site.clone}"
    yield f"release   {running}"
    yield f"versions  {run_as(None, [site.python, '-c', VERSIONS], site.clone, {}).stdout.strip()}"
    yield ""
    for unit in (*site.units, "nginx.service", "redis-server.service"):
        yield f"{unit:32} {machine.ask('systemctl', 'show', '--value', '-p', 'ActiveState', unit) or 'missing'}"
    yield ""
    yield from _worker_lines(site)
    yield f"tasks waiting: {_queue(machine, facts)}"
    yield ""
    for log in site.logs:
        yield f"log {log}"
        yield from (f"    {line}" for line in last_errors(log))
    yield f"log journalctl -u {site.emperor}"


def _worker_lines(site: Site) -> Iterator[str]:
    try:
        found = workers.stats(site.run)
    except OSError as error:
        yield f"uWSGI does not respond ({error.strerror}); see its log and journalctl -u {site.emperor}"
        return
    yield f"uWSGI {found['version']}, {found['listen_queue']} requests waiting"
    for worker in found["workers"]:
        yield (
            f"    worker {worker['id']}  process {worker['pid']}  {worker['status']:6}  "
            f"{worker['requests']} requests  {worker['exceptions']} exceptions  "
            f"started {worker['respawn_count']} times"
        )


def _queue(machine: Machine, facts: Facts) -> str:
    if not facts.redis_url:
        return "no Redis is configured"
    site = machine.site
    done = run_as(machine.owner, [site.python, "-c", QUEUE], site.current, release.environment(site))
    return done.stdout.strip() or f"unknown, {(done.stderr.strip().splitlines() or ['?'])[-1]}"


def tail(file: Path, count: int = 15) -> str:
    """The last lines of a log."""
    if not file.is_file():
        return "(missing)"
    with file.open("rb") as stream:
        stream.seek(max(0, file.stat().st_size - 65536))
        return "\n".join(stream.read().decode(errors="replace").splitlines()[-count:])


def last_errors(file: Path) -> list[str]:
    """The last three lines of a log that contain an error."""
    try:
        lines = tail(file, 2000).splitlines()
    except PermissionError:
        return ["(only root and the group adm can read it)"]
    return [line[:200] for line in lines if ERROR.search(line)][-3:]
