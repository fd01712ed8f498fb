"""Log lines: nobody's input breaks one, and as JSON each is one object."""

from __future__ import annotations

import io
import json
import logging
import sys
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from system.core.log import escape, protect
from system.core.settings import Settings
from tests.task_bench import bench

EVIL = """
    from kernkoa import *

    class Evil:
        def go(self):
            return exeTask(self, "run")

        def run(self, celery_instance=None):
            raise LookupError("a\\nERROR kernkoa: forged\\x1b[2J")
"""
FORGED = "a\nERROR kernkoa: forged\r\x1b[2J\x9b\x00\x85\u2028end"


class Written:
    """A logger whose lines are kept."""

    def __init__(self, root: Any, kind: str) -> None:
        self.stream = io.StringIO()
        self.handler = logging.StreamHandler(self.stream)
        self.handler.setFormatter(logging.Formatter("%(levelname)s %(name)s: %(message)s"))
        protect(self.handler, Settings(path=root, logFormat=kind))
        self.log = logging.getLogger(f"kernkoa.test.{kind}")
        self.log.addHandler(self.handler)

    def lines(self) -> list[str]:
        return self.stream.getvalue().split("\n")[:-1]


@pytest.fixture(params=["text", "json"])
def written(request: pytest.FixtureRequest, tmp_path: Any) -> Iterator[Written]:
    made = Written(tmp_path, request.param)
    yield made
    made.log.removeHandler(made.handler)


def fail(text: str) -> Any:
    try:
        raise LookupError(text)
    except LookupError:
        return sys.exc_info()


def test_a_record_is_one_line(written: Written) -> None:
    written.log.error("%s and %s", FORGED, "more")
    (line,) = written.lines()
    assert line.isprintable()
    assert "forged" in line


def test_the_lines_of_a_traceback_look_like_no_record(written: Written) -> None:
    written.log.error("it failed", exc_info=fail("x\nERROR kernkoa: forged\x1b[2J"))
    lines = written.lines()
    assert [line for line in lines if not line.startswith("  ")] == lines[:1]
    assert all(line.isprintable() for line in lines)


def test_json_is_json_with_the_ids(site: Any) -> None:
    site.write("page.py", "class page:\n    def show(self): return 'hello'\n")
    app = site.app(logFormat="json")
    made = Written(site.root, "json")
    log = logging.getLogger("kernkoa.access")
    log.addHandler(made.handler)
    log.setLevel(logging.INFO)
    try:
        with app.test_client().get("/page/show?secret=1") as response:
            pass
        with app.test_client().get("/no%0Awhere"):
            pass
    finally:
        log.removeHandler(made.handler)
        log.setLevel(logging.NOTSET)
    first, second = (json.loads(line) for line in made.lines())
    assert first["request_id"] == response.headers["X-Request-ID"]
    assert (first["verb"], first["path"], first["method"]) == ("GET", "/page/show", "page/page/show")
    assert (first["status"], first["client"]) == (200, "127.0.0.1")
    assert first["ms"] > 0
    assert (second["status"], second["path"], second["method"]) == (404, "/no\nwhere", "")


@given(st.text())
def test_an_escaped_text_is_one_line(text: str) -> None:
    assert len(escape(text).splitlines()) <= 1
    assert "\x1b" not in escape(text)


@pytest.mark.parametrize(
    "code", [0, 7, 8, 9, 10, 11, 12, 13, 0x1B, 0x7F, 0x85, 0x9B, 0x61C, 0x200E, 0x200F, 0x2028]
)
@pytest.mark.parametrize("more", [0, 0x202A, 0x202E, 0x2066, 0x2069, 0x2029])
def test_what_moves_the_cursor_ends_a_line_or_turns_its_direction_is_written_out(code: int, more: int) -> None:
    assert escape(f"a{chr(code)}b{chr(more)}").isprintable()


def test_the_log_of_a_worker_cannot_be_forged_either(tmp_path: Any) -> None:
    with bench(tmp_path) as made:
        made.write("evil.py", EVIL)
        started = json.loads(made.request("GET", "/evil/Evil/go")[2])
        made.end(started["id"])
        lines = made.log.read_text().split("\n")
    assert any("forged" in line for line in lines)
    assert not [line for line in lines if line.startswith("ERROR kernkoa: forged") or "\x1b[2J" in line]
