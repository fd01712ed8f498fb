"""`sh setup.sh test` tests the kernel with the shipped site, whatever the site of the clone looks like."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from tests import shipped
from tests.programs import find_program


def empty(clone: Path) -> None:
    for name in ("catalog", "templates", "images", "static", "pdfs"):
        shutil.rmtree(clone / name)


def break_everything(clone: Path) -> None:
    for file in [*(clone / "catalog").rglob("*.py"), *(clone / "templates").rglob("*.html")]:
        file.write_text("def (\n{% block")


def add_broken_files(clone: Path) -> None:
    (clone / "catalog/controller/exits.py").write_text("raise SystemExit(3)")
    (clone / "catalog/startup.py").write_text("def startup(app): 1 / 0")
    (clone / "templates/mine.html").write_text("{% if")


def configure(clone: Path) -> None:
    (clone / "config.py").write_text("port = 1234\nbase = '/mine'\naddons = ['nothing']\n")


def add_tests(clone: Path) -> None:
    (clone / "tests/site").mkdir()
    (clone / "tests/site/test_mine.py").write_text("import os,  sys\ndef test_x( ): assert 0\n")


AUTHORS = [empty, break_everything, add_broken_files, configure, add_tests]


@pytest.fixture
def clone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A clone of an author: nothing requires that its site is the shipped one."""
    monkeypatch.delenv(shipped.REQUIRED, raising=False)
    shipped.needs_shipped_site()
    made = tmp_path / "clone"
    assert shipped.copy_shipped(shipped.CLONE, made) == []
    return made


@pytest.mark.parametrize("change", AUTHORS)
def test_with_a_history_the_tests_run_with_every_shipped_file(
    clone: Path, tmp_path: Path, change: Callable[[Path], None]
) -> None:
    git(clone, "init", "--quiet")
    commit(clone)
    change(clone)
    commit(clone)
    seen = tmp_path / "seen"
    assert shipped.run(["sh", "-c", f"cp -r . {seen}; exit 3"], clone) == 3
    assert shipped.site_of(seen) == shipped.manifest()
    is_a_copy = change is not add_tests
    assert (seen / "tests/site").exists() is not is_a_copy


@pytest.mark.parametrize("change", AUTHORS)
def test_without_a_history_what_was_changed_is_left_out_and_named(
    clone: Path, tmp_path: Path, change: Callable[[Path], None]
) -> None:
    change(clone)
    lost = shipped.copy_shipped(clone, tmp_path / "copy")
    assert shipped.site_of(tmp_path / "copy").items() <= shipped.manifest().items()
    assert (lost == []) is (change in (add_broken_files, add_tests))
    assert lost == shipped.missing(tmp_path / "copy")
    assert not (tmp_path / "copy/tests/site").exists()


def test_an_unchanged_clone_is_tested_where_it_is(clone: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert shipped.run(["pwd", "-P"], clone) == 0
    assert capfd.readouterr().out.strip() == str(clone.resolve())


def test_continuous_integration_refuses_a_changed_file(clone: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    configure(clone)
    monkeypatch.setenv(shipped.REQUIRED, "required")
    with pytest.raises(SystemExit, match=r"config\.py.*--write"):
        shipped.run(["true"], clone)
    shipped.write(clone)
    assert shipped.run(["true"], clone) == 0


def git(clone: Path, *words: str) -> None:
    names = ["-c", "user.name=Ann", "-c", "user.email=ann@example.org"]
    subprocess.run([find_program("git"), *names, *words], cwd=clone, check=True, capture_output=True)


def commit(clone: Path) -> None:
    git(clone, "add", "--all")
    git(clone, "commit", "--quiet", "--allow-empty", "--message", "My site")
