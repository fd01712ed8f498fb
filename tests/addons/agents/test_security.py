"""What stands between assistants and a site: cross-site pages, rebinding, hidden methods, guards, hostile and huge input.

Each attack is made before a tool was called and after that: a known tool is answered in front of Flask.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.conftest import Site

from .test_door import ADDONS, GUARD, Assistant

RUNS = """
from kernkoa import *

tool = load.addon("agents", "tool")
ran = []


class Base:
    @expose
    def shown(self, a: int):
        return a

    def inherited(self, a: int):
        return a


class Deeds(Base):
    @allow("GET")
    def read(self, a: int = 0):
        ran.append(a)
        return {"ran": len(ran)}

    def write(self, text: str = "", numbers: list[int] = []):
        ran.append(text)
        return {"ran": len(ran), "text": text}

    def ask(self):
        \"\"\"The id of the request.\"\"\"
        return {"id": request.environ["kernkoa.request_id"]}

    def before(self, params):
        pass

    @tool(hidden=True)
    def secret(self, a: int):
        ran.append(a)

    def _private(self, a: int):
        ran.append(a)

    @staticmethod
    def static(a: int):
        ran.append(a)

    def build(self, celery_instance=None, a: int = 1):
        \"\"\"A job.\"\"\"
"""


@pytest.fixture
def serve(site: Site) -> Callable[..., Assistant]:
    """An assistant of the site, whose tools were called already with `warm`."""
    site.write("deeds.py", RUNS)

    def make(warm: bool = True, **options: Any) -> Assistant:
        assistant = Assistant(site.client(**ADDONS, **{"agents": "public", **options}))
        if warm:
            assistant.call("deeds_Deeds_read")
        return assistant

    return make


def count(assistant: Assistant) -> int:
    return int(assistant._client.get("/deeds/Deeds/read").get_json()["ran"])


def call(name: str, **arguments: Any) -> dict[str, Any]:
    params = {"name": name, "arguments": arguments}
    return {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params}


@pytest.mark.parametrize("warm", [False, True])
@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Origin": "http://localhost.evil.example"},
        {"Origin": "http://localhost:81"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site", "Origin": "http://localhost"},
    ],
)
def test_a_page_of_another_site_calls_nothing(serve: Any, warm: bool, headers: dict[str, str]) -> None:
    assistant = serve(warm)
    before = count(assistant)
    for name in ("deeds_Deeds_read", "deeds_Deeds_write", "task_cancel"):
        sent = assistant._client.post("/_koa/mcp", json=call(name), headers=headers)
        assert sent.status_code == 403
    assert assistant._client.post("/_koa/mcp", json=call("deeds_Deeds_read"), headers=headers).status_code == 403
    assert count(assistant) == before + 1


def test_a_simple_form_of_another_site_calls_nothing(serve: Any) -> None:
    assistant = serve()
    for kind in ("text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x"):
        sent = assistant._client.post(
            "/_koa/mcp", data=json.dumps(call("deeds_Deeds_write")), content_type=kind, headers={"Origin": "null"}
        )
        assert sent.status_code in (403, 415)
    assert count(assistant) == 2


@pytest.mark.parametrize("warm", [False, True])
@pytest.mark.parametrize("options", [{"development": True, "agents": ""}, {"hosts": ["shop.example"]}])
def test_a_name_that_was_bound_to_this_address_leads_nowhere(
    serve: Any, warm: bool, options: dict[str, Any]
) -> None:
    assistant = serve(warm and "hosts" not in options, **options)
    headers = {"Host": "evil.example", "Origin": "http://evil.example", "Sec-Fetch-Site": "same-origin"}
    assert assistant._client.post("/_koa/mcp", json=call("deeds_Deeds_read"), headers=headers).status_code == 421


@pytest.mark.parametrize("environ", [{"REMOTE_ADDR": "10.0.0.8"}, {"HTTP_X_FORWARDED_FOR": "127.0.0.1"}])
def test_in_development_no_other_machine_calls(serve: Any, environ: dict[str, str]) -> None:
    assistant = serve(development=True, agents="")
    sent = assistant._client.post("/_koa/mcp", json=call("deeds_Deeds_read"), environ_overrides=environ)
    assert sent.status_code == 403


HIDDEN = ["secret", "_private", "static", "before", "inherited", "__init__", "nothing"]


@pytest.mark.parametrize("name", [*(f"deeds_Deeds_{name}" for name in HIDDEN), ""])
def test_what_is_hidden_is_not_called_by_its_name(serve: Any, name: str) -> None:
    assistant = serve()
    assert name not in assistant.tools()
    refused = assistant.send("tools/call", {"name": name, "arguments": {"a": 1}}).get_json()
    assert refused["error"]["code"] == -32602
    assert "deeds_Deeds_shown" in assistant.tools()


@pytest.mark.parametrize("warm", [False, True])
def test_behind_a_guard_a_tool_is_not_told_from_none(site: Site, serve: Any, warm: bool) -> None:
    site.write("open.py", "class Open:\n    def run(self, a: int = 1):\n        return a\n")
    site.write("inner/deeds.py", RUNS)
    site.write("inner/_folder.py", GUARD)
    friend = Assistant(site.client(**ADDONS, agents="guarded"), Authorization="Bearer good")
    if warm:
        friend.call("inner_deeds_Deeds_read")
    for headers in ({}, {"Authorization": "Bearer bad"}):
        stranger = Assistant(friend._client, **headers)
        texts = set()
        for name in (
            "inner_deeds_Deeds_write",
            "inner_deeds_Deeds_build",
            "open_Open_run",
            "inner_deeds_none",
        ):
            answer = stranger.send("tools/call", {"name": name}).get_json()
            texts.add(answer["error"]["message"].replace(name, "…"))
        assert len(texts) == 1
    assert friend.call("inner_deeds_Deeds_read")["structuredContent"] == {"ran": 1 + warm}  # no stranger's


def test_a_refusal_of_the_method_itself_reaches_the_model(site: Site) -> None:
    refuses = "from kernkoa import *\n\nclass Door:\n    def open(self, a: int):\n        abort(403, 'Shipped already.')\n"
    site.write("inner/door.py", refuses)
    site.write("inner/_folder.py", GUARD)
    assistant = Assistant(site.client(**ADDONS, agents="guarded"), Authorization="Bearer good")
    for _ in range(2):
        assert "Shipped already." in assistant.text("inner_door_Door_open", a=1)


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
)
NAMES = st.sampled_from(
    ["text", "numbers", "self", "params", "a", "__class__", "celery_instance", "0", "", "\x00", "text[]", "a.b"]
)


@settings(
    max_examples=60,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(arguments=st.dictionaries(NAMES | st.text(), VALUES, max_size=4))
def test_any_arguments_are_taken_or_refused_in_words(serve: Any, arguments: dict[str, Any]) -> None:
    assistant = known.get(serve) or known.setdefault(serve, serve())
    for tool in ("deeds_Deeds_write", "deeds_Deeds_read", "deeds_Deeds_ask", "task_status"):
        answer = assistant.send("tools/call", {"name": tool, "arguments": arguments})
        assert answer.status_code in (200, 400), answer.text
        told = answer.get_json()
        text = told["result"]["content"][0]["text"] if "result" in told else ""
        assert "Internal Server Error" not in text


known: dict[Any, Assistant] = {}


@pytest.mark.parametrize(
    "body",
    [
        b'{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"deeds_Deeds_write","arguments":{"text":"\\ud800"}}}',
        b'{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"deeds_Deeds_write","arguments":{"numbers":[NaN]}}}',
        b'{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"deeds_Deeds_write","arguments":{"a":'
        + b"[" * 50_000
        + b"]" * 50_000
        + b"}}}",
    ],
)
def test_what_is_no_clean_json_is_refused_by_the_protocol(serve: Any, body: bytes) -> None:
    answer = serve()._client.post("/_koa/mcp", data=body, content_type="application/json")
    assert (answer.status_code, answer.get_json()["error"]["code"]) == (400, -32700)


def test_huge_arguments_are_refused_soon_and_the_refusal_is_short(serve: Any) -> None:
    assistant = serve()
    began = time.perf_counter()
    for arguments in (
        {"numbers": ["x"] * 150_000},
        {"text": "x" * 900_000, "numbers": ["y"] * 10},
        {f"name{number}": 1 for number in range(50_000)},
    ):
        answer = assistant.call("deeds_Deeds_write", **arguments)
        assert (
            len(json.dumps(answer)) < 1_000_000 if not answer.get("isError") else len(json.dumps(answer)) < 20_000
        )
    assert time.perf_counter() - began < 5
    too_large = assistant._client.post(
        "/_koa/mcp", data=b'"' + b"x" * 2_000_000 + b'"', content_type="application/json"
    )
    assert too_large.status_code == 413


def test_a_thousand_tools_are_one_list_of_different_names(site: Site) -> None:
    methods = "".join(f"    def method{number}(self, a: int):\n        return a\n" for number in range(100))
    for number in range(10):
        site.write(f"lib{number}.py", f"class Lib{number}:\n{methods}")
    assistant = Assistant(site.client(**ADDONS, agents="public"))
    first = assistant.ask("tools/list")
    rest = assistant.ask("tools/list", {"cursor": first["nextCursor"]})
    assert (len(first["tools"]), len(rest["tools"])) == (1000, 2)
    assert len({tool["name"] for tool in first["tools"] + rest["tools"]}) == 1002
    began = time.process_time()
    assistant.ask("tools/list")
    assert time.process_time() - began < 0.5  # 20 ms, where nothing else runs
    assert assistant.text("lib9_Lib9_method99", a=3) == "3"


def test_a_call_and_its_method_have_one_request_id(serve: Any) -> None:
    assistant = serve()
    for _ in range(2):
        response = assistant.send("tools/call", {"name": "deeds_Deeds_ask"})
        assert response.get_json()["result"]["structuredContent"] == {"id": response.headers["X-Request-ID"]}
        assert response.headers.get_all("X-Request-ID") == [response.headers["X-Request-ID"]]
        assert response.headers.get_all("Cache-Control") == ["no-store"]
        assert response.headers["X-Content-Type-Options"] == "nosniff"
