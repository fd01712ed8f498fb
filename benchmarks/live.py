"""From saving a library to its new answer, in development and on four uWSGI processes under load.

    venv3/bin/pip install pyuwsgi
    venv3/bin/python benchmarks/live.py [--edits 200] [--seconds 60] [--libraries 10000] [--chain 50]

Development: a real `python kernkoa.py`; the time from the end of the write to the arrival of the first new answer,
once its worker and beat have started.
`--libraries` puts so many other files beside the library; `--chain` lets the URL's library import the edited one
through so many others, which are all executed again.
uWSGI: four processes, four clients that never pause; a library of many lines is written anew the given number of
times, by turns in place (emptied, then filled) and by renaming. Every answer names the version at its first and at
its last line: one that is no 200 has failed, one that names two versions is mixed.
"""

from __future__ import annotations

import argparse
import collections
import http.client
import os
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
LIBRARY = """FIRST = {version}

class Live:
    def index(self):
        return f"{{FIRST}} {{LAST}}"

{filling}
LAST = {version}
"""
LINK = "from catalog.controller.{below} import FIRST, LAST\n"
TOP = """class Live:
    def index(self):
        return f"{FIRST} {LAST}"
"""
# after its first answer the development server starts its worker and beat, which takes both processors
START_SECONDS = 4
FILLING = "".join(f"def unused{number}(value):\n    return value + {number}\n" for number in range(200))


def library(version: int) -> str:
    return LIBRARY.format(version=version, filling=FILLING)


def make_site(site: Path, libraries: int, chain: int) -> Path:
    """A site whose URL /live shows the version of the file that is returned."""
    root = site / "catalog" / "controller"
    root.mkdir(parents=True)
    for number in range(libraries):
        folder = root / f"folder{number // 100}"
        folder.mkdir(exist_ok=True)
        (folder / f"lib{number}.py").write_text(library(number))
    for number in range(chain):
        name = f"link{number}" if number else "live"
        text = LINK.format(below=f"link{number + 1}") + (TOP if name == "live" else "")
        (root / f"{name}.py").write_text(text)
    (site / "config.py").write_text("")
    edited = root / (f"link{chain}.py" if chain else "live.py")
    edited.write_text(library(0))
    return edited


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def ask(port: int) -> tuple[int, str]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    try:
        connection.request("GET", "/live")
        response = connection.getresponse()
        return response.status, response.read().decode()
    finally:
        connection.close()


def start(command: list[str], site: Path, port: int) -> subprocess.Popen[bytes]:
    process = subprocess.Popen(
        command,
        cwd=ROOT,
        env={**os.environ, "KERNKOA_CONFIG": str(site / "config.py")},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    deadline = time.monotonic() + 20
    while True:
        try:
            if ask(port)[0] == 200:
                return process
        except OSError:
            pass
        if time.monotonic() > deadline:
            raise SystemExit(f"{command[0]} did not start")
        time.sleep(0.05)


def stop(process: subprocess.Popen[bytes]) -> None:
    process.send_signal(signal.SIGINT)
    try:
        process.wait(10)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def measure_development(file: Path, site: Path, edits: int) -> None:
    port = free_port()
    process = start([sys.executable, "kernkoa.py", "--port", str(port)], site, port)
    times = []
    try:
        time.sleep(START_SECONDS)
        for version in range(1, edits + 1):
            file.write_text(library(version))
            saved = time.perf_counter()
            while ask(port) != (200, f"{version} {version}"):
                pass
            times.append((time.perf_counter() - saved) * 1e3)
    finally:
        stop(process)
    times.sort()
    middle, tail = statistics.median(times), times[len(times) * 99 // 100]
    print(f"development, {edits} edits: median {middle:.1f}, 99 % {tail:.1f}, longest {times[-1]:.1f} ms")


def measure_uwsgi(file: Path, site: Path, edits: int, seconds: float) -> None:
    port = free_port()
    uwsgi = str(Path(sys.executable).with_name("uwsgi"))
    flags = "--master --processes 4 --module kernkoa:app --need-app --die-on-term --lazy-apps".split()
    process = start([uwsgi, "--http-socket", f"127.0.0.1:{port}", "--listen", "100", *flags], site, port)
    counts: list[collections.Counter[str]] = []
    ended = threading.Event()
    clients = [threading.Thread(target=load, args=(port, counts, ended)) for _ in range(4)]
    try:
        for client in clients:
            client.start()
        begun = time.monotonic()
        for version in range(1, edits + 1):
            write(file, library(version), in_place=version % 2 == 0)
            time.sleep(max(0, begun + version * seconds / edits - time.monotonic()))
        time.sleep(1.5)
        last = {ask(port)[1] for _ in range(20)}
        ended.set()
        for client in clients:
            client.join()
    finally:
        ended.set()
        stop(process)
    answers = sum(counts, collections.Counter[str]())
    failed = sum(count for answer, count in answers.items() if answer.startswith("failed"))
    for answer, count in answers.items():
        if answer.startswith("failed"):
            print(f"    {count} x {answer}")
    mixed = sum(count for answer, count in answers.items() if len(set(answer.split())) != 1)
    seen = len({answer for answer in answers if not answer.startswith("failed")})
    print(
        f"uWSGI, 4 processes, {edits} edits in {seconds:.0f} s: {sum(answers.values())} answers, {failed} failed, "
        f"{mixed - failed} mixed, {seen} versions seen, at the end only version {', '.join(sorted(last))}"
    )


def write(file: Path, text: str, in_place: bool) -> None:
    if in_place:
        file.write_text(text)
        return
    aside = file.with_suffix(".tmp")
    aside.write_text(text)
    aside.replace(file)


def load(port: int, counts: list[collections.Counter[str]], ended: threading.Event) -> None:
    mine: collections.Counter[str] = collections.Counter()
    while not ended.is_set():
        try:
            status, body = ask(port)
            mine[body if status == 200 else f"failed {status}"] += 1
        except (OSError, http.client.HTTPException) as error:
            mine[f"failed {error!r}"] += 1
    counts.append(mine)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--edits", type=int, default=200)
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--libraries", type=int, default=0)
    parser.add_argument("--chain", type=int, default=0)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        site = Path(folder)
        file = make_site(site, options.libraries, options.chain)
        measure_development(file, site, options.edits)
        if options.seconds:
            measure_uwsgi(file, site, options.edits, options.seconds)


if __name__ == "__main__":
    main()
