"""Runs the commands in an environment that has the packages: this one, or the clone's own virtual environment.

Imports nothing but the standard library: it runs where the packages are missing.
"""

from __future__ import annotations

import os
import sys
from importlib.util import find_spec
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
VENV = ROOT / "venv3"
PACKAGES = ("flask", "pydantic", "celery", "sqlalchemy")
# set for the interpreter of venv3, so that it is tried once
TRIED = "KERNKOA_ENVIRONMENT_TRIED"


def run() -> None:
    """Run the command line. If this interpreter lacks a package, it uses venv3 and prints a note."""
    missing = next((name for name in PACKAGES if find_spec(name) is None), "")
    if missing:
        _use_venv(missing)
    os.environ.pop(TRIED, None)
    from .cli import main

    main()


def _use_venv(package: str) -> None:
    """Run this command again with venv3. Exits with 1 and advice if that is not possible."""
    python = VENV / "bin" / "python"
    if not python.exists() or TRIED in os.environ:
        sys.exit(f"{sys.executable} has no package {package}. Install all and start with: sh setup.sh dev")
    sys.stderr.write(f"{sys.executable} has no package {package}: using {python}\n")
    sys.stderr.flush()
    os.environ[TRIED] = "1"
    os.execv(python, [str(python), *sys.orig_argv[1:]])  # noqa: S606 - the clone's own interpreter
