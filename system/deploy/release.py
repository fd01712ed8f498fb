"""Releases: snapshots of the kernel and config.py. The link `current` points to the running one.

The catalogue and the clone's other folders are linked into each release, so a saved library takes effect at once;
half-edited kernel code in the clone is never run.
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
from .machine import Machine
from .processes import run_as, user_exists
from .site import Facts, Site

RELEASES_KEPT = 3
COPIED_FILES = ("*.py", "catalog/*.py", "requirements.txt", "kernkoa_uwsgi.ini", "kernkoa_nginx.conf")
# not part of a release and not used by the running site
LEFT_OUT = {"venv3", "var", "tests", "docs", "benchmarks", "node_modules", "__pycache__"}
FROZEN_TOO = {"catalog", "templates"}
# linked even where they are missing, so that they can be added later
CATALOG = ("controller", "model", "print", "language")

READ_SETTINGS = """
import json, pathlib
from system.core.settings import read_settings
settings = read_settings(pathlib.Path("config.py").resolve())
print(json.dumps({"base": settings.base, "redis": settings.redisUrl, "upload": settings.maxUploadBytes,
                  "controllers": settings.libs["controller"],
                  "images": str(settings.folder(settings.imagePath).resolve()),
                  "static": str(settings.folder(settings.staticPath).resolve())}))
"""


def environment(site: Site) -> dict[str, str]:
    """The environment of the site's processes, as in their units."""
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
    """The settings of config.py and the environment. Raises DeployError with the kernel's message."""
    site = machine.site
    if not site.has_python or (machine.owner and not user_exists(machine.owner)):
        redis = site.overrides.get("KERNKOA_REDIS_URL", "")
        return Facts(site.base, site.clone / "images", site.clone / "static", 75_000_000, redis)
    done = run_as(machine.owner, [site.python, "-B", "-c", READ_SETTINGS], site.clone, environment(site))
    if done.returncode:
        raise DeployError(
            f"The user {machine.owner or 'of this run'} cannot load config.py:\n{_last_lines(done.stderr)}\n"
            f"If it says 'Permission denied': that user must be able to read {site.clone}, "
            "and home folders are often closed. Move it, for example to /srv/kernkoa."
        )
    found = json.loads(done.stdout)
    folders = Path(found["images"]), Path(found["static"])
    return Facts(found["base"], *folders, found["upload"], found["redis"], Path(found["controllers"]))


def prepare(machine: Machine) -> Path | None:
    """Create and check a release of the clone's current code. Returns None if the running one is the same.

    Raises DeployError with every fault that `python kernkoa.py check` reports; the release is then removed.
    """
    site = machine.site
    digest = _digest(site)
    running = site.at(site.current)
    if (running / ".digest").is_file() and (running / ".digest").read_text() == digest:
        _check(machine, running)  # the catalogue is not part of the release and may have changed
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
    machine.say(f"switch {machine.site.current} to {release.name}")
    machine.link(machine.site.current, f"releases/{release.name}")


def previous(site: Site) -> Path:
    """The previous release. Raises DeployError if there is none."""
    running = os.readlink(site.at(site.current)).rpartition("/")[2] if site.at(site.current).is_symlink() else ""
    older = [release for release in _releases(site) if release.name < running]
    if not older:
        raise DeployError("There is no older release to go back to.")
    return site.state / "releases" / older[-1].name


def prune(machine: Machine) -> None:
    """Delete all releases except the running one and the two before it."""
    site = machine.site
    running = os.readlink(site.at(site.current)).rpartition("/")[2]
    kept = [release for release in _releases(site) if release.name <= running][-RELEASES_KEPT:]
    for release in _releases(site):
        if release not in kept:
            shutil.rmtree(release)


def check_uwsgi(machine: Machine, text: str) -> None:
    """Let uWSGI parse its file without starting, to find misspelt options before they are used.

    The copy that it reads names no file of the running instance, because uWSGI removes the sockets in its options.
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
    """The files of the clone that are part of a release, sorted."""
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
    """Root owns the files, the site's user may read them, others may not: config.py can contain a password."""
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
        machine.say("check the release as the site's user: python kernkoa.py check")
        return
    with tempfile.TemporaryDirectory() as scratch:
        # a --root folder may be copied to many machines: it must not contain a key
        aside = {"KERNKOA_VAR_PATH": scratch} if machine.staged else {}
        done = run_as(
            machine.owner, [site.python, "-B", "kernkoa.py", "check", "--deploy"], place, environment(site) | aside
        )
    if done.returncode:
        raise DeployError(
            f"The check of the site failed; nothing was changed:\n{_last_lines(done.stdout + done.stderr)}\n"
            f"Fix it, then try again. To run the check yourself: {site.python} kernkoa.py check"
        )
    for line in done.stdout.splitlines():
        if line.startswith("warning: "):
            machine.say(line)


def _compile(site: Site, place: Path) -> None:
    """Compile as root, because the site's user cannot write to the folder."""
    run_as(None, [site.python, "-m", "compileall", "-q", "system", *place.glob("*.py")], place, {})


def _last_lines(text: str) -> str:
    return "\n".join(text.strip().splitlines()[-25:])
