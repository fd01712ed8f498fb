"""Assistants with keys of the addon auth: the list has what the key may call, and a call is made as its user."""

from __future__ import annotations

from typing import Any

import pytest

from tests.conftest import Site
from tests.task_bench import Server

from .test_door import ADDONS, Assistant

SHOP = """
from kernkoa import *

current_user = load.addon("auth", "current_user")


class Orders:
    def show(self, number: int):
        return {"number": number, "by": current_user.name}

    def drop(self, number: int):
        return {"number": number}

    def build(self, celery_instance=None, number: int = 1):
        \"\"\"A job.\"\"\"
"""
STAFF = "from kernkoa import *\nrequire = load.addon('auth', 'require')\nbefore = require(role='staff')\n"
OPEN = "class Open:\n    def run(self, a: int):\n        return a\n"


@pytest.fixture
def app(site: Site, monkeypatch: pytest.MonkeyPatch) -> Any:
    return make_app(site, monkeypatch)


def make_app(site: Site, monkeypatch: pytest.MonkeyPatch, **settings: Any) -> Any:
    import kernkoa

    site.write("open.py", OPEN)
    for folder in ("shop", "office"):
        site.write(f"{folder}/_folder.py", STAFF)
        site.write(f"{folder}/orders.py", SHOP)
    app = site.app(libs=ADDONS["libs"], addons=["auth", "agents"], agents="guarded", explorer="public", **settings)
    monkeypatch.setattr(kernkoa, "load", app.load)
    store = app.extensions["auth"].store
    store.add("ann", "correct horse battery", ["staff"])
    store.add("bob", "correct horse battery")
    return app


def key_of(app: Any, name: str, *scopes: str) -> Assistant:
    store = app.extensions["auth"].store
    key = store.add_key(store.get(name), "", scopes)
    return Assistant(app.test_client(), Authorization=f"Bearer {key}")


def names(assistant: Assistant) -> set[str]:
    return set(assistant.tools()) - {"task_status", "task_cancel"}


@pytest.mark.parametrize(
    ("scopes", "listed"),
    [
        ((), ["shop", "office"]),
        (("shop",), ["shop"]),
        (("office/orders",), ["office"]),
        (("shop", "office/orders/Orders"), ["shop", "office"]),
        (("nowhere",), []),
    ],
)
def test_the_list_has_what_the_scopes_of_a_key_admit(app: Any, scopes: tuple[str, ...], listed: list[str]) -> None:
    assistant = key_of(app, "ann", *scopes)
    methods = ("show", "drop", "build")
    assert names(assistant) == {f"{each}_orders_Orders_{method}" for each in listed for method in methods}


def test_a_key_for_one_method_lists_and_calls_that_alone(app: Any) -> None:
    assistant = key_of(app, "ann", "shop/orders/Orders/show")
    assert names(assistant) == {"shop_orders_Orders_show"}
    for _ in range(2):
        result = assistant.call("shop_orders_Orders_show", number=3)
        assert result["structuredContent"] == {"number": 3, "by": "ann"}
        for other in ("shop_orders_Orders_drop", "shop_orders_Orders_build", "office_orders_Orders_show"):
            refused = assistant.send("tools/call", {"name": other, "arguments": {"number": 3}}).get_json()
            assert "There is no tool" in refused["error"]["message"]


def test_without_the_role_or_a_right_key_nothing_is_listed(app: Any) -> None:
    assert names(key_of(app, "bob")) == set()
    assert names(Assistant(app.test_client())) == set()


def test_a_wrong_key_is_a_503_where_no_redis_counts_the_guesses(app: Any) -> None:
    answer = Assistant(app.test_client(), Authorization="Bearer koa_wrong").send("tools/list")
    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "5")
    assert "Redis does not answer" in answer.get_json()["error"]["message"]


def test_a_wrong_key_lists_nothing_and_is_a_429_after_too_many(
    site: Site, redis: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    app = make_app(site, monkeypatch, redisUrl=redis.url)
    wrong = Assistant(app.test_client(), Authorization="Bearer koa_wrong")
    assert [names(wrong) for _ in range(5)] == [set()] * 5
    refused = wrong.send("tools/list")
    assert (refused.status_code, int(refused.headers["Retry-After"]) > 0) == (429, True)
    assert "Too many attempts" in refused.get_json()["error"]["message"]


def test_the_explorer_shows_a_key_what_is_below_its_scope(app: Any) -> None:
    client = key_of(app, "ann", "shop")
    headers = client._headers | {"Accept": "text/html"}
    assert "orders" in client._client.get("/_koa/at/shop", headers=headers).text
    assert client._client.get("/_koa/at/office", headers=headers).status_code == 403
