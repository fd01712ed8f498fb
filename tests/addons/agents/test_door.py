"""The address /_koa/mcp: which methods are tools, for whom, and what their calls answer."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import Site

ADDONS: dict[str, Any] = {
    "addons": ["agents"],
    "libs": {"addon": str(Path(__file__).resolve().parents[3] / "system" / "addons")},
}

SHOP = '''
from pydantic import BaseModel
from kernkoa import *

tool = load.addon("agents", "tool")


class Item(BaseModel):
    name: str
    price: float = 1.0


class Shop:
    """Sells."""

    @allow("GET")
    def total(self, price: float, count: int = 1):
        """The price of some pieces.

        Without a discount.
        """
        return {"total": price * count}

    def add(self, item: Item, tags: list[str] = []):
        """Add an item."""
        return {"name": item.name, "price": item.price, "tags": tags}

    def greet(self, params=None):
        """Say hello to `name`."""
        return "hello " + params["name"]

    def silent(self, params=None):
        return "no documentation, no types: no tool"

    def numbers(self) -> list[int]:
        """Some numbers."""
        return [1, 2, 3]

    def item(self, name: str) -> Item:
        """An item."""
        return Item(name=name, price=2)

    def fails(self, number: int):
        """Fails."""
        return 1 // number

    def nothing(self, number: int):
        """Answers with nothing."""

    def moved(self, number: int):
        """Leads on."""
        return redirect("/shop/total?price=1")

    def picture(self, size: int):
        """A picture."""
        return Response(b"\\x89PNG" + b"0" * size, mimetype="image/png")

    def long(self, size: int):
        """A long text."""
        return "x" * size

    def endless(self, start: int):
        """Never ends."""
        while True:
            yield "y" * 1000

    @allow("DELETE")
    def remove(self, number: int):
        """Remove an item."""
        return {"removed": number}

    @tool(name="renamed", description="Another description.")
    def own(self, a: int):
        return a

    @tool(hidden=True)
    def secret(self, a: int):
        return a

    def upload(self, photo: "FileStorage"):
        """Needs a file."""

    def _private(self, a: int):
        return a
'''.replace("from kernkoa import *", "from kernkoa import *\nfrom werkzeug.datastructures import FileStorage")

GUARD = """
from kernkoa import *

def before(self, params):
    if request.headers.get("Authorization") != "Bearer good":
        return "no", 401, {"WWW-Authenticate": "Bearer"}
"""


class Assistant:
    """A client of revision 2025-11-25."""

    def __init__(self, client: Any, **headers: str) -> None:
        self._client = client
        self._headers = {"MCP-Protocol-Version": "2025-11-25", **headers}

    def send(self, method: str, params: Any = None, **options: Any) -> Any:
        message = {"jsonrpc": "2.0", "id": 1, "method": method, "params": params or {}}
        return self._client.post("/_koa/mcp", json=message, headers=self._headers, **options)

    def ask(self, method: str, params: Any = None) -> Any:
        response = self.send(method, params)
        assert response.status_code == 200, response.text
        answer = response.get_json()
        assert "error" not in answer, answer
        return answer["result"]

    def tools(self) -> dict[str, Any]:
        return {tool["name"]: tool for tool in self.ask("tools/list")["tools"]}

    def call(self, name: str, /, **arguments: Any) -> Any:
        return self.ask("tools/call", {"name": name, "arguments": arguments})

    def text(self, name: str, /, **arguments: Any) -> str:
        return str(self.call(name, **arguments)["content"][0]["text"])


@pytest.fixture
def assistant(site: Site) -> Assistant:
    site.write("shop.py", SHOP)
    return Assistant(site.client(**ADDONS, agents="public"))


def test_typed_and_documented_methods_are_tools_and_no_others(assistant: Assistant) -> None:
    names = {name.removeprefix("shop_Shop_") for name in assistant.tools()} - {"task_status", "task_cancel"}
    assert names == {
        "total", "add", "greet", "numbers", "item", "fails", "nothing", "moved", "picture", "long", "endless", "remove",
        "renamed",
    }  # fmt: skip


def test_a_tool_tells_what_it_does_and_takes(assistant: Assistant) -> None:
    tools = assistant.tools()
    total = tools["shop_Shop_total"]
    assert total["description"].startswith("The price of some pieces.")
    assert total["inputSchema"]["properties"]["price"]["type"] == "number"
    assert total["inputSchema"]["required"] == ["price"]
    assert total["annotations"]["readOnlyHint"] is True
    assert tools["shop_Shop_remove"]["annotations"]["destructiveHint"] is True
    assert tools["renamed"]["description"] == "Another description."
    add = tools["shop_Shop_add"]["inputSchema"]
    assert set(add["properties"]) == {"name", "price", "tags"}
    assert add["required"] == ["name"]


def test_a_call_answers_as_the_url_does(assistant: Assistant) -> None:
    result = assistant.call("shop_Shop_total", price=2.5, count=4)
    assert result["structuredContent"] == {"total": 10.0}
    assert json.loads(result["content"][0]["text"]) == {"total": 10.0}
    added = assistant.call("shop_Shop_add", name="pen", tags=["a", "b"])
    assert added["structuredContent"] == {"name": "pen", "price": 1.0, "tags": ["a", "b"]}
    assert assistant.call("shop_Shop_numbers")["structuredContent"] == {"result": [1, 2, 3]}
    assert assistant.text("shop_Shop_greet", name="Ann") == "hello Ann"
    assert assistant.text("shop_Shop_remove", number=3) == '{"removed":3}'
    assert assistant.text("shop_Shop_nothing", number=1).startswith("Done.")
    assert "/shop/total?price=1" in assistant.text("shop_Shop_moved", number=1)


def test_a_return_annotation_is_the_schema_of_the_answer(assistant: Assistant) -> None:
    tools = assistant.tools()
    wrapped = {"type": "array", "items": {"type": "integer"}}
    assert tools["shop_Shop_numbers"]["outputSchema"]["properties"] == {"result": wrapped}
    item = tools["shop_Shop_item"]["outputSchema"]
    assert (item["type"], item["$ref"]) == ("object", "#/$defs/Item")
    assert set(item["$defs"]["Item"]["properties"]) == {"name", "price"}
    assert assistant.call("shop_Shop_item", name="pen")["structuredContent"] == {"name": "pen", "price": 2.0}
    assert "outputSchema" not in tools["shop_Shop_total"]


def test_wrong_arguments_are_told_so_that_a_model_can_correct_them(assistant: Assistant) -> None:
    result = assistant.call("shop_Shop_total", price="cheap", count="many")
    assert result["isError"] is True
    text = result["content"][0]["text"]
    assert "price: expected" in text
    assert "count: expected" in text


def test_an_exception_of_the_method_is_an_error_of_the_tool(assistant: Assistant) -> None:
    result = assistant.call("shop_Shop_fails", number=0)
    assert result["isError"] is True
    assert "Traceback" not in result["content"][0]["text"]


def test_a_large_answer_is_cut_and_an_endless_one_ends(assistant: Assistant) -> None:
    assert len(assistant.text("shop_Shop_long", size=5_000_000)) < 101_000
    assert "[Cut" in assistant.text("shop_Shop_endless", start=1)
    picture = assistant.call("shop_Shop_picture", size=10)["content"][0]
    assert (picture["type"], picture["mimeType"]) == ("image", "image/png")
    assert "image/png" in assistant.text("shop_Shop_picture", size=3_000_000)


def test_an_unknown_tool_is_an_error_of_the_protocol(assistant: Assistant) -> None:
    for name in ("nothing", "shop_Shop_secret", "shop_Shop_silent", "shop_Shop__private", "x" * 10_000):
        answer = assistant.send("tools/call", {"name": name}).get_json()
        assert answer["error"]["code"] == -32602


def test_a_dropped_file_is_a_tool_at_the_next_list(site: Site, assistant: Assistant) -> None:
    assert "late_Late_run" not in assistant.tools()
    site.write("late.py", "class Late:\n    def run(self, a: int):\n        return a\n")
    assert "late_Late_run" in assistant.tools()
    assert assistant.text("late_Late_run", a=3) == "3"
    site.write("late.py", "class Late:\n    def walk(self, a: int):\n        return a\n")
    assert assistant.send("tools/call", {"name": "late_Late_run"}).get_json()["error"]["code"] == -32602
    assert assistant.text("late_Late_walk", a=4) == "4"


def test_two_routes_of_one_name_are_two_tools(site: Site) -> None:
    method = "class {}:\n    def show(self, a: int):\n        return '{}'\n"
    site.write("a_b.py", method.format("A", "first"))
    site.write("a/b_A.py", method.format("index", "other"))
    site.write("a/b.py", method.format("A", "second"))
    assistant = Assistant(site.client(**ADDONS, agents="public"))
    twins = [name for name in assistant.tools() if name.startswith("a_b_A_show")]
    assert len(twins) == 2
    assert {assistant.text(name, a=1) for name in twins} == {"first", "second"}


def test_a_long_route_has_a_name_within_the_limit(site: Site) -> None:
    site.write("/".join(["folder"] * 20) + "/lib.py", "class Lib:\n    def run(self, a: int):\n        return a\n")
    assistant = Assistant(site.client(**ADDONS, agents="public"))
    (name,) = set(assistant.tools()) - {"task_status", "task_cancel"}
    assert len(name) <= 64
    assert assistant.text(name, a=5) == "5"


def test_a_guard_keeps_its_tools_from_who_may_not_call_them(site: Site) -> None:
    site.write("open.py", "class Open:\n    def run(self, a: int):\n        return a\n")
    site.write("inner/shop.py", SHOP)
    site.write("inner/_folder.py", GUARD)
    client = site.client(**ADDONS, agents="public")
    stranger, friend = Assistant(client), Assistant(client, Authorization="Bearer good")
    assert "inner_shop_Shop_total" not in stranger.tools()
    refused = stranger.send("tools/call", {"name": "inner_shop_Shop_total", "arguments": {"price": 1}})
    assert (refused.status_code, refused.headers["WWW-Authenticate"]) == (401, "Bearer")
    assert friend.call("inner_shop_Shop_total", price=1)["structuredContent"] == {"total": 1.0}
    assert {"open_Open_run", "inner_shop_Shop_total"} <= set(friend.tools())


def test_guarded_offers_only_what_a_guard_admits(site: Site) -> None:
    site.write("open.py", "class Open:\n    def run(self, a: int):\n        return a\n")
    site.write("inner/shop.py", SHOP)
    site.write("inner/_folder.py", GUARD)
    client = site.client(**ADDONS, agents="guarded")
    assert set(Assistant(client).tools()) == {"task_status", "task_cancel"}
    names = set(Assistant(client, Authorization="Bearer good").tools())
    assert "inner_shop_Shop_total" in names
    assert "open_Open_run" not in names


def test_without_the_setting_it_is_off_in_production(site: Site) -> None:
    site.write("shop.py", SHOP)
    client = site.client(**ADDONS)
    assert client.post("/_koa/mcp", json={}).status_code == 404
    assert site.client(**ADDONS, agents="off").post("/_koa/mcp", json={}).status_code == 404


def test_in_development_it_serves_this_machine_only(site: Site) -> None:
    site.write("shop.py", SHOP)
    client = site.client(**ADDONS, development=True)
    assert "shop_Shop_total" in Assistant(client).tools()
    for environ in (
        {"REMOTE_ADDR": "10.0.0.8"},
        {"HTTP_HOST": "evil.example"},
        {"HTTP_X_FORWARDED_FOR": "10.0.0.8"},
    ):
        response = Assistant(client).send("tools/list", environ_overrides=environ)
        assert response.status_code in (403, 421)


@pytest.mark.parametrize(
    "headers", [{"Origin": "https://evil.example"}, {"Sec-Fetch-Site": "cross-site"}, {"Origin": "null"}]
)
def test_a_page_of_another_site_is_refused(assistant: Assistant, headers: dict[str, str]) -> None:
    client = assistant._client
    message = {"jsonrpc": "2.0", "id": 1, "method": "tools/list"}
    assert client.post("/_koa/mcp", json=message, headers=headers).status_code == 403


def test_only_post_of_json_is_answered(assistant: Assistant) -> None:
    client = assistant._client
    for verb in ("get", "delete"):
        response = getattr(client, verb)("/_koa/mcp")
        assert (response.status_code, response.headers["Allow"]) == (405, "POST")
    assert client.post("/_koa/mcp", data="{}", content_type="text/plain").status_code == 415
    message = {"jsonrpc": "2.0", "id": 1, "method": "ping"}
    assert client.post("/_koa/mcp", json=message, headers={"Accept": "text/html"}).status_code == 406
    assert client.post("/_koa/mcp", data=b"[" * 2_000_000, content_type="application/json").status_code == 413


def test_guides_are_resources(assistant: Assistant) -> None:
    (listed,) = assistant.ask("resources/list")["resources"]
    assert listed["uri"] == "koa://guide/shop"
    (read,) = assistant.ask("resources/read", {"uri": "koa://guide/shop"})["contents"]
    assert "## shop/Shop/total" in read["text"]
    assert "secret" not in read["text"]
    answer = assistant.send("resources/read", {"uri": "file:///etc/passwd"}).get_json()
    assert answer["error"]["code"] == -32602


def test_files_are_resources_where_the_site_says_so(site: Site) -> None:
    site.write("pdfs/report.pdf", "%PDF-1.4")
    site.write("pdfs/.hidden", "no")
    assert Assistant(site.client(**ADDONS, agents="public")).ask("resources/list")["resources"] == []
    assistant = Assistant(site.client(**ADDONS, agents="public", agentFiles=True))
    assert [item["uri"] for item in assistant.ask("resources/list")["resources"]] == ["koa://pdfs/report.pdf"]
    (read,) = assistant.ask("resources/read", {"uri": "koa://pdfs/report.pdf"})["contents"]
    assert read["mimeType"] == "application/pdf"
    for name in (".hidden", "..%2Fconfig.py", "../config.py"):
        answer = assistant.send("resources/read", {"uri": f"koa://pdfs/{name}"}).get_json()
        assert answer["error"]["code"] == -32602


def test_the_overview_lists_the_methods(assistant: Assistant) -> None:
    text = assistant._client.get("/_koa/llms.txt").text
    assert "[shop/Shop/total](http://localhost/shop/total): The price of some pieces." in text
    assert "secret" not in text


def test_the_page_tells_how_to_connect(assistant: Assistant) -> None:
    assistant.call("shop_Shop_total", price=1)
    page = assistant._client.get("/_koa/agents").text
    assert "http://localhost/_koa/mcp" in page
    assert "shop_Shop_total" in page
    assert "<td>shop_Shop_total</td>" in page


def test_a_wrong_setting_is_refused_at_start(site: Site) -> None:
    from system.core.errors import SettingsError

    with pytest.raises(SettingsError, match='write "off", "guarded" or "public"'):
        site.app(**ADDONS, agents="everyone")


def test_a_process_that_no_assistant_asks_does_not_import_the_protocol(site: Site) -> None:
    before = set(sys.modules)
    site.client(**ADDONS, agents="public").get("/")
    assert not {name for name in set(sys.modules) - before if name.startswith("mcp_types")}
