"""`async def` methods, hooks and generators are what plain ones are."""

from __future__ import annotations

from typing import Any

import pytest

from system.core.errors import AnswerError

LIBRARY = """
    import asyncio
    from contextvars import ContextVar
    from flask import current_app, g, request, session
    from kernkoa import allow

    class Lib:
        async def plain(self):
            await asyncio.sleep(0)
            return "plain"
        async def typed(self, n: int, names: list[str] = []):
            return {"n": n, "names": names}
        async def params(self, params=None):
            return dict(params or {})
        @allow("POST")
        async def post(self):
            return "posted"
        async def context(self):
            session["who"] = "ann"
            g.x = 1
            await asyncio.sleep(0)
            return [request.path, session["who"], g.x]
        async def fails(self):
            raise ValueError("boom")
        async def exits(self):
            raise SystemExit(1)
        async def stream(self):
            for piece in "abc":
                await asyncio.sleep(0)
                yield piece + request.args["q"]
        async def lines(self):
            yield {"a": 1}
            yield {"b": 2}
        async def returned(self):
            return self.stream()
        async def writes(self):
            dbs = current_app.dbs["main"]
            dbs.startTransaction()
            dbs.query("insert into t values (1)")
            await asyncio.sleep(0)
            dbs.query("insert into t values (2)")
            dbs.commitTransaction()
            return dbs.query("select n from t")[1:]
        async def streams_rows(self):
            dbs = current_app.dbs["main"]
            try:
                dbs.startTransaction()
                dbs.query("insert into t values (3)")
                yield "a"
                yield "b"
                dbs.commitTransaction()
            finally:
                await asyncio.sleep(0)
                current_app.config["CLOSED"] = True
        def make(self):
            current_app.dbs["main"].query("create table t (n int)")
        def rows(self):
            return current_app.dbs["main"].query("select n from t")[1:]

    who = ContextVar("who")

    class Guarded:
        async def before(self, params):
            who.set("ann")
            if "key" not in params:
                return "closed", 403
        async def after(self, response):
            response.headers["X-After"] = who.get()
            return response
        def index(self):
            return "open for " + who.get()
        async def fails(self):
            yield "a"
            raise ValueError("late")
"""


@pytest.fixture
def client(site: Any) -> Any:
    site.write("lib.py", LIBRARY)
    return site.client(databases={"main": {"driver": "sqlite", "host": "main.db"}}, defaultDatabase="main")


def test_an_async_method_answers_as_a_plain_one(client: Any) -> None:
    assert client.get("/lib/plain").text == "plain"
    assert client.get("/lib/typed/3?names=a&names=b").get_json() == {"n": 3, "names": ["a", "b"]}
    assert client.get("/lib/typed/x").status_code == 422
    assert client.get("/lib/params?a=1").get_json() == {"a": "1"}
    assert client.get("/lib/post").status_code == 405
    assert client.post("/lib/post").text == "posted"
    assert client.head("/lib/plain").status_code == 200


def test_it_has_the_request_the_session_and_g(client: Any) -> None:
    answer = client.get("/lib/context")
    assert answer.get_json() == ["/lib/context", "ann", 1]
    assert "session" in answer.headers["Set-Cookie"]


def test_its_errors_are_those_of_a_method(client: Any, caplog: Any) -> None:
    assert client.get("/lib/fails").status_code == 500
    assert "ValueError: boom" in caplog.text
    assert client.get("/lib/exits").status_code == 500
    assert client.get("/lib/plain").text == "plain"


def test_async_hooks_guard_and_change_the_answer(client: Any) -> None:
    assert client.get("/lib/Guarded").status_code == 403
    answer = client.get("/lib/Guarded?key=1")
    assert (answer.text, answer.headers["X-After"]) == ("open for ann", "ann")


def test_a_stream_that_a_hook_returns_is_the_same_stream(client: Any, caplog: Any) -> None:
    answer = client.get("/lib/Guarded/fails?key=1", buffered=False)
    with pytest.raises(AnswerError, match="after 1 pieces"):
        list(answer.response)
    assert caplog.text.count("failed in its stream, after") == 1


def test_an_async_generator_is_streamed(client: Any) -> None:
    assert client.get("/lib/stream?q=1").text == "a1b1c1"
    assert client.get("/lib/returned?q=2").text == "a2b2c2"
    lines = client.get("/lib/lines")
    assert (lines.text, lines.mimetype) == ('{"a":1}\n{"b":2}\n', "application/jsonl")


def test_transactions_belong_to_the_request(client: Any) -> None:
    client.get("/lib/make")
    assert client.get("/lib/writes").get_json() == [[1], [2]]
    assert client.get("/lib/streams_rows").text == "ab"
    assert client.get("/lib/rows").get_json() == [[1], [2], [3]]


def test_a_client_that_leaves_closes_the_generator_and_rolls_back(client: Any) -> None:
    client.get("/lib/make")
    answer = client.get("/lib/streams_rows", buffered=False)
    next(iter(answer.response))
    answer.close()
    assert client.application.config.pop("CLOSED")
    assert client.get("/lib/rows").get_json() == []


def test_it_is_listed_and_described(site: Any, client: Any) -> None:
    document = site.client(explorer="public").get("/_koa/openapi.json").get_json()
    assert "/lib/typed" in "".join(document["paths"])
    assert "/lib/stream" in "".join(document["paths"])
