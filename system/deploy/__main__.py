"""The command line of setup.sh: python -m system.deploy install, reload, rollback, status, run or uninstall."""

from __future__ import annotations

import argparse
import fcntl
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from .errors import DeployError
from .install import install
from .machine import Machine
from .report import status
from .shell import become_the_site
from .site import changed, check_options, recall
from .uninstall import uninstall
from .update import reload, require_installed, rollback

CLONE = Path(__file__).resolve().parents[2]


def main() -> int:
    """Run one command. Returns 1, with a message on standard error, if it fails."""
    # everything after `run` belongs to the command that it starts
    words = sys.argv[2:] if sys.argv[1:2] == ["run"] else []
    arguments = vars(_parser().parse_args(sys.argv[1:2] if words else None))
    command = arguments.pop("command")
    dry, purge, default_site = (arguments.pop(name) for name in ("dry_run", "purge", "default_site"))
    root, name = Path(arguments.pop("root")).resolve(), arguments.pop("name")
    try:
        site = changed(recall(CLONE, root, name), {**arguments, "wheel": _has_wheel()})
        check_options(site)
        if not dry:
            root.mkdir(parents=True, exist_ok=True)
        machine = Machine(site, dry)
        _require_rights(machine, command)
        if command == "run":
            require_installed(machine)
            become_the_site(machine, words)
        with _only_one(machine):
            _run(command, machine, default_site, purge)
    except DeployError as error:
        sys.stderr.write(f"setup.sh: {error}\n")
        return 1
    except KeyboardInterrupt:
        sys.stderr.write("setup.sh: interrupted; the changes were undone\n")
        return 130
    return 0


def _run(command: str, machine: Machine, default_site: bool, purge: bool) -> None:
    if command == "install":
        install(machine, default_site)
        return
    if command == "uninstall":
        uninstall(machine, purge)
    else:
        require_installed(machine)
        {"reload": reload, "rollback": rollback, "status": status}[command](machine)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="sh setup.sh", description="KernKoa in production, behind nginx and uWSGI."
    )
    parser.add_argument("command", choices=["install", "reload", "rollback", "status", "run", "uninstall"])
    parser.add_argument("--name", help="for a second site on this machine; the first is kernkoa")
    parser.add_argument("--domain", help="the host name of the site (default: every name)")
    parser.add_argument("--port", type=int, help="nginx's port (default: 80)")
    parser.add_argument("--base", help="the path of the site, such as /shop")
    parser.add_argument("--user", help="the system user of the site (default: kernkoa); created if missing")
    parser.add_argument("--processes", type=int, help="number of uWSGI processes (default: twice the cores)")
    parser.add_argument(
        "--certificate",
        metavar="FOLDER",
        help="folder of fullchain.pem and privkey.pem",
    )
    parser.add_argument(
        "--no-redis",
        dest="redis",
        action="store_const",
        const=False,
        help="do not use a Redis on this machine",
    )
    parser.add_argument(
        "--redis", dest="redis", action="store_const", const=True, help="use the Redis of this machine"
    )
    parser.add_argument(
        "--frozen", action=argparse.BooleanOptionalAction, help="put catalog and templates into the releases"
    )
    parser.add_argument("--default-site", action="store_true", help="disable nginx's welcome page without asking")
    parser.add_argument(
        "--purge", action="store_true", help="uninstall: also remove the site's data, logs and user"
    )
    parser.add_argument("--dry-run", action="store_true", help="print every step and change nothing")
    parser.add_argument("--root", default="/", metavar="FOLDER", help="write the files there and start nothing")
    parser.add_argument(
        "--no-packages", action="store_const", const=None, default=None, help="install no packages"
    )
    return parser


def _has_wheel() -> bool:
    """Whether uWSGI is from the wheel, which needs options to restart itself."""
    return not (CLONE / "venv3/.uwsgi_compiled").exists()


def _require_rights(machine: Machine, command: str) -> None:
    if machine.dry or machine.staged or command == "status":
        return
    if os.geteuid() != 0:
        raise DeployError(f"this needs root: sudo sh setup.sh {command}")
    if not Path("/run/systemd/system").is_dir():
        raise DeployError(
            "this machine does not run systemd. docs/production.md explains how to start the parts by hand."
        )


@contextmanager
def _only_one(machine: Machine) -> Iterator[None]:
    """Lock: a second setup.sh waits for the first."""
    with (CLONE / "setup.sh").open() as file:
        if not machine.dry and not machine.staged and os.geteuid() == 0:
            fcntl.flock(file, fcntl.LOCK_EX)
        yield


if __name__ == "__main__":
    sys.exit(main())
