"""The addon limits, on a real Redis."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.conftest import Site
from tests.task_bench import Server

ROOT = Path(__file__).resolve().parents[2]
SHOP = """
    from flask import current_app
    from kernkoa import *

    class Shop:
        def look(self):
            return "looked"

        @limit("2/minute")
        def search(self):
            return "found"

        @limit("2/minute")
        def other(self):
            return "other"

        def queue(self):
            return current_app.tasks.exeTask(self, "work")

        def work(self, celery_instance):
            pass

        def build(self):
            return "started" if True else exeTask(self, "x")
"""


def make(site: Site, redis: Server, **settings: Any) -> Any:
    redis.client.flushall()
    site.write("shop.py", SHOP)
    values = {"libs": {"addon": str(ROOT / "system/addons")}, "addons": ["limits"], "redisUrl": redis.url}
    return site.client(**values | settings)


def codes(client: Any, path: str, times: int, verb: str = "GET", address: str = "192.0.2.1") -> list[int]:
    return [
        client.open(path, method=verb, environ_base={"REMOTE_ADDR": address}).status_code for _ in range(times)
    ]


def test_a_method_has_a_rate_of_its_own_for_each_client(site: Site, redis: Server) -> None:
    client = make(site, redis)
    assert codes(client, "/shop/search", 3) == [200, 200, 429]
    assert codes(client, "/shop/search", 1, address="192.0.2.2") == [200]
    assert codes(client, "/shop/other", 1) == [200]
    refused = client.get("/shop/search", environ_base={"REMOTE_ADDR": "192.0.2.1"})
    assert 0 < int(refused.headers["Retry-After"]) <= 120
    assert refused.get_json()["title"] == "Too Many Requests"


def test_what_may_change_something_or_start_a_task_is_limited_and_reading_is_not(
    site: Site, redis: Server
) -> None:
    client = make(site, redis, rateLimits={"write": "3/minute", "login": ""})
    assert codes(client, "/shop/look", 10) == [200] * 10
    assert codes(client, "/shop/look", 2, "POST") == [200] * 2
    assert codes(client, "/shop/build", 2) == [200, 429]


def test_in_development_and_without_redis_nothing_is_refused(site: Site, redis: Server) -> None:
    client = make(site, redis, development=True)
    assert codes(client, "/shop/search", 5) == [200] * 5
    client = make(site, redis, redisUrl="redis://127.0.0.1:1/0")
    assert codes(client, "/shop/search", 3) == [200] * 3


def test_a_rate_that_is_none_is_told_at_start(site: Site, redis: Server) -> None:
    from system.core.errors import SettingsError

    with pytest.raises(SettingsError, match="often"):
        make(site, redis, rateLimits={"write": "often"})


def test_so_many_tasks_of_one_client_wait_and_those_of_others_are_not_refused(site: Site, redis: Server) -> None:
    client = make(site, redis, maxQueuedPerClient=3)
    assert codes(client, "/shop/queue", 5) == [200, 200, 200, 429, 429]
    refused = client.get("/shop/queue", environ_base={"REMOTE_ADDR": "192.0.2.1"})
    assert refused.headers["Retry-After"] == "10"
    assert "You have 3 waiting tasks" in refused.get_json()["detail"]
    assert codes(client, "/shop/queue", 1, address="192.0.2.2") == [200]
    tasks = client.application.tasks
    assert tasks.queues.count(("tasks",)) == {"tasks": 4}
    assert tasks.purge("tasks") == 4
    assert codes(client, "/shop/queue", 4) == [200, 200, 200, 429]


def test_the_tasks_of_a_signed_in_user_are_counted_at_every_address(site: Site, redis: Server) -> None:
    client = make(site, redis, maxQueuedPerClient=1)

    def start(user: str, address: str) -> int:
        return int(client.get("/shop/queue", environ_base={"REMOTE_ADDR": address, "koa.user": user}).status_code)

    assert [start("ann", "192.0.2.1"), start("ann", "192.0.2.2"), start("bo", "192.0.2.2")] == [200, 429, 200]


def test_zero_lets_a_client_queue_what_it_likes(site: Site, redis: Server) -> None:
    client = make(site, redis, maxQueuedPerClient=0)
    assert codes(client, "/shop/queue", 5) == [200] * 5
