"""The addon auth in tasks: a real worker knows who started a task."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest

from tests.task_bench import ROOT, Bench, bench

from .test_auth import ADDONS, PASSWORD, basic

OFFICE = """
    from kernkoa import *

    require = load.addon("auth", "require")
    current_user = load.addon("auth", "current_user")

    class Office:
        @require(role="staff")
        def guarded(self):
            return exeTask(self, "report")

        def free(self):
            return exeTask(self, "report")

        def report(self, celery_instance=None):
            return {"by": current_user.name, "roles": sorted(current_user.roles)}
"""
ANN, NOBODY = {"by": "ann", "roles": ["staff"]}, {"by": "", "roles": []}


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    root = tmp_path_factory.mktemp("office")
    with bench(root, files={"office.py": OFFICE}, libs=ADDONS, addons=["auth"]) as made:
        command = [sys.executable, "kernkoa.py", "user", "add", "ann", "--role", "staff"]
        typed = f"{PASSWORD}\n{PASSWORD}\n"
        subprocess.run(
            command, cwd=ROOT, env=made.environ, input=typed, text=True, check=True, capture_output=True
        )
        yield made


@pytest.mark.parametrize(("method", "user"), [("guarded", ANN), ("free", NOBODY)])
def test_a_task_knows_the_user_of_a_guarded_request(site: Bench, method: str, user: dict[str, Any]) -> None:
    status, _, body = site.request("POST", f"/office/Office/{method}", {}, basic("ann", PASSWORD))
    assert status == 200, body
    assert site.end(json.loads(body)["id"])["data"] == user
