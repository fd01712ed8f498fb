"""The official clients against a real server: both revisions, in Python and from npm."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import Site
from tests.programs import find_program
from tests.serving import serving
from tests.task_bench import PATIENCE, Bench

from .test_door import ADDONS, SHOP

ROOT = Path(__file__).resolve().parents[3]

LATE = "class Late:\n    def run(self, a: int):\n        return a\n"

mcp = pytest.importorskip("mcp", reason="the package mcp is not installed")


@pytest.fixture
def address(site: Site) -> Iterator[str]:
    site.write("shop.py", SHOP)
    with serving(site.app(**ADDONS, agents="public")) as address:
        yield f"{address}/_koa/mcp"


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
            site.write("late.py", LATE)
            assert "late_Late_run" in {tool.name for tool in (await client.list_tools()).tools}
            assert (await client.call_tool("late_Late_run", {"a": 4})).structured_content == {"result": 4}
            with pytest.raises(mcp.MCPError):
                await client.call_tool("nothing", {})

    asyncio.run(use())


@pytest.mark.parametrize("mode", ["legacy", "2026-07-28"])
def test_the_python_client_follows_and_cancels_jobs(jobs: Bench, mode: str) -> None:
    async def use() -> None:
        async with mcp.Client(f"http://127.0.0.1:{jobs.port}/_koa/mcp", mode=mode) as client:

            async def call(name: str, **arguments: Any) -> dict[str, Any]:
                result = await client.call_tool(name, arguments)
                assert not result.is_error, result
                return dict(result.structured_content)

            async def follow(task_id: str, key: str, wanted: Any) -> dict[str, Any]:
                async with asyncio.timeout(PATIENCE):
                    while (status := await call("task_status", id=task_id)).get(key) != wanted:
                        await asyncio.sleep(0.05)
                return status

            short = await call("reports_Reports_start", pages=3)
            assert (await follow(short["id"], "status", "SUCCESS"))["data"] == {"pages": 3}
            long = await call("reports_Reports_build", pages=100)
            assert (await follow(long["id"], "state", {"page": 1, "of": 100}))["status"] == "inProgress"
            await call("task_cancel", id=long["id"])
            await follow(long["id"], "status", "REVOKED")

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
import { writeFileSync } from "node:fs";
import { setTimeout } from "node:timers/promises";
import { Client } from "@modelcontextprotocol/sdk/client/index.js";
import { StreamableHTTPClientTransport } from "@modelcontextprotocol/sdk/client/streamableHttp.js";

const [address, file, source] = process.argv.slice(2);
const client = new Client({ name: "test", version: "1.0.0" });
await client.connect(new StreamableHTTPClientTransport(new URL(address)));
const call = (name, values) => client.callTool({ name, arguments: values });

async function until(look) {
  for (;;) {
    const found = await look();
    if (found) return found;
    await setTimeout(50);
  }
}

async function follow(id, reached) {
  return until(async () => {
    const status = (await call("task_status", { id })).structuredContent;
    return reached(status) && status;
  });
}

const { tools } = await client.listTools();
const total = await call("shop_Shop_total", { price: 2, count: 3 });
const wrong = await call("shop_Shop_total", {});
writeFileSync(file, source);
await until(async () => (await client.listTools()).tools.some((tool) => tool.name === "typescript_Late_run"));
const answer = (await call("typescript_Late_run", { a: 4 })).structuredContent;
const short = (await call("reports_Reports_start", { pages: 3 })).structuredContent;
const done = await follow(short.id, (status) => status.status === "SUCCESS");
const long = (await call("reports_Reports_build", { pages: 100 })).structuredContent;
const progress = await follow(long.id, (status) => status.state?.page);
await call("task_cancel", { id: long.id });
const ended = await follow(long.id, (status) => status.status === "REVOKED");
console.log(JSON.stringify({
  tools: tools.length, total: total.structuredContent, wrong: wrong.isError, answer,
  data: done.data, state: progress.state, ended: ended.status,
}));
await client.close();
"""


@pytest.fixture(scope="session")
def typescript(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the official TypeScript client."""
    find_program("node")
    folder = tmp_path_factory.mktemp("typescript")
    (folder / "package.json").write_text('{"type": "module"}')
    (folder / "client.js").write_text(TYPESCRIPT)
    options = ("--silent", "--no-audit", "--no-fund")
    command = [find_program("npm"), "install", *options, "@modelcontextprotocol/sdk@1.32.2"]
    subprocess.run(command, cwd=folder, check=True, capture_output=True, timeout=240)
    return folder


def test_the_typescript_client_lists_calls_and_follows_jobs(typescript: Path, jobs: Bench) -> None:
    file = jobs.root / "catalog" / "controller" / "typescript.py"
    command = ["node", "client.js", f"http://127.0.0.1:{jobs.port}/_koa/mcp", str(file), LATE]
    done = subprocess.run(command, cwd=typescript, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert told.pop("tools") > 10
    assert told == {
        "total": {"total": 6},
        "wrong": True,
        "answer": {"result": 4},
        "data": {"pages": 3},
        "state": {"page": 1, "of": 100},
        "ended": "REVOKED",
    }
