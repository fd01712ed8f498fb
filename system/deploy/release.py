"""Releases: snapshots of the kernel and config.py, of which the link `current` names the one that runs.

The catalogue and what else lies in the clone is linked into each, so that a saved library counts at once, while
half-edited kernel code on the disk reaches nobody.
"""

from __future__ import annotations

import datetime
import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

from .errors import DeployError
from .machine import Machine, run_as, user_exists
from .site import Facts, Site

RELEASES_KEPT = 3
COPIED_FILES = ("*.py", "catalog/*.py", "requirements.txt", "kernkoa_uwsgi.ini", "kernkoa_nginx.conf")
# neither part of a release nor wanted by the running site
LEFT_OUT = {"venv3", "var", "tests", "docs", "benchmarks", "node_modules", "__pycache__"}
FROZEN_TOO = {"catalog", "templates"}
# linked even where they are missing, so that they can be added later
CATALOG = ("controller", "model", "print", "language")

READ_SETTINGS = """
import json, pathlib
from system.core.settings import read_settings
settings = read_settings(pathlib.Path("config.py").resolve())
print(json.dumps({"base": settings.base, "redis": settings.redisUrl, "upload": settings.maxUploadBytes,
                  "images": str(settings.folder(settings.imagePath).resolve())}))
"""


def environment(site: Site) -> dict[str, str]:
    """What the site's processes have in their environment, as their units have it."""
    found = dict(site.overrides)
    file = site.at(site.environment_file)
    lines = file.read_text(encoding="utf-8").splitlines() if file.is_file() else []
    for line in lines:
        name, equals, value = line.strip().partition("=")
        if equals and not name.startswith("#"):
            quoted = len(value) > 1 and value[0] == value[-1] and value[0] in "'\""
            found[name.strip()] = value[1:-1] if quoted else value
    return found


def learn(machine: Machine) -> Facts:
    """What config.py and the environment say together. Raises DeployError with the kernel's own words."""
    site = machine.site
    if not site.has_python or (machine.owner and not user_exists(machine.owner)):
        return Facts(site.base, site.clone / "images", 75_000_000, site.overrides.get("KERNKOA_REDIS_URL", ""))
    done = run_as(machine.owner, [site.python, "-B", "-c", READ_SETTINGS], site.clone, environment(site))
    if done.returncode:
        raise DeployError(
            f"config.py cannot be used by the user {machine.owner or 'of this run'}:\n{_last_lines(done.stderr)}\n"
            f"If it says 'Permission denied': that user must be able to read {site.clone}, "
            "which homes often forbid. Move it, for example to /srv/kernkoa."
        )
    found = json.loads(done.stdout)
    return Facts(found["base"], Path(found["images"]), found["upload"], found["redis"])


def prepare(machine: Machine) -> Path | None:
    """Make and check a release of what the clone holds now. None: the running one is the same.

    Raises DeployError with every problem that `python kernkoa.py check` names; the release is taken away again.
    """
    site = machine.site
    digest = _digest(site)
    running = site.at(site.current)
    if (running / ".digest").is_file() and (running / ".digest").read_text() == digest:
        _check(machine, running)  # the catalogue is not part of it, and may have changed
        return None
    release = site.state / "releases" / _new_name(site)
    machine.say(f"copy the kernel and config.py to {release}")
    if machine.dry:
        _check(machine, site.clone)
        return release
    place = site.at(release)
    try:
        _copy(site, place)
        (place / ".digest").write_text(digest)
        if machine.owner:
            _hand_over(place, machine.owner)
        _check(machine, place)
        if site.has_python:
            _compile(site, place)
    except BaseException:
        shutil.rmtree(place)
        raise
    return release


def activate(machine: Machine, release: Path) -> None:
    machine.say(f"let {machine.site.current} name {release.name}")
    machine.link(machine.site.current, f"releases/{release.name}")


def previous(site: Site) -> Path:
    """The release before the running one. Raises DeployError where there is none."""
    running = os.readlink(site.at(site.current)).rpartition("/")[2] if site.at(site.current).is_symlink() else ""
    older = [release for release in _releases(site) if release.name < running]
    if not older:
        raise DeployError("There is no older release to go back to.")
    return site.state / "releases" / older[-1].name


def prune(machine: Machine) -> None:
    """Keep the running release and the ones before it, three together."""
    site = machine.site
    running = os.readlink(site.at(site.current)).rpartition("/")[2]
    kept = [release for release in _releases(site) if release.name <= running][-RELEASES_KEPT:]
    for release in _releases(site):
        if release not in kept:
            shutil.rmtree(release)


def check_uwsgi(machine: Machine, text: str) -> None:
    """Let uWSGI read its file without starting: a misspelt option is found before anything runs with it.

    The copy it reads names no file of the running instance: uWSGI removes the sockets it is told of.
    """
    site = machine.site
    if machine.dry or not site.has_python or not (site.venv / "bin/uwsgi").exists():
        return
    ini = site.at(site.state) / "check_uwsgi.ini"
    text = text.replace(f"{site.run}/", "/tmp/kernkoa-check-")  # noqa: S108  # names, never opened
    drop = ("logto2", "chown-socket", "vacuum", "need-app", "module", "callable", "hook-pre-app")
    ini.write_text("\n".join(line for line in text.splitlines() if line.partition(" ")[0] not in drop))
    ini.chmod(0o644)
    try:
        done = run_as(machine.owner, [site.venv / "bin/uwsgi", "--ini", ini, "--no-server"], Path("/"), {})
    finally:
        ini.unlink()
    if done.returncode:
        raise DeployError(f"uWSGI does not accept kernkoa_uwsgi.ini:\n{_last_lines(done.stdout + done.stderr)}")


def _releases(site: Site) -> list[Path]:
    folder = site.at(site.state / "releases")
    return sorted(folder.iterdir()) if folder.is_dir() else []


def _new_name(site: Site) -> str:
    now = datetime.datetime.now(datetime.UTC)
    return now.strftime("%Y%m%d-%H%M%S") + f"-{now.microsecond // 1000:03d}"


def _copied(site: Site) -> Iterator[Path]:
    """The files of the clone that are part of a release, in order."""
    folders = {"system"} | (FROZEN_TOO if site.frozen else set())
    found = [file for pattern in COPIED_FILES for file in site.clone.glob(pattern)]
    for folder in folders:
        for inner, names, files in os.walk(site.clone / folder):
            names[:] = [name for name in names if name != "__pycache__"]
            found += [Path(inner) / file for file in files]
    return iter(sorted(set(found)))


def _linked(site: Site) -> list[str]:
    """The folders of the clone that every release shares. Of catalog/ those in it: its own files are copied."""
    copied = {"system", "catalog"} | (FROZEN_TOO if site.frozen else set())
    above = [entry.name for entry in _folders(site.clone) if entry.name not in LEFT_OUT | copied]
    live = set() if site.frozen else {*CATALOG, *(entry.name for entry in _folders(site.clone / "catalog"))}
    return sorted([*above, *(f"catalog/{name}" for name in live)])


def _folders(place: Path) -> list[Path]:
    hidden = (".", "__")
    return [entry for entry in place.iterdir() if entry.is_dir() and not entry.name.startswith(hidden)]


def _digest(site: Site) -> str:
    digest = hashlib.sha256()
    for file in _copied(site):
        digest.update(f"{file.relative_to(site.clone)}\0".encode())
        digest.update(hashlib.sha256(file.read_bytes()).digest())
    digest.update("\0".join(_linked(site)).encode())
    return digest.hexdigest()


def _copy(site: Site, place: Path) -> None:
    for file in _copied(site):
        target = place / file.relative_to(site.clone)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(file, target)
    for name in _linked(site):
        (place / name).parent.mkdir(exist_ok=True)
        (place / name).symlink_to(site.clone / name)
    (place / "var").symlink_to(site.var)


def _hand_over(place: Path, owner: str) -> None:
    """Root keeps the files, the site's user may read them, others may not: config.py can hold a password."""
    for inner, _, files in os.walk(place):
        shutil.chown(inner, "root", owner)
        os.chmod(inner, 0o750)  # noqa: S103  # its group is the site's own
        for file in files:
            if not (Path(inner) / file).is_symlink():
                shutil.chown(Path(inner) / file, "root", owner)
                os.chmod(Path(inner) / file, 0o640)


def _check(machine: Machine, place: Path) -> None:
    site = machine.site
    if machine.dry or not site.has_python:
        machine.say("check it there as the site's user: python kernkoa.py check")
        return
    with tempfile.TemporaryDirectory() as scratch:
        # a tree that is staged may be copied to many machines: it must not come with a key
        aside = {"KERNKOA_VAR_PATH": scratch} if machine.staged else {}
        done = run_as(machine.owner, [site.python, "-B", "kernkoa.py", "check"], place, environment(site) | aside)
    if done.returncode:
        raise DeployError(
            f"The check of the site failed, nothing was changed:\n{_last_lines(done.stdout + done.stderr)}\n"
            f"Mend it, then try again. The check by hand: {site.python} kernkoa.py check"
        )


def _compile(site: Site, place: Path) -> None:
    """Compiled by root, because the site's user cannot write beside the files."""
    run_as(None, [site.python, "-m", "compileall", "-q", "system", *place.glob("*.py")], place, {})


def _last_lines(text: str, count: int = 25) -> str:
    return "\n".join(text.strip().splitlines()[-count:])
