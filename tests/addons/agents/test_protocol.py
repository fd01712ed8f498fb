"""The protocol by itself: versions, headers, errors and their statuses, hostile messages."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from system.addons.agents.protocol import HANDSHAKE_VERSIONS, VERSIONS, Reply, Server, decode_header

MODERN = "2026-07-28"
META = {
    "io.modelcontextprotocol/protocolVersion": MODERN,
    "io.modelcontextprotocol/clientCapabilities": {},
}


def call_tool(params: Any, visit: Any) -> dict[str, Any]:
    return {"content": [{"type": "text", "text": f"{params.name} {json.dumps(params.arguments)}"}]}


SERVER = Server(
    "shop", "1.2", "What the shop can do.", {"tools/list": lambda *_: {"tools": []}, "tools/call": call_tool}
)


def ask(message: Any, headers: dict[str, str] | None) -> tuple[Reply, Any]:
    body = message if isinstance(message, bytes) else json.dumps(message).encode()
    reply = SERVER.answer(body, headers)
    return reply, json.loads(reply.body) if reply.body is not None else None


def modern(method: str, params: dict[str, Any] | None = None, **headers: str) -> tuple[Reply, Any]:
    sent = {"mcp-protocol-version": MODERN, "mcp-method": method}
    if params and "name" in params:
        sent["mcp-name"] = params["name"]
    sent |= {name.replace("_", "-"): value for name, value in headers.items()}
    message = {"jsonrpc": "2.0", "id": 7, "method": method, "params": {"_meta": META, **(params or {})}}
    return ask(message, sent)


def request(method: str, params: Any = None, message_id: Any = 1) -> dict[str, Any]:
    message = {"jsonrpc": "2.0", "id": message_id, "method": method}
    return message if params is None else message | {"params": params}


HANDSHAKE = {
    "protocolVersion": "2025-11-25",
    "capabilities": {},
    "clientInfo": {"name": "test", "version": "1"},
}


@pytest.mark.parametrize(
    ("offered", "answered"),
    [(version, version) for version in HANDSHAKE_VERSIONS]
    + [("2024-11-05", "2025-11-25"), ("2099-01-01", "2025-11-25")],
)
def test_a_handshake_settles_on_a_version_that_both_speak(offered: str, answered: str) -> None:
    reply, answer = ask(request("initialize", HANDSHAKE | {"protocolVersion": offered}), {})
    assert reply.status == 200
    assert answer["result"]["protocolVersion"] == answered
    assert answer["result"]["serverInfo"] == {"name": "shop", "version": "1.2"}
    assert answer["result"]["capabilities"] == {"tools": {}}


def test_a_client_of_the_handshake_lists_and_calls() -> None:
    sent = {"mcp-protocol-version": "2025-11-25"}
    assert ask(request("tools/list"), sent)[1]["result"] == {"tools": []}
    answer = ask(request("tools/call", {"name": "add", "arguments": {"a": 1}}), sent)[1]
    assert answer["result"]["content"] == [{"type": "text", "text": 'add {"a": 1}'}]
    assert ask(request("ping"), sent)[1]["result"] == {}
    assert ask({"jsonrpc": "2.0", "method": "notifications/initialized"}, sent)[0] == Reply(202)


def test_a_modern_request_needs_no_handshake() -> None:
    reply, answer = modern("server/discover")
    assert reply.status == 200
    assert answer["result"]["supportedVersions"] == list(VERSIONS)
    assert answer["result"]["resultType"] == "complete"
    _, answer = modern("tools/call", {"name": "add", "arguments": {"a": 1}})
    assert answer["id"] == 7
    assert answer["result"]["content"][0]["text"] == 'add {"a": 1}'
    assert answer["result"]["_meta"]["io.modelcontextprotocol/serverInfo"]["name"] == "shop"


def test_a_list_may_not_be_kept_by_the_client() -> None:
    result = modern("tools/list")[1]["result"]
    assert (result["ttlMs"], result["cacheScope"]) == (0, "private")


@pytest.mark.parametrize(
    ("headers", "code"),
    [
        ({"mcp_method": "tools/list"}, -32020),
        ({"mcp_name": "other"}, -32020),
        ({"mcp_name": "=?base64?!!!?="}, -32020),
        ({"mcp_protocol_version": "2025-11-25"}, -32020),
        ({"mcp_protocol_version": "2099-01-01"}, -32020),
    ],
)
def test_headers_that_say_something_else_than_the_message_are_refused(headers: dict[str, str], code: int) -> None:
    reply, answer = modern("tools/call", {"name": "add"}, **headers)
    assert (reply.status, answer["error"]["code"], answer["id"]) == (400, code, 7)


def test_a_name_may_come_in_base64() -> None:
    encoded = base64.b64encode(b"add").decode()
    assert modern("tools/call", {"name": "add"}, mcp_name=f"=?base64?{encoded}?=")[0].status == 200


def test_an_unknown_version_is_told_the_known_ones() -> None:
    meta = META | {"io.modelcontextprotocol/protocolVersion": "2099-01-01"}
    headers = {"mcp-protocol-version": "2099-01-01", "mcp-method": "tools/list"}
    reply, answer = ask(request("tools/list", {"_meta": meta}), headers)
    assert (reply.status, answer["error"]["code"]) == (400, -32022)
    assert answer["error"]["data"] == {"supported": list(VERSIONS), "requested": "2099-01-01"}
    reply, answer = ask(request("tools/list"), {"mcp-protocol-version": "1999-01-01"})
    assert (reply.status, answer["error"]["code"]) == (400, -32022)


@pytest.mark.parametrize(
    ("message", "status", "code"),
    [
        (b"", 400, -32700),
        (b"{", 400, -32700),
        (b"\xff", 400, -32700),
        (b"[" * 100_000, 400, -32700),
        ([], 400, -32600),
        ([request("tools/list")], 400, -32600),
        ("tools/list", 400, -32600),
        ({"id": 1, "method": "tools/list"}, 400, -32600),
        (request("tools/list", [1]), 400, -32600),
        (request("tools/list", message_id=None), 400, -32600),
        (request("tools/list", message_id=True), 400, -32600),
        (request("tools/list", message_id=1.5), 400, -32600),
        ({"jsonrpc": "2.0", "id": 1, "method": 5}, 400, -32600),
        (request("no/such"), 200, -32601),
        (request("tasks/list"), 200, -32601),
        (request("tools/call"), 200, -32602),
        (request("tools/call", {"name": 5}), 200, -32602),
        (request("tools/call", {"name": "add", "arguments": [1]}), 200, -32602),
        (request("initialize", {}), 200, -32602),
        (request("server/discover"), 200, -32602),
    ],
)
def test_what_is_no_valid_message_is_an_error_of_the_protocol(message: Any, status: int, code: int) -> None:
    reply, answer = ask(
        message, {"mcp-protocol-version": "2025-11-25"} if message != request("server/discover") else {}
    )
    assert (reply.status, answer["error"]["code"]) == (status, code)


def test_a_modern_client_gets_the_status_of_the_error_too() -> None:
    assert modern("no/such")[0].status == 404
    assert modern("tools/call", {"name": "add", "arguments": 3})[0].status == 400
    assert ask(request("tools/list"), {"mcp-protocol-version": MODERN})[0].status == 400


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(),
        lambda inner: (
            st.lists(inner)
            | st.dictionaries(
                st.sampled_from(["jsonrpc", "id", "method", "params", "_meta", "2.0", "name"]), inner
            )
        ),
    )
)
def test_any_json_gets_an_answer(value: Any) -> None:
    for headers in ({}, {"mcp-protocol-version": MODERN, "mcp-method": "tools/call"}, None):
        for message in (
            value,
            request("tools/call", value),
            {"jsonrpc": "2.0", "id": 1, **(value if isinstance(value, dict) else {})},
        ):
            reply = SERVER.answer(json.dumps(message).encode(), headers)
            assert reply.status in (200, 202, 400, 404)


@pytest.mark.parametrize("value", [None, "plain", "=?base64?QQ==?=", "=?base64?Q?=", "=?base64?/w==?="])
def test_a_header_is_decoded_or_refused(value: str | None) -> None:
    assert decode_header(value) in (value, "A", None)
