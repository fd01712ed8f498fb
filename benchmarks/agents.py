"""A tool call beside the JSON request of the same method, and a list of many tools. CPU time, in turns.

    venv3/bin/python benchmarks/agents.py      # with FastMCP beside it where fastmcp is installed

Prints the ratio of a tool call to the request that it stands for, in one process and as uWSGI serves it, and the
CPU time of a list of 1,000 tools: the first, and those after it with nothing changed. One call after the other in
turns: in slices of the same request the caches of the processor favour the shorter one.
"""

from __future__ import annotations

import asyncio
import http.client
import io
import json
import os
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

TURNS, SERVED = 2000, 3000
VERSION = "2025-11-25"
ARGUMENTS = {"width": 2.0, "height": 3.0}
CALL = {"name": "lib0_Lib0_area0", "arguments": ARGUMENTS}
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


@contextmanager
def uwsgi() -> Iterator[tuple[int, int]]:
    """A uWSGI with one process that serves the site of one tool: its port and process id."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    code = f"import sys; sys.path.insert(0, {str(Path(__file__).parent)!r})\n"
    program = Path(tempfile.mkdtemp()) / "site_of_one.py"
    program.write_text(code + "import agents\napplication = agents.make_site(1, 1)\n")
    command = [str(Path(sys.executable).with_name("uwsgi")), "--http-socket", f"127.0.0.1:{port}", "--wsgi-file"]
    more = ["--disable-logging", "--need-app", "--die-on-term", "--so-keepalive"]
    server = subprocess.Popen([*command, str(program), *more], stderr=subprocess.DEVNULL)
    try:
        yield port, server.pid
    finally:
        server.terminate()
        server.wait()
        shutil.rmtree(program.parent)


def ask(port: int, path: str, body: Any, headers: dict[str, str]) -> bytes:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    connection.request("POST", path, json.dumps(body), {"Content-Type": "application/json", **headers})
    answer = connection.getresponse().read()
    connection.close()
    return answer


def served(port: int, pid: int, path: str, body: Any, headers: dict[str, str]) -> float:
    """Microseconds of CPU of a server for each request."""

    def used() -> int:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        return int(fields[11]) + int(fields[12])

    before = used()
    for _ in range(SERVED):
        ask(port, path, body, headers)
    return (used() - before) / os.sysconf("SC_CLK_TCK") / SERVED * 1e6


def measure_uwsgi() -> None:
    headers = {"MCP-Protocol-Version": VERSION}
    with uwsgi() as (port, pid):
        deadline = time.monotonic() + 20
        while time.monotonic() < deadline:
            try:
                ask(port, "/_koa/mcp", message("tools/call", CALL), headers)
                break
            except OSError:
                time.sleep(0.05)
        rows = []
        for _ in range(3):
            plain = served(port, pid, "/lib0/Lib0/area0", ARGUMENTS, {})
            rows.append((plain, served(port, pid, "/_koa/mcp", message("tools/call", CALL), headers)))
    plain, call = (statistics.median(column) for column in zip(*rows, strict=True))
    print(f"by uWSGI: request, call     {plain:8.1f} us {call:8.1f} us   {call / plain:.2f} of the request")


def in_turns(*acts: Callable[[], Any]) -> list[float]:
    """The median microseconds of CPU of each act, one call after the other."""
    rows = [[spent(act, 1) for act in acts] for _ in range(TURNS)]
    return [statistics.median(column) for column in zip(*rows, strict=True)]


def main() -> None:
    version = {"HTTP_MCP_PROTOCOL_VERSION": VERSION}
    app = make_site(1, 1)
    plain = poster(app, "/lib0/Lib0/area0", ARGUMENTS)
    tool = poster(app, "/_koa/mcp", message("tools/call", CALL), version)
    assert plain() == b'{"area":6.0}', plain()
    assert b'"area":6.0' in tool(), tool()
    peer = fastmcp()
    request, call = in_turns(plain, tool)
    print(f"JSON request of the method  {request:8.1f} us")
    print(f"call of the tool            {call:8.1f} us   {call / request:.2f} of the request")
    if peer:  # in turns of its own: so much code leaves the caches of the processor cold for what comes after
        call, other = in_turns(tool, peer)
        print(f"FastMCP, in memory          {other:8.1f} us   {other / call:.2f} of the tool call ({call:.1f} us)")
    measure_uwsgi()
    many = make_site(100, 10)
    listing = poster(many, "/_koa/mcp", message("tools/list", {}), version)
    first = spent(listing, 1) / 1e3
    warm = statistics.median(spent(listing, 1) for _ in range(15)) / 1e3
    print(f"list of 1,000 tools         first {first:.0f} ms, then {warm:.1f} ms")


if __name__ == "__main__":
    main()
