"""The site that KernKoa ships, whatever the site of this clone looks like.

shipped.txt names each shipped file of the site with its Git blob id. `sh setup.sh test` runs in this clone where its site
is the shipped one, else in a copy with the shipped site. A changed file is read from Git's history; where there is none,
the copy is without it, and the tests that need the shipped site are skipped.

    python tests/shipped.py PYTHON [argument...]   runs the tests
    python tests/shipped.py --write                updates shipped.txt, when a shipped file was changed on purpose
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

CLONE = Path(__file__).resolve().parents[1]
MANIFEST = "tests/shipped.txt"
# what belongs to the site's author, and what belongs to the kernel
SITE = ("catalog", "config.py", "images", "kernkoa_nginx.conf", "kernkoa_uwsgi.ini", "pdfs", "static", "templates")
KERNEL = (
    ".ci .dockerignore .gitignore CHANGELOG.md README.md benchmarks docs kernkoa.py pyproject.toml requirements.txt"
    " setup.sh system tests"
)
NOT_SITE = shutil.ignore_patterns("__pycache__", "invoice-*.pdf")
# set by continuous integration: there a changed file is a mistake
REQUIRED = "KERNKOA_TEST_SHIPPED"


def manifest(clone: Path = CLONE) -> dict[str, str]:
    """The shipped files of the site -> their blob ids."""
    lines = (clone / MANIFEST).read_text(encoding="utf-8").splitlines()
    return {name: blob for blob, name in (line.split(" ", 1) for line in lines)}


def site_of(clone: Path) -> dict[str, str]:
    """The files of the site in this clone -> their blob ids."""
    found = {}
    for place in SITE:
        files = [clone / place] if (clone / place).is_file() else sorted((clone / place).rglob("*"))
        for file in files:
            ignored = NOT_SITE("", file.relative_to(clone).parts)
            if file.is_file() and not ignored:
                found[file.relative_to(clone).as_posix()] = blob_id(file.read_bytes())
    return found


def blob_id(content: bytes) -> str:
    return hashlib.sha1(b"blob %d\0" % len(content) + content, usedforsecurity=False).hexdigest()


def missing(clone: Path = CLONE) -> list[str]:
    """The shipped files that are not in this clone."""
    return [name for name in manifest(clone) if not (clone / name).is_file()]


def needs_shipped_site() -> None:
    """Skip the test where the author of the site changed a shipped file that is nowhere else."""
    lost = missing()
    if lost:
        pytest.skip(f"you changed {lost[0]}, which ships with KernKoa")


def copy_shipped(clone: Path, target: Path) -> list[str]:
    """Copy the kernel and the shipped site. Returns the names of the files whose shipped form is nowhere."""
    for name in KERNEL.split():
        if (clone / name).is_dir():
            ignored = shutil.ignore_patterns("__pycache__", "node_modules", *(["site"] if name == "tests" else []))
            shutil.copytree(clone / name, target / name, symlinks=True, ignore=ignored)
        elif (clone / name).exists():
            shutil.copy(clone / name, target / name)
    present = site_of(clone)
    for name, blob in manifest(clone).items():
        content = (clone / name).read_bytes() if present.get(name) == blob else from_history(clone, blob)
        if content is not None:
            (target / name).parent.mkdir(parents=True, exist_ok=True)
            (target / name).write_bytes(content)
    return missing(target)


def from_history(clone: Path, blob: str) -> bytes | None:
    if not (clone / ".git").exists():
        return None
    try:
        return subprocess.run(["git", "cat-file", "blob", blob], cwd=clone, capture_output=True, check=True).stdout
    except (OSError, subprocess.CalledProcessError):
        return None


def run(command: list[str], clone: Path = CLONE) -> int:
    """Run a command in the clone, or in a copy with the shipped site. Returns its exit status."""
    present, shipped = site_of(clone), manifest(clone)
    if present == shipped:
        return subprocess.run(command, cwd=clone).returncode
    changed = sorted(name for name in present.keys() | shipped if present.get(name) != shipped.get(name))
    if os.environ.get(REQUIRED):
        sys.exit(f"These files differ from {MANIFEST}: {', '.join(changed)}. Run: python tests/shipped.py --write")
    with tempfile.TemporaryDirectory(prefix="kernkoa-clone-") as folder:
        Path(folder).chmod(0o755)
        lost = copy_shipped(clone, Path(folder))
        (Path(folder) / "venv3").symlink_to(clone / "venv3")
        print(
            f"Your site is not the shipped one ({len(changed)} files): testing the kernel with the shipped site."
        )
        if lost:
            print(f"Tests that need these files are skipped, as you changed them: {', '.join(lost)}")
        sys.stdout.flush()
        return subprocess.run(command, cwd=folder).returncode


def write(clone: Path = CLONE) -> None:
    lines = (f"{blob} {name}\n" for name, blob in sorted(site_of(clone).items()))
    (clone / MANIFEST).write_text("".join(lines), encoding="utf-8")


if __name__ == "__main__":
    if sys.argv[1:] == ["--write"]:
        write()
    else:
        sys.exit(run(sys.argv[1:]))
