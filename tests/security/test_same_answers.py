"""One request means the same to the development server, to uWSGI behind nginx and to gunicorn."""

from __future__ import annotations

import json
import os
import socket
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from http.client import HTTPException, HTTPResponse
from pathlib import Path
from typing import Any

import pytest

from system.deploy import workers
from tests.development.test_supervisor import Clone
from tests.servers import VENV, free_port, needs_servers, production

pytestmark = needs_servers

HOST = "shop.example"
PROBE = """
from kernkoa import *

class probe:
    @allow("GET", "POST", "PUT")
    def echo(self, *words, params=None):
        return {
            "verb": request.method, "words": words, "path": request.path, "query": list(request.args.items(multi=True)),
            "url": request.url.partition("://")[2].partition("/")[2], "host": request.host.partition(":")[0],
            "type": request.content_type, "length": len(request.get_data()), "values": sorted((params or {}).items()),
            "cookies": sorted(request.cookies.items(multi=True)), "X": request.headers.get("X-Odd"),
        }
"""
FILES = {"catalog/controller/probe.py": PROBE, "static/site.css": "0123456789"}


def get(target: str, *headers: str, verb: str = "GET", version: str = "HTTP/1.1", body: str = "") -> bytes:
    """A request as its client sends it."""
    own = [f"Host: {HOST}"] if not any(line.lower().startswith("host:") for line in headers) else []
    lines = [f"{verb} {target} {version}", *own, *headers, "Connection: close", "", body]
    return "\r\n".join(lines).encode("latin-1")


def post(kind: str, body: str, *headers: str, **more: str) -> bytes:
    """One with a body and its length."""
    own = [f"Content-Type: {kind}"] if kind else []
    return get(
        "/probe/echo",
        *own,
        f"Content-Length: {len(body.encode('latin-1'))}",
        *headers,
        verb="POST",
        body=body,
        **more,
    )


def chunked(kind: str, body: str, *headers: str) -> bytes:
    return get(
        "/probe/echo", f"Content-Type: {kind}", "Transfer-Encoding: chunked", *headers, verb="POST", body=body
    )


FORM, JSON = "application/x-www-form-urlencoded", "application/json"
MULTIPART = '--x\r\nContent-Disposition: form-data; name="a"\r\n\r\n1\r\n--x--\r\n'

QUERIES = """
&& =x a a= a=1&a=2 a=%00 a=%zz a=% a=%ff a=%e2%82%ac a=b=c a;b=1 a+b=c+d %61=1 a=1?b=2 a=/../x a=/./ a=%2541 a[]=1
a=<'">
""".split()
PATHS = """
/probe/echo/ /probe/echo/one/two //probe/echo /probe//echo /probe/echo// /./probe/echo /probe/../probe/echo
/probe/echo/.. /probe/echo/../echo /probe/%2e%2e/probe/echo /probe/echo/. /probe/echo/%2E%2e /probe%2f..%2fprobe/echo
/probe/%65cho /probe%2fecho /probe/echo/a%2fb /probe/echo/a%0ab /probe/echo;x=1 /probe/echo/%c3%b6 /probe/echo/%ff
/PROBE/echo /probe\\echo /probe/echo/a+b /probe/echo/%2541 /probe/echo/... /probe/echo/.hidden /probe/echo/a..b
/probe/echo/%20 /static/../probe/echo /static/%2e%2e/config.py /static/.hidden /static//site.css /.well-known/x /.git/config
/static/..;/site.css /static/%252e%252e/config.py /static/%c0%ae%c0%ae/config.py /static/..\\config.py /static/..%5cconfig.py
/static/site.css. /static/site.css%20 /static/site.css::$DATA /static/site.css/ /static/SITE.css /static/site.css;x /static/%73ite.css
/probe/echo/%c0%ae /probe/echo/..;/x /probe/echo/%252e%252e /probe;/echo /probe./echo /probe/echo. /probe%20/echo /_koa/explorer
""".split()
COOKIES = ["a=1; b=2", "a", "=x", "a=1;;b=2", 'a="q;r"; b=2', "a=1; a=2", "a=\xe9", "a=%41", "a=1,b=2", ";"]
HOSTS = """
shop.example. SHOP.example.:80 shop.example.evil.example shop.example@evil.example xn--shp-fna.example sh%6fp.example
.shop.example shop.example:x shop.example: shop.example:80:80 shop.example:-1 shop.example:80x shop.example.:x
shop.example:\xb2 shop.example:123456 shop.example,evil.example shop.example:8080
""".split()
UPGRADES = ["websocket", "h2c"]
RANGES = ["bytes=0-3", "bytes=-2", "bytes=4-", "bytes=90-", "lines=1-2"]

# what every server passes on: the status and the body are the same
SAME = {
    "no query": get("/probe/echo"),
    "empty query": get("/probe/echo?"),
    "long query": get("/probe/echo?a=" + "x" * 3900),
    **{f"query {query}": get(f"/probe/echo?{query}") for query in QUERIES},
    **{f"path {path}": get(path) for path in PATHS},
    **{f"cookie {cookie}": get("/probe/echo", f"Cookie: {cookie}") for cookie in COOKIES},
    **{f"range {asked}": get("/static/site.css", f"Range: {asked}") for asked in RANGES},
    "absolute form": get(f"http://{HOST}/probe/echo?a=1"),
    "fragment": get("/probe/echo?a=1#b"),
    "head": get("/probe/echo", verb="HEAD"),
    "put": get("/probe/echo", "Content-Length: 0", verb="PUT"),
    "delete": get("/probe/echo", verb="DELETE"),
    "options": get("/probe/echo", verb="OPTIONS"),
    "unknown verb": get("/probe/echo", verb="FETCH"),
    "override of the verb": get("/probe/echo?_method=PUT", "X-HTTP-Method-Override: PUT"),
    "form": post(FORM, "a=1&b=%20&c"),
    "form and query": post(FORM, "a=1").replace(b"/echo ", b"/echo?a=2&b=3 "),
    "json": post(JSON, '{"a": [1, "\xc3\xb6"]}'),
    "json that is none": post(JSON, "{"),
    "multipart": post("multipart/form-data; boundary=x", MULTIPART),
    "multipart without boundary": post("multipart/form-data", MULTIPART),
    "text": post("text/plain", "a=1"),
    "no type": post("", "a=1"),
    "odd charset": post(f"{FORM}; charset=utf-16", "a=1"),
    "unknown charset": post(f"{FORM}; charset=nothing", "a=%e4"),
    "not utf-8": post(FORM, "a=%ff"),
    "encoded content": post(JSON, '{"a": 1}', "Content-Encoding: gzip"),
    "empty": post(FORM, ""),
    "no length": get("/probe/echo", f"Content-Type: {FORM}", verb="POST"),
    "a body of GET": post(FORM, "a=1").replace(b"POST", b"GET", 1),
    "continue": post(FORM, "a=1", "Expect: 100-continue"),
    "chunks": chunked(FORM, "2\r\na=\r\n3\r\n1&b\r\n0\r\n\r\n"),
    "chunks of JSON": chunked(JSON, '8\r\n{"a": 1}\r\n0\r\n\r\n'),
    "no chunk": chunked(FORM, "0\r\n\r\n"),
    "extended chunk": chunked(FORM, "3;name=value\r\na=1\r\n0\r\n\r\n"),
    "chunks and trailers": chunked(FORM, "3\r\na=1\r\n0\r\nX-Odd: trailer\r\n\r\n"),
    "big number of a chunk": chunked(FORM, "0003\r\na=1\r\n0\r\n\r\n"),
    "empty header": get("/probe/echo", "X-Odd:"),
    "latin-1 header": get("/probe/echo", "X-Odd: \xe9"),
    "long header": get("/probe/echo", "X-Odd: " + "x" * 6000),
    "header with an underscore": get("/probe/echo", "X_Odd: taken"),
    "a length with an underscore": get("/probe/echo", "Content_Length: 3"),
    "host in capitals": get("/probe/echo", f"Host: {HOST.upper()}"),
    "host with a port": get("/probe/echo", f"Host: {HOST}:8080"),
    "other host": get("/probe/echo", "Host: evil.example"),
    **{f"host {host}": get("/probe/echo", f"Host: {host}") for host in HOSTS},
    **{
        f"upgrade {line}": get("/probe/echo", f"Connection: Upgrade, {line}", f"Upgrade: {line}")
        for line in UPGRADES
    },
    "http 1.0": get("/probe/echo", version="HTTP/1.0"),
    "range of a method": get("/probe/echo", "Range: bytes=0-3"),
    "file": get("/static/site.css"),
    "head of a file": get("/static/site.css", verb="HEAD"),
}

# gunicorn refuses bytes that the client did not encode, the others read them as UTF-8
UNENCODED = {
    "query": get("/probe/echo?a=\xe2\x82\xac"),
    "query that is no UTF-8": get("/probe/echo?a=\xff"),
    "path": get("/probe/echo/\xc3\xb6"),
    "path that is no UTF-8": get("/probe/echo/\xff"),
}

# what is no HTTP, or could be read in two ways: no server takes it for a request
REFUSED = {
    "a space in a name": get("/probe/echo", "X Odd: 1"),
    "a space before the colon": get("/probe/echo", "X-Odd : 1"),
    "two hosts": get("/probe/echo", f"Host: {HOST}", "Host: evil.example"),
    "no host": get("/probe/echo").replace(f"Host: {HOST}\r\n".encode(), b""),
    "a host that is none": get("/probe/echo", "Host: a b"),
    "an empty host": get("/probe/echo", "Host:"),
    "a host with two dots": get("/probe/echo", "Host: shop..example"),
    "a host that ends in two dots": get("/probe/echo", "Host: shop.example.."),
    "two lengths": post(FORM, "a=1", "Content-Length: 4"),
    "a negative length": get("/probe/echo", "Content-Length: -1", verb="POST"),
    "a signed length": get("/probe/echo", "Content-Length: +3", verb="POST", body="a=1"),
    "a length in words": get("/probe/echo", "Content-Length: 3x", verb="POST", body="a=1"),
    "length and chunks": chunked(FORM, "3\r\na=1\r\n0\r\n\r\n", "Content-Length: 3"),
    "unknown transfer": get("/probe/echo", "Transfer-Encoding: odd", verb="POST", body="a=1"),
    "chunks that are none": chunked(FORM, "zz\r\na=1\r\n0\r\n\r\n"),
    "a negative chunk": chunked(FORM, "-3\r\na=1\r\n0\r\n\r\n"),
    "a version that is none": get("/probe/echo", version="HTTP/9.9"),
    "no version": b"GET /probe/echo extra words HTTP/1.1\r\n\r\n",
    "trace": get("/probe/echo", verb="TRACE"),
    "connect": get(f"{HOST}:80", verb="CONNECT"),
    "a verb in small letters": get("/probe/echo", verb="get"),
    "a path above the root": get("/../probe/echo"),
    "a path of an option": get("*", verb="OPTIONS"),
    "a path without a slash": get("probe/echo"),
    "a NUL": get("/probe/echo/a%00b"),
    "a NUL in the name of a file": get("/static/site.css%00"),
    "a NUL in a header": get("/probe/echo", "X-Odd: a\0b"),
    "a chunk with a sign": chunked(FORM, "+3\r\na=1\r\n0\r\n\r\n"),
    "a chunk as Python writes numbers": chunked(FORM, "0x3\r\na=1\r\n0\r\n\r\n"),
    "chunked twice": chunked(FORM, "3\r\na=1\r\n0\r\n\r\n", "Transfer-Encoding: chunked"),
    "chunked and more": get("/probe/echo", "Transfer-Encoding: chunked, gzip", verb="POST", body="0\r\n\r\n"),
    "a long header": get("/probe/echo", "X-Odd: " + "x" * 70_000),
    "a carriage return in a header": get("/probe/echo", "X-Odd: 1\rX-Other: 2"),
    "a carriage return before a length": get(
        "/probe/echo", "X-Odd: 1\rContent-Length: 3", verb="POST", body="a=1"
    ),
    **{
        f"a coding with {blank!r}": chunked(FORM, "3\r\na=1\r\n0\r\n\r\n").replace(b" chunked", blank + b"chunked")
        for blank in (b"\x0b", b"\x1f", b"\x85", b"\xa0")
    },
    "chunks of HTTP/1.0": chunked(FORM, "3\r\na=1\r\n0\r\n\r\n").replace(b"HTTP/1.1", b"HTTP/1.0"),
    "a version with a zero": get("/probe/echo", version="HTTP/01.1"),
    "tabs in the request line": get("/probe/echo").replace(b" ", b"\t", 2),
    "a control character in the path": get("/probe/echo/\1"),
    "a control character in the query": get("/probe/echo?a=\x7f"),
    "a folded header": get("/probe/echo", "X-Odd: 1", " folded"),
}


@contextmanager
def gunicorn(root: Path) -> Iterator[int]:
    port = free_port()
    process = subprocess.Popen(
        [VENV / "bin/gunicorn", "--workers", "1", "--bind", f"127.0.0.1:{port}", "kernkoa:app"],
        cwd=root,
        env={**os.environ, "KERNKOA_HOSTS": HOST, "KERNKOA_VAR_PATH": str(root / "var-gunicorn")},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        assert workers.wait_for(lambda: workers.answers(port, HOST, "/_koa/health"), 20)
        yield port
    finally:
        process.terminate()
        process.wait(20)


@pytest.fixture(scope="module")
def ports(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, int]]:
    clone = Clone(tmp_path_factory.mktemp("same") / "clone")
    for name, text in FILES.items():
        clone.write(name, text)
    with ExitStack() as stack:
        clone.start(KERNKOA_HOSTS=HOST, KERNKOA_FLASK_DEBUG="0")
        stack.callback(clone.stop)
        yield {
            "development": clone.port,
            "gunicorn": stack.enter_context(gunicorn(clone.root)),
            "nginx": stack.enter_context(production("--domain", HOST, files=FILES)).port,
        }


def ask(port: int, sent: bytes) -> tuple[int, Any]:
    """The status and the body; 0 where the connection was closed without an answer."""
    with socket.create_connection(("127.0.0.1", port), 10) as connection:
        connection.sendall(sent)
        response = HTTPResponse(connection, method=sent.split(b" ", 1)[0].decode())
        try:
            response.begin()
            body = response.read()
        except (HTTPException, OSError):
            return 0, ""
    return response.status, json.loads(body) if response.status == 200 and body[:1] == b"{" else b""


@pytest.mark.parametrize("name", SAME)
def test_a_request_has_the_same_answer_everywhere(ports: dict[str, int], name: str) -> None:
    answers = {server: ask(port, SAME[name]) for server, port in ports.items()}
    first = answers["gunicorn"]
    assert first[0]
    assert answers == dict.fromkeys(answers, first)


@pytest.mark.parametrize("name", UNENCODED)
def test_bytes_that_were_not_encoded_are_utf_8(ports: dict[str, int], name: str) -> None:
    answers = {server: ask(port, UNENCODED[name]) for server, port in ports.items()}
    assert answers["development"] == answers["nginx"]
    assert answers["gunicorn"][0] == 400


def test_a_header_that_comes_twice_is_a_list_or_its_last_line(ports: dict[str, int]) -> None:
    """nginx before 1.23 passes both lines on, of which uWSGI takes the last."""
    answers = {ask(port, get("/probe/echo", "X-Odd: 1", "X-Odd: 2"))[1]["X"] for port in ports.values()}
    assert {answer.replace(" ", "") for answer in answers} <= {"1,2", "2"}


@pytest.mark.parametrize("sent", [post(FORM, "a=" + "x" * 3000), chunked(FORM, "3\r\na=1\r\n0\r\n\r\n")])
@pytest.mark.parametrize("target", [b"/probe/echo", b"/nothing", b"/static/site.css"])
def test_a_body_that_nobody_reads_is_no_second_request(ports: dict[str, int], sent: bytes, target: bytes) -> None:
    first = sent.replace(b"/probe/echo", target).replace(b"Connection: close\r\n", b"")
    for server, port in ports.items():
        with socket.create_connection(("127.0.0.1", port), 10) as connection:
            connection.sendall(first + get("/probe/echo/second"))
            answered = b"".join(iter(lambda: connection.recv(65536), b""))
        assert answered.count(b"HTTP/1.1 ") <= 2, server
        assert answered.count(b"HTTP/1.1 ") == 1 or b'"second"' in answered, server


@pytest.mark.parametrize("name", REFUSED)
def test_what_could_be_read_in_two_ways_is_refused_everywhere(ports: dict[str, int], name: str) -> None:
    for server, port in ports.items():
        status, _ = ask(port, REFUSED[name])
        assert status == 0 or 400 <= status < 500 or status in (501, 505), server
