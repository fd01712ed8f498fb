"""What users send is text to Celery, kombu and Redis; what is read from Redis is checked."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from system.core.errors import TaskError
from system.core.tasks.payload import pack_params
from tests.task_bench import Bench, bench, wait_for


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    with bench(tmp_path_factory.mktemp("opaque"), explorer="public") as made:
        yield made


@pytest.mark.parametrize("word", ["text", "decimal", "uuid", "datetime", "bytes", "base64", "date", "nonsense"])
def test_words_of_the_transport_are_text(site: Bench, word: str) -> None:
    value = {"a": {"__type__": word, "__value__": "hello"}, "b": {"__kombu__": 1}, "task": "x", "id": "y"}
    assert site.run("echo", value) == {"status": "SUCCESS", "data": value}
    code, _, body = site.request("POST", "/jobs/Jobs/slow", {"n": value}, {"Prefer": "respond-async, wait=10"})
    assert (code, json.loads(body)) == (200, {"n": value})


@pytest.mark.parametrize(
    "text", ["\x00", "\r\n$5\r\nhello", "'; DROP", "\u2028", "𝔘𝔫𝔦𝔠𝔬𝔡𝔢", "-1", "{", '"', "%s %(x)s", "a" * 100_000]
)
def test_any_text_travels(site: Bench, text: str) -> None:
    assert site.run("echo", {text: [text]})["data"] == {text: [text]}


def nested(depth: int) -> Any:
    value: Any = 1
    for _ in range(depth):
        value = [value]
    return value


@pytest.mark.parametrize(
    ("value", "place"),
    [
        ({"a": nested(210)}, r"nested more than 190 levels deep"),
        ({"a": nested(5000)}, r"nested more than 190 levels deep"),
        ({"n": 10**5000}, r"params\['n'\] is a number of more than 4300 digits, which cannot"),
        ({"n": [1.0, float("nan")]}, r"params\['n'\]\[1\] is the number nan, which cannot"),
        ({"n": float("inf")}, r"params\['n'\] is the number inf, which cannot"),
        ({"rows": {1: "a", "1": "b"}}, r"params\['rows'\] has two keys that are '1' in JSON, which cannot"),
        ({"x": "\ud83d"}, r"params\['x'\] is text that UTF-8 cannot hold: '\\ud83d', which cannot"),
        ({"x": b"\xff"}, r"params\['x'\] is bytes that are not UTF-8 text, which cannot"),
        ({"x": {"\ud83d": 1}}, r"params\['x'\]"),
    ],
)
def test_a_value_that_cannot_travel_is_refused_with_its_place(value: Any, place: str) -> None:
    with pytest.raises(TaskError, match=place):
        pack_params(value)


def test_the_deepest_value_and_the_longest_number_travel(site: Bench) -> None:
    assert pack_params({"deep": nested(185)}).value == {"deep": nested(185)}
    assert site.run("echo", {"deep": nested(90)})["data"] == {"deep": nested(90)}
    assert site.run("echo", 10**4000)["data"] == 10**4000


@pytest.mark.parametrize("delay", [float("inf"), float("nan"), -1, 10**9, "soon"])
def test_an_impossible_delay_is_refused_and_leaves_no_record(site: Bench, delay: Any) -> None:
    before = site.server.client.zcard("kernkoa:tasks:newest")
    code, _, _ = site.request("POST", "/jobs/Jobs/start", json.dumps({"method": "echo", "delay": delay}).encode())
    assert code in (400, 500)
    assert site.server.client.zcard("kernkoa:tasks:newest") == before


JUNK = [
    b"junk",
    b"",
    b"\xff\xfe",
    b"5",
    b"[]",
    b"{}",
    b"null",
    b"[" * 100_000,
    b'{"properties": {"delivery_tag": "t8", "delivery_info": {"exchange": "", "routing_key": "tasks"}}, "body": "e30=",'
    b' "headers": {"task": "kernkoa.run", "id": "v", "timelimit": ["x", 1]}, "content-type": "application/json"}',
    b'{"properties": {"delivery_tag": "t9", "delivery_info": {"exchange": "", "routing_key": "tasks"}}, "body": "e30=",'
    b' "headers": {"task": "kernkoa.run", "id": "u", "timelimit": {}}, "content-type": "application/json"}',
    b'{"properties": 5}',
    b'{"properties": {"delivery_tag": [1]}, "headers": 7}',
    b'{"body": "!!", "properties": {"delivery_tag": "t1", "body_encoding": "base64", "delivery_info": {}}}',
    b'{"properties": {"delivery_tag": "t2", "delivery_info": {"exchange": "", "routing_key": "tasks"}}, "headers": {}}',
    b'{"properties": {"delivery_tag": "t3", "delivery_info": {"exchange": "", "routing_key": "tasks"}}, "body": "e30=",'
    b' "headers": {"task": "kernkoa.run", "id": {"a": 1}}, "content-type": "application/json"}',
    b'{"properties": {"delivery_tag": "t4", "delivery_info": {"exchange": "", "routing_key": "tasks"}}, "body": "e30=",'
    b' "headers": {"task": "kernkoa.run", "id": "x", "eta": "soon"}, "content-type": "application/json"}',
    b'{"properties": {"delivery_tag": "t5", "delivery_info": {"exchange": "", "routing_key": "tasks"}}, "body": "e30=",'
    b' "headers": {"task": "kernkoa.run", "id": "y", "timelimit": 5, "retries": "z"}, "content-type": "application/json"}',
    b'{"properties": {"delivery_tag": "t6", "delivery_info": {"exchange": "", "routing_key": "tasks"}}, "body": "gASV",'
    b' "headers": {"task": "kernkoa.run", "id": "z"}, "content-type": "application/x-python-serialize"}',
    b'{"properties": {"delivery_tag": "t7", "delivery_info": {"exchange": "", "routing_key": "tasks"}}, "body": "e30=",'
    b' "headers": {"task": "os.system", "id": "w"}, "content-type": "application/json"}',
]


def test_junk_in_a_queue_costs_the_worker_nothing(site: Bench) -> None:
    client = site.server.client
    for junk in JUNK:
        client.lpush("kernkoa:tasks", junk)
    client.hset("kernkoa:unacked", "dead", "junk")
    client.zadd("kernkoa:unacked_index", {"dead": 1})
    client.hset("kernkoa:workers", "old", "junk")
    client.hset("kernkoa:schedules", "jobs/Ticking/tick", "junk")
    assert site.run("echo", 1)["data"] == 1
    wait_for(lambda: not client.hlen("kernkoa:unacked"), what="nothing left unacknowledged")
    assert site.workers[0].poll() is None
    assert site.run("echo", 2)["data"] == 2


def test_a_message_that_cannot_be_read_ends_its_record(site: Bench) -> None:
    task_id = site.start("echo", 1, delay=60)
    message = json.loads(wait_for(lambda: site.server.client.hvals("kernkoa:unacked"), what="the message")[0])[0]
    message["headers"]["eta"] = "soon"
    message["properties"]["delivery_tag"] = "another"
    site.server.client.lpush("kernkoa:tasks", json.dumps(message))
    assert site.end(task_id)["status"] == "FAILURE"


def test_a_record_that_was_changed_is_a_failure(site: Bench) -> None:
    for field, junk in (
        ("message", b"junk"),
        ("message", b'{"params": 1}'),
        ("route", "jobs/Jobs/plain"),
        ("route", "../x"),
    ):
        task_id = site.start("echo", 1, delay=0.5)
        site.server.client.hset(f"kernkoa:task:{task_id}", field, junk)
        assert site.end(task_id)["status"] == "FAILURE"


@pytest.mark.parametrize("junk", ["-5", "nan", "inf", "1e18", "2", "[]", '"x"', "abc", b"\xff"])
def test_junk_in_a_record_neither_holds_a_worker_nor_breaks_a_page(site: Bench, junk: str | bytes) -> None:
    fields = ("runs", "state", "log", "retries", "resends", "queued", "due", "queue")
    ids = [site.start("echo", 1, delay=0.3) for _ in fields]
    for task_id, field in zip(ids, fields, strict=True):
        site.server.client.hset(f"kernkoa:task:{task_id}", field, junk)
    assert {site.end(task_id)["status"] for task_id in ids} == {"SUCCESS"}
    for task_id in ids:
        site.server.client.hset(
            f"kernkoa:task:{task_id}", mapping=dict.fromkeys(("started", "done", "error"), junk)
        )
        assert [site.request("GET", f"{place}/{task_id}")[0] for place in ("/status", "/_koa/tasks")] == [200, 200]
    assert site.request("GET", "/_koa/tasks")[0] == 200
    site.server.client.hset(f"kernkoa:task:{ids[0]}", "status", junk)
    assert [site.request("GET", path)[0] for path in (f"/status/{ids[0]}", "/_koa/tasks")] == [200, 200]


def test_keys_of_another_type_are_no_records(site: Bench) -> None:
    client = site.server.client
    for _ in range(3):  # more than the worker has processes
        key = f"kernkoa:task:{site.start('echo', 1, delay=0.3)}"
        client.delete(key)
        client.set(key, "junk")
    assert site.request("GET", "/_koa/tasks")[0] == 200
    assert site.run("echo", 1, delay=0.5)["data"] == 1


def test_a_message_without_a_record_is_passed_over(site: Bench) -> None:
    task_id = site.start("count", {"to": 1, "step": 0}, delay=0.5)
    site.server.client.delete(f"kernkoa:task:{task_id}")
    assert site.run("echo", 1, delay=1)["data"] == 1
    assert site.runs(f"count {task_id}") == 0
