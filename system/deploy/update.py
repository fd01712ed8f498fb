"""New code for a running site, and the way back."""

from __future__ import annotations

import os
import shutil
import sys

from . import release, workers
from .errors import DeployError
from .install import await_answer, chain
from .machine import Machine
from .render import render_uwsgi


def reload(machine: Machine) -> None:
    """Bring the clone's kernel and config.py into use. Refused, with nothing changed, while the check fails."""
    require_installed(machine)
    site = machine.site
    new = release.prepare(machine)
    if new is None:
        sys.stdout.write(
            "The kernel and config.py are what runs already. The workers are replaced all the same.\n"
        )
        _bring_round(machine)
        return
    try:
        release.check_uwsgi(machine, render_uwsgi(site))
        release.activate(machine, new)
        _bring_round(machine)
    except BaseException:
        _go_back(machine, new.name)
        raise
    if not machine.dry:
        release.prune(machine)


def rollback(machine: Machine) -> None:
    """Let the release before the running one run again."""
    require_installed(machine)
    release.activate(machine, release.previous(machine.site))
    _bring_round(machine)
    if not machine.dry:
        sys.stdout.write("That is the release of before. sh setup.sh reload brings the clone's again.\n")


def require_installed(machine: Machine) -> None:
    """Raises DeployError where nothing was installed from this clone."""
    site = machine.site
    if not site.at(site.current).is_symlink():
        raise DeployError(f"No site named {site.name} is installed from {site.clone}. Run: sh setup.sh")


def _bring_round(machine: Machine) -> None:
    site = machine.site
    chain(machine)
    for unit in (site.worker, site.beat):
        if machine.active(unit):
            # it ends its running tasks first, which may take a while; nobody needs to wait for it
            machine.run("systemctl", "restart", "--no-block", unit)
    await_answer(machine, release.learn(machine))
    if not machine.dry:
        name = os.readlink(site.current).rpartition("/")[2]
        sys.stdout.write(f"All {len(workers.pids(site.run))} workers run the release {name}.\n")


def _go_back(machine: Machine, failed: str) -> None:
    if machine.dry:
        return
    site = machine.site
    swapped = site.current in machine.changed
    machine.undo()
    shutil.rmtree(site.at(site.state / "releases" / failed), ignore_errors=True)
    if swapped:
        sys.stderr.write("Going back to the release of before.\n")
        machine.attempt("systemctl", "restart", site.emperor)
