"""What travels to a worker, and what is refused at the call with the place that cannot."""

from __future__ import annotations

import dataclasses
import json
import sqlite3
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest
from pydantic import BaseModel
from werkzeug.datastructures import FileStorage, MultiDict

from system.core.dispatch.params import Params
from system.core.dispatch.walk import resolve
from system.core.errors import TaskError
from system.core.tasks.payload import (
    decode_message,
    describe_origin,
    encode_message,
    make_environ,
    pack_params,
    unpack_params,
)
from system.core.tasks.submission import task_arguments
from tests.conftest import Site


@dataclasses.dataclass
class Point:
    x: int


class Order(BaseModel):
    name: str


def travel(value: Any) -> Any:
    packed = pack_params(value)
    message = decode_message(encode_message(packed, describe_origin(None, "http://a/"), answer=False))
    assert message["answer"] is False
    return unpack_params(message["params"])


@pytest.mark.parametrize(
    ("value", "arrives"),
    [
        (None, None),
        ({"a": [1, 2.5, None, True, "ü"]}, {"a": [1, 2.5, None, True, "ü"]}),
        ({"day": datetime(2026, 1, 2, tzinfo=UTC)}, {"day": "2026-01-02T00:00:00Z"}),
        ({"price": Decimal("1.10"), "id": UUID(int=1)}, {"price": "1.10", "id": str(UUID(int=1))}),
        ([Point(1), Order(name="x")], [{"x": 1}, {"name": "x"}]),
        ((1, 2), [1, 2]),
    ],
)
def test_what_can_be_json_becomes_so(value: object, arrives: object) -> None:
    assert travel(value) == arrives


@pytest.mark.parametrize(
    ("value", "place"),
    [
        ({"rows": [1, {"deep": object()}]}, r"params\['rows'\]\[1\]\['deep'\] is of type object,"),
        ({"db": sqlite3.connect(":memory:")}, r"params\['db'\] is of type Connection,"),
        ({"file": FileStorage()}, r"params\['file'\] is of type FileStorage,"),
        (object(), r"params is of type object,"),
    ],
)
def test_what_cannot_is_refused_with_its_place(value: Any, place: str) -> None:
    with pytest.raises(TaskError, match=place + " which cannot be sent as JSON"):
        pack_params(value)
    for inner in value.values() if isinstance(value, dict) else ():
        getattr(inner, "close", lambda: None)()


def test_what_contains_itself_is_refused() -> None:
    value: dict[str, Any] = {}
    value["again"] = value
    with pytest.raises(TaskError, match="cannot be sent as JSON"):
        pack_params(value)


def test_params_arrive_with_all_that_they_hold() -> None:
    sent = Params(
        query=MultiDict([("a", "1"), ("a", "2")]),
        form=MultiDict([("b", "x")]),
        segments=("shop", "Shop"),
        values={"c": 3},
    )
    found = travel(sent)
    assert isinstance(found, Params)
    assert dict(found) == {"a": "1", "b": "x", "c": 3}
    assert found.getlist("a") == ["1", "2"]
    assert (found["get"], found["post"], found["urlpath"]) == ({"a": "1"}, {"b": "x"}, "shop/Shop")
    body = travel(Params(json_body={"n": [1]}))
    assert (dict(body), body["data"]) == ({"n": [1]}, {"n": [1]})


@pytest.mark.parametrize("number", ["12345678901234567.89", "0.1000", "1e2", "-0.30", "1" * 30 + ".5"])
def test_a_number_arrives_with_the_digits_that_were_sent(site: Site, number: str) -> None:
    site.write(
        "shop.py",
        """
        from decimal import Decimal

        class Shop:
            def sell(self, celery_instance, total: Decimal, parts: list[Decimal] = []):
                pass
        """,
    )
    app = site.app()
    resolved = resolve(app.catalog, ("shop", "Shop", "sell"), app.catalog.now(), tasks=True)
    raw = f'{{"total": {number}, "parts": [{number}]}}'.encode()
    for params in (Params(json_body=json.loads(raw), raw_json=raw), {"total": Decimal(number)}):
        found = task_arguments(resolved.endpoint, (), travel(params))
        assert str(found["total"]) == str(Decimal(number))
        assert [str(part) for part in found.get("parts", ())] in ([], [str(Decimal(number))])


@pytest.mark.parametrize("part", ["query", "form", "json_body"])
def test_params_travel_as_the_method_left_them(part: str) -> None:
    values = {"n": "1", "secret": "x", "kept": "y"}
    sent = Params(
        **{part: values if part == "json_body" else MultiDict(values)},  # type: ignore[arg-type]
        raw_json=json.dumps(values).encode() if part == "json_body" else b"",
    )
    sent["n"], sent["more"] = True, 0.5
    del sent["secret"]
    found = travel(sent)
    assert dict(found) == {"n": True, "more": 0.5, "kept": "y"}
    assert found["get"] | found["post"] | (found["data"] or {}) == {"kept": "y"}


def test_the_request_of_a_task_is_at_the_same_address(site: Site) -> None:
    app = site.app()
    origin = {"root": "https://shop.example.org:8443/base/", "path": "/été", "id": "x"}
    with app.request_context(make_environ(origin)):
        from flask import request

        assert request.url == "https://shop.example.org:8443/base/été"
        assert request.get_data() == b""
        assert describe_origin(request, "") == origin
    assert describe_origin(None, "http://a/")["root"] == "http://a/"


def test_an_id_that_could_forge_the_log_is_replaced(site: Site) -> None:
    with site.app().test_request_context(headers={"X-Request-ID": "a b\\ninjected"}) as context:
        assert "injected" not in describe_origin(context.request, "")["id"]


TASKS = """
    class Shop:
        def index(self):
            return ""

        def pack(self, celery_instance=None, params=None):
            pass

        def send(self, celery_instance, to: str, times: int = 1):
            pass
"""


def test_what_is_no_task_is_refused_with_what_there_is(site: Site) -> None:
    site.write("shop.py", TASKS)
    app = site.app()
    now = app.catalog.now()
    shop = app.catalog.find("catalog.controller.shop", now).current(now).module.Shop()
    for name in ("nothing", "index", "__init__", "shop/Shop/nothing", "../shop", ""):
        with pytest.raises(TaskError, match="The task methods of Shop are: pack, send"):
            app.tasks.exeTask(shop, name)
    with pytest.raises(TaskError, match="pass a dict, not list"):
        app.tasks.exeTask(shop, "send", [1])
    with pytest.raises(TaskError, match="There is no queue 'x': add it to queues"):
        app.tasks.exeTask(shop, "pack", queue="x")
