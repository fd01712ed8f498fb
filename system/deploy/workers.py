"""The running uWSGI processes: what they are doing, and how all of them come to run new code."""

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

# a worker that is in a request ends it first (harakiri is 60 s), then imports the app
RELOAD_SECONDS = 180
# uWSGI drops a signal that comes while an earlier chain still runs: ask again when nothing moves
RESEND_SECONDS = 1.0


def stats(run: Path) -> dict[str, Any]:
    """What uWSGI says of itself. Raises OSError while it is not there."""
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(5)
        connection.connect(str(run / "uwsgi.stats"))
        text = b"".join(iter(lambda: connection.recv(65536), b""))
    found: dict[str, Any] = json.loads(text)
    return found


def pids(run: Path) -> set[int]:
    """The processes that serve; empty while uWSGI is not there."""
    try:
        return {worker["pid"] for worker in stats(run)["workers"] if worker["pid"] and worker["apps"]}
    except (OSError, ValueError):
        return set()


def wait_for(condition: Callable[[], bool], seconds: float, pause: float = 0.05) -> bool:
    """Whether the condition came true in time."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if condition():
            return True
        time.sleep(pause)
    return condition()


def chain_reload(run: Path, seconds: float = RELOAD_SECONDS) -> None:
    """Replace every worker, one after the other, and wait for the last one.

    Raises DeployError when some still run the old code after that time.
    """
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
        elif time.monotonic() - moved > RESEND_SECONDS:
            _signal(run, b"c")
            moved = time.monotonic()
        seen = now
        time.sleep(0.05)
    raise DeployError(
        f"{len(pids(run) & old)} of {len(old)} workers still run the old code after {seconds:.0f} s: "
        "they are busy, or the new ones do not start. The log says which."
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
    """Whether the site says that it is well, through nginx on this machine."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    if secure:
        # this asks whether the site runs; whether its certificate is good is for its visitors to ask
        unverified = ssl._create_unverified_context()  # noqa: S323
        connection = http.client.HTTPSConnection("127.0.0.1", port, timeout=5, context=unverified)
    try:
        connection.request("GET", path, headers={"Host": host})
        return bool(json.load(connection.getresponse())["status"] == "ok")
    except (OSError, ValueError, KeyError, TypeError, http.client.HTTPException):
        return False
    finally:
        connection.close()
