"""Transactions, g, the session and connections of a request live until its stream has ended or its client has left."""

from __future__ import annotations

from typing import Any

import pytest

LIBRARY = """
    from flask import Response, current_app, g, request, session, stream_with_context

    def insert(number):
        current_app.dbs["main"].query("insert into t values (:n)", {"n": number})

    def writing(fail=False):
        dbs = current_app.dbs["main"]
        g.name = "ann"
        dbs.startTransaction()
        insert(1)
        yield "a"
        insert(2)
        yield g.name + session.get("who", "?") + request.args["q"]
        if fail:
            raise ValueError("boom")
        dbs.commitTransaction()

    class Lib:
        def make(self):
            current_app.dbs["main"].query("create table t (n int)")
            session["who"] = "bob"
        def rows(self):
            return current_app.dbs["main"].query("select n from t")[1:]
        def generator(self):
            yield from writing()
        def returned(self):
            return writing()
        def response(self):
            return Response(writing(), mimetype="text/csv")
        def with_context(self):
            return Response(stream_with_context(writing()))
        def pair(self):
            return writing(), 201
        def fails(self):
            yield from writing(fail=True)
        def exits(self):
            yield "a"
            raise SystemExit
"""
WAYS = ["generator", "returned", "response", "with_context", "pair"]


@pytest.fixture
def app(site: Any) -> Any:
    site.write("lib.py", LIBRARY)
    made = site.app(databases={"main": {"driver": "sqlite", "host": "main.db"}}, defaultDatabase="main")
    torn: list[Any] = []
    made.teardown_request(lambda error: torn.append(("request", error)))
    made.teardown_appcontext(lambda error: torn.append(("app", error)))
    made.torn = torn
    return made


@pytest.mark.parametrize("way", WAYS)
def test_a_transaction_holds_over_the_whole_stream(app: Any, way: str, caplog: Any) -> None:
    client = app.test_client()
    client.get("/lib/make")
    app.torn.clear()
    answer = client.get(f"/lib/{way}?q=1")
    assert answer.text == "aannbob1"
    assert app.torn == [("request", None), ("app", None)]
    assert client.get("/lib/rows").get_json() == [[1], [2]]
    assert not caplog.records


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("pieces", [0, 1])
def test_a_client_that_leaves_ends_the_request_and_rolls_back(app: Any, way: str, pieces: int) -> None:
    client = app.test_client()
    client.get("/lib/make")
    app.torn.clear()
    answer = client.get(f"/lib/{way}?q=1", buffered=False)
    stream = iter(answer.response)
    for _ in range(pieces):
        next(stream)
    assert app.torn == []
    answer.close()
    assert [kind for kind, _ in app.torn] == ["request", "app"]
    assert client.get("/lib/rows").get_json() == []


def test_a_head_request_ends_the_stream_too(app: Any) -> None:
    client = app.test_client()
    client.get("/lib/make")
    app.torn.clear()
    assert client.head("/lib/generator?q=1").data == b""
    assert [kind for kind, _ in app.torn] == ["request", "app"]
    assert client.get("/lib/rows").get_json() == []


def test_a_stream_that_fails_in_the_middle_is_logged_with_its_method_and_rolled_back(
    app: Any, caplog: Any
) -> None:
    client = app.test_client()
    client.get("/lib/make")
    with pytest.raises(Exception, match="failed in its stream"):
        assert client.get("/lib/fails?q=1").data
    assert "lib/Lib/fails failed in its stream, after 2 pieces: boom" in caplog.text
    assert "ValueError: boom" in caplog.text
    assert client.get("/lib/rows").get_json() == []
    with pytest.raises(Exception, match="failed in its stream"):
        assert client.get("/lib/exits").data
