"""README.md and docs/: every controller in them runs, every URL in them answers what stands below it."""

from __future__ import annotations

import http.client
import json
import os
import re
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urlsplit

import pytest

import kernkoa

ROOT = Path(__file__).resolve().parents[1]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]


class Block(NamedTuple):
    language: str
    text: str
    line: int


def blocks_of(page: Path) -> list[Block]:
    text = page.read_text(encoding="utf-8")
    found = re.finditer(r"^```(\w*)\n(.*?)^```$", text, re.M | re.S)
    return [Block(match[1], match[2], text.count("\n", 0, match.start()) + 1) for match in found]


def write_files(site: Any, blocks: list[Block]) -> None:
    """A block of Python or of a template whose first line is a path is a file of the site."""
    for block in blocks:
        named = re.match(r"(?:# |\{# )((?:catalog|templates|system)/\S+)", block.text)
        if block.language in ("python", "html") and named:
            site.write(named[1], block.text)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_url_answers_what_the_page_says(site: Any, page: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    blocks = blocks_of(page)
    write_files(site, blocks)
    app = site.app(development=True, libs={"addon": str(ROOT / "system" / "addons")})
    for name, part in {"app": app, "load": app.load, "dbs": app.dbs, "config": app.settings}.items():
        monkeypatch.setattr(kernkoa, name, part)  # `from kernkoa import *` in the page's files is this site
    client = app.test_client()
    for block in blocks:
        if block.language != "http":
            continue
        asked, _, answer = block.text.partition("\n\n")
        verb, url = asked.split()
        parts = urlsplit(url)
        response = client.open(f"{parts.path}?{parts.query}" if parts.query else parts.path, method=verb)
        assert same(response, answer), f"{page.name}, line {block.line}: {response.status} {response.text}"


def same(response: Any, answer: str) -> bool:
    """Whether the body is the one that is printed: JSON by its value, all else by its letters."""
    if response.is_json or response.mimetype == "application/problem+json":
        sent: bool = response.get_json() == json.loads(answer)
        return sent
    return bool(response.text.strip() == answer.strip())


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_python_block_compiles(page: Path) -> None:
    for block in blocks_of(page):
        if block.language == "python":
            compile(block.text, f"{page.name}, line {block.line}", "exec")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_link_and_picture_leads_to_a_file(page: Path) -> None:
    for target in re.findall(r"\]\(([^)#\s]+)[^)]*\)", page.read_text(encoding="utf-8")):
        if not target.startswith(("http:", "https:")):
            assert (page.parent / target).exists(), f"{page.name}: {target}"


def test_the_settings_page_names_every_setting() -> None:
    from system.core.settings import INTERNAL, Settings

    page = (ROOT / "docs" / "settings.md").read_text(encoding="utf-8")
    names = {field.alias or name for name, field in Settings.model_fields.items()} - {*INTERNAL}
    assert not {name for name in names if f"`{name}`" not in page}


class Served(NamedTuple):
    """What `sh setup.sh dev` serves, as the README has it, on a port of its own."""

    port: int

    def ask(self, path: str) -> int:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)
        try:
            connection.request("GET", path, headers={"Accept": "text/html"})
            return connection.getresponse().status
        finally:
            connection.close()


@pytest.fixture
def served(tmp_path: Path) -> Iterator[Served]:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    log = tmp_path / "log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            ["sh", str(ROOT / "setup.sh"), "dev", "--port", str(port)],
            env={**os.environ, "KERNKOA_VAR_PATH": str(tmp_path / "var")},
            stdout=output,
            stderr=subprocess.STDOUT,
        )
    found = Served(port)
    deadline = time.monotonic() + 60
    while not answers(found):
        assert process.poll() is None, log.read_text()
        assert time.monotonic() < deadline, log.read_text()
        time.sleep(0.05)
    yield found
    process.send_signal(signal.SIGTERM)
    process.wait(30)


def answers(served: Served) -> bool:
    try:
        return served.ask("/_koa/health") == 200
    except OSError:
        return False


def test_the_first_command_serves_every_address_of_the_readme(served: Served) -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    addresses = re.findall(r"<http://127\.0\.0\.1:5000(/[^>]*)>", readme)
    assert len(addresses) >= 2
    for path in ("/", *addresses):
        assert served.ask(path) == 200, path
