"""README.md and docs/: every block is run, or has a reason why not. test_docs_live.py runs the tutorial and the how-to pages."""

from __future__ import annotations

import configparser
import http.client
import importlib.util
import json
import os
import re
import shlex
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urlsplit

import pytest
import yaml

import kernkoa
from system.deploy.__main__ import _parser
from system.deploy.workers import wait_for
from tests.doc_blocks import PAGES, ROOT, Block, blocks_of
from tests.programs import find_program
from tests.servers import NGINX, free_port, make_certificate
from tests.shipped import needs_shipped_site


def write_files(site: Any, blocks: list[Block]) -> None:
    """A block of Python or of a template whose first line is a path is a file of the site."""
    for block in blocks:
        if block.language in ("python", "html") and block.path and block.path != "config.py":
            site.write(block.path, block.text)


@pytest.mark.parametrize(
    "page", [page for page in PAGES if "```http" in page.read_text()], ids=lambda page: page.name
)
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
        assert same(response, answer), f"{block.place}: {response.status} {response.text}"


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
            compile(block.text, block.place, "exec")


# what a block of a language is, and which test runs it
CHECKED = {
    "python": "compiled here; a file with a path is run by the test of its page",
    "html": "parsed here; rendered by the test of its page",
    "http": "asked here",
    "json": "parsed here",
    "nginx": "nginx -t reads it here",
    "redis": "Redis starts with it here",
    "ini": "parsed here; Alembic runs with it",
    "sh": "each command is run, or REASONS says why not",
    "text": "a diagram, or the output of the development server that tests/development looks at",
    "yaml": "parsed here; lines for continuous integration, whose commands tests/testing runs",
    "powershell": "the tests have no Windows",
    "php": "the other side of a comparison: parsed here",
}
# the commands without a "$" are not run with their page; here is why
REASONS = {
    r"git (clone|pull|remote|fetch|merge)|cd ": "the pages are followed in a copy of this clone",
    r"sh setup.sh dev": "test_the_first_command_serves_every_address_of_the_readme runs it",
    r"sh setup.sh test": "it runs these tests",
    r"(sudo )?sh setup.sh( |$)": "tests/deploy/test_box.py installs with it; the options are checked here",
    r"(sudo )?systemctl |sudo rm -r venv3": "tests/deploy/test_box.py has a machine with systemd; nothing here may stop services",
    r"sudo (apt|certbot) ": "needs the network, and a public host name for the certificate",
    r"venv3/bin/pip install ": "tests/requirements.txt installs the package",
    r"[A-Z_]+=": "a line of /etc/default/kernkoa: the environment of the services",
    r"gunicorn |granian ": "tests/deploy/test_server.py starts both",
    r"venv3/bin/python -m aiosmtpd ": "tests/test_docs_live.py has such a server",
    r"venv3/bin/celery ": "tests/tasks starts workers",
    r"python3? kernkoa.py|venv3/bin/python kernkoa.py": "tests/commands runs every command",
    r"docker compose ": "tests/deploy/test_container.py does the steps where no container engine runs",
    r"curl ": "needs the server of another page",
}


def blocks_in(*languages: str) -> list[Block]:
    return [block for page in PAGES for block in blocks_of(page) if block.language in languages]


def place_of(block: Block) -> str:
    return block.place


def test_every_block_has_a_language_that_is_checked() -> None:
    assert [block.place for page in PAGES for block in blocks_of(page) if block.language not in CHECKED] == []


@pytest.mark.parametrize("block", blocks_in("html"), ids=place_of)
def test_every_template_parses(block: Block) -> None:
    kernkoa.app.jinja_env.parse(block.text)


@pytest.mark.parametrize("block", blocks_in("json", "ini", "yaml"), ids=place_of)
def test_every_data_block_parses(block: Block) -> None:
    if block.language == "json":
        json.loads(block.text)
    elif block.language == "yaml":
        yaml.safe_load(block.text)
    else:
        configparser.ConfigParser().read_string(block.text)


@pytest.mark.parametrize("block", blocks_in("php"), ids=place_of)
def test_every_block_of_php_parses(block: Block) -> None:
    text = block.text if block.text.startswith("<?php") else f"<?php\n{block.text}"
    done = subprocess.run([find_program("php"), "-l"], input=text, capture_output=True, text=True, timeout=20)
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize("block", blocks_in("sh"), ids=place_of)
def test_every_command_is_run_or_has_a_reason(block: Block) -> None:
    is_live = block.page.parent != ROOT and block.page.parent != ROOT / "docs"
    lines = [command for command, _ in block.steps()] or commands_of(block.text)
    for line in lines:
        reason = next((reason for start, reason in REASONS.items() if re.match(start, line)), None)
        assert reason or (is_live and block.text.startswith("$ ")), f"{block.place}: {line}"
        setup = re.match(r"(?:sudo )?sh setup.sh ((?:install|reload|rollback|status|uninstall|--).*)", line)
        if setup and "$" not in line:
            words = shlex.split(setup[1], comments=True)
            _parser().parse_args(["install", *words] if words[0].startswith("--") else words)


def commands_of(text: str) -> list[str]:
    """The commands of a block without output: no comments, continued lines joined."""
    lines = re.sub(r"\\\n\s*", "", text).splitlines()
    return [line for line in lines if line.strip() and not line.startswith("#")]


@pytest.mark.parametrize("block", blocks_in("nginx"), ids=place_of)
@pytest.mark.skipif(NGINX is None, reason="nginx is needed: sh setup.sh test installs it")
def test_nginx_accepts_every_block(block: Block, tmp_path: Path) -> None:
    text = block.text
    if "server {" not in text:
        text = f"server {{\nlisten 81;\n{text}\n}}"
    if "ssl_certificate " in text:
        make_certificate(tmp_path / "tls")
        text = re.sub(r"/etc/letsencrypt/live/[^/]+", str(tmp_path / "tls"), text)
    text = re.sub(r"listen \d+", f"listen 127.0.0.1:{free_port()}", text)
    conf = tmp_path / "nginx.conf"
    conf.write_text(
        f"pid {tmp_path}/pid; error_log {tmp_path}/log; events {{}}\nhttp {{ access_log off; {text}\n}}"
    )
    done = subprocess.run([str(NGINX), "-t", "-p", tmp_path, "-c", conf], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("block", blocks_in("redis"), ids=place_of)
@pytest.mark.skipif(shutil.which("redis-server") is None, reason="redis-server is needed")
def test_redis_starts_with_every_block(block: Block, tmp_path: Path) -> None:
    conf, socket_path = tmp_path / "redis.conf", tmp_path / "redis.sock"
    conf.write_text(re.sub(r"(?m)^bind .*$", "bind 127.0.0.1", block.text))
    command = ["redis-server", conf, "--port", "0", "--unixsocket", socket_path, "--dir", tmp_path]
    log = tmp_path / "log"
    with log.open("wb") as output:
        process = subprocess.Popen(command, stdout=output, stderr=output)
    try:
        assert wait_for(socket_path.exists, 20), log.read_text()
    finally:
        process.terminate()
        process.wait(20)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_link_and_picture_leads_to_a_file(page: Path) -> None:
    needs_shipped_site()
    for target in re.findall(r"\]\(([^)#\s]+)[^)]*\)", page.read_text(encoding="utf-8")):
        if not target.startswith(("http:", "https:")):
            assert (page.parent / target).exists(), f"{page.name}: {target}"


def test_the_architecture_names_files_that_exist() -> None:
    page = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    folders = "catalog|database|dispatch|tasks|explorer|development|web|commands"
    named = re.findall(rf"(?<![/\w])((?:{folders})/\w+\.py)", page)
    assert len(named) > 30
    assert [name for name in named if not (ROOT / "system" / "core" / name).exists()] == []


def test_the_reference_has_every_entry_of_the_code() -> None:
    script = importlib.util.spec_from_file_location("reference", ROOT / "docs" / "reference.py")
    module = importlib.util.module_from_spec(script)  # type: ignore[arg-type]
    script.loader.exec_module(module)  # type: ignore[union-attr]
    entries = re.compile(r"(?m)^(?:- |  - |\\| )`[^`]+`")
    page = (ROOT / "docs" / "reference.md").read_text(encoding="utf-8")
    assert entries.findall(page) == entries.findall(module.make()), "run: python docs/reference.py"


def test_the_settings_page_names_every_setting() -> None:
    from system.core.settings import setting_names

    page = (ROOT / "docs" / "settings.md").read_text(encoding="utf-8")
    assert not {name for name in setting_names() if f"`{name}`" not in page}


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
    needs_shipped_site()
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
    try:
        process.wait(90)
    finally:
        process.kill()


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
