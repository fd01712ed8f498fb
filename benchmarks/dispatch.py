"""What a request costs in process: KernKoa, routes of Flask by hand and other frameworks.

    venv3/bin/pip install -r benchmarks/requirements.txt
    venv3/bin/python benchmarks/dispatch.py [--rounds 40] [--calls 50] [--cases hello]
                                            [--together | --instructions | --first | --checks]

Each app has a process of its own and gets the same environs, without a server. The clock is the CPU time of the
thread. Flask's route and a peer take turns, slice by slice; a slice is `--calls` requests. A figure is the median
of the ratios of two neighbouring slices, with the quartiles. Before each slice an app that does nothing is called
once, as a server's own code runs between the switch of processes and the app. `--together` runs both apps in this
process instead, `--instructions` counts with callgrind, `--first` measures the first request of a process.
`--checks` measures what each request pays for security (its id, the headers, the checks of host and origin)
beside Flask's route. A peer that is not installed is left out, with a line. See README.md beside this file.
"""

from __future__ import annotations

import argparse
import dataclasses
import logging
import os
import platform
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
import timeit
from collections.abc import Callable, Iterable, Iterator
from importlib.metadata import PackageNotFoundError, version
from itertools import islice, product
from pathlib import Path

from peers import AGAINST, BASELINE, CASES, PEERS, WSGI, Case, ask, log_in

PACKAGES = "flask werkzeug pydantic flask-classful bottle falcon cherrypy litestar fastapi".split()


class Here:
    """An app in this process."""

    def __init__(self, name: str) -> None:
        logging.disable(logging.CRITICAL)
        self._app, self.cases = PEERS[name]()
        self._ready: dict[str, Iterator[dict[str, object]]] = {}

    def measure(self, case: str, calls: int) -> float:
        """Microseconds of CPU time a request; with 0 calls those of one that nothing prepares."""
        if not calls:
            return run(self._app, CASES[case].environs(), 1)
        if case not in self._ready:
            self._ready[case] = prepare(self._app, CASES[case])
        run(_answer_nothing, CASES["hello"].environs(), 1)  # or the slice would pay for the switch of processes
        return run(self._app, self._ready[case], calls)

    def stop(self) -> None:
        """Nothing is left to end."""


class Peer:
    """An app in its own process, which runs a slice of a case on demand."""

    def __init__(self, name: str) -> None:
        self.name = name
        command = [sys.executable, __file__, "--serve", name]
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.cases = set(self._line().split(";"))

    def _line(self) -> str:
        assert self._process.stdout is not None
        line = self._process.stdout.readline().strip()
        if not line:
            raise SystemExit(f"{self.name} ended with {self._process.wait()}")
        return line

    def measure(self, case: str, calls: int) -> float:
        """As Here.measure."""
        assert self._process.stdin is not None
        self._process.stdin.write(f"{case};{calls}\n")
        self._process.stdin.flush()
        return float(self._line())

    def stop(self) -> None:
        self._process.communicate()


def serve(name: str) -> None:
    """Run slices as stdin asks for them."""
    here = Here(name)
    print(";".join(sorted(here.cases)), flush=True)
    for line in sys.stdin:
        case, calls = line.strip().split(";")
        print(here.measure(case, int(calls)), flush=True)


def prepare(app: WSGI, case: Case) -> Iterator[dict[str, object]]:
    """The environs of a case, after a look at its answer."""
    if case.cookies == "{session}":
        case = dataclasses.replace(case, cookies=log_in(app))
    status, content, _ = ask(app, next(case.environs()))
    is_right = status == case.status and (not case.answer or _squeeze(content) == _squeeze(case.answer))
    if not is_right:
        raise SystemExit(f"{case.path} answered {status} {content!r}, not {case.status} {case.answer!r}")
    return case.environs()


def _squeeze(answer: bytes) -> bytes:
    return answer.replace(b" ", b"").strip()


def run(app: WSGI, environs: Iterator[dict[str, object]], calls: int) -> float:
    """The time of a slice: of the app, and of what every server does with its answer."""
    slice_ = list(islice(environs, calls))
    began = time.thread_time_ns()
    for environ in slice_:
        body = app(environ, ignore)
        for _ in body:
            pass
        close = getattr(body, "close", None)
        if close is not None:
            close()
    return (time.thread_time_ns() - began) / calls / 1000


def _answer_nothing(environ: object, start_response: Callable[..., object]) -> Iterable[bytes]:
    start_response("200 OK", [])
    return (b"",)


def ignore(status: str, headers: object, error: object = None) -> None:
    """The server's start_response."""


def compare(base: Peer | Here, peer: Peer | Here, case: str, rounds: int, calls: int) -> str:
    """The ratios of neighbouring slices, and the time of a request."""
    against = AGAINST.get(case, case)
    ratios, times = [], []
    base.measure(against, 300)
    peer.measure(case, 300)
    for _ in range(rounds):
        took = peer.measure(case, calls)
        times.append(took)
        ratios.append(took / base.measure(against, calls))
    low, middle, high = statistics.quantiles(ratios, n=4)
    return f"{middle:.2f} ({low:.2f} to {high:.2f}), {statistics.median(times):.0f} us"


def measure_first(name: str, case: str) -> str:
    """The CPU time of the first request in processes of their own."""
    times = []
    for _ in range(7):
        peer = Peer(name)
        if case in peer.cases:
            times.append(peer.measure(case, 0))
        peer.stop()
    return (
        f"{statistics.median(times) / 1000:.1f} ms, {min(times) / 1000:.1f} to {max(times) / 1000:.1f}"
        if times
        else "-"
    )


def measure_checks() -> Iterator[str]:
    """The time of each check that every request pays for, and of all of them as a share of Flask's route."""
    from system.core.app import create_app
    from system.core.settings import Settings

    with tempfile.TemporaryDirectory() as root:
        app = create_app(Settings(path=Path(root)))
    environ = next(CASES["hello"].environs())
    request = app.request_class(environ)
    checks: dict[str, Callable[[], object]] = {
        "request id": lambda: app.headers.give_id(environ),
        "headers": lambda: app.headers.of(environ),
        "host": lambda: app.hosts.check(environ),
        "origin": lambda: app.origins.check(request),
    }
    empty = _microseconds(lambda: None)
    times = {name: max(0.0, _microseconds(check) - empty) for name, check in checks.items()}
    flask, _ = PEERS[BASELINE]()
    environs = list(islice(CASES["hello"].environs(), 2_000))
    route = min(run(flask, iter(environs), len(environs)) for _ in range(5))
    total = sum(times.values())
    yield from (f"{name:12} {took:.2f} us" for name, took in times.items())
    yield f"together     {total:.2f} us, {total / route:.1%} of Flask's route ({route:.0f} us)"


def _microseconds(call: Callable[[], object], calls: int = 50_000) -> float:
    return min(timeit.repeat(call, number=calls, repeat=7, timer=time.thread_time)) / calls * 1e6


def count_instructions(name: str, case: str) -> float:
    """Instructions of a hot request: those of 2,400 requests less those of 400, by callgrind."""
    return (_collected(name, case, 2_400) - _collected(name, case, 400)) / 2_000


def _collected(name: str, case: str, calls: int) -> int:
    done = subprocess.run(
        [
            "valgrind",
            "--tool=callgrind",
            "--callgrind-out-file=/dev/null",
            sys.executable,
            __file__,
            "--serve",
            name,
        ],
        input=f"{case};{calls}\n",
        env={**os.environ, "PYTHONHASHSEED": "0"},
        capture_output=True,
        text=True,
        check=True,
    )
    found = re.search(r"Collected : (\d+)", done.stderr)
    assert found is not None, done.stderr[-500:]
    return int(found[1])


def describe_machine() -> Iterator[str]:
    """The versions and the machine, for whoever reads the figures."""
    yield f"Python {platform.python_version()}, {platform.machine()}, {os.cpu_count()} CPUs"
    for package in PACKAGES:
        try:
            yield f"{package} {version(package)}"
        except PackageNotFoundError:
            yield f"{package} is not installed: pip install -r benchmarks/requirements.txt"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=40, help="pairs of slices (40)")
    parser.add_argument("--calls", type=int, default=50, help="requests in a slice (50)")
    parser.add_argument("--cases", default=",".join(CASES), type=lambda text: text.replace("10,000", "10 000"))
    parser.add_argument("--peers", default="", help="only those whose name contains this")
    parser.add_argument("--together", action="store_true", help="both apps by turns in this process")
    parser.add_argument("--instructions", action="store_true", help="count instructions: slow, and needs valgrind")
    parser.add_argument("--first", action="store_true", help="the first request of a process instead")
    parser.add_argument("--checks", action="store_true", help="what each request pays for security instead")
    parser.add_argument("--serve", help=argparse.SUPPRESS)
    wanted = parser.parse_args()
    if wanted.serve:
        serve(wanted.serve)
        return
    print("; ".join(describe_machine()))
    if wanted.checks:
        print("\n".join(measure_checks()))
        return
    cases = [case.replace("10 000", "10,000") for case in wanted.cases.split(",")]
    names = [name for name in PEERS if wanted.peers in name and _is_installed(name)]
    if wanted.instructions:
        if not shutil.which("valgrind"):
            raise SystemExit("valgrind is not here: apt-get install valgrind")
        for name in names:
            for case in cases:
                print(f"{name:40} {case:16} {count_instructions(name, case):,.0f} instructions", flush=True)
        return
    if wanted.first:
        for name, case in product(names, cases):
            print(f"{name:40} {case:16} {measure_first(name, case)}", flush=True)
        return
    make = Here if wanted.together else Peer
    base = make(BASELINE)
    for name in names:
        peer = make(name)
        for case in (case for case in cases if case in peer.cases):
            print(f"{name:40} {case:16} {compare(base, peer, case, wanted.rounds, wanted.calls)}", flush=True)
        peer.stop()
    base.stop()


def _is_installed(name: str) -> bool:
    try:
        PEERS[name]()
    except ImportError as error:
        print(f"{name} is left out: {error}")
        return False
    return True


if __name__ == "__main__":
    main()
