"""A stranger's hour: hostile requests through nginx and uWSGI, mixed with honest ones.

    venv3/bin/python benchmarks/hostile.py [--requests 100000]

Prints how often each status came, how many honest requests a minute there were, how long the slowest took, and
what memory the workers hold after each tenth. Wanted: no 5xx (501 and 505 are nginx's, of what is no HTTP/1.1), a
thousand honest requests a minute and none over a second, memory flat in the second half: in the first each worker
reads the largest bodies a few times. Ends with 1 otherwise.
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
A_MINUTE = 1_000  # honest requests
MOST_GROWTH = 1.03
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


def memory(site: Production) -> dict[int, int]:
    """The memory in kB that each worker has written and shares with nobody: other processes do not change it."""
    lines = {pid: Path(f"/proc/{pid}/smaps_rollup").read_text() for pid in site.workers()}
    return {pid: int(text.partition("\nPrivate_Dirty:")[2].split()[0]) for pid, text in lines.items()}


class Visitor(threading.Thread):
    """An honest client: a thousand requests a minute, at their times, however long one takes."""

    def __init__(self, site: Production) -> None:
        super().__init__()
        self._site, self._over = site, threading.Event()
        self.seen: Counter[str] = Counter()
        self.seconds: list[float] = []

    def run(self) -> None:
        self._began = due = time.monotonic()
        while not self._over.wait(max(0, due - time.monotonic())):
            began = time.monotonic()
            self.seen[f"honest {self._site.get(HONEST).status}"] += 1
            self.seconds.append(time.monotonic() - began)
            due += 60 / A_MINUTE

    def stop(self) -> float:
        """The requests a minute."""
        self._over.set()
        self.join()
        return len(self.seconds) / (time.monotonic() - self._began) * 60


def attack(site: Production, numbers: range) -> Counter[str]:
    """Send hostile requests from all threads; the statuses."""
    seen: Counter[str] = Counter()

    def strangers(first: int) -> None:
        for number in numbers[first::THREADS]:
            hostile(site, number, seen)

    threads = [threading.Thread(target=strangers, args=(first,)) for first in range(THREADS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return seen


def main() -> int:
    """Run it and print the result."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--requests", type=int, default=100_000)
    options = parser.parse_args()
    seen: Counter[str] = Counter()
    held: list[int] = []
    with production() as site:
        visitor = Visitor(site)
        visitor.start()
        for tenth in range(10):
            seen += attack(site, range(options.requests * tenth // 10, options.requests * (tenth + 1) // 10))
            each = memory(site)
            held.append(sum(each.values()))
            print(f"{(tenth + 1) * 10:3} %: {each} kB", flush=True)
        rate = visitor.stop()
    for status, count in sorted((seen + visitor.seen).items()):
        print(f"{status:>12} {count:8}")
    slowest, growth = max(visitor.seconds), held[-1] / held[4]
    print(f"{rate:.0f} honest requests a minute, the slowest {slowest * 1000:.0f} ms")
    print(f"memory {growth:.3f} of half-way")
    failed = sum((seen + visitor.seen)[prefix + status] for status in FAILURES for prefix in ("", "honest "))
    return int(failed > 0 or slowest > 1 or rate < A_MINUTE * 0.99 or growth > MOST_GROWTH)


if __name__ == "__main__":
    raise SystemExit(main())
