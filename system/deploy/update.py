"""Deploys new code to a running site, and rolls back."""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path

from . import release, workers
from .errors import DeployError
from .install import await_answer, chain
from .machine import Machine
from .render import render_uwsgi


def reload(machine: Machine) -> None:
    """Deploy the clone's kernel and config.py. If the check fails, nothing is changed."""
    require_installed(machine)
    site = machine.site
    release.check_uwsgi(machine, render_uwsgi(site))
    new = release.prepare(machine)
    if new is None:
        sys.stdout.write("The kernel and config.py have not changed. The workers are replaced anyway.\n")
        _bring_round(machine)
        return
    try:
        _swap(machine, new)
    except BaseException:
        if not machine.dry:
            shutil.rmtree(site.at(new), ignore_errors=True)
        raise
    if not machine.dry:
        release.prune(machine)


def rollback(machine: Machine) -> None:
    """Return to the previous release."""
    require_installed(machine)
    _swap(machine, release.previous(machine.site))
    if not machine.dry:
        sys.stdout.write("This is the previous release. sh setup.sh reload deploys the clone's code again.\n")


def require_installed(machine: Machine) -> None:
    """Raises DeployError if no site was installed from this clone."""
    site = machine.site
    if not site.at(site.current).is_symlink():
        raise DeployError(f"No site named {site.name} is installed from {site.clone}. Run: sh setup.sh")


def _swap(machine: Machine, new: Path) -> None:
    """Switch to another release; if it does not start, switch back."""
    release.activate(machine, new)
    try:
        _bring_round(machine)
    except BaseException:
        machine.undo()
        sys.stderr.write("Switching back to the previous release.\n")
        machine.attempt("systemctl", "restart", machine.site.emperor)
        raise


def _bring_round(machine: Machine) -> None:
    site = machine.site
    chain(machine)
    for unit in (site.worker, site.beat):
        if machine.active(unit):
            # it finishes its running tasks first, which may take a while; there is no need to wait
            machine.run("systemctl", "restart", "--no-block", unit)
    await_answer(machine, release.learn(machine))
    if not machine.dry and not machine.staged:
        name = os.readlink(site.current).rpartition("/")[2]
        sys.stdout.write(f"All {len(workers.pids(site.run))} workers run the release {name}.\n")
