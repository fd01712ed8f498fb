"""The steps of an installation, in their order."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from . import release, uninstall, workers
from .errors import DeployError
from .machine import Machine
from .render import rendered
from .report import tail
from .site import Facts, Site, remembered

WELCOME = Path("/etc/nginx/sites-enabled/default")
WANTED = Path("/etc/systemd/system/multi-user.target.wants")
START_SECONDS = 60

Files = Mapping[Path, tuple[str, int]]


@dataclass(frozen=True)
class Before:
    """The state of the site before the installation."""

    installed: bool
    data: bool

    @classmethod
    def of(cls, site: Site) -> Before:
        return cls(site.at(site.current).is_symlink(), os.path.lexists(site.at(site.var)))


def install(machine: Machine, default_site: bool) -> None:
    """Install the clone as a site, or update an installed one. A failure undoes all changes."""
    before = Before.of(machine.site)
    welcome = _welcome_is_in_the_way(machine, default_site)
    new = None
    try:
        machine.folder(machine.site.state / "releases")
        machine.user(machine.site.owner, machine.site.state)
        facts = release.learn(machine)
        files = rendered(machine.site, facts)
        _write_files(machine, files, welcome)
        release.check_uwsgi(machine, files[machine.site.vassal][0])
        new = release.prepare(machine)
        if new:
            release.activate(machine, new)
        _start(machine, files, facts, replaced=new is not None)
    except BaseException:
        _put_back(machine, before)
        if new and not machine.dry:
            shutil.rmtree(machine.site.at(new), ignore_errors=True)
        raise
    _finish(machine, facts)


def _welcome_is_in_the_way(machine: Machine, default_site: bool) -> bool:
    """Whether to disable nginx's welcome page: never without permission."""
    site = machine.site
    if site.domain or site.port != 80 or not os.path.lexists(site.at(WELCOME)):
        return False
    # this run installed nginx, so nobody uses its welcome page
    if default_site or machine.dry or os.environ.get("KERNKOA_NGINX_IS_NEW"):
        return True
    untouched = not machine.ask("dpkg", "--verify", "nginx-common")
    question = "nginx's welcome page uses port 80. Disable it? Uninstalling restores it. [y/N] "
    if untouched and sys.stdin.isatty() and input(question).strip().lower() in ("y", "yes"):
        return True
    raise DeployError(
        f"{WELCOME} uses port 80{'' if untouched else ' and was changed on this machine'}. "
        "Add --default-site to disable it (uninstalling restores it), or install KernKoa next to it with "
        "--domain www.example.org or --port 8080."
    )


def _write_files(machine: Machine, files: Files, welcome: bool) -> None:
    """Every file except the vassal, which comes last: the emperor starts it as soon as it exists."""
    site = machine.site
    machine.write(site.state / "site.json", remembered(site))
    for folder in (site.uwsgi_log.parent, site.worker_log.parent, site.vassals):
        machine.folder(folder)
    for path, (text, mode) in files.items():
        if path != site.vassal:
            machine.write(path, text, mode)
    if welcome:
        machine.set_aside(WELCOME, site.state / "aside" / "default")
    machine.link(site.nginx_link, site.nginx_site)
    machine.run("systemd-tmpfiles", "--create", f"/etc/tmpfiles.d/{site.slug}.conf")
    machine.run("nginx", "-t", advice="Nothing was changed. Fix what nginx reports, then try again.")


def _start(machine: Machine, files: Files, facts: Facts, replaced: bool) -> None:
    site = machine.site
    running = machine.active(site.emperor)
    before = workers.pids(site.run) if running else set()
    machine.write(site.vassal, *files[site.vassal])
    units = site.units if facts.redis_url else (site.emperor,)
    for unit in site.units:
        if unit in units:
            machine.link(WANTED / unit, site.unit_file(unit))
        elif machine.unlink(WANTED / unit):
            machine.run("systemctl", "stop", unit)
    if machine.changed & {site.unit_file(unit) for unit in units}:
        machine.run("systemctl", "daemon-reload")
    if not running or machine.changed & {site.emperor_ini, site.unit_file(site.emperor)}:
        machine.run("systemctl", "restart", site.emperor, advice=f"See its log: journalctl -u {site.emperor}")
    elif site.vassal in machine.changed:
        # the emperor sees the change and restarts the instance on the same socket
        if not workers.wait_for(lambda: bool(now := workers.pids(site.run)) and not now & before, START_SECONDS):
            raise DeployError(f"uWSGI did not restart with {site.vassal}:\n{tail(site.uwsgi_log)}")
    elif replaced or (before and workers.has_new_packages(site.run, site.packages)):
        chain(machine)
    for unit in units[1:]:
        if replaced or site.unit_file(unit) in machine.changed or not machine.active(unit):
            machine.run("systemctl", "restart", "--no-block", unit)
    if machine.changed & _nginx_files(site) or not machine.active("nginx.service"):
        machine.run("systemctl", "reload-or-restart", "nginx.service")
    await_answer(machine, facts)


def _nginx_files(site: Site) -> set[Path]:
    return {site.nginx_site, site.nginx_link, WELCOME}


def chain(machine: Machine) -> None:
    """Replace the workers, so that no request fails."""
    machine.say("replace the workers")
    if machine.dry or machine.staged:
        return
    if workers.pids(machine.site.run):
        workers.reload(machine.site.run, machine.site.packages)
    else:
        machine.run("systemctl", "restart", machine.site.emperor)


def await_answer(machine: Machine, facts: Facts) -> None:
    """Wait until the site's health check succeeds through nginx. Raises DeployError with the end of its logs."""
    site = machine.site
    machine.say(f"wait until {site.address(facts.base)} responds")
    if machine.dry or machine.staged:
        return
    secure = site.certificate_files() is not None
    host = site.domain or "localhost"
    path = f"{facts.base}/_koa/health"
    port = 443 if secure else site.port
    if not workers.wait_for(lambda: workers.answers(port, host, path, secure), START_SECONDS, 0.1):
        journal = machine.ask("journalctl", "-n", "8", "--no-pager", "-u", site.emperor)
        raise DeployError(
            f"The site does not respond at {site.address(facts.base)}; the previous state is restored.\n"
            f"--- {site.uwsgi_log}\n{tail(site.uwsgi_log)}\n--- journalctl -u {site.emperor}\n{journal}"
        )


def _put_back(machine: Machine, before: Before) -> None:
    """After a failure: restore the previous files and release, and restart what runs with them."""
    if machine.dry:
        return
    site = machine.site
    if not before.installed:
        uninstall.stop(machine)
        machine.undo()
        uninstall.remove(machine, purge=not before.data)
        return
    machine.undo()
    units = [unit for unit in site.units if site.unit_file(unit) in machine.changed]
    if site.emperor_ini in machine.changed and site.emperor not in units:
        units.append(site.emperor)
    if units:
        machine.attempt("systemctl", "daemon-reload")
        machine.attempt("systemctl", "restart", *units)
    elif site.current in machine.changed:
        machine.attempt("systemctl", "reload", site.emperor)
    if machine.changed & _nginx_files(site):
        machine.attempt("systemctl", "reload", "nginx.service")


def _finish(machine: Machine, facts: Facts) -> None:
    site = machine.site
    if machine.dry:
        machine.say("finished")
        return
    release.prune(machine)
    lines = [] if machine.changed else ["Nothing had to be changed."]
    lines.append(f"Staged in {site.root}." if machine.staged else f"KernKoa runs: {site.address(facts.base)}")
    if site.domain and not site.certificate_files():
        lines.append(f"For https: certbot certonly --nginx -d {site.domain} && sh setup.sh")
    sys.stdout.write("\n".join(lines) + "\n")
