"""The development server as a person has it: `python kernkoa.py` in a terminal, a browser beside it."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from system.core.development import supervisor
from system.core.settings import Settings, is_development, read_settings
from tests.shipped import needs_shipped_site

ROOT = Path(__file__).resolve().parents[2]
SECONDS = 15


def until(condition: Callable[[], Any], what: str) -> Any:
    """Wait for a condition; what it returned."""
    deadline = time.monotonic() + SECONDS
    while time.monotonic() < deadline:
        found = condition()
        if found:
            return found
        time.sleep(0.02)
    raise AssertionError(f"{what} did not happen in {SECONDS} s")


class Clone:
    """A clone of its own and the server that runs in it."""

    def __init__(self, root: Path) -> None:
        needs_shipped_site()
        self.root = root
        root.mkdir()
        for name in ("kernkoa.py", "config.py"):
            shutil.copy(ROOT / name, root)
        shutil.copytree(ROOT / "system", root / "system", ignore=shutil.ignore_patterns("__pycache__"))
        self.write("catalog/controller/hello.py", "class Hello:\n    def index(self):\n        return 'hello'\n")
        self.terminal = root.parent / "terminal"
        self.port = 0
        self._process: subprocess.Popen[bytes] | None = None

    def write(self, path: str, text: str) -> Path:
        file = self.root / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
        return file

    def run(self, *words: str, **environ: str) -> subprocess.CompletedProcess[str]:
        """Run a command to its end."""
        command = [sys.executable, "kernkoa.py", *words]
        clean = {name: value for name, value in os.environ.items() if not name.startswith("KERNKOA_")}
        return subprocess.run(
            command, cwd=self.root, env=clean | environ, capture_output=True, text=True, timeout=30, check=False
        )

    def start(self, **environ: str) -> None:
        """Start the server; without a broker and a worker of its own unless the test says so."""
        clean = {name: value for name, value in os.environ.items() if not name.startswith("KERNKOA_")}
        clean |= {"KERNKOA_REDIS_URL": "unix:///nowhere/redis.sock"} | environ
        with self.terminal.open("wb") as terminal:
            self._process = subprocess.Popen(
                [sys.executable, "kernkoa.py", "--port", "0"],
                cwd=self.root,
                env=clean,
                stdout=terminal,
                stderr=terminal,
                start_new_session=True,
            )
        found = until(lambda: re.search(r"http://127\.0\.0\.1:(\d+)/", self.said()), "the start-up line")
        self.port = int(found[1])

    @property
    def process(self) -> subprocess.Popen[bytes]:
        assert self._process is not None
        return self._process

    def said(self) -> str:
        return self.terminal.read_text()

    def get(self, path: str, **headers: str) -> tuple[int, str]:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=SECONDS)
        try:
            connection.request(
                "GET", path, headers={name.replace("_", "-"): text for name, text in headers.items()}
            )
            response = connection.getresponse()
            return response.status, response.read().decode()
        finally:
            connection.close()

    def answers(self, path: str, status: int, text: str, **headers: str) -> str:
        """Wait for an answer; its body."""

        def ask() -> str | None:
            try:
                got, body = self.get(path, **headers)
            except OSError:
                return None
            return body if got == status and text in body else None

        return str(until(ask, f"{status} with {text!r} at {path}; terminal: {self.said()}"))

    def children(self) -> list[int]:
        """The processes of the session that are still there."""
        found = []
        for entry in Path("/proc").glob("[0-9]*/stat"):
            try:
                fields = entry.read_text().rpartition(")")[2].split()
            except OSError:
                continue
            if int(fields[3]) == self.process.pid and fields[0] != "Z":
                found.append(int(entry.parent.name))
        return found

    def stop(self) -> None:
        if self._process is not None and self._process.poll() is None:
            self._process.terminate()
            self._process.wait(SECONDS)
        if self._process is not None:
            for child in self.children():
                os.kill(child, signal.SIGKILL)


@pytest.fixture
def clone(tmp_path: Path) -> Iterator[Clone]:
    made = Clone(tmp_path / "clone")
    yield made
    made.stop()


@pytest.fixture
def server(clone: Clone) -> Clone:
    clone.start()
    return clone


def test_the_start_says_where_the_site_is_and_what_comes_next(server: Clone) -> None:
    server.answers("/hello", 200, "hello")
    said = server.said()
    for text in (
        f"http://127.0.0.1:{server.port}/",
        "catalog/controller: 1 file",
        "Debug",
        "sh setup.sh",
        "Ctrl-C",
    ):
        assert text in said


def test_a_saved_controller_counts_at_the_next_request_without_a_restart(server: Clone) -> None:
    server.answers("/hello", 200, "hello")
    before = server.children()
    server.write("catalog/controller/hello.py", "class Hello:\n    def index(self):\n        return 'changed'\n")
    assert server.get("/hello") == (200, "changed")
    server.write("catalog/controller/fresh.py", "class Fresh:\n    def index(self):\n        return 'fresh'\n")
    assert server.get("/fresh") == (200, "fresh")
    assert server.children() == before
    assert "restarting" not in server.said()


def test_a_syntax_error_in_config_is_shown_and_survived(server: Clone) -> None:
    server.answers("/hello", 200, "hello")
    config = server.root / "config.py"
    good = config.read_text()
    config.write_text(good + "port = 5000 +* 2\n")
    page = server.answers("/hello", 500, "The server did not start", Accept="text/html")
    line = len(good.splitlines()) + 1
    assert f"config.py:{line}" in page
    assert "port = 5000 +* 2" in page
    document = json.loads(server.get("/hello")[1])
    assert any("port = 5000 +* 2" in line for line in document["said"])
    assert "said" not in json.loads(server.get("/hello", X_Forwarded_For="192.0.2.7")[1])
    assert "said" not in json.loads(server.get("/hello", Host="rebound.example")[1])
    assert "port = 5000 +* 2" in server.said()
    config.write_text(good)
    server.answers("/hello", 200, "hello")


def test_a_changed_startup_file_starts_the_server_again_and_its_errors_are_shown(server: Clone) -> None:
    server.answers("/hello", 200, "hello")
    startup = "def startup(app):\n    app.add_url_rule('/own', 'own', lambda: 'own')\n"
    server.write("catalog/startup.py", startup)
    server.answers("/own", 200, "own")
    server.write("catalog/startup.py", startup + "    raise ValueError('no luck')\n")
    page = server.answers("/own", 500, "The server did not start", Accept="text/html")
    assert "startup.py:3" in page
    assert "ValueError: no luck" in page
    server.write("catalog/startup.py", startup)
    server.answers("/own", 200, "own")


def test_a_broken_kernel_is_shown_and_survived(server: Clone) -> None:
    server.answers("/hello", 200, "hello")
    file = server.root / "system" / "core" / "dispatch" / "routing.py"
    good = file.read_text()
    file.write_text(good + "\nraise RuntimeError('half written')\n")
    page = server.answers("/hello", 500, "half written", Accept="text/html")
    assert "routing.py" in page
    assert "site-packages" not in page
    file.write_text(good)
    server.answers("/hello", 200, "hello")
    assert server.process.poll() is None


def test_a_value_that_config_cannot_have_is_named(server: Clone) -> None:
    server.answers("/hello", 200, "hello")
    config = server.root / "config.py"
    config.write_text(config.read_text() + "session_timeout = 'long'\n")
    page = server.answers("/hello", 500, "session_timeout", Accept="text/html")
    assert "Traceback" not in page


def test_a_request_in_flight_is_answered_before_a_restart(server: Clone) -> None:
    server.write(
        "catalog/controller/slow.py",
        "import os, pathlib, time\n"
        "class Slow:\n"
        "    def index(self):\n"
        "        pathlib.Path('began').touch()\n"
        "        while not os.path.exists('go'): time.sleep(0.01)\n"
        "        return 'done'\n",
    )
    server.answers("/hello", 200, "hello")
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=SECONDS)
    connection.request("GET", "/slow")
    until((server.root / "began").exists, "the slow request")
    server.write("config.py", (server.root / "config.py").read_text() + "\n# a change\n")
    until(lambda: "config.py changed" in server.said(), "the restart")
    server.write("go", "")
    assert connection.getresponse().read() == b"done"
    connection.close()
    server.answers("/hello", 200, "hello")


def test_no_request_fails_while_the_server_starts_anew_again_and_again(server: Clone) -> None:
    server.answers("/hello", 200, "hello")
    config = server.root / "config.py"
    answers: list[tuple[int, str]] = []
    for number in range(2):
        config.write_text(config.read_text() + f"\n# change {number}\n")
        answers += until(lambda: ask_until_restarted(server, server.said().count("restarting")), "a restart")
    assert set(answers) == {(200, "hello")}


def ask_until_restarted(server: Clone, before: int) -> list[tuple[int, str]]:
    answers = []
    while server.said().count("restarting") <= before:
        answers.append(server.get("/hello"))
    return [*answers, *(server.get("/hello") for _ in range(20))]


@pytest.mark.parametrize("end", [signal.SIGINT, signal.SIGTERM])
def test_it_ends_at_once_and_leaves_nothing_behind(server: Clone, end: signal.Signals) -> None:
    server.answers("/hello", 200, "hello")
    assert len(server.children()) >= 2
    if end is signal.SIGINT:
        os.killpg(server.process.pid, end)  # as the terminal does
    else:
        os.kill(server.process.pid, end)
    assert server.process.wait(SECONDS) == 0
    assert server.children() == []
    assert "Traceback" not in server.said()


def test_it_ends_while_it_waits_for_a_repair(server: Clone) -> None:
    server.answers("/hello", 200, "hello")
    config = server.root / "config.py"
    config.write_text(config.read_text() + "x = (\n")
    server.answers("/hello", 500, "did not start")
    os.killpg(server.process.pid, signal.SIGINT)
    assert server.process.wait(SECONDS) == 0
    assert server.children() == []
    assert "Traceback" not in server.said()


def test_a_worker_waits_for_the_repair_too_and_takes_the_new_code(clone: Clone) -> None:
    config = clone.root / "config.py"
    config.write_text(config.read_text() + "mark = 'old'\n")
    clone.write(
        "catalog/controller/mark.py",
        "from kernkoa import *\n"
        "class Mark:\n"
        "    def index(self):\n"
        "        return config.mark\n"
        "    def start(self):\n"
        "        return exeTask(self, 'work', {})\n"
        "    def work(self, celery_instance=None, params=None):\n"
        "        return config.mark\n",
    )
    clone.start(KERNKOA_REDIS_URL="")
    clone.answers("/mark/start", 200, "task")
    assert run_task(clone) == "old"
    until(lambda: "beat: Starting" in clone.said(), "beat, which reads config.py too")
    good = config.read_text()
    config.write_text(good + "x = (\n")
    clone.answers("/hello", 500, "did not start")
    config.write_text(good.replace("'old'", "'new'"))
    clone.answers("/hello", 200, "hello")
    assert run_task(clone) == "new"
    config.write_text(good.replace("'old'", "'newer'"))
    clone.answers("/mark", 200, "newer")
    assert run_task(clone) == "newer"  # the first task of the new server, too
    assert clone.said().count("SyntaxError") == 0
    os.killpg(clone.process.pid, signal.SIGINT)
    assert clone.process.wait(SECONDS) == 0
    assert "Traceback" not in clone.said()


def run_task(clone: Clone) -> str:
    """What a task started now returns."""
    identifier = json.loads(clone.get("/mark/start")[1])["id"]
    status = until(
        lambda: (got := json.loads(clone.get(f"/status/{identifier}")[1])).get("data") and got, "a task"
    )
    return str(status["data"])


def test_the_server_does_not_outlive_the_process_that_watches_it(server: Clone) -> None:
    server.answers("/hello", 200, "hello")
    os.kill(server.process.pid, signal.SIGKILL)
    server.process.wait(SECONDS)
    until(lambda: not server.children(), "the end of the server")


def test_a_server_that_dies_is_started_again(server: Clone) -> None:
    server.write(
        "catalog/controller/die.py",
        "import os, time\nclass Die:\n    def index(self):\n        time.sleep(1.1)\n        os._exit(7)\n",
    )
    server.answers("/hello", 200, "hello")
    with pytest.raises((http.client.HTTPException, OSError)):
        server.get("/die")
    server.answers("/hello", 200, "hello")
    assert "exited with status 7" in server.said()


def _said_of(server: Clone, path: str) -> str:
    """What the server has said, if it has said a line of this request."""
    said = server.said()
    return said if re.search(rf"(?m)^\d{{3}} .* GET {re.escape(path)}( |$)", said) else ""


def test_each_request_has_one_line_with_its_method(server: Clone) -> None:
    server.write("catalog/controller/fails.py", "class Fails:\n    def index(self):\n        return 1 / 0\n")
    server.answers("/hello", 200, "hello")
    server.get("/_koa/changed?since=x")
    said = ""
    for path in ("/hello?a=1", "/fails", "/%1b%5b31mred"):  # a line is written after the answer
        server.get(path)
        said = until(partial(_said_of, server, path), f"the line of {path}")
    lines = [line for line in said.splitlines() if re.match(r"\d{3} ", line)]
    assert re.fullmatch(r"200 +\d+\.\d ms GET /hello\?a=1 -> hello Hello\.index", lines[-3])
    assert re.fullmatch(r"500 +\d+\.\d ms GET /fails -> fails Fails\.index", lines[-2])
    assert re.fullmatch(r"404 +\d+\.\d ms GET /%1b%5b31mred", lines[-1])
    assert "/_koa/changed" not in said
    assert "\x1b" not in said
    assert "fails.py" in said
    assert "site-packages" not in said


def test_a_taken_port_is_named_with_what_to_do(clone: Clone) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        done = clone.run("--port", str(port))
    assert done.returncode == 1
    assert f"Port {port} of 127.0.0.1 is in use" in done.stderr
    assert f"python kernkoa.py --port {port + 1}" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(("host", "said"), [("192.0.2.1", "Cannot listen on"), ("no host", "Cannot listen on")])
def test_an_address_that_is_not_this_machines_is_named(clone: Clone, host: str, said: str) -> None:
    done = clone.run("--host", host, "--port", "0")
    assert done.returncode == 1
    assert said in done.stderr
    assert "Traceback" not in done.stderr


def test_a_config_that_is_broken_from_the_first_ends_the_start(clone: Clone) -> None:
    clone.write("config.py", "port = 'many'\n")
    done = clone.run()
    assert done.returncode == 1
    assert done.stderr.startswith("Error: config.py: port = 'many' cannot be used")
    assert done.stderr.count("\n") == 1


@pytest.mark.parametrize(
    "value",
    ["1", "true", "0", "", str(os.getpid()), str(os.getppid() + 1)],
    ids=["1", "true", "0", "nothing", "own", "another"],
)
def test_no_variable_turns_development_on_in_another_process(value: str) -> None:
    assert not is_development({"KERNKOA_DEVELOPMENT": value})
    assert not read_settings(ROOT / "config.py", {"KERNKOA_DEVELOPMENT": value}).development


def test_config_cannot_turn_development_on(clone: Clone) -> None:
    config = clone.write("config.py", "development = True\n")
    assert not read_settings(config, {}).development


def test_a_program_that_a_controller_starts_is_not_in_development(server: Clone) -> None:
    server.write(
        "catalog/controller/starts.py",
        "import subprocess, sys\n"
        "class Starts:\n"
        "    def index(self):\n"
        "        command = [sys.executable, 'kernkoa.py', 'call', 'nothing']\n"
        "        return subprocess.run(command, capture_output=True, text=True).stdout\n",
    )
    assert "reason" not in server.answers("/starts", 200, "Not Found")


def test_a_signal_whose_exception_python_drops_ends_the_server_at_its_next_look(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(supervisor, "_is_ending", False)
    with contextlib.suppress(KeyboardInterrupt):
        supervisor._end(signal.SIGTERM, None)
    with pytest.raises(KeyboardInterrupt):
        supervisor.Supervisor(Settings(path=tmp_path), None, None)._has_changed()  # type: ignore[arg-type]
