"""docs/tutorial and docs/howto on one site that a development server serves: every file is written, every command runs."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import time
import urllib.request
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from aiosmtpd.controller import Controller

from system.deploy import workers
from tests.doc_blocks import ROOT, blocks_of, run_steps
from tests.programs import find_program
from tests.servers import VENV, copy_clone, free_port

CHAPTERS = sorted((ROOT / "docs" / "tutorial").glob("*.md"))
HOW_TO = sorted((ROOT / "docs" / "howto").glob("*.md"))


class Mails(list[str]):
    """The handler of a mail server: keeps what arrives."""

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:
        self.append(envelope.content.decode())
        return "250 OK"


class LiveSite:
    """A copy of this clone without the examples, served by `python kernkoa.py`."""

    def __init__(self, folder: Path, mail_port: int) -> None:
        self.clone, self.port, self.log = folder / "desk", free_port(), folder / "log"
        self.mail_port = mail_port
        copy_clone(self.clone)
        for name in ("controller", "model", "print"):
            shutil.rmtree(self.clone / "catalog" / name)
            (self.clone / "catalog" / name).mkdir()
        command = ["sh", "setup.sh", "dev", "--port", str(self.port)]  # as chapter 1 says
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
        """Write a file; config.py gets the text at its end. Waits if the server restarts for it."""
        file = self.clone / path
        file.parent.mkdir(parents=True, exist_ok=True)
        if path == "config.py":
            text = f"{file.read_text()}\n{text.replace('mailPort = 1025', f'mailPort = {self.mail_port}')}"
        file.write_text(text, encoding="utf-8")
        if path in ("config.py", "catalog/startup.py"):
            self._wait_for_restart(file)

    def _wait_for_restart(self, file: Path) -> None:
        """Wait until the serving process is younger than the file."""
        saved = file.stat().st_mtime
        deadline = time.monotonic() + 60
        while not any(_started(child) > saved for child in self._children()):
            assert time.monotonic() < deadline, self.log.read_text()
            time.sleep(0.1)
        self.wait()

    def _children(self) -> list[str]:
        """The processes that serve: children of the supervisor that run kernkoa.py."""
        found = subprocess.run(
            ["pgrep", "-P", str(self.process.pid), "-f", "kernkoa.py"], capture_output=True, text=True
        )
        return found.stdout.split()

    def follow(self, page: Path) -> None:
        """Do what a page says."""
        blocks = blocks_of(page)
        for block in blocks:
            if block.path:
                self.write(block.path, block.text)
            elif block.language == "sh":
                run_steps(block, self.clone, self.port, VENV / "bin")


def _started(pid: str) -> float:
    try:
        return Path(f"/proc/{pid}").stat().st_mtime
    except OSError:
        return 0


@pytest.fixture(scope="module")
def mails() -> Iterator[tuple[Mails, int]]:
    """What a mail server got, and its port."""
    server = Controller(Mails(), "127.0.0.1", free_port())
    server.start()
    yield server.handler, server.port
    server.stop()


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory, mails: tuple[Mails, int]) -> Iterator[LiveSite]:
    for program in ("curl", "pgrep"):
        find_program(program)
    served = LiveSite(tmp_path_factory.mktemp("docs"), mails[1])
    try:
        served.wait()
        yield served
    finally:
        served.process.send_signal(signal.SIGTERM)
        served.process.wait(30)


@pytest.fixture(autouse=True)
def _no_var_path_of_the_tests(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("KERNKOA_VAR_PATH", raising=False)


def test_every_chapter_of_the_tutorial_does_what_it_says(site: LiveSite) -> None:
    for chapter in CHAPTERS:
        site.follow(chapter)


def test_the_message_of_the_e_mail_page_arrives(site: LiveSite, mails: tuple[Mails, int]) -> None:
    site.follow(ROOT / "docs/howto/email.md")
    assert workers.wait_for(lambda: any("Are you open?" in mail for mail in mails[0]), 30), site.log.read_text()
    (mail, *_) = mails[0]
    assert "Subject: Message from ann@example.org" in mail
    assert "To: desk@example.org" in mail


@pytest.mark.parametrize("page", [page for page in HOW_TO if page.stem != "email"], ids=lambda page: page.stem)
def test_every_how_to_page_does_what_it_says(site: LiveSite, page: Path) -> None:
    site.follow(page)


def test_all_pages_fit_into_one_site(site: LiveSite) -> None:
    done = subprocess.run(
        [VENV / "bin/python", "kernkoa.py", "check"], cwd=site.clone, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_each_chapter_leads_to_the_next() -> None:
    for chapter, following in pairwise(CHAPTERS):
        assert f"({following.name})" in chapter.read_text(encoding="utf-8")


def test_the_index_leads_to_every_how_to_page() -> None:
    index = (ROOT / "docs" / "howto" / "index.md").read_text(encoding="utf-8")
    for page in HOW_TO:
        assert page.name == "index.md" or f"({page.name})" in index
