from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from werkzeug.test import EnvironBuilder, create_environ

from system.core.dispatch.params import Params
from system.core.dispatch.request import KernelRequest
from system.core.errors import MalformedBody, MissingParameter, TooLarge
from system.core.settings import Settings


def sent(path: str = "/", most: int = 1000, most_bytes: int = 1_000_000, **kwargs: Any) -> Params:
    request = KernelRequest(EnvironBuilder(path, **kwargs).get_environ())
    request.settings = Settings(maxParams=most, maxParamsBytes=most_bytes)
    return request.params(path.split("?")[0].strip("/").split("/"))


def test_the_first_of_a_repeated_name_is_the_value_and_getlist_has_all() -> None:
    params = sent("/?a=1&a=2&b=3")
    assert params == {"a": "1", "b": "3"}
    assert params.getlist("a") == ["1", "2"]
    assert params.getlist("none") == []


def test_the_body_wins_over_the_query() -> None:
    assert sent("/?a=query&b=query", method="POST", data={"a": "form"}) == {"a": "form", "b": "query"}
    assert sent("/?a=query", method="POST", json={"a": [1]})["a"] == [1]


def test_the_views_of_old_are_there_and_never_among_the_items() -> None:
    params = sent("/shop/x?q=1&data=mine&get=mine", method="POST", data={"f": "2"})
    assert dict(params) == {"q": "1", "f": "2"}
    assert params["get"] == {"q": "1", "data": "mine", "get": "mine"}
    assert params["post"] == {"f": "2"}
    assert params["data"] is None
    assert params["urlpath"] == "shop/x"
    assert params.get("post") == {"f": "2"}
    assert "get" not in params
    assert params.getlist("data") == ["mine"]


def test_a_json_body_of_any_kind_is_data() -> None:
    assert sent("/", method="POST", json=[1, 2])["data"] == [1, 2]
    params = sent("/", method="POST", json={"a": {"b": 1}})
    assert (params["data"], params["a"]) == ({"a": {"b": 1}}, {"b": 1})
    assert params.getlist("a") == [{"b": 1}]


def test_a_missing_name_is_an_error_that_a_keyerror_handler_catches_too() -> None:
    with pytest.raises(MissingParameter, match="'user'"):
        Params()["user"]
    with pytest.raises(KeyError):
        Params()["user"]
    assert Params({"a": 1}).get("b", 2) == 2


@pytest.mark.parametrize("body", ["{", "[1,]", "NaN", '{"a": Infinity}', "\xff", "[" * 100_000, '"\\ud8'])
def test_malformed_json_is_the_clients_fault(body: str) -> None:
    with pytest.raises(MalformedBody):
        sent("/", method="POST", data=body.encode("latin-1"), content_type="application/json")


def test_an_empty_json_body_is_no_body() -> None:
    assert sent("/", method="POST", data=b" ", content_type="application/json").json is None


def test_more_than_the_limits_is_too_large() -> None:
    with pytest.raises(TooLarge):
        sent("/?" + "&".join(f"k{i}=" for i in range(11)), most=10)
    with pytest.raises(TooLarge):
        sent("/", most=10, method="POST", data={f"k{i}": "" for i in range(11)})
    with pytest.raises(TooLarge):
        sent("/", most_bytes=10, method="POST", json="a" * 100)


def test_a_form_that_cannot_be_parsed_is_the_clients_fault(site: Any) -> None:
    site.write("lib.py", "class Lib:\n    def index(self, params=None): return 'read'\n")
    client = site.client()
    for body, kind in (
        (b"a=\xff", "application/x-www-form-urlencoded"),
        (b"--x\r\nno header", "multipart/form-data; boundary=x"),
        (b"{", "application/json"),
    ):
        assert client.post("/lib", data=body, content_type=kind).status_code == 400, kind
    assert client.post("/lib", data=b"\xff\x00", content_type="application/octet-stream").text == "read"


def test_a_query_of_bare_bytes_is_read_as_utf_8(site: Any) -> None:
    site.write("lib.py", "class Lib:\n    def index(self, params=None): return dict(params)\n")
    client = site.client()
    raw = {"QUERY_STRING": "a=\xc3\xb1&b=%20"}
    assert client.get("/lib", environ_overrides=raw).get_json() == {"a": "ñ", "b": " "}
    assert client.get("/lib", environ_overrides={"QUERY_STRING": "a=\x80"}).status_code == 400


@given(
    st.lists(st.sampled_from(["a", "b", "get", "=", "&", "%C3%A9", "+", "%26", ";", "1"]), max_size=12).map(
        "".join
    )
)
def test_a_query_is_read_as_werkzeug_reads_it(query: str) -> None:
    sent = KernelRequest(create_environ("/", query_string=query))
    sent.settings = Settings()
    params = sent.params()
    assert params.query == sent.args
    assert params.sent_once == (len(params) == len(list(sent.args.items(multi=True))))
    assert params == {name: value for name, value in sent.args.items() if name != "get"}
    assert params["get"] == sent.args.to_dict()
    assert [params.getlist(name) for name in sent.args] == [sent.args.getlist(name) for name in sent.args]
