"""The running uWSGI processes: their state, and their replacement with new code."""

from __future__ import annotations

import http.client
import json
import os
import socket
import ssl
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from .errors import DeployError

# a busy worker finishes its request first (harakiri is 60 s), then imports the app
RELOAD_SECONDS = 180
# uWSGI ignores a reload signal while an earlier chain reload runs: repeat it if nothing changes
RESEND_SECONDS = 1.0


def stats(run: Path) -> dict[str, Any]:
    """uWSGI's own statistics. Raises OSError if it is not running."""
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(5)
        connection.connect(str(run / "uwsgi.stats"))
        text = b"".join(iter(lambda: connection.recv(65536), b""))
    found: dict[str, Any] = json.loads(text)
    return found


def pids(run: Path) -> set[int]:
    """The serving processes; empty if uWSGI is not running."""
    try:
        return {worker["pid"] for worker in stats(run)["workers"] if worker["pid"] and worker["apps"]}
    except (OSError, ValueError):
        return set()


def wait_for(condition: Callable[[], bool], seconds: float, pause: float = 0.05) -> bool:
    """Wait for a condition. Returns whether it became true in time."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if condition():
            return True
        time.sleep(pause)
    return condition()


def has_new_packages(run: Path, packages: Path) -> bool:
    """Whether something was installed in `packages` since the start of uWSGI's master, which makes the socket."""
    return packages.stat().st_mtime_ns > (run / "uwsgi.stats").stat().st_mtime_ns


def reload(run: Path, packages: Path, seconds: float = RELOAD_SECONDS) -> None:
    """Replace every worker, one after the other so that no request waits, and wait for the last one.

    The master imports the packages for all workers. If there are new ones it is replaced too; requests then wait
    until the running ones are done. Raises DeployError if some workers run the old code after `seconds`.
    """
    command = b"r" if has_new_packages(run, packages) else b"c"
    old = pids(run)
    seen: set[int] = set()
    moved = float("-inf")
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        now = pids(run)
        if len(now) >= len(old) and not now & old:
            return
        if now != seen and seen:
            moved = time.monotonic()
        elif now & old and time.monotonic() - moved > RESEND_SECONDS:
            _signal(run, command)
            moved = time.monotonic()
        seen = now
        time.sleep(0.05)
    raise DeployError(
        f"{len(pids(run) & old)} of {len(old)} workers still run the old code after {seconds:.0f} s: "
        "they are busy, or the new ones do not start. See the log."
    )


def _signal(run: Path, command: bytes) -> None:
    try:
        fifo = os.open(run / "uwsgi.fifo", os.O_WRONLY | os.O_NONBLOCK)
    except OSError as error:
        raise DeployError(f"uWSGI is not running: {run / 'uwsgi.fifo'}: {error.strerror}") from error
    try:
        os.write(fifo, command)
    finally:
        os.close(fifo)


def answers(port: int, host: str, path: str, secure: bool = False) -> bool:
    """Whether the site's health check succeeds, through nginx on this machine."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    if secure:
        # only checks that the site runs, not that its certificate is valid
        unverified = ssl._create_unverified_context()  # noqa: S323
        connection = http.client.HTTPSConnection("127.0.0.1", port, timeout=5, context=unverified)
    try:
        connection.request("GET", path, headers={"Host": host})
        return bool(json.load(connection.getresponse())["status"] == "ok")
    except (OSError, ValueError, KeyError, TypeError, http.client.HTTPException):
        return False
    finally:
        connection.close()
