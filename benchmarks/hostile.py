"""A stranger's hour: hostile requests through nginx and uWSGI, mixed with honest ones.

    venv3/bin/python benchmarks/hostile.py [--requests 100000]

Prints how often each status came, how long the slowest honest request took, and what memory the workers hold
before and after. Wanted: no 5xx (501 and 505 are nginx's, of what is no HTTP/1.1), no honest request over a
second, memory flat. Ends with 1 otherwise.
"""

from __future__ import annotations

import argparse
import contextlib
import http.client
import random
import socket
import sys
import threading
import time
from collections import Counter
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from tests.servers import Production, production

HONEST = "/fasthelloworld/fastHelloClass/fastHelloWorldWithParameters?hello=world"
PAUSE = 0.05  # more than a thousand a minute
THREADS = 8
FAILURES = ("500", "502", "503", "504")
RAW = [
    "GET /%s HTTP/1.1",
    "GET /../../etc/passwd HTTP/1.1",
    "GET /images/..%%2f..%%2fconfig.py?%s HTTP/1.1",
    "GET /_koa/../%s HTTP/1.1",
    "GET /fasthelloworld/__init__/%s HTTP/1.1",
    "GET /status/%s HTTP/1.1",
    "DELETE /fasthelloworld/%s HTTP/1.1",
    "TRACE /%s HTTP/1.1",
    "GET /%%00%s HTTP/1.1",
    "GET /%s HTTP/9.9",
    "NONSENSE %s",
    "GET /examples/shapes/total?sides=%s&sides=1e999 HTTP/1.1",
    "GET /fasthelloworld/fastHelloClass/%s HTTP/1.1",
    "OPTIONS /message/%s HTTP/1.1",
    "GET /_koa/files/static/%s HTTP/1.1",
    "GET /static//%s HTTP/1.1",
    "POST /message/message/message/%s HTTP/1.1",
]
HEADERS = [
    "Host: shop.example",
    "Host: evil.example",
    "Host: a b",
    "Content-Length: 99999999999",
    "Content-Length: -1",
    "Transfer-Encoding: chunked, identity",
    "Origin: https://evil.example\r\nSec-Fetch-Site: cross-site",
    "Cookie: kernkoa_session=eyJ4IjoxfQ.x.y",
    "Authorization: Basic ////",
    "Range: bytes=0-0,-1,5-2",
    "X-Request-ID: %0aforged\x1b[2J",
]
BODIES = [
    ("application/json", '{"sides": [' + "1," * 20_000 + "1]}"),
    ("application/json", "[" * 50_000),
    ("application/json", "{" + ",".join(f'"k{n}": 1' for n in range(20_000)) + "}"),
    ("application/x-www-form-urlencoded", "&".join(f"a{n}=1" for n in range(5_000))),
    ("multipart/form-data; boundary=x", "--x\r\n" * 5_000),
    ("text/plain", "x" * 900_000),
]


def hostile(site: Production, number: int, seen: Counter[str]) -> None:
    """One request, mostly a line with odd headers, sometimes a body that is expensive to read."""
    chance = random.Random(number)
    if chance.random() < 0.02:
        kind, body = chance.choice(BODIES)
        with contextlib.suppress(OSError, http.client.HTTPException):
            seen[str(site.get("/examples/shapes/total", "POST", body, Content_Type=kind).status)] += 1
        return
    line = chance.choice(RAW).replace("%s", f"x{number}").replace("%%", "%")
    headers = chance.sample(HEADERS, chance.randint(0, 2))
    if not any(header.startswith("Host") for header in headers):
        headers.append("Host: localhost")
    text = "\r\n".join([line, *headers, "Connection: close", "", ""])
    try:
        with socket.create_connection(("127.0.0.1", site.port), 20) as connection:
            connection.sendall(text.encode("latin-1"))
            answer = connection.recv(64)
        seen[answer[9:12].decode("latin-1") if answer.startswith(b"HTTP/") else "closed"] += 1
    except OSError:
        seen["closed"] += 1


def memory(site: Production) -> int:
    """The resident memory of the workers in MB."""
    pages = (Path(f"/proc/{pid}/statm").read_text().split()[1] for pid in site.workers())
    return sum(map(int, pages)) * 4096 // 1_000_000


def attack(site: Production, count: int) -> tuple[Counter[str], list[float]]:
    """Send them all, with an honest client beside them; the statuses, and the seconds of the honest requests."""
    seen: Counter[str] = Counter()
    honest: list[float] = []
    over = threading.Event()

    def strangers(first: int) -> None:
        for number in range(first, count, THREADS):
            hostile(site, number, seen)

    def visitor() -> None:
        while not over.wait(PAUSE):
            began = time.monotonic()
            seen[f"honest {site.get(HONEST).status}"] += 1
            honest.append(time.monotonic() - began)

    threads = [threading.Thread(target=strangers, args=(first,)) for first in range(THREADS)]
    beside = threading.Thread(target=visitor)
    for thread in (*threads, beside):
        thread.start()
    for thread in threads:
        thread.join()
    over.set()
    beside.join()
    return seen, honest


def main() -> int:
    """Run it and print the result."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--requests", type=int, default=100_000)
    options = parser.parse_args()
    with production() as site:
        attack(site, 500)  # what a first request loads is not growth
        before = memory(site)
        seen, honest = attack(site, options.requests)
        after = memory(site)
    for status, count in sorted(seen.items()):
        print(f"{status:>12} {count:8}")
    print(f"slowest honest request {max(honest) * 1000:.0f} ms of {len(honest)}; memory {before} -> {after} MB")
    failed = sum(count for status, count in seen.items() if status.removeprefix("honest ") in FAILURES)
    return int(failed > 0 or max(honest) > 1 or after > before * 1.2)


if __name__ == "__main__":
    raise SystemExit(main())
