"""Runs commands of the system, and those of the site as its user."""

from __future__ import annotations

import pwd
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path


def run_as(
    owner: str | None, command: Sequence[str | Path], folder: Path, environment: Mapping[str, str]
) -> subprocess.CompletedProcess[str]:
    """Run a command as the site's user (None: the current user), in a clean environment."""
    identity = pwd.getpwnam(owner) if owner else None
    path = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
    return subprocess.run(
        [str(part) for part in command],
        check=False,
        cwd=folder,
        env={"PATH": path, "LANG": "C.UTF-8", **environment},
        capture_output=True,
        text=True,
        stdin=subprocess.DEVNULL,
        umask=0o027,
        user=identity and identity.pw_uid,
        group=identity and identity.pw_gid,
        extra_groups=identity and [],
    )


def user_exists(name: str) -> bool:
    """Whether this machine has a user of this name."""
    try:
        pwd.getpwnam(name)
    except KeyError:
        return False
    return True


def capture(command: Sequence[str | Path]) -> subprocess.CompletedProcess[str]:
    """Run a command and keep its output."""
    words = [str(part) for part in command]
    return subprocess.run(words, check=False, capture_output=True, text=True, stdin=subprocess.DEVNULL)
