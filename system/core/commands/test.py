"""`python kernkoa.py test`: the tests of the site, with the fixtures of system/testing."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path

import click

from ..settings import Settings

ROOT = Path(__file__).resolve().parents[3]
FOLDER = "tests/site"


def run_tests(settings: Settings, arguments: Sequence[str]) -> int:
    """Run pytest on tests/site or the given files; returns its exit status. Raises ClickException without."""
    if find_spec("pytest") is None:
        raise click.ClickException(f"pytest is not installed. Run: {sys.executable} -m pip install pytest")
    import pytest

    folder = settings.path / FOLDER
    names = [word.partition("::")[0] for word in arguments if not word.startswith("-")]
    has_path = any(Path(name).exists() for name in names)
    if not has_path and not folder.is_dir():
        raise click.ClickException(
            f"{folder} is missing. Write a first test: python kernkoa.py new test shop/orders"
        )
    sys.path.insert(0, str(ROOT))
    options = ["-c", str(ROOT / "system" / "testing" / "pytest.ini"), "--rootdir", str(settings.path)]
    options += ["-p", "system.testing.plugin", "--confcutdir", str(folder)]
    return int(pytest.main([*options, *([] if has_path else [str(folder)]), *arguments]))
