"""A tool call beside the JSON request of the same method, and a list of many tools. CPU time, alternating slices.

    venv3/bin/python benchmarks/agents.py      # with FastMCP beside it where fastmcp is installed

Prints the ratio of a tool call to the request that it stands for, and the CPU time of a list of 1,000 tools: the
first, and those after it with nothing changed.
"""

from __future__ import annotations

import asyncio
import io
import json
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

SLICES, CALLS = 41, 50
METHOD = """
    def area{0}(self, width: float, height: float):
        '''The area.'''
        return {{'area': width * height}}
"""


def make_site(libraries: int, methods: int) -> Any:
    """A site of as many libraries with as many methods each, all of them tools."""
    from system.core.app import create_app
    from system.core.settings import Settings
    from system.core.web.startup import start

    root = Path(tempfile.mkdtemp())
    folder = root / "catalog" / "controller"
    folder.mkdir(parents=True)
    for number in range(libraries):
        body = "".join(METHOD.format(each) for each in range(methods))
        (folder / f"lib{number}.py").write_text(f"class Lib{number}:\n{body}")
    libs: Any = {"addon": str(ROOT / "system/addons")}
    app = create_app(Settings(path=root, addons=["agents"], agents="public", libs=libs))
    start(app)
    return app


def poster(app: Any, path: str, body: Any, headers: dict[str, str] | None = None) -> Callable[[], bytes]:
    """What posts JSON to a WSGI application and returns the body of its answer."""
    sent = json.dumps(body).encode()
    fixed = {
        "REQUEST_METHOD": "POST", "PATH_INFO": path, "QUERY_STRING": "", "SERVER_NAME": "localhost",
        "SERVER_PORT": "80", "SERVER_PROTOCOL": "HTTP/1.1", "HTTP_HOST": "localhost", "SCRIPT_NAME": "",
        "REMOTE_ADDR": "127.0.0.1", "CONTENT_TYPE": "application/json", "CONTENT_LENGTH": str(len(sent)),
        "wsgi.version": (1, 0), "wsgi.url_scheme": "http", "wsgi.errors": sys.stderr, "wsgi.multithread": False,
        "wsgi.multiprocess": True, "wsgi.run_once": False, **(headers or {}),
    }  # fmt: skip

    def post() -> bytes:
        pieces = app(fixed | {"wsgi.input": io.BytesIO(sent)}, lambda status, headers, *_: None)
        content = b"".join(pieces)
        getattr(pieces, "close", lambda: None)()
        return content

    return post


def message(method: str, params: dict[str, Any]) -> dict[str, Any]:
    return {"jsonrpc": "2.0", "id": 1, "method": method, "params": params}


def spent(act: Callable[[], Any], times: int) -> float:
    """Microseconds of CPU for each call."""
    begun = time.thread_time()
    for _ in range(times):
        act()
    return (time.thread_time() - begun) / times * 1e6


def fastmcp() -> Callable[[], Any] | None:
    """A call of the same tool in FastMCP's own server, in memory; None without the package."""
    try:
        from fastmcp import Client, FastMCP
    except ImportError:
        return None
    server = FastMCP("bench")

    @server.tool
    def area(width: float, height: float) -> dict[str, float]:
        return {"area": width * height}

    loop = asyncio.new_event_loop()
    client = Client(server)
    loop.run_until_complete(client.__aenter__())
    return lambda: loop.run_until_complete(client.call_tool("area", {"width": 2.0, "height": 3.0}))


def main() -> None:
    version = {"HTTP_MCP_PROTOCOL_VERSION": "2025-11-25"}
    arguments = {"width": 2.0, "height": 3.0}
    app = make_site(1, 1)
    plain = poster(app, "/lib0/Lib0/area0", arguments)
    call = {"name": "lib0_Lib0_area0", "arguments": arguments}
    tool = poster(app, "/_koa/mcp", message("tools/call", call), version)
    assert plain() == b'{"area":6.0}', plain()
    assert b'"area":6.0' in tool(), tool()
    peer = fastmcp()
    rows: list[tuple[float, ...]] = []
    for _ in range(SLICES):
        rows.append((spent(plain, CALLS), spent(tool, CALLS), spent(peer, CALLS) if peer else 0.0))
    requests, calls, peers = (statistics.median(column) for column in zip(*rows, strict=True))
    ratios = [row[1] / row[0] for row in rows]
    print(f"JSON request of the method  {requests:8.1f} us")
    print(f"call of the tool            {calls:8.1f} us   {statistics.median(ratios):.2f} of the request")
    if peer:
        print(f"FastMCP, in memory          {peers:8.1f} us   {peers / calls:.2f} of the tool call")
    many = make_site(100, 10)
    listing = poster(many, "/_koa/mcp", message("tools/list", {}), version)
    first = spent(listing, 1) / 1e3
    warm = statistics.median(spent(listing, 1) for _ in range(15)) / 1e3
    print(f"list of 1,000 tools         first {first:.0f} ms, then {warm:.1f} ms for a page of them")


if __name__ == "__main__":
    main()
