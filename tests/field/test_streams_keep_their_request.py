"""Transactions, g, the session and connections of a request live until its stream has ended or its client has left."""

from __future__ import annotations

from typing import Any

import pytest
from flask import has_request_context

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


def test_a_stream_that_an_error_replaces_leaves_nothing_behind(site: Any) -> None:
    site.write(
        "lib.py",
        """
        from kernkoa import *

        class Lib:
            def stream(self):
                yield "a"
                yield "b"
            def after(self, response):
                how = request.args.get("how")
                if how == "raise":
                    raise ValueError("boom")
                if how == "header":
                    response.headers["X-Name"] = "\\u20ac"
                if how == "other":
                    return "other"
                if how == "wrap":
                    response.response = (piece.upper() for piece in response.response)
        """,
    )
    app = site.app()
    torn: list[Any] = []
    app.teardown_request(torn.append)
    client = app.test_client()
    for how, status, text in (
        ("raise", 500, ""),
        ("header", 500, ""),
        ("other", 200, "other"),
        ("wrap", 200, "AB"),
        ("", 200, "ab"),
    ):
        torn.clear()
        answer = client.get(f"/lib/stream?how={how}")
        assert (answer.status_code, answer.text if text else "") == (status, text), how
        assert len(torn) == 1, how
        assert not has_request_context()
