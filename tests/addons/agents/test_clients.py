"""The official clients against a real server: both revisions, in Python and from npm."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from werkzeug.serving import make_server

from tests.conftest import Site

from .test_door import ADDONS, SHOP

ROOT = Path(__file__).resolve().parents[3]

mcp = pytest.importorskip("mcp", reason="the package mcp is not installed")


@pytest.fixture
def address(site: Site) -> Iterator[str]:
    site.write("shop.py", SHOP)
    server = make_server("127.0.0.1", 0, site.app(**ADDONS, agents="public"), threaded=True)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.port}/_koa/mcp"
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.mark.parametrize("mode", ["auto", "legacy", "2026-07-28"])
def test_the_python_client_lists_and_calls(site: Site, address: str, mode: str) -> None:
    async def use() -> None:
        async with mcp.Client(address, mode=mode) as client:
            names = {tool.name for tool in (await client.list_tools()).tools}
            assert {"shop_Shop_total", "task_status"} <= names
            result = await client.call_tool("shop_Shop_total", {"price": 2.0, "count": 3})
            assert result.structured_content == {"total": 6.0}
            item = await client.call_tool("shop_Shop_item", {"name": "pen"})  # checked against its schema
            assert item.structured_content == {"name": "pen", "price": 2.0}
            wrong = await client.call_tool("shop_Shop_total", {"price": "cheap"})
            assert wrong.is_error
            assert "price: expected" in wrong.content[0].text
            resources = (await client.list_resources()).resources
            read = await client.read_resource(resources[0].uri)
            assert "shop/Shop/total" in read.contents[0].text
            site.write("late.py", "class Late:\n    def run(self, a: int):\n        return a\n")
            assert "late_Late_run" in {tool.name for tool in (await client.list_tools()).tools}
            with pytest.raises(mcp.MCPError):
                await client.call_tool("nothing", {})

    asyncio.run(use())


def test_the_same_tools_are_served_over_stdio(site: Site) -> None:
    site.write("shop.py", SHOP)
    (site.root / "config.py").write_text(
        f"addons = {ADDONS['addons']!r}\nlibs = {ADDONS['libs']!r}\nagents = 'public'\n"
    )
    program = mcp.StdioServerParameters(
        command=sys.executable,
        args=[str(ROOT / "kernkoa.py"), "mcp"],
        env={"KERNKOA_CONFIG": str(site.root / "config.py"), "PATH": os.environ["PATH"]},
    )

    async def use() -> None:
        async with mcp.Client(program) as client:
            assert "shop_Shop_total" in {tool.name for tool in (await client.list_tools()).tools}
            result = await client.call_tool("shop_Shop_total", {"price": 2.0})
            assert result.structured_content == {"total": 2.0}

    asyncio.run(use())


TYPESCRIPT = """
import { Client } from "@modelcontextprotocol/sdk/client/index.js";
import { StreamableHTTPClientTransport } from "@modelcontextprotocol/sdk/client/streamableHttp.js";

const client = new Client({ name: "test", version: "1.0.0" });
await client.connect(new StreamableHTTPClientTransport(new URL(process.argv[2])));
const { tools } = await client.listTools();
const total = await client.callTool({ name: "shop_Shop_total", arguments: { price: 2, count: 3 } });
const wrong = await client.callTool({ name: "shop_Shop_total", arguments: {} });
console.log(JSON.stringify({ tools: tools.length, total: total.structuredContent, wrong: wrong.isError }));
await client.close();
"""


@pytest.fixture(scope="session")
def typescript(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the official TypeScript client."""
    if not (shutil.which("node") and shutil.which("npm")):
        pytest.skip("node and npm are not installed")
    folder = tmp_path_factory.mktemp("typescript")
    (folder / "package.json").write_text('{"type": "module"}')
    (folder / "client.js").write_text(TYPESCRIPT)
    command = ["npm", "install", "--silent", "--no-audit", "--no-fund", "@modelcontextprotocol/sdk@1.32.2"]
    subprocess.run(command, cwd=folder, check=True, capture_output=True, timeout=240)
    return folder


def test_the_typescript_client_lists_and_calls(typescript: Path, address: str) -> None:
    command = ["node", "client.js", address]
    done = subprocess.run(command, cwd=typescript, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert told["total"] == {"total": 6}
    assert told["wrong"] is True
    assert told["tools"] > 10
