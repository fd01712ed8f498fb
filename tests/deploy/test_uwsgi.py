"""The example site behind a real uWSGI with two processes."""

from __future__ import annotations

import http.client
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlencode

import pytest

from tests.shipped import needs_shipped_site

ROOT = Path(__file__).resolve().parents[2]
FLAGS = (
    "--master --processes 2 --buffer-size 32768 --module kernkoa:app --need-app --lazy-apps --die-on-term".split()
)
HELLO = "/fasthelloworld/fastHelloClass/fastHelloWorld"
WITH = f"{HELLO}WithParameters"
DEEP = "/" + "/".join(f"folder{number}" for number in range(1, 8)) + "/urllibrary/urlclass/urlmethod2"


class Server:
    """A uWSGI with two processes on a free loopback port."""

    def __init__(self, config: Path, log: Path) -> None:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        uwsgi = str(Path(sys.executable).with_name("uwsgi"))
        self.log = log
        with log.open("wb") as output:
            self._process = subprocess.Popen(
                [uwsgi, "--http-socket", f"127.0.0.1:{self.port}", *FLAGS],
                cwd=ROOT,
                env={**os.environ, "KERNKOA_CONFIG": str(config)},
                stdout=output,
                stderr=subprocess.STDOUT,
            )
        self._wait()

    def _wait(self) -> None:
        deadline = time.monotonic() + 30
        while time.monotonic() < deadline and self._process.poll() is None:
            try:
                self.ask("GET", "/_koa/health")
                return
            except OSError:
                time.sleep(0.05)
        raise AssertionError(self.log.read_text())

    def ask(
        self, verb: str, path: str, body: str | None = None, headers: dict[str, str] | None = None
    ) -> tuple[int, str]:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)
        try:
            connection.request(verb, path, body, headers or {})
            response = connection.getresponse()
            return response.status, response.read().decode()
        finally:
            connection.close()

    def post_form(self, path: str, values: dict[str, str]) -> tuple[int, str]:
        form = {"Content-Type": "application/x-www-form-urlencoded"}
        return self.ask("POST", path, urlencode(values), form)

    def stop(self) -> None:
        self._process.send_signal(signal.SIGTERM)
        self._process.wait(15)


@pytest.fixture(scope="module")
def example(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    needs_shipped_site()
    server = Server(ROOT / "config.py", tmp_path_factory.mktemp("uwsgi") / "log")
    yield server
    server.stop()


@pytest.mark.parametrize(
    ("path", "values", "answer"),
    [
        (HELLO, {}, "hello world!!."),
        (WITH, {"hello": "world", "with": "parameters"}, "hello = world<br>with = parameters<br>"),
        (WITH, {"hello": "<b>"}, "hello = &lt;b&gt;<br>"),
        (WITH, {}, "Hello World"),
        (
            "/examples/folderexmple/fastHelloClass/fastHelloWorldWithParameters",
            {"hello": "world", "with": "parameters"},
            "hello = world<br>with = parameters<br>",
        ),
        (
            DEEP,
            {"param1": "1", "param2": "2", "param3": "3", "param4": "4"},
            "param1 = 1<br>param2 = 2<br>param3 = 3<br>param4 = 4<br>",
        ),
    ],
)
def test_the_examples_answer_by_get_and_by_post(
    example: Server, path: str, values: dict[str, str], answer: str
) -> None:
    assert example.ask("GET", f"{path}?{urlencode(values)}") == (200, answer)
    assert example.post_form(path, values) == (200, answer)


def test_the_welcome_page_says_that_it_works(example: Server) -> None:
    status, page = example.ask("GET", "/", headers={"Accept": "text/html"})
    assert status == 200
    assert "KernKoa" in page


@pytest.mark.parametrize(
    "path",
    [
        "/../../x/M/C/m",
        "/..%2f..%2fx",
        "/%2e%2e/x",
        "/%00",
        "/a%5cb",
        "/os/getcwd/upper",
        "/config/x/y",
        "/a" * 2000,
    ],
)
def test_a_hostile_path_is_a_404(example: Server, path: str) -> None:
    status, _ = example.ask("GET", path)
    assert status == 404


def test_an_edited_file_takes_effect_in_every_process(tmp_path: Path) -> None:
    library = tmp_path / "catalog" / "controller" / "lib.py"
    library.parent.mkdir(parents=True)
    text = "import os\nclass Lib:\n    def index(self): return '{} ' + str(os.getpid())\n"
    library.write_text(text.format("old"))
    (tmp_path / "config.py").write_text("liveSeconds = 0.1\n")
    server = Server(tmp_path / "config.py", tmp_path / "log")
    try:
        for word in ("old", "new"):
            library.write_text(text.format(word))
            seen: dict[str, str] = {}
            deadline = time.monotonic() + 20
            while len(seen) < 2 or set(seen.values()) != {word}:
                answer, process = server.ask("GET", "/lib")[1].split()
                seen[process] = answer
                assert time.monotonic() < deadline
    finally:
        server.stop()
