"""What setup.sh hands on: python -m system.deploy install, reload, rollback, status or uninstall."""

from __future__ import annotations

import argparse
import fcntl
import os
import sys
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
    """Run one command; 1 and a message on standard error when it could not be done."""
    # what follows run is somebody else's command line
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
        sys.stderr.write("setup.sh: interrupted; what was begun is put back\n")
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
    parser.add_argument("--domain", help="the host name it answers to; every name where there is none")
    parser.add_argument("--port", type=int, help="nginx's port (80)")
    parser.add_argument("--base", help="the path it lives under, such as /shop")
    parser.add_argument("--user", help="the system user it runs as (kernkoa); made where there is none")
    parser.add_argument("--processes", type=int, help="uWSGI's workers (twice the cores)")
    parser.add_argument(
        "--certificate", metavar="FOLDER", help="of fullchain.pem and privkey.pem (Let's Encrypt's)"
    )
    parser.add_argument(
        "--no-redis", dest="redis", action="store_const", const=False, help="install and use none here"
    )
    parser.add_argument(
        "--redis", dest="redis", action="store_const", const=True, help="use the one of this machine"
    )
    parser.add_argument(
        "--frozen", action=argparse.BooleanOptionalAction, help="catalog and templates in releases too"
    )
    parser.add_argument(
        "--default-site", action="store_true", help="set nginx's welcome page aside without asking"
    )
    parser.add_argument(
        "--purge", action="store_true", help="uninstall: remove the site's data, logs and user too"
    )
    parser.add_argument("--dry-run", action="store_true", help="say every step and change nothing")
    parser.add_argument("--root", default="/", metavar="FOLDER", help="write the files there and run nothing")
    parser.add_argument(
        "--no-packages", action="store_const", const=None, default=None, help="install no packages"
    )
    return parser


def _has_wheel() -> bool:
    """Whether uWSGI is the wheel's, which needs to be told how to start itself anew."""
    return not (CLONE / "venv3/.uwsgi_compiled").exists()


def _require_rights(machine: Machine, command: str) -> None:
    if machine.dry or machine.staged or command == "status":
        return
    if os.geteuid() != 0:
        raise DeployError(f"this needs root: sudo sh setup.sh {command}")
    if not Path("/run/systemd/system").is_dir():
        raise DeployError(
            "this machine does not run systemd. docs/production.md says how to start the parts by hand."
        )


class _only_one:
    """One setup.sh at a time: a second one waits for the first."""

    def __init__(self, machine: Machine) -> None:
        self._needed = not machine.dry and not machine.staged and os.geteuid() == 0

    def __enter__(self) -> None:
        if self._needed:
            self._file = (CLONE / "setup.sh").open()
            fcntl.flock(self._file, fcntl.LOCK_EX)

    def __exit__(self, *_: object) -> None:
        if self._needed:
            self._file.close()


if __name__ == "__main__":
    sys.exit(main())
