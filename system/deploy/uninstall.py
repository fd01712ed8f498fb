"""The steps of an uninstallation: it removes what the installation created, and nothing else."""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path

from .errors import DeployError
from .machine import Machine


def uninstall(machine: Machine, purge: bool) -> None:
    """Stop the site and remove its files; data, logs and the user only with purge."""
    if not machine.site.at(machine.site.state).is_dir():
        raise DeployError(f"There is nothing to uninstall: {machine.site.state} does not exist.")
    stop(machine)
    remove(machine, purge)


def stop(machine: Machine) -> None:
    units = [unit for unit in machine.site.units if machine.site.at(machine.site.unit_file(unit)).exists()]
    if units:
        machine.run("systemctl", "stop", *units)


def remove(machine: Machine, purge: bool) -> None:
    site = machine.site
    machine.put_aside_back()
    for name in ("current", "releases", "proposed", "aside"):
        machine.remove_tree(site.state / name)
    data = [site.var, *site.logs]
    if purge:
        for path in data:
            _remove_with_rotated(machine, path)
        machine.remove_user(site.owner)
    machine.remove_made()
    machine.run("systemctl", "daemon-reload")
    if shutil.which("nginx"):
        machine.run("systemctl", "reload-or-restart", "nginx.service")
    machine.forget()
    left = [str(path) for path in data if os.path.lexists(site.at(path))]
    if left and not machine.dry:
        sys.stdout.write(f"Kept: {', '.join(left)}. Use --purge to remove it.\n")


def _remove_with_rotated(machine: Machine, path: Path) -> None:
    for found in sorted(machine.site.at(path).parent.glob(f"{path.name}*")):
        machine.remove_tree(Path("/") / found.relative_to(machine.site.root))
