"""Runs a command like the site: with its user, settings, code and virtual environment."""

from __future__ import annotations

import os
import pwd
from collections.abc import Sequence
from typing import NoReturn

from .errors import DeployError
from .machine import Machine
from .release import environment


def become_the_site(machine: Machine, words: Sequence[str]) -> NoReturn:
    """Replace this process with a command. Raises DeployError if the command does not exist."""
    site = machine.site
    if not words:
        raise DeployError(
            "run needs a command, such as: sudo sh setup.sh run celery -A kernkoa.celery inspect active"
        )
    kept = {name: os.environ[name] for name in ("TERM", "LANG") if name in os.environ}
    path = {"PATH": f"{site.venv}/bin:/usr/local/bin:/usr/bin:/bin", "HOME": str(site.state)}
    # read while still root: the file may contain passwords
    variables = {**kept, **path, **environment(site)}
    os.chdir(site.current)
    user = pwd.getpwnam(site.owner)
    os.initgroups(site.owner, user.pw_gid)
    os.setgid(user.pw_gid)
    os.setuid(user.pw_uid)
    os.umask(0o027)
    try:
        os.execvpe(words[0], list(words), variables)  # noqa: S606
    except OSError as error:
        raise DeployError(f"{words[0]} cannot be run: {error.strerror}") from error
