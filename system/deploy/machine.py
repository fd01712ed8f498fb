"""The machine: all changes of files and all commands of setup.sh go through here.

Created files are recorded with their checksum, so that a later run can tell its own files from those that an
administrator changed, and uninstalling removes only what was created.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import sys
from pathlib import Path

from .errors import DeployError
from .processes import capture, user_exists
from .site import Site

FOLDER = "folder"
USER = "user"
ASIDE = "aside"


class Machine:
    """Changes this machine, or the folder of --root; with --dry-run it only prints the changes."""

    def __init__(self, site: Site, dry: bool = False) -> None:
        self.site = site
        self.dry = dry
        self.changed: set[Path] = set()
        # the previous state of a path: the content of a file or the target of a link, and its entry in the list
        self._undo: list[tuple[Path, bytes | str | None, str | None]] = []
        self._ledger = site.at(site.state / "manifest.json")
        # path -> checksum, and the name of a user that was created
        self.made: dict[str, str] = json.loads(self._ledger.read_text()) if self._ledger.is_file() else {}

    @property
    def staged(self) -> bool:
        return self.site.root != Path("/")

    @property
    def owner(self) -> str | None:
        """The user for checks: the site's, or the current one with --root."""
        return None if self.staged or os.geteuid() != 0 else self.site.owner

    def say(self, text: str) -> None:
        sys.stdout.write(("would: " if self.dry else "") + text + "\n")
        sys.stdout.flush()

    # --- files ---

    def folder(self, path: Path) -> None:
        """Create a folder and its parents; uninstalling removes the ones created here once they are empty."""
        place = self.site.at(path)
        if path == path.parent or path in self.changed or place.is_dir():
            return
        self.folder(path.parent)
        self.say(f"create the folder {path}")
        self.changed.add(path)
        if not self.dry:
            place.mkdir()
            self._record(str(path), FOLDER)

    def write(self, path: Path, text: str, mode: int = 0o644) -> None:
        """Create or update a file of the site; one that an administrator changed is kept.

        Raises DeployError if a file of someone else is in the way.
        """
        place = self.site.at(path)
        new = text.encode()
        old = place.read_bytes() if place.is_file() else None
        if old == new:
            if str(path) in self.made:
                self._record(str(path), _checksum(new))
            return
        if old is not None and self.made.get(str(path)) != _checksum(old):
            self._keep(path, text)
            return
        self.folder(path.parent)
        self.say(f"{'write' if old is None else 'update'} {path}")
        self.changed.add(path)
        if not self.dry:
            self._remember(path, old)
            _replace(place, new, mode)
            self._record(str(path), _checksum(new))

    def _keep(self, path: Path, text: str) -> None:
        if str(path) not in self.made:
            raise DeployError(
                f"{path} exists and was not created by this script. Move it away, or install a second site: "
                "sh setup.sh --name another"
            )
        proposal = self.site.state / "proposed" / path.name
        self.say(f"keep {path}, which was changed by hand; the new version is in {proposal}")
        self.write(proposal, text, 0o600)

    def link(self, path: Path, target: Path | str) -> None:
        """Create or replace a link, atomically."""
        place = self.site.at(path)
        if place.is_symlink() and os.readlink(place) == str(target):
            return
        if os.path.lexists(place) and str(path) not in self.made:
            raise DeployError(f"{path} exists and was not created by this script. Move it away.")
        self.folder(path.parent)
        self.say(f"link {path} -> {target}")
        self.changed.add(path)
        if not self.dry:
            self._remember(path, os.readlink(place) if place.is_symlink() else None)
            _relink(place, str(target))
            self._record(str(path), f"-> {target}")

    def unlink(self, path: Path) -> bool:
        """Remove a link that was created here. Returns whether there was one."""
        place = self.site.at(path)
        if not place.is_symlink() or self.made.get(str(path)) != _checksum_of(place):
            return False
        self.say(f"remove {path}")
        self.changed.add(path)
        if not self.dry:
            self._remember(path, os.readlink(place))
            place.unlink()
            del self.made[str(path)]
            self._save()
        return True

    def set_aside(self, link: Path, aside: Path) -> None:
        """Remove a link that belongs to another package; uninstalling restores it."""
        self.say(f"set {link} aside")
        self.changed.add(link)
        if not self.dry:
            target = os.readlink(self.site.at(link))
            self.folder(aside.parent)
            _relink(self.site.at(aside), target)
            self._record(str(aside), f"{ASIDE} {link}")
            self._remember(link, target)
            self.site.at(link).unlink()

    def put_aside_back(self) -> None:
        """Restore the removed links, unless something else is in their place now."""
        for name, note in self.made.items():
            marker, _, link = note.partition(" ")
            aside, place = self.site.at(Path("/") / name), self.site.at(Path("/") / link)
            if marker == ASIDE and aside.is_symlink() and not os.path.lexists(place):
                self.say(f"put {link} back")
                if not self.dry:
                    place.symlink_to(os.readlink(aside))

    def undo(self) -> None:
        """Undo the changes of this run."""
        for path, old, entry in reversed(self._undo):
            place = self.site.at(path)
            if old is None:
                place.unlink(missing_ok=True)
            elif isinstance(old, str):
                _relink(place, old)
            else:
                _replace(place, old, place.stat().st_mode & 0o777)
            self.made.pop(str(path), None)
            if entry is not None:
                self.made[str(path)] = entry
        self._undo.clear()
        self._save()

    def _remember(self, path: Path, old: bytes | str | None) -> None:
        self._undo.append((path, old, self.made.get(str(path))))

    def remove_made(self) -> None:
        """Remove the files that were created here and not changed since, and folders once they are empty."""
        for name, checksum in sorted(self.made.items(), reverse=True):
            place = self.site.at(Path("/") / name)
            if checksum == USER or not os.path.lexists(place):
                continue
            if checksum == FOLDER:
                self._remove_folder(Path(name))
            elif _checksum_of(place) == checksum:
                self.say(f"remove {name}")
                if not self.dry:
                    place.unlink()
            else:
                self.say(f"keep {name}, which was changed by hand")

    def _remove_folder(self, path: Path) -> None:
        place = self.site.at(path)
        if self.dry or not place.is_dir() or any(place.iterdir()):
            return
        self.say(f"remove the empty folder {path}")
        place.rmdir()

    def remove_tree(self, path: Path) -> None:
        """Remove a folder that only this script writes to, or a log of the site."""
        place = self.site.at(path)
        if not os.path.lexists(place):
            return
        self.say(f"remove {path}")
        if self.dry:
            return
        if place.is_dir() and not place.is_symlink():
            shutil.rmtree(place)
        else:
            place.unlink()

    def _record(self, name: str, checksum: str) -> None:
        if self.made.get(name) != checksum:
            self.made[name] = checksum
            self._save()

    def _save(self) -> None:
        if not self._ledger.parent.is_dir():
            return
        _replace(self._ledger, (json.dumps(self.made, indent=1, sort_keys=True) + "\n").encode(), 0o600)

    def forget(self) -> None:
        """Delete the list of created files, and its folder if it is empty: the end of an uninstallation.

        A user and folders that are kept with the site's data stay on the list.
        """
        if self.dry:
            return
        own = (self.site.state, *self.site.state.parents)
        made, self.made = self.made, {name: what for name, what in self.made.items() if self._is_left(name, what)}
        if any(Path(name) not in own for name in self.made):
            self._save()
            return
        self._ledger.unlink(missing_ok=True)
        for folder in own:
            if made.get(str(folder)) == FOLDER:
                self._remove_folder(folder)

    def _is_left(self, name: str, what: str) -> bool:
        return (what == USER and user_exists(name)) or (what == FOLDER and self.site.at(Path(name)).is_dir())

    # --- users ---

    def user(self, name: str, home: Path) -> None:
        """Create a system user, unless it exists."""
        if self.staged or user_exists(name):
            return
        self.run(
            *("useradd", "--system", "--user-group", "--no-create-home", "--home-dir", home),
            *("--shell", "/usr/sbin/nologin", name),
        )
        if not self.dry:
            self._record(name, USER)

    def remove_user(self, name: str) -> None:
        """Remove the system user, if it was created here."""
        if self.made.get(name) == USER:
            self.run("userdel", name)

    # --- commands ---

    def run(self, *command: str | Path, advice: str = "") -> None:
        """Run a command of the system. Raises DeployError with its output and the advice when it fails."""
        line = " ".join(str(part) for part in command)
        if self.dry or self.staged:
            self.say(f"run: {line}" if self.dry else f"not run with --root: {line}")
            return
        done = capture(command)
        if done.returncode:
            raise DeployError(f"{line} failed:\n{(done.stdout + done.stderr).strip()}\n{advice}".rstrip())

    def attempt(self, *command: str) -> None:
        """Run a clean-up command after a failure; its own failure is ignored."""
        if not self.staged:
            self.ask(*command)

    def ask(self, *command: str | Path) -> str:
        """The output of a command that changes nothing; empty when it fails."""
        try:
            done = capture(command)
        except OSError:
            return ""
        return done.stdout.strip() if done.returncode == 0 else ""

    def active(self, unit: str) -> bool:
        return self.ask("systemctl", "is-active", unit) == "active"


def _checksum(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def _checksum_of(place: Path) -> str:
    return f"-> {os.readlink(place)}" if place.is_symlink() else _checksum(place.read_bytes())


def _replace(place: Path, content: bytes, mode: int) -> None:
    aside = place.with_name(f".{place.name}.new")
    aside.write_bytes(content)
    aside.chmod(mode)
    os.replace(aside, place)


def _relink(place: Path, target: str) -> None:
    aside = place.with_name(f".{place.name}.new")
    aside.unlink(missing_ok=True)
    aside.symlink_to(target)
    os.replace(aside, place)
