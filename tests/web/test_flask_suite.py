"""Flask's own test suite, of the installed version, with the kernel's application in the place of flask.Flask."""

from __future__ import annotations

import importlib.metadata
import os
import subprocess
import sys
import tarfile
from pathlib import Path
from xml.etree import ElementTree

import pytest

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
VERSION = importlib.metadata.version("flask")
FEWEST = 480  # of 490 in Flask 3.1.3: a suite that shrinks is not a suite that passes


def known_differences() -> set[str]:
    lines = (HERE / "flask_differences.txt").read_text(encoding="utf-8").splitlines()
    return {line for line in lines if line and not line.startswith("#")}


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The source package of the installed Flask, from PyPI."""
    folder = tmp_path_factory.mktemp("flask")
    wanted = ["--no-deps", "--no-binary", "flask", "--dest", str(folder), f"flask=={VERSION}"]
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check", *wanted]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    if done.returncode:
        pytest.skip(f"the source of Flask {VERSION} cannot be fetched: {done.stderr.strip()[-300:]}")
    with tarfile.open(next(folder.glob("flask-*.tar.gz"))) as package:
        package.extractall(folder, filter="data")
    return folder / f"flask-{VERSION}"


@pytest.fixture(scope="module")
def outcomes(source: Path) -> dict[str, str]:
    """Each test of Flask's suite: "passed", "skipped" or what failed."""
    report = source / "report.xml"
    environ = {**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), str(HERE)])}
    options = ["-q", "-p", "flask_adapter", "-p", "no:cacheprovider", f"--junitxml={report}", "tests"]
    command = [sys.executable, "-m", "pytest", *options]
    done = subprocess.run(
        command, cwd=source, env=environ, capture_output=True, text=True, timeout=300, check=False
    )
    assert report.exists(), done.stdout[-2000:] + done.stderr[-2000:]
    return {_name_of(case): _outcome_of(case) for case in ElementTree.parse(report).iter("testcase")}


def _name_of(case: ElementTree.Element) -> str:
    parts = case.get("classname", "").split(".")
    cut = next(index for index, part in enumerate(parts) if part.startswith("test_")) + 1
    return "::".join(["/".join(parts[:cut]) + ".py", *parts[cut:], case.get("name", "")])


def _outcome_of(case: ElementTree.Element) -> str:
    for child in case:
        if child.tag in ("failure", "error"):
            return child.get("message", child.tag)
    return "skipped" if case.find("skipped") is not None else "passed"


def test_flasks_own_tests_pass_but_for_the_listed_differences(outcomes: dict[str, str]) -> None:
    failed = {name: told for name, told in outcomes.items() if told not in ("passed", "skipped")}
    assert {name: told for name, told in failed.items() if name not in known_differences()} == {}


def test_a_difference_that_is_gone_is_not_listed(outcomes: dict[str, str]) -> None:
    assert {name for name in known_differences() if outcomes.get(name) in ("passed", "skipped", None)} == set()


def test_the_whole_suite_ran(outcomes: dict[str, str]) -> None:
    assert sum(told == "passed" for told in outcomes.values()) >= FEWEST
