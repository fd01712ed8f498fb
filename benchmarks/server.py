"""KernKoa against a Flask app written by hand, both behind nginx and uWSGI from the files that setup.sh installs.

    venv3/bin/python benchmarks/server.py [--rounds 5] [--seconds 3] [--connections 16]

Two uWSGI processes each, the same URL, rounds interleaved. Prints the medians of requests a second and of the 99th
percentile, their ratio to the Flask app, and the memory of a process (PSS, its share of what is shared included).
gunicorn with KernKoa behind the same nginx stands beside them for orientation. Needs nginx and wrk.
"""

from __future__ import annotations

import argparse
import contextlib
import re
import statistics
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from system.deploy import workers
from tests.servers import NGINX, VENV, Production, free_port, production

HELLO = "/fasthelloworld/fastHelloClass/fastHelloWorld"
ECHO = f"{HELLO}WithParameters?hello=world&with=parameters"
BY_HAND = f'''
from flask import Flask, request
from markupsafe import escape

app = Flask(__name__)


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
def gunicorn(site: Production) -> Iterator[tuple[int, list[int]]]:
    """The same app under gunicorn, behind a second nginx with the same site file."""
    port, folder = free_port(), site.folder
    text = (folder / "nginx/site.conf").read_text().replace(f":{site.port}", f":{port}")
    text = text.replace(f"listen {site.port}", f"listen {port}")
    text = text.replace(
        f"uwsgi_pass unix:{site.run}/uwsgi.sock", f"proxy_pass http://unix:{site.run}/gunicorn.sock"
    )
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
        found = subprocess.run(["pgrep", "-P", str(server.pid)], capture_output=True, text=True).stdout
        yield port, [int(pid) for pid in found.split()]
    finally:
        for process in (web, server):
            process.terminate()
            process.wait()


def measure(port: int, path: str, seconds: int, connections: int) -> tuple[float, float]:
    """Requests a second, and the 99th percentile in milliseconds."""
    command = ["wrk", "-t1", f"-c{connections}", f"-d{seconds}s", "--latency", f"http://127.0.0.1:{port}{path}"]
    text = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert "Non-2xx" not in text, text
    rate = re.search(r"Requests/sec:\s+([\d.]+)", text)
    slowest = re.search(r"99%\s+([\d.]+)(us|ms|s)", text)
    assert rate, text
    assert slowest, text
    return float(rate[1]), float(slowest[1]) * {"us": 0.001, "ms": 1, "s": 1000}[slowest[2]]


def memory(pids: list[int]) -> float:
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
    parser.add_argument("--connections", type=int, default=16)
    options = parser.parse_args()
    with production() as kernkoa, production(files={"kernkoa.py": BY_HAND}) as flask, gunicorn(kernkoa) as other:
        ports = {"Flask by hand": flask.port, "KernKoa": kernkoa.port, "KernKoa, gunicorn": other[0]}
        for title, path in (("hello", HELLO), ("echo two parameters", ECHO)):
            rounds: dict[str, list[tuple[float, float]]] = {name: [] for name in ports}
            for _ in range(options.rounds):
                for name, port in ports.items():
                    rounds[name].append(measure(port, path, options.seconds, options.connections))
            # asked now: a worker is replaced after so many requests
            pids = {"Flask by hand": flask.workers(), "KernKoa": kernkoa.workers(), "KernKoa, gunicorn": other[1]}
            report(title, rounds, {name: memory(sorted(found)) for name, found in pids.items()})


def report(title: str, rounds: dict[str, list[tuple[float, float]]], megabytes: dict[str, float]) -> None:
    print(f"\n{title:22} requests/s   ratio    p99 ms   ratio   MB a process")
    base = rounds["Flask by hand"]
    for name, found in rounds.items():
        rate, slowest = (statistics.median(column) for column in zip(*found, strict=True))
        faster = statistics.median(own[0] / peer[0] for own, peer in zip(found, base, strict=True))
        slower = statistics.median(own[1] / peer[1] for own, peer in zip(found, base, strict=True))
        print(f"{name:22} {rate:10.0f} {faster:7.2f} {slowest:9.2f} {slower:7.2f} {megabytes[name]:14.1f}")


if __name__ == "__main__":
    main()
