"""docs/tutorial: all chapters, in their order, on one site that a development server serves meanwhile."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import pytest

from tests.doc_blocks import ROOT, blocks_of, run_steps
from tests.servers import VENV, copy_clone, free_port

CHAPTERS = sorted((ROOT / "docs" / "tutorial").glob("*.md"))


class Desk:
    """The site of the tutorial."""

    def __init__(self, folder: Path) -> None:
        self.clone, self.port, self.log = folder / "desk", free_port(), folder / "log"
        copy_clone(self.clone)
        for name in ("controller", "model", "print"):  # the examples are not part of the tutorial
            shutil.rmtree(self.clone / "catalog" / name)
            (self.clone / "catalog" / name).mkdir()
        command = [sys.executable, "kernkoa.py", "--port", str(self.port)]
        environment = {key: value for key, value in os.environ.items() if not key.startswith("KERNKOA_")}
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(command, cwd=self.clone, env=environment, stdout=log, stderr=log)

    def is_served(self) -> bool:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/_koa/health", timeout=5) as answer:
                return bool(answer.status == 200)
        except OSError:
            return False

    def wait(self) -> None:
        deadline = time.monotonic() + 60
        while not self.is_served():
            assert self.process.poll() is None, self.log.read_text()
            assert time.monotonic() < deadline, self.log.read_text()
            time.sleep(0.05)

    def write(self, path: str, text: str) -> None:
        file = self.clone / path
        file.parent.mkdir(parents=True, exist_ok=True)
        if path == "config.py":  # "at the end of config.py"
            text = f"{file.read_text()}\n{text}"
        file.write_text(text, encoding="utf-8")


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    site = Desk(tmp_path_factory.mktemp("tutorial"))
    try:
        site.wait()
        yield site
    finally:
        site.process.send_signal(signal.SIGTERM)
        site.process.wait(30)


def test_every_chapter_does_what_it_says(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("KERNKOA_VAR_PATH", raising=False)
    for chapter in CHAPTERS:
        for block in blocks_of(chapter):
            if block.path:
                desk.write(block.path, block.text)
                desk.wait()
            elif block.language == "sh":
                run_steps(block, desk.clone, desk.port, VENV / "bin")


def test_each_chapter_leads_to_the_next() -> None:
    for chapter, following in pairwise(CHAPTERS):
        assert f"({following.name})" in chapter.read_text(encoding="utf-8")
