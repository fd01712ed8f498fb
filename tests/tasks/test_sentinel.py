"""Redis with Sentinel: logins of servers and sentinels, a sentinel that is down, a planned failover under load."""

from __future__ import annotations

import contextlib
import json
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import redis

from system.core.errors import BrokerUnavailable
from system.core.settings import Settings
from system.core.tasks.redis_address import parse_address
from system.core.tasks.redis_client import make_client
from system.core.tasks.redis_connection import RedisConnection
from tests.servers import free_port
from tests.task_bench import Bench, wait_for
from tests.tasks.test_celery_app import redis_server

LOGIN = "--requirepass pw --masterauth pw --min-replicas-to-write 1 --min-replicas-max-lag 2 --repl-diskless-sync-delay 0"


@dataclass
class Group:
    """Two servers with a password, and a sentinel with another."""

    site: Bench
    ports: tuple[int, int]
    sentinel: int
    url: str

    def info(self, port: int) -> dict[str, Any]:
        with contextlib.suppress(redis.RedisError):
            return dict(redis.Redis(port=port, password="pw").info("replication"))
        return {}

    def ask(self, *words: str) -> Any:
        with contextlib.suppress(redis.RedisError):
            return redis.Redis(port=self.sentinel, password="watch").execute_command("SENTINEL", *words)
        return None


@pytest.fixture(scope="module")
def group(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Group]:
    folder = tmp_path_factory.mktemp("sentinel")
    first, second, watch = free_port(), free_port(), free_port()
    # the first sentinel of the address is down
    hosts = f"127.0.0.1:{free_port()},127.0.0.1:{watch}"
    url = f"sentinel://:pw@{hosts}/0?master=koa&sentinel_password=watch"
    made = Group(Bench(folder / "site", redisUrl=url), (first, second), watch, url)
    with contextlib.ExitStack() as servers:
        servers.enter_context(redis_server(folder / "first", f"--port {first} {LOGIN}"))
        servers.enter_context(
            redis_server(folder / "second", f"--port {second} --replicaof 127.0.0.1 {first} {LOGIN}")
        )
        wait_for(lambda: made.info(first).get("connected_slaves") == 1, what="the replica")
        servers.enter_context(redis_server(folder / "watch", f"{_configure(folder, first, watch)} --sentinel"))
        wait_for(lambda: made.ask("replicas", "koa"), what="the sentinel")
        servers.callback(made.site.close)
        made.site.start_web()
        made.site.start_worker()
        yield made


def _configure(folder: Path, master: int, port: int) -> Path:
    file = folder / "watch" / "sentinel.conf"
    file.parent.mkdir()
    file.write_text(
        f"port {port}\nrequirepass watch\nsentinel monitor koa 127.0.0.1 {master} 1\nsentinel auth-pass koa pw\n"
        "sentinel down-after-milliseconds koa 1000\nsentinel failover-timeout koa 4000\n",
        encoding="utf-8",
    )
    return file


def test_a_sentinel_that_is_down_costs_no_second(group: Group) -> None:
    began = time.monotonic()
    assert group.site.start("echo", 1)
    assert time.monotonic() - began < 2
    assert group.site.run("echo", 2)["data"] == 2


def test_a_refused_login_of_a_sentinel_is_told_as_permanent(
    group: Group, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    url = group.url.replace("password=watch", "password=wr0ng")
    with pytest.raises(BrokerUnavailable, match="refuses the connection"):
        RedisConnection(Settings(path=tmp_path, redisUrl=url)).now()
    (said,) = [record.getMessage() for record in caplog.records if "Waiting does not help" in record.getMessage()]
    assert len(said) < 300
    assert "wr0ng" not in said


def test_a_server_that_does_not_reply_is_asked_over_a_new_connection(group: Group) -> None:
    client = make_client(parse_address(group.url), patient=False)
    assert client.set("a", 1)
    redis.Redis(port=group.ports[0], password="pw").client_pause(700)
    with pytest.raises(redis.exceptions.TimeoutError):
        client.set("a", 2)
    assert not [one for one in client.connection_pool._available_connections if one._sock]
    time.sleep(0.4)  # the rest of the pause, after the 0.4 s that a web process waits
    assert client.get("a") in (b"1", b"2")
    client.delete("a")


def test_a_planned_failover_loses_nothing(group: Group) -> None:
    body = {"method": "count", "params": {"to": 1, "step": 0.01}}
    accepted: list[str] = []
    since = 0  # how many were accepted in a row after the failover

    def start_one() -> bool:
        nonlocal since
        code, _, answer = group.site.request("POST", "/jobs/Jobs/start", body)
        assert code in (200, 503), answer
        accepted.extend([json.loads(answer)["id"]] if code == 200 else [])
        if len(accepted) == 20:
            group.ask("failover", "koa")
        new = group.info(group.ports[1])
        follows = new.get("role") == "master" and new.get("connected_slaves") == 1
        since = since + 1 if code == 200 and follows else 0
        return since > 10

    wait_for(start_one, 60, "the new master")
    for task_id in accepted:
        assert group.site.end(task_id, 60)["status"] == "SUCCESS", group.site.status(task_id)
        assert group.site.runs(f"counted {task_id}") == 1
    assert group.site.workers[0].poll() is None
