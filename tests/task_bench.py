"""Real servers for the tests of tasks: a Redis on a Unix socket, workers and a web process of a site of its own."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import redis

from tests.programs import find_program

ROOT = Path(__file__).resolve().parents[1]
PATIENCE = 20.0

JOBS = """
import dataclasses, os, signal
from datetime import datetime, timedelta
from decimal import Decimal
from kernkoa import *

LOG = os.path.join(str(config.path), "runs.log")


def note(text):
    with open(LOG, "a") as log:
        log.write(text + "\\n")


@dataclasses.dataclass
class Point:
    x: int
    y: int


class Jobs:
    def start(self, params):
        asked = params["data"]
        return exeTask(self, asked["method"], asked.get("params"), queue=asked.get("queue"),
                       delay=asked.get("delay", 0))

    def start_params(self, params):
        return exeTask(self, "see_params", params)

    def upload(self, params):
        return exeTask(self, "see_params", params)

    def see_params(self, celery_instance=None, params=None):
        return {"values": dict(params), "get": params["get"], "post": params["post"], "many": params.getlist("a"),
                "urlpath": params["urlpath"], "kind": type(params).__name__}

    def echo(self, celery_instance=None, params=None):
        return params

    def area(self, celery_instance, width: float, height: float = 2.0):
        return width * height

    def count(self, celery_instance=None, params=None):
        note("count " + celery_instance.id)
        for i in range(params["to"]):
            celery_instance.update_state(state="inProgress", meta={"number": i + 1, "title": "on the way"})
            time.sleep(params["step"])
        note("counted " + celery_instance.id)
        return params["to"]

    def sleep(self, celery_instance=None, params=None):
        note("sleep " + celery_instance.id)
        time.sleep(params["seconds"])
        note("slept " + celery_instance.id)
        return "slept"

    def swallow(self, celery_instance=None):
        note("swallow " + celery_instance.id)
        while True:
            try:
                time.sleep(60)
            except:
                pass

    def fail(self, celery_instance=None, params=None):
        raise LookupError("no such <b>thing</b>", 7)

    def unjsonable(self, celery_instance=None):
        return {"fine": 1, "bad": [1, object()]}

    def nearly_json(self, celery_instance=None):
        return {"set": {1}, "delta": timedelta(seconds=90), "point": Point(1, 2), "day": datetime(2026, 1, 2),
                "price": Decimal("1.10"), "nan": float("nan"), "lines": (line for line in "ab")}

    def big(self, celery_instance=None):
        return "x" * 1_000_001

    def out_of_memory(self, celery_instance=None):
        raise MemoryError

    def leave(self, celery_instance=None):
        sys.exit(3)

    def reserved(self, celery_instance=None):
        celery_instance.update_state(state="FAILURE", meta={"a": 1})
        celery_instance.update_state(state="SUCCESS", meta={"a": 1})
        celery_instance.update_state(state="inProgress", meta={"odd": object()})
        return "done"

    def chatter(self, celery_instance=None):
        began = time.perf_counter()
        for i in range(300_000):
            celery_instance.progress(i, 300_000, "working")
        spent = time.perf_counter() - began
        time.sleep(0.4)
        return spent

    def where(self, celery_instance=None):
        return {"path": request.path, "url": config.url, "for": url_for("dispatch", path="x", _external=True),
                "cookies": dict(request.cookies), "id": request.headers.get("X-Request-ID"),
                "authorization": request.headers.get("Authorization")}

    def die_once(self, celery_instance=None, params=None):
        note("die " + celery_instance.id)
        if celery_instance.last_state is None:
            celery_instance.update_state(state="inProgress", meta={"row": 41})
            os.kill(os.getpid(), signal.SIGKILL)
        return celery_instance.last_state

    def poison(self, celery_instance=None):
        note("poison " + celery_instance.id)
        os.kill(os.getpid(), signal.SIGKILL)

    @retry(times=3, backoff=0.2, on=(IOError,))
    def flaky(self, celery_instance=None, params=None):
        note("flaky " + celery_instance.id)
        tries = celery_instance.request.retries
        if tries < params["fails"]:
            celery_instance.update_state(state="inProgress", meta={"tries": tries})
            raise IOError("the line is down")
        return {"tries": tries, "last": celery_instance.last_state}

    @queue("reports")
    def report(self, celery_instance=None):
        return celery_instance.request.delivery_info["routing_key"]

    @background
    def slow(self, params=None):
        note("slow " + str((params or {}).get("n")))
        time.sleep(float((params or {}).get("seconds", 0.2)))
        return {"n": (params or {}).get("n")}

    @background
    def page(self):
        return "<h1>a page</h1>"

    @background
    def typed(self, n: int):
        return n + 1

    def plain(self):
        return "now"


class Guarded:
    def before(self, params):
        if params.get("key") != "sesame":
            return "closed", 403

    @background
    def open(self, params=None):
        return "opened"


class Ticking:
    @every("1s")
    def tick(self, celery_instance=None):
        note("tick " + celery_instance.id)
"""


def wait_for(condition: Callable[[], Any], seconds: float = PATIENCE, what: str = "") -> Any:
    """The first truthy value of a condition; fails the test when the time is up."""
    deadline = time.monotonic() + seconds
    while True:
        value = condition()
        if value:
            return value
        assert time.monotonic() < deadline, f"waited {seconds} s in vain: {what}"
        time.sleep(0.02)


LIVE_SECONDS = 1.1


class Server:
    """A redis-server with an append-only file, on a Unix socket."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        self.socket = folder / "redis.sock"
        self.process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"unix://{self.socket}"

    @property
    def client(self) -> Any:
        return redis.Redis(unix_socket_path=str(self.socket))

    def start(self) -> Server:
        self.launch()
        wait_for(self.answers, what="redis-server")
        return self

    def launch(self, *more: str) -> None:
        """Start it, and do not wait until it answers."""
        program = find_program("redis-server")
        self.socket.unlink(missing_ok=True)
        options = f"--port 0 --unixsocket {self.socket} --dir {self.folder} --appendonly yes --appendfsync always"
        self.process = subprocess.Popen(
            [program, *options.split(), "--save", "", "--enable-protected-configs", "yes", *more],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )

    def answers(self) -> bool:
        with contextlib.suppress(redis.RedisError), contextlib.closing(self.client) as client:
            return bool(client.ping())
        return False

    def signal(self, number: signal.Signals) -> None:
        assert self.process
        self.process.send_signal(number)

    def stop(self) -> None:
        if self.process is not None:
            self.process.send_signal(signal.SIGCONT)
            self.process.kill()
            self.process.wait()
            self.process = None


class Bench:
    """A site with task methods, its Redis, its workers and its web process. Started and ended by process id."""

    def __init__(self, root: Path, **settings: Any) -> None:
        self.root = root
        self.server = Server(root / "redis")
        self.workers: list[subprocess.Popen[bytes]] = []
        self.web: subprocess.Popen[bytes] | None = None
        self.port = 0
        self.log = root / "worker.log"
        self.prefix: tuple[str, ...] = ()  # a program that runs the next workers and beats
        (root / "catalog" / "controller").mkdir(parents=True)
        values = {"redisUrl": self.server.url, "leaseSeconds": 2, "queues": ["reports"], **settings}
        lines = [f"{name} = {value!r}" for name, value in values.items()]
        (root / "config.py").write_text("\n".join(lines), encoding="utf-8")
        self.write("jobs.py", JOBS)

    def write(self, name: str, text: str) -> None:
        """Write a library, and wait until the web process looks again."""
        self.place(name, text)
        if self.web is not None:
            time.sleep(LIVE_SECONDS)

    def place(self, name: str, text: str) -> None:
        """Write a library. The web process sees it at its next look, within a second."""
        file = self.root / "catalog" / "controller" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(textwrap.dedent(text), encoding="utf-8")

    @property
    def environ(self) -> dict[str, str]:
        kept = {name: value for name, value in os.environ.items() if not name.startswith("KERNKOA_")}
        return {**kept, "KERNKOA_CONFIG": str(self.root / "config.py"), "PYTHONWARNINGS": "ignore"}

    def start_worker(self, *options: str) -> subprocess.Popen[bytes]:
        """Start a worker; returns when it is ready."""
        name = f"worker{len(self.workers)}@{self.root.name}"
        process = self.start_celery("worker", "--concurrency=2", f"--hostname={name}", *options)
        self.workers.append(process)
        wait_for(
            lambda: f"{name} ready" in self.log.read_text() or process.poll() is not None, what=f"{name} is ready"
        )
        return process

    def start_celery(self, *words: str) -> subprocess.Popen[bytes]:
        command = [*self.prefix, sys.executable, "-m", "celery", "-A", "kernkoa.celery", *words, "--loglevel=info"]
        with open(self.log, "ab") as log:
            return subprocess.Popen(
                command, cwd=ROOT, env=self.environ, stdout=log, stderr=log, start_new_session=True
            )

    def start_web(self) -> None:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        program = (
            "import kernkoa, werkzeug.serving as serving; "
            f"serving.make_server('127.0.0.1', {self.port}, kernkoa.app, threaded=True).serve_forever()"
        )
        with open(self.root / "web.log", "ab") as log:
            self.web = subprocess.Popen([sys.executable, "-c", program], cwd=ROOT, env=self.environ, stderr=log)
        wait_for(self._answers, what="the web process")

    def _answers(self) -> bool:
        with contextlib.suppress(OSError):
            return self.request("GET", "/_koa/health")[0] == 200
        return False

    def request(
        self, verb: str, path: str, body: Any = None, headers: dict[str, str] | None = None
    ) -> tuple[int, dict[str, str], bytes]:
        """Status, headers (names in lower case) and body of an answer."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=PATIENCE)
        sent = None if body is None else (body if isinstance(body, bytes) else json.dumps(body).encode())
        told = {"Content-Type": "application/json"} if body is not None else {}
        try:
            connection.request(verb, path, sent, {**told, **(headers or {})})
            answer = connection.getresponse()
            return answer.status, {name.lower(): value for name, value in answer.getheaders()}, answer.read()
        finally:
            connection.close()

    def start(self, method: str, params: Any = None, **more: Any) -> str:
        """The id of a task of the class Jobs, started through the web."""
        status, _, body = self.request("POST", "/jobs/Jobs/start", {"method": method, "params": params, **more})
        assert status == 200, body
        return str(json.loads(body)["id"])

    def status(self, task_id: str) -> dict[str, Any]:
        code, _, body = self.request("GET", f"/status/{task_id}")
        return {"code": code, **json.loads(body)}

    def end(self, task_id: str, seconds: float = PATIENCE) -> dict[str, Any]:
        """The status of a task that has ended."""
        found = wait_for(
            lambda: (now := self.status(task_id)).get("status") in ("SUCCESS", "FAILURE", "REVOKED") and now,
            seconds,
            f"the end of {task_id}",
        )
        return {name: value for name, value in found.items() if name != "code"}

    def run(self, method: str, params: Any = None, **more: Any) -> dict[str, Any]:
        return self.end(self.start(method, params, **more))

    def runs(self, line: str) -> int:
        """How often a method noted a line."""
        file = self.root / "runs.log"
        return file.read_text().splitlines().count(line) if file.exists() else 0

    def children(self, worker: subprocess.Popen[bytes]) -> list[int]:
        return [int(pid) for pid in Path(f"/proc/{worker.pid}/task/{worker.pid}/children").read_text().split()]

    def kill(self, process: subprocess.Popen[bytes]) -> None:
        process.kill()
        process.wait()

    def close(self) -> None:
        for process in (*self.workers, *([self.web] if self.web else [])):
            if process.poll() is None:
                process.kill()
                process.wait()
        self.server.stop()


@contextlib.contextmanager
def bench(
    root: Path, web: bool = True, workers: int = 1, files: Mapping[str, str] | None = None, **settings: Any
) -> Iterator[Bench]:
    """A running bench with these libraries beside jobs.py, ended at the end."""
    made = Bench(root, **settings)
    for name, text in (files or {}).items():
        made.write(name, text)
    try:
        made.server.start()
        if web:
            made.start_web()
        for _ in range(workers):
            made.start_worker()
        yield made
    finally:
        made.close()
