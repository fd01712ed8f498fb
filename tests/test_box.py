"""A bare Debian becomes a site: setup.sh for real, on a machine that is thrown away afterwards."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.servers import NOT_COPIED, REPOSITORY

TOOL = str(REPOSITORY / "tests/box.sh")
CLONE = "/usr/local/kernkoa"
HELLO = "/fasthelloworld/fastHelloClass/fastHelloWorld"
REQUIRED = os.environ.get("KERNKOA_TEST_BOX") == "required"


def missing() -> str:
    """Why no machine can be booted here; nothing when one can."""
    tools = [tool for tool in ("debootstrap", "systemd-nspawn", "nsenter", "wrk") if shutil.which(tool) is None]
    if os.geteuid() != 0:
        return "only root can boot a machine"
    if tools:
        return f"these are missing: {', '.join(tools)}"
    if not REQUIRED and subprocess.run(["bash", TOOL, "ready"]).returncode:
        return "no machine is prepared yet: sh setup.sh test --box does that, which takes a minute"
    return ""


pytestmark = pytest.mark.box


class Box:
    """The machine: commands run in it, files put into it, load from outside."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.root = folder / "root"

    def run(self, *command: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        done = subprocess.run(
            ["bash", TOOL, "run", str(self.folder), *command],
            capture_output=True,
            text=True,
            stdin=subprocess.DEVNULL,
            timeout=180,
        )
        assert not check or done.returncode == 0, f"{command}\n{done.stdout}{done.stderr}"
        return done

    def setup(self, *arguments: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        return self.run("sh", f"{CLONE}/setup.sh", *arguments, check=check)

    def path(self, name: str) -> Path:
        return self.root / name.lstrip("/")

    def config(self, extra: str) -> None:
        self.path(f"{CLONE}/config.py").write_text(f"{CONFIG}\n{extra}\n")

    def get(self, path: str, *options: str) -> str:
        """The status and the body, asked from inside."""
        program = (
            "import http.client,sys; c=http.client.HTTPConnection('localhost',80,timeout=30); c.request('GET',sys.argv[1]);"
            "r=c.getresponse(); sys.stdout.write(str(r.status)+' '+r.read().decode())"
        )
        return self.run("python3", "-c", program, path).stdout

    def load(self, path: str, seconds: int, *options: str) -> tuple[int, int]:
        """Requests that were answered, and those that failed, of clients that ask without a pause."""
        command = ["wrk", "-t1", "-c12", f"-d{seconds}s", "--timeout", "10s", *options, f"http://127.0.0.1{path}"]
        done = subprocess.run(["bash", TOOL, "enter", str(self.folder), *command], capture_output=True, text=True)
        answered = re.search(r"(\d+) requests in", done.stdout)
        assert answered, done.stdout + done.stderr
        bad = re.search(r"Non-2xx or 3xx responses: (\d+)", done.stdout)
        sockets = re.search(r"Socket errors: connect (\d+), read (\d+), write (\d+), timeout (\d+)", done.stdout)
        failed = [*(bad.groups() if bad else ()), *(sockets.groups() if sockets else ())]
        return int(answered[1]), sum(map(int, failed))


CONFIG = (REPOSITORY / "config.py").read_text()
PROBE = """
from kernkoa import *

class probe:
    def release(self):
        return config.release

    def key(self):
        session["seen"] = 1
        return "signed"
"""


def prepare(root: Path) -> None:
    """The clone, with a library and an image of its own, and what others have on the machine."""
    clone = root / CLONE.lstrip("/")
    shutil.copytree(REPOSITORY, clone, ignore=NOT_COPIED, dirs_exist_ok=True)
    (clone / "catalog/controller/probe.py").write_text(PROBE)
    (clone / "config.py").write_text(f"{CONFIG}\nrelease = 'first'\n")
    (clone / "images").mkdir(exist_ok=True)
    (clone / "images/pixel.svg").write_text("<svg xmlns='http://www.w3.org/2000/svg'/>")
    (root / "etc/systemd/system/theirs.service").write_text("[Service]\nExecStart=/bin/true\n")


@pytest.fixture(scope="module")
def bare() -> Iterator[Box]:
    reason = missing()
    if reason:
        assert not REQUIRED, reason
        pytest.skip(reason)
    folder = Path(tempfile.mkdtemp(prefix="koa-box-"))
    subprocess.run(
        ["bash", TOOL, "prepare"], check=True, capture_output=True, env={**os.environ, "PYTHON": sys.executable}
    )
    box = Box(folder)
    booted = subprocess.run(["bash", TOOL, "up", str(folder)], capture_output=True, text=True)
    try:
        if booted.returncode and not REQUIRED:
            pytest.skip(f"a machine cannot be booted here: {booted.stderr.strip()[-300:]}")
        assert booted.returncode == 0, booted.stderr
        prepare(box.root)
        yield box
    finally:
        subprocess.run(["bash", TOOL, "down", str(folder)], capture_output=True)


@pytest.fixture(scope="module")
def installed(bare: Box) -> Box:
    began = time.monotonic()
    text = bare.setup().stdout
    assert "KernKoa runs: http://localhost/" in text
    sys.stderr.write(f"\n  from a bare Debian to a site: {time.monotonic() - began:.0f} s\n")
    return bare


@pytest.fixture
def box(installed: Box) -> Iterator[Box]:
    """The machine with the site, whose config.py is as it was after each test."""
    yield installed
    installed.config("release = 'first'")


def test_the_example_answers_on_port_80(box: Box) -> None:
    assert box.get(HELLO) == "200 hello world!!."
    assert json.loads(box.get("/_koa/health").partition(" ")[2])["status"] == "ok"
    assert "<svg" in box.get("/images/pixel.svg")


def test_the_services_run_as_their_own_user_and_the_files_stay_roots(box: Box) -> None:
    users = set(box.run("ps", "-o", "user=", "-C", "uwsgi").stdout.split())
    assert users == {"kernkoa"}
    assert box.run("find", CLONE, "-not", "-user", "root", "-not", "-path", "*/venv3/*").stdout == ""
    key = box.path("/var/lib/kernkoa/var/secret_key")
    assert key.stat().st_mode & 0o777 == 0o600


def test_nginx_may_open_the_socket_and_others_may_not(box: Box) -> None:
    program = "import socket; socket.socket(socket.AF_UNIX).connect('/run/kernkoa/uwsgi.sock')"
    become = ["setpriv", "--clear-groups", "--reuid"]
    assert box.run(*become, "www-data", "--regid", "www-data", "python3", "-c", program).returncode == 0
    done = box.run(*become, "nobody", "--regid", "nogroup", "python3", "-c", program, check=False)
    assert "PermissionError" in done.stderr


def test_a_second_installation_changes_nothing(box: Box) -> None:
    listing = ["find", "/etc", "/var/lib/kernkoa", "-newermt", "@{}", "-type", "f"]
    began = box.run("date", "+%s.%N").stdout.strip()
    before = box.run("pgrep", "-o", "uwsgi").stdout
    assert "Nothing had to be changed." in box.setup().stdout
    assert box.run("pgrep", "-o", "uwsgi").stdout == before
    assert box.run(*[part.format(began) for part in listing]).stdout == ""


def under_load(box: Box, path: str, work: list[list[str]]) -> tuple[list[subprocess.CompletedProcess[str]], str]:
    """Run commands of setup.sh while clients ask; the results, and the failures counted."""
    with ThreadPoolExecutor() as pool:
        kept = pool.submit(box.load, path, 8)
        fresh = pool.submit(box.load, path, 8, "-H", "Connection: close")
        done = [box.setup(*command, check=False) for command in work]
        counts = [kept.result(), fresh.result()]
    answered, failed = (sum(column) for column in zip(*counts, strict=True))
    assert answered > 500
    return done, f"{failed} of {answered + failed} failed"


def test_a_reload_and_a_rollback_lose_no_request(box: Box, capsys: pytest.CaptureFixture[str]) -> None:
    before = box.get("/probe/probe/release")
    box.config("release = 'next'")
    (reloaded,), counted = under_load(box, "/probe/probe/release", [["reload"]])
    assert reloaded.returncode == 0, reloaded.stderr
    assert box.get("/probe/probe/release") == "200 next"
    (back,), counted_back = under_load(box, "/probe/probe/release", [["rollback"]])
    assert back.returncode == 0, back.stderr
    assert box.get("/probe/probe/release") == before
    with capsys.disabled():
        sys.stdout.write(f"\n  under load, reload: {counted}; rollback: {counted_back}\n")
    assert counted.startswith("0 of")
    assert counted_back.startswith("0 of")


def test_a_broken_config_is_refused_and_no_request_is_lost(box: Box) -> None:
    box.config("port = 'eighty'")
    (done,), counted = under_load(box, HELLO, [["reload"]])
    assert done.returncode == 1
    assert "port = 'eighty'" in done.stderr
    assert counted.startswith("0 of")


def test_a_dropped_library_counts_at_once(box: Box) -> None:
    library = box.path(f"{CLONE}/catalog/controller/dropped.py")
    library.write_text("class dropped:\n    def index(self):\n        return 'here'\n")
    assert box.get("/dropped") == "200 here"
    library.unlink()


def test_status_says_what_runs_and_where_the_logs_are(box: Box) -> None:
    text = box.setup("status").stdout
    assert re.search(r"emperor\.uwsgi\.service +active", text)
    assert re.search(r"worker 1 +process \d+ +(idle|busy)", text)
    assert "/var/log/uwsgi/kernkoa_uwsgi.log" in text
    assert "/var/log/celery/celery.log" in text


def test_logs_are_rotated_and_written_on(box: Box) -> None:
    box.run("logrotate", "-f", "/etc/logrotate.d/kernkoa")
    assert box.path("/var/log/uwsgi/kernkoa_uwsgi.log.1").exists()
    box.setup("reload")
    assert "spawned uWSGI worker" in box.path("/var/log/uwsgi/kernkoa_uwsgi.log").read_text()


def test_restarting_the_emperor_works_as_ever(box: Box) -> None:
    box.run("systemctl", "restart", "emperor.uwsgi.service")
    box.setup()
    assert box.get(HELLO) == "200 hello world!!."


def test_an_installation_that_fails_leaves_the_site_as_it_was(box: Box) -> None:
    ini = box.path(f"{CLONE}/kernkoa_uwsgi.ini")
    kept, text = ini.read_text(), box.path("/etc/uwsgi/vassals/kernkoa_uwsgi.ini").read_text()
    ini.write_text(kept.replace("max-requests =", "max-requsts ="))
    done = box.setup("--port", "80", check=False)
    ini.write_text(kept)
    assert done.returncode == 1
    assert "max-requsts" in done.stderr
    assert box.path("/etc/uwsgi/vassals/kernkoa_uwsgi.ini").read_text() == text
    assert box.get(HELLO) == "200 hello world!!."


def test_everything_is_back_after_a_reboot(box: Box) -> None:
    key = box.path("/var/lib/kernkoa/var/secret_key").read_text()
    subprocess.run(["bash", TOOL, "reboot", str(box.folder)], check=True)
    program = "import socket,time\nfor _ in range(300):\n try: socket.create_connection(('localhost',80)); break\n except OSError: time.sleep(.1)"
    box.run("python3", "-c", program)
    box.setup()
    assert box.get(HELLO) == "200 hello world!!."
    assert box.path("/var/lib/kernkoa/var/secret_key").read_text() == key


def test_the_development_server_starts_within_two_seconds(box: Box) -> None:
    began = time.monotonic()
    assert "development server" in box.setup("dev", "--help").stdout
    assert time.monotonic() - began < 2


def test_uninstalling_leaves_no_trace_of_ours_and_all_of_theirs(box: Box) -> None:
    box.setup("uninstall", "--purge")
    try:
        places = ["/etc", "/var", "/run", "/usr/lib/systemd", "/usr/lib/tmpfiles.d"]
        skip = ["-not", "-path", "/run/log/*", "-not", "-path", "/var/log/journal/*"]
        assert box.run("find", *places, "-iname", "*kernkoa*", *skip).stdout == ""
        mentions = box.run(
            "grep", "-rIl", "kernkoa", "/etc", "/var/lib", "/var/spool", "/run/systemd", check=False
        )
        assert mentions.stdout == ""
        assert box.run("pgrep", "-u", "kernkoa", check=False).returncode != 0
        assert box.run("find", "/var/log/uwsgi", "/var/log/celery", check=False).stdout == ""
        assert box.path("/etc/systemd/system/theirs.service").exists()
        assert "Welcome to nginx" in box.get("/")
        assert box.run("dpkg", "--verify", "nginx-common", "redis-server", check=False).stdout == ""
        assert box.run("find", CLONE, "-newer", f"{CLONE}/setup.sh", "-name", "*.kernkoa*").stdout == ""
    finally:
        # it is not this run's nginx any more: leave is asked for its page
        assert "--default-site" in box.setup(check=False).stderr
        box.setup("--default-site")
    assert box.get(HELLO) == "200 hello world!!."
