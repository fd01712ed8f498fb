"""What uWSGI's master imports before it forks."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
MODULES = re.findall(r"^shared-pyimport = (\S+)$", (ROOT / "kernkoa_uwsgi.ini").read_text(), re.MULTILINE)


def test_what_the_master_imports_is_frozen_and_no_part_of_the_site() -> None:
    program = (
        f"for name in {MODULES}: __import__(name)\nimport gc, sys\nprint(gc.get_freeze_count(), *sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True)
    frozen, *names = done.stdout.split()
    assert MODULES[-1] == "system.core.web.before_fork"
    assert int(frozen) > 1_000
    # a reload takes new files of the kernel: nothing but this module, and what is empty, may be kept
    assert {name for name in names if name.startswith(("system", "catalog", "config", "kernkoa"))} == {
        "system", "system.core", "system.core.web", "system.core.web.before_fork"}  # fmt: skip
