"""The programs that the tests need beside Python's packages."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

# set by `sh setup.sh test --no-packages`
MAY_BE_MISSING = "KERNKOA_TEST_NO_PACKAGES"


def find_program(name: str, folders: str = "") -> str:
    """The path of a program: on the PATH, or the newest in `folders` (a glob), where Debian keeps some.

    Without it the test fails, or is skipped with --no-packages.
    """
    versions = sorted(Path("/").glob(f"{folders}/{name}"), reverse=True) if folders else []
    found = shutil.which(name) or shutil.which(name, path="/usr/sbin:/sbin") or next(map(str, versions), None)
    if found is not None:
        return found
    if MAY_BE_MISSING in os.environ:
        pytest.skip(f"{name} is not installed")
    raise FileNotFoundError(f"{name} is not installed. Run: sh setup.sh test")
