"""KernKoa against a Flask app written by hand, both behind nginx and uWSGI from the files that setup.sh installs.

    venv3/bin/python benchmarks/server.py [--rounds 5] [--seconds 3] [--connections 16 64 256]

The Flask app has a secret key, as every real one. Two uWSGI processes each, the same URL, rounds interleaved.
Prints the medians of requests a second, of the 99th percentile and of the CPU time that the app uses for a request
(steady on a busy machine, where the others are not), their ratios to the Flask app, and the memory of a process
(PSS, its share of what is shared included). gunicorn with KernKoa stands beside them. Needs nginx and wrk.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import re
import statistics
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from system.deploy import workers
from tests.servers import NGINX, VENV, Production, free_port, production

HELLO = "/fasthelloworld/fastHelloClass/fastHelloWorld"
ECHO = f"{HELLO}WithParameters?hello=world&with=parameters"
UNLIMITED = {"max-requests = 50000": "max-requests = 0"}
BY_HAND = f'''
from flask import Flask, request
from markupsafe import escape

app = Flask(__name__)
app.secret_key = "a" * 64


@app.route("{HELLO}", methods=["GET", "POST"])
def hello():
    return "hello world!!."


@app.route("{HELLO}WithParameters", methods=["GET", "POST"])
def echo():
    return "".join(f"{{escape(name)}} = {{escape(value)}}<br>" for name, value in request.values.items())


@app.route("/_koa/health")
def health():
    return {{"status": "ok", "name": "by hand"}}
'''


@contextlib.contextmanager
def gunicorn(site: Production) -> Iterator[tuple[int, set[int]]]:
    """The same app under gunicorn, behind a second nginx with the same site file."""
    port, folder = free_port(), site.folder
    text = (folder / "nginx/site.conf").read_text().replace(f":{site.port}", f":{port}")
    text = text.replace(f"listen {site.port}", f"listen {port}")
    text = text.replace("uwsgi_pass kernkoa_workers", "proxy_pass http://kernkoa_workers")
    text = text.replace(f"{site.run}/uwsgi.sock", f"{site.run}/gunicorn.sock")
    assert "uwsgi_pass" not in text
    assert "uwsgi.sock" not in text
    (folder / "nginx/gunicorn-site.conf").write_text(text)
    main = (folder / "nginx/nginx.conf").read_text()
    main = main.replace("nginx/site.conf", "nginx/gunicorn-site.conf").replace("nginx/pid", "nginx/gunicorn-pid")
    (folder / "nginx/gunicorn.conf").write_text(main)
    command = [
        VENV / "bin/gunicorn",
        "-w2",
        "-b",
        f"unix:{site.run}/gunicorn.sock",
        "--log-level",
        "error",
        "kernkoa:app",
    ]
    environment = {"PATH": "/usr/bin:/bin", "KERNKOA_VAR_PATH": str(folder / "var")}
    current = folder / "tree/var/lib/kernkoa/current"
    server = subprocess.Popen([*command], cwd=current, env=environment)
    web = subprocess.Popen([str(NGINX), "-p", folder / "nginx", "-c", folder / "nginx/gunicorn.conf"])
    try:
        assert workers.wait_for(lambda: workers.answers(port, "localhost", "/_koa/health"), 20), site.log()
        children = Path(f"/proc/{server.pid}/task/{server.pid}/children")
        assert workers.wait_for(lambda: len(children.read_text().split()) == 2, 20), site.log()
        yield port, {int(pid) for pid in children.read_text().split()}
    finally:
        for process in (web, server):
            process.terminate()
            process.wait()


class Round(NamedTuple):
    rate: float  # requests a second
    slowest: float  # the 99th percentile, in milliseconds
    cpu: float  # of the processes that run the app, in microseconds a request


def measure(port: int, path: str, pids: set[int], seconds: int, connections: int) -> Round:
    command = ["wrk", "-t1", f"-c{connections}", f"-d{seconds}s", "--latency", f"http://127.0.0.1:{port}{path}"]
    before = cpu_seconds(pids)
    text = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    spent = cpu_seconds(pids) - before
    assert "Non-2xx" not in text, text
    rate = re.search(r"Requests/sec:\s+([\d.]+)", text)
    count = re.search(r"(\d+) requests in", text)
    slowest = re.search(r"99%\s+([\d.]+)(us|ms|s)", text)
    assert rate, text
    assert count, text
    assert slowest, text
    milliseconds = float(slowest[1]) * {"us": 0.001, "ms": 1, "s": 1000}[slowest[2]]
    return Round(float(rate[1]), milliseconds, spent / int(count[1]) * 1e6)


def cpu_seconds(pids: set[int]) -> float:
    ticks = 0
    for pid in pids:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        ticks += int(fields[11]) + int(fields[12])
    return ticks / os.sysconf("SC_CLK_TCK")


def memory(pids: set[int]) -> float:
    """The median PSS of processes, in megabytes."""
    found = []
    for pid in pids:
        text = Path(f"/proc/{pid}/smaps_rollup").read_text()
        found.append(int(re.search(r"^Pss:\s+(\d+)", text, re.M)[1]) / 1024)  # type: ignore[index]
    return statistics.median(found)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=int, default=3)
    parser.add_argument("--connections", type=int, nargs="+", default=[16, 64, 256])
    options = parser.parse_args()
    with (
        # no worker is replaced while it is measured
        production(edits=UNLIMITED) as kernkoa,
        production(edits=UNLIMITED, files={"kernkoa.py": BY_HAND}) as flask,
        gunicorn(kernkoa) as (port, pids),
    ):
        servers = {
            "Flask by hand": (flask.port, flask.workers()),
            "KernKoa": (kernkoa.port, kernkoa.workers()),
            "KernKoa, gunicorn": (port, pids),
        }
        for connections in options.connections:
            for title, path in (("hello", HELLO), ("echo", ECHO)):
                rounds = take_turns(servers, path, options.rounds, options.seconds, connections)
                memories = {name: memory(processes) for name, (_, processes) in servers.items()}
                report(f"{title}, {connections} clients", rounds, memories)


def take_turns(
    servers: Mapping[str, tuple[int, set[int]]], path: str, count: int, seconds: int, connections: int
) -> dict[str, list[Round]]:
    """So many rounds of each server, one after the other."""
    rounds: dict[str, list[Round]] = {name: [] for name in servers}
    for _ in range(count):
        for name, (port, pids) in servers.items():
            rounds[name].append(measure(port, path, pids, seconds, connections))
    return rounds


def report(title: str, rounds: dict[str, list[Round]], megabytes: dict[str, float]) -> None:
    print(f"\n{title:20} requests/s  ratio   p99 ms  ratio   CPU us  ratio   MB a process")
    base = next(iter(rounds.values()))
    for name, found in rounds.items():
        line = f"{name:20}"
        for field, width in (("rate", 11), ("slowest", 8), ("cpu", 8)):
            own = [getattr(one, field) for one in found]
            peer = [getattr(one, field) for one in base]
            ratio = statistics.median(mine / theirs for mine, theirs in zip(own, peer, strict=True))
            line += f" {statistics.median(own):{width - 1}.1f} {ratio:6.2f}"
        print(f"{line} {megabytes[name]:10.1f}")


if __name__ == "__main__":
    main()
