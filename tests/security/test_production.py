"""Attacks on the servers as setup.sh installs them: nginx before uWSGI."""

from __future__ import annotations

import contextlib
import http.client
import json
import re
import socket
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from system.deploy import workers
from tests.servers import Answer, Production, needs_servers, production

pytestmark = needs_servers

PROBE = """
from kernkoa import *

class probe:
    def index(self):
        return "here"

    def body(self, params=None):
        data = request.get_data()
        return {"length": len(data), "values": dict(params or {}), "json": params["data"] if params else None}

    def big(self):
        return "x" * 2_000_000

    def id(self):
        return {"id": request.environ["kernkoa.request_id"], "url": config.url}

    def upload(self, params):
        return {"length": len(params.files["file"].read())}
"""
GUARD = """
from werkzeug.exceptions import Unauthorized

def before(self, params):
    if params.get("pass") != "yes":
        raise Unauthorized("a word is missing")
"""
FILES = {
    "catalog/controller/probe.py": PROBE,
    "images/pixel.svg": "<svg xmlns='http://www.w3.org/2000/svg'/>",
    "static/site.css": "p{}",
}
# a few requests of this machine, instead of many of strangers
LIMITED = {
    "127.0.0.0/8 0;": "",
    "rate=50r/s": "rate=1r/s",
    "burst=200": "burst=100",
    "kernkoa_connections 100": "kernkoa_connections 5",
}


@pytest.fixture(scope="module")
def site() -> Iterator[Production]:
    edits = {
        "client_header_timeout 15s": "client_header_timeout 1s",
        "client_body_timeout 30s": "client_body_timeout 1s",
    }
    with production("--domain", "shop.example", files=FILES, edits=edits) as running:
        running.folder.chmod(0o755)  # else nginx could not read the files
        yield running


def ask(site: Production, path: str, method: str = "GET", body: object = None, **headers: str) -> Answer:
    return site.get(path, method, body, **{"Host": "shop.example", **headers})


def test_the_domain_is_the_only_host(site: Production) -> None:
    assert ask(site, "/probe").status == 200
    assert ask(site, "/probe", Host=f"shop.example:{site.port}").status == 200
    for host in ("evil.example", "127.0.0.1", "shop.example.evil.example", "x" * 300):
        assert ask(site, "/probe", Host=host).status in (400, 421), host
    assert ask(site, "/_koa/health", Host="10.0.0.1").status == 200


def test_the_request_id_is_nginxs_and_not_the_clients(site: Production) -> None:
    answer = ask(site, "/probe/id", X_Request_ID="forged", Kernkoa_Request_Id="forged")
    found = json.loads(answer.body)
    assert found["id"] == answer.headers["X-Request-ID"]
    assert len(found["id"]) == 32
    assert found["url"] == "http://shop.example/"


def test_the_security_headers_go_out_once(site: Production) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", site.port, timeout=10)
    with contextlib.closing(connection):
        connection.request("GET", "/probe", headers={"Host": "shop.example"})
        headers = connection.getresponse().msg
    for name in ("X-Content-Type-Options", "X-Frame-Options", "Referrer-Policy", "X-Request-ID"):
        assert len(headers.get_all(name)) == 1, name


def test_a_page_of_another_site_cannot_write(site: Production) -> None:
    assert ask(site, "/probe", "POST", Sec_Fetch_Site="cross-site").status == 403
    assert ask(site, "/probe", "POST", Origin="https://evil.example").status == 403
    assert ask(site, "/probe", "POST", Origin="http://shop.example").status == 200


def test_a_guard_of_the_whole_catalogue_holds_for_files_from_the_moment_it_is_there(site: Production) -> None:
    paths = ["/images/pixel.svg", "/static/site.css"]

    def all_are(status: int) -> bool:
        """Whatever worker answers: each looks at the guard once a second."""
        return all(ask(site, path).status == status for path in paths * 10)

    assert all_are(200)
    assert not any("X-Request-ID" in ask(site, path).headers for path in paths)
    mark = site.run / "unguarded"
    mark.unlink()  # as after a boot: nginx asks until a process has said that there is no guard
    assert all("X-Request-ID" in ask(site, path).headers for path in paths)
    guard = site.clone / "catalog/controller/_folder.py"
    guard.write_text(GUARD)
    assert workers.wait_for(lambda: all_are(401), 10)
    assert not mark.exists()
    assert ask(site, "/status/x").status == 401
    assert [ask(site, f"{path}?pass=yes").status for path in paths] == [200, 200]
    part = ask(site, "/static/site.css?pass=yes", Range="bytes=1-")
    assert (part.status, part.body, part.headers["Content-Type"]) == (206, b"{}", "text/css; charset=utf-8")
    assert part.headers["X-Content-Type-Options"] == "nosniff"
    assert re.fullmatch("[0-9a-f]+-[0-9a-f]+", part.headers["ETag"].strip('"')), "nginx did not send it"
    assert codes_while_away(site, guard, paths) == {503}
    guard.write_text("")  # a guard that vanishes would leave all closed
    assert workers.wait_for(lambda: all_are(200), 10)


def codes_while_away(site: Production, guard: Path, paths: list[str]) -> set[int]:
    """What nginx answers when a guard that came after setup.sh is gone, when every worker has looked."""
    guard.unlink()
    assert workers.wait_for(lambda: all(ask(site, path).status == 503 for path in paths * 5), 10)
    return {ask(site, path).status for path in paths * 10}


def test_files_are_sent_by_nginx_through_links_that_stay_in_their_folder(site: Production) -> None:
    pdfs = site.clone / "pdfs"
    (pdfs / "deep").mkdir(parents=True)
    (pdfs / "deep/paper.pdf").write_text("%PDF inside")
    (pdfs / "inside.pdf").symlink_to("deep/paper.pdf")
    (pdfs / "outside.pdf").symlink_to("../config.py")
    for path, status in (("deep/paper.pdf", 200), ("inside.pdf", 200), ("outside.pdf", 404)):
        answer = ask(site, f"/pdfs/{path}")
        assert (answer.status, b"%PDF inside" in answer.body) == (status, status == 200), path


def test_a_chunked_body_arrives_whole(site: Production) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", site.port, timeout=10)
    for path, kind, pieces, expected in (
        ("/probe/body", "application/json", [b'{"a":', b" 1}"], {"a": 1}),
        ("/probe/body", "application/x-www-form-urlencoded", [b"a=", b"1&b=2"], {"a": "1", "b": "2"}),
    ):
        headers = {"Host": "shop.example", "Content-Type": kind}
        connection.request("POST", path, iter(pieces), headers, encode_chunked=True)
        response = connection.getresponse()
        assert json.loads(response.read())["values"] == expected
    connection.close()


def test_bodies_are_small_where_no_files_are_taken(site: Production) -> None:
    assert ask(site, "/probe/body", "POST", b"x" * 900_000, Content_Type="text/plain").status == 200
    assert ask(site, "/probe/body", "POST", b"x" * 1_100_000, Content_Type="text/plain").status == 413


@pytest.mark.parametrize(
    "piece",
    [
        b"GET /probe HTTP/1.1\r\nHost: shop.exam",
        b"POST /probe/body HTTP/1.1\r\nHost: shop.example\r\nContent-Length: 1000\r\n\r\nx",
        b"POST /probe/body HTTP/1.1\r\nHost: shop.example\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nab",
    ],
    ids=["headers", "body", "chunked body"],
)
def test_slow_clients_hold_no_worker(site: Production, piece: bytes) -> None:
    slow = [socket.create_connection(("127.0.0.1", site.port), 10) for _ in range(60)]
    try:
        for connection in slow:
            connection.sendall(piece)
        began = time.monotonic()
        assert [ask(site, "/probe").status for _ in range(20)] == [200] * 20
        assert time.monotonic() - began < 5
        slow[0].settimeout(10)
        assert b" 408 " in slow[0].recv(200) or not slow[0].recv(200)
    finally:
        for connection in slow:
            connection.close()


def test_no_client_reaches_the_folders_behind_the_guard(site: Production) -> None:
    for path in ("/_koa/files/static/site.css", "/_koa/files/static/", "/_koa/files/../files/static/site.css"):
        assert ask(site, path, X_Accel_Redirect=path, Kernkoa_Files="/_koa/files").status == 404


def test_a_slow_reader_holds_no_worker(site: Production) -> None:
    """Two workers, and ten clients of two megabytes each, who read next to nothing."""
    readers = []
    try:
        for _ in range(10):
            reader = socket.socket()
            reader.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            reader.connect(("127.0.0.1", site.port))
            reader.sendall(b"GET /probe/big HTTP/1.1\r\nHost: shop.example\r\n\r\n")
            readers.append(reader)
        began = time.monotonic()
        assert [ask(site, "/probe").status for _ in range(20)] == [200] * 20
        assert time.monotonic() - began < 3
        assert all(reader.recv(1) == b"H" for reader in readers)
    finally:
        for reader in readers:
            reader.close()


@pytest.mark.parametrize(
    ("count", "size"), [(1, 8000), (4, 8000), (4, 8170), (300, 10), (900, 1), (5000, 1), (9, 8000)]
)
def test_whatever_headers_nginx_takes_reach_a_worker(site: Production, count: int, size: int) -> None:
    answer = ask(site, "/probe", **{f"X_{number}": "x" * size for number in range(count)})
    assert answer.status in ((200,) if count < 9 or count in (300, 900) else (400, 431))


def test_a_line_of_the_log_cannot_be_forged(site: Production) -> None:
    ask(site, "/probe/no%0AERROR%20kernkoa:%20forged%1b[2J")
    ask(site, "/probe/none", Referer="http://a/\x1b[2J", User_Agent="\x1b[2J")
    assert not [
        line for line in site.log().split("\n") if line.startswith("ERROR kernkoa: forged") or "\x1b" in line
    ]


def test_the_token_of_a_link_for_a_new_password_is_in_no_log(site: Production) -> None:
    for path in ("/_koa/password?token=SECRET.one", "/_koa/password?a=1&token=SECRET.two", "/probe?shown=yes"):
        ask(site, path, **{"User-Agent": "reader"})
    assert workers.wait_for(lambda: "/probe?shown=yes" in site.log(), 5)
    assert '"GET /_koa/password HTTP/1.1" 404 ' in site.log()
    assert "SECRET" not in site.log()


def test_nginx_limits_an_address_and_keeps_files_closed_while_their_guard_is_away() -> None:
    guard = "def before(self, params):\n    return None\n"
    with production(files={**FILES, "catalog/controller/_folder.py": guard}, edits=LIMITED) as site:
        assert site.get("/static/site.css").status == 200
        (site.clone / "catalog/controller/_folder.py").unlink()
        assert workers.wait_for(lambda: site.get("/static/site.css").status == 503, 5)
        (site.clone / "catalog/controller/_folder.py").write_text(guard)
        assert workers.wait_for(lambda: site.get("/probe").status == 200, 5)
        codes = [site.get("/probe").status for _ in range(150)]
        assert codes.count(200) >= 5
        assert codes.count(429) >= 10
        assert set(codes) == {200, 429}
