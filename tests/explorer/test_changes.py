"""What `openapi --diff` reports: what would break a client, and nothing else."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from system.core.explorer.changes import breaking_changes

ROOT = Path(__file__).resolve().parents[2]
HEAD = "from typing import *\nfrom pydantic import BaseModel, Field\nfrom system.core.dispatch.decorators import allow\n"

# before, after, what is reported of it
CHANGES = [
    ("def m(self, a: int): pass", "def m(self, a: int): pass", []),
    ("def m(self, a: int): pass", "def m(self, a: int, b: int = 1): pass", []),
    ("def m(self, a: int): pass", "def m(self, a: int = 1): pass", ["/it/m/{a} is gone"]),
    ("def m(self, a: int): pass", "def n(self, a: int): pass", ["GET /it/m is gone", "POST /it/m/{a} is gone"]),
    ("def m(self): pass", "@allow('POST')\n    def m(self): pass", ["GET /it/m is gone"]),
    ("def m(self): pass", "def m(self, *, b: int): pass", ["GET /it/m: the query parameter b is required"]),
    ("def m(self, *, a: int = 1): pass", "def m(self, *, a: int): pass", ["the query parameter a is required"]),
    ("def m(self, *, a: int = 1): pass", "def m(self, *, a: float = 1): pass", []),
    ("def m(self, *, a: float = 1): pass", "def m(self, *, a: int = 1): pass", ["is integer and not number"]),
    (
        "def m(self, *, a: Literal['x', 'y'] = 'x'): pass",
        "def m(self, *, a: Literal['x', 'z'] = 'x'): pass",
        ["does not accept 'y'"],
    ),
    ("def m(self, *, a: Literal['x'] = 'x'): pass", "def m(self, *, a: Literal['x', 'y'] = 'x'): pass", []),
    (
        "def m(self, *, a: int = 1): pass",
        "def m(self, *, a: Annotated[int, Field(ge=1)] = 1): pass",
        ["has a minimum of 1"],
    ),
    ("class M(BaseModel):\n        a: int = 1", "class M(BaseModel):\n        a: int", ["the body needs a"]),
    ("class M(BaseModel):\n        a: int", "class M(BaseModel):\n        a: int\n        b: int = 1", []),
    ("class M(BaseModel):\n        a: float = Field(multiple_of=0.1)", "class M(BaseModel):\n        a: float = Field(multiple_of=0.05)", []),
    ("class M(BaseModel):\n        a: float = Field(multiple_of=0.1)", "class M(BaseModel):\n        a: float = Field(multiple_of=0.2)", ["has to be a multiple of 0.2"]),
    ("class R(BaseModel):\n        a: int\n        b: int", "class R(BaseModel):\n        a: int", ["response 200 has no b"]),
    ("class R(BaseModel):\n        a: int", "class R(BaseModel):\n        a: int\n        b: int", []),
    ("class R(BaseModel):\n        a: list[int]", "class R(BaseModel):\n        a: list[str]", ["is string and not integer"]),
    ("def m(self) -> dict[str, int]: pass", "def m(self) -> None: pass", ["the response 200 is gone"]),
    ("def m(self) -> str: pass", "def m(self) -> dict[str, int]: pass", ["the response 200 has no text/html"]),
]  # fmt: skip


def document_of(site: Any, code: str) -> dict[str, Any]:
    if code.startswith("class M"):
        code += "\n    @allow('POST')\n    def m(self, it: M): pass"
    elif code.startswith("class R"):
        code += "\n    def m(self) -> R: pass"
    site.write("it.py", f"{HEAD}\nclass it:\n    {code}\n")
    document: dict[str, Any] = site.client(explorer="public").get("/_koa/openapi.json").get_json()
    return document


@pytest.mark.parametrize(("before", "after", "reported"), CHANGES)
def test_what_breaks_a_client_is_reported(site: Any, before: str, after: str, reported: list[str]) -> None:
    changes = breaking_changes(document_of(site, before), document_of(site, after))
    for text in reported:
        assert any(text in change for change in changes), changes
    assert bool(changes) is bool(reported), changes


def run_diff(tmp_path: Path, text: str) -> subprocess.CompletedProcess[str]:
    old = tmp_path / "old.json"
    old.write_text(text)
    command = [sys.executable, str(ROOT / "kernkoa.py"), "openapi", "--diff", str(old)]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, cwd=ROOT)


def test_the_command_reports_breaking_changes_and_ends_with_1(tmp_path: Path) -> None:
    done = run_diff(tmp_path, json.dumps({"paths": {"/gone": {"get": {}}}}))
    assert (done.returncode, done.stdout) == (1, "GET /gone is gone\n")
    done = run_diff(tmp_path, json.dumps({"paths": {}}))
    assert (done.returncode, done.stdout) == (0, "Nothing that a client uses has changed.\n")
    done = run_diff(tmp_path, "[1]")
    assert done.returncode == 1
    assert "is not an OpenAPI document: it has no paths." in done.stderr
