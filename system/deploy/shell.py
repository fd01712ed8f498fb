"""A command as the site runs it: its user, its settings, its code, its virtual environment."""

from __future__ import annotations

import os
import pwd
from collections.abc import Sequence
from typing import NoReturn

from .errors import DeployError
from .machine import Machine
from .release import environment


def become_the_site(machine: Machine, words: Sequence[str]) -> NoReturn:
    """Let a command take the place of this process. Raises DeployError where there is none of that name."""
    site = machine.site
    if not words:
        raise DeployError("run what? For example: sudo sh setup.sh run celery -A kernkoa.celery inspect active")
    kept = {name: os.environ[name] for name in ("TERM", "LANG") if name in os.environ}
    path = {"PATH": f"{site.venv}/bin:/usr/local/bin:/usr/bin:/bin", "HOME": str(site.state)}
    # read while this is still root: the file may hold passwords
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
