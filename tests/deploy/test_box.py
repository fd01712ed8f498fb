"""Installs a site on a bare Debian with setup.sh, in a temporary machine."""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from system.deploy import workers
from tests.servers import NOT_COPIED, REPOSITORY, config_with
from tests.shipped import needs_shipped_site

TOOL = str(REPOSITORY / "tests/box.sh")
CLONE = "/usr/local/kernkoa"
HELLO = "/fasthelloworld/fastHelloClass/fastHelloWorld"
REQUIRED = os.environ.get("KERNKOA_TEST_BOX") == "required"


def missing() -> str:
    """The reason why no machine can be booted here, or an empty string."""
    tools = [tool for tool in ("debootstrap", "systemd-nspawn", "nsenter", "wrk") if shutil.which(tool) is None]
    if os.geteuid() != 0:
        return "only root can boot a machine"
    if tools:
        return f"these are missing: {', '.join(tools)}"
    if not REQUIRED and subprocess.run(["bash", TOOL, "ready"]).returncode:
        return "no machine is prepared, which takes minutes: sh setup.sh test --box does it once"
    return ""


pytestmark = pytest.mark.box


class Box:
    """The machine: runs commands and changes files in it, and sends it requests."""

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
        self.path(f"{CLONE}/config.py").write_text(config_with(extra))

    def get(self, path: str) -> str:
        """The status and the body of a request from inside the machine."""
        program = (
            "import http.client,sys; c=http.client.HTTPConnection('localhost',80,timeout=30); c.request('GET',sys.argv[1]);"
            "r=c.getresponse(); sys.stdout.write(str(r.status)+' '+r.read().decode())"
        )
        return self.run("python3", "-c", program, path).stdout

    @contextlib.contextmanager
    def load(self, path: str) -> Iterator[Counts]:
        """Sends requests without a pause while the block runs, on kept and on new connections."""
        counts = Counts()
        command = ["bash", TOOL, "enter", str(self.folder), "wrk", "-t1", "-c6", "-d600s", "--timeout", "10s"]
        clients = [
            subprocess.Popen([*command, *header, f"http://127.0.0.1{path}"], stdout=subprocess.PIPE, text=True)
            for header in ([], ["-H", "Connection: close"])
        ]
        try:
            yield counts
        finally:
            for client in clients:
                client.send_signal(signal.SIGINT)
                counts.add(client.communicate(timeout=30)[0])

    def wait_for(self, path: str, answer: str) -> None:
        assert workers.wait_for(lambda: self.get(path) == answer, 20, 0.2), self.get(path)


@dataclass
class Counts:
    """The counts of wrk."""

    answered: int = 0
    failed: int = 0

    def add(self, text: str) -> None:
        answered = re.search(r"(\d+) requests in", text)
        assert answered, text
        bad = re.search(r"Non-2xx or 3xx responses: (\d+)", text)
        sockets = re.search(r"Socket errors: connect (\d+), read (\d+), write (\d+), timeout (\d+)", text)
        self.answered += int(answered[1])
        self.failed += sum(map(int, [*(bad.groups() if bad else ()), *(sockets.groups() if sockets else ())]))


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
    """The clone with its own library and image, and files of other sites on the machine."""
    clone = root / CLONE.lstrip("/")
    shutil.copytree(REPOSITORY, clone, ignore=NOT_COPIED, dirs_exist_ok=True)
    (clone / "catalog/controller/probe.py").write_text(PROBE)
    (clone / "config.py").write_text(config_with("release = 'first'"))
    (clone / "images").mkdir(exist_ok=True)
    (clone / "images/pixel.svg").write_text("<svg xmlns='http://www.w3.org/2000/svg'/>")
    for name in ("box.css", "box.css.br"):
        (clone / "static" / name).write_text(name)
    (root / "etc/systemd/system/theirs.service").write_text("[Service]\nExecStart=/bin/true\n")


@pytest.fixture(scope="module")
def bare() -> Iterator[Box]:
    reason = missing()
    if reason:
        assert not REQUIRED, reason
        pytest.skip(reason)
    needs_shipped_site()
    prepared = subprocess.run(["bash", TOOL, "prepare"], capture_output=True, text=True)
    assert prepared.returncode == 0, prepared.stderr[-2000:]
    folder = Path(tempfile.mkdtemp(prefix="koa-box-"))
    box = Box(folder)
    booted = subprocess.run(["bash", TOOL, "up", str(folder)], capture_output=True, text=True)
    try:
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
    """The machine with the site; config.py is restored after each test."""
    yield installed
    installed.config("release = 'first'")


def test_the_example_answers_on_port_80(box: Box) -> None:
    assert box.get(HELLO) == "200 hello world!!."
    assert json.loads(box.get("/_koa/health").partition(" ")[2])["status"] == "ok"
    assert "<svg" in box.get("/images/pixel.svg")


def test_the_installation_adds_brotli_to_nginx(box: Box) -> None:
    command = ["curl", "-s", "-H", "Accept-Encoding: br", "http://127.0.0.1/static/box.css"]
    sent = subprocess.run(["bash", TOOL, "enter", str(box.folder), *command], capture_output=True, text=True)
    assert sent.stdout == "box.css.br"


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


def test_a_reload_and_a_rollback_lose_no_request(box: Box, capsys: pytest.CaptureFixture[str]) -> None:
    before = box.get("/probe/probe/release")
    box.config("release = 'next'")
    with box.load("/probe/probe/release") as reload:
        box.setup("reload")
    assert box.get("/probe/probe/release") == "200 next"
    with box.load("/probe/probe/release") as rollback:
        box.setup("rollback")
    assert box.get("/probe/probe/release") == before
    with capsys.disabled():
        sys.stdout.write(f"\n  on a machine, under load: a reload {reload}; a rollback {rollback}\n")
    assert reload.answered > 500
    assert reload.failed == rollback.failed == 0


def test_a_reload_after_a_package_was_installed_replaces_the_master_and_loses_no_request(box: Box) -> None:
    socket = ("stat", "-c", "%i %z", "/run/kernkoa/uwsgi.stats")
    master = box.run(*socket).stdout
    box.run("sh", "-c", f"touch {CLONE}/venv3/lib/python3*/site-packages")
    with box.load("/probe/probe/release") as reload:
        box.setup("reload")
    assert box.run(*socket).stdout != master
    assert reload.answered > 500
    assert reload.failed == 0


def test_a_broken_config_is_refused_and_no_request_is_lost(box: Box) -> None:
    box.config("port = 'eighty'")
    with box.load(HELLO) as refused:
        done = box.setup("reload", check=False)
    assert done.returncode == 1
    assert "port = 'eighty'" in done.stderr
    assert refused.failed == 0


def test_a_new_library_takes_effect_within_a_second(box: Box) -> None:
    library = box.path(f"{CLONE}/catalog/controller/dropped.py")
    library.write_text("class dropped:\n    def index(self):\n        return 'here'\n")
    box.wait_for("/dropped", "200 here")
    library.unlink()


def test_status_shows_the_services_and_the_log_files(box: Box) -> None:
    text = box.setup("status").stdout
    assert re.search(r"emperor\.uwsgi\.service +active", text)
    assert re.search(r"worker 1 +process \d+ +(idle|busy)", text)
    assert "/var/log/uwsgi/kernkoa_uwsgi.log" in text
    assert "/var/log/celery/celery.log" in text


# a page with a link to the status of the task that it started, which takes ten steps
JOB = "/celeryexample/asynclibrary/asyncclass/triggerfunction?step="


def send(box: Box, step: float) -> str:
    """Start a task. Returns the path of its status."""
    status, _, page = box.get(f"{JOB}{step}").partition(" ")
    assert status == "200", page
    return re.search(r"http://[^/]+(/status/[^']+)'", page)[1]  # type: ignore[index]


def ends_well(box: Box, path: str) -> bool:
    return box.get(path) == '200 {"status":"SUCCESS","data":10}'


def test_a_task_runs_and_reports_its_progress(box: Box) -> None:
    path = send(box, 0.2)
    assert workers.wait_for(lambda: '"status":"inProgress","state":{"number":' in box.get(path), 10)
    assert workers.wait_for(lambda: ends_well(box, path), 20), box.get(path)


def test_a_reload_in_the_middle_of_tasks_loses_none(box: Box) -> None:
    paths = [send(box, 0.2) for _ in range(6)]
    box.setup("reload")
    assert workers.wait_for(lambda: all(ends_well(box, path) for path in paths), 60, 0.5)
    assert re.search(r"tasks waiting: tasks 0\n", box.setup("status").stdout)


def test_an_ordinary_user_starts_the_worker_by_hand(box: Box) -> None:
    box.run("useradd", "--create-home", "--groups", "adm", "alice")
    box.run(
        "cp",
        "-r",
        *(f"{CLONE}/{name}" for name in ("kernkoa.py", "config.py", "system", "catalog")),
        "/home/alice",
    )
    box.run("chown", "-R", "alice:alice", "/home/alice")
    box.run("systemctl", "stop", "kernkoa-worker")
    worker = (
        f"{CLONE}/venv3/bin/celery -A kernkoa.celery worker --loglevel=info --logfile=/var/log/celery/celery.log"
    )
    start = f"cd /home/alice; KERNKOA_REDIS_URL=redis://127.0.0.1:6379/0 {worker} >/dev/null 2>&1 & echo $!"
    path = send(box, 0.01)
    assert "tasks waiting: tasks 1\n" in box.setup("status").stdout
    process = box.run(
        "setpriv", "--reuid=alice", "--regid=alice", "--init-groups", "sh", "-c", start
    ).stdout.strip()
    try:
        assert workers.wait_for(lambda: ends_well(box, path), 20, 0.3), box.get(path)
    finally:
        box.run("kill", process)
        box.run("systemctl", "start", "kernkoa-worker")


def test_run_uses_the_user_settings_and_code_of_the_site(box: Box) -> None:
    program = "import os, getpass, kernkoa; print(getpass.getuser(), os.getcwd(), kernkoa.config.redisUrl)"
    user, folder, url = box.setup("run", "python", "-c", program).stdout.split()
    assert (user, url) == ("kernkoa", "redis://127.0.0.1:6379/0")
    assert folder.startswith("/var/lib/kernkoa/releases/")


def test_logs_are_rotated_and_writing_continues(box: Box) -> None:
    box.run("logrotate", "-f", "/etc/logrotate.d/kernkoa")
    assert box.path("/var/log/uwsgi/kernkoa_uwsgi.log.1").exists()
    log = box.path("/var/log/uwsgi/kernkoa_uwsgi.log")
    box.run("pkill", "-o", "-KILL", "-f", "uwsgi.*ini kernkoa_uwsgi.ini")
    assert workers.wait_for(lambda: "spawned" in log.read_text(), 20)
    box.wait_for(HELLO, "200 hello world!!.")


def test_restarting_the_emperor_works(box: Box) -> None:
    box.run("systemctl", "restart", "emperor.uwsgi.service")
    box.wait_for(HELLO, "200 hello world!!.")


def test_a_failed_installation_leaves_the_site_unchanged(box: Box) -> None:
    ini = box.path(f"{CLONE}/kernkoa_uwsgi.ini")
    kept, text = ini.read_text(), box.path("/etc/uwsgi/vassals/kernkoa_uwsgi.ini").read_text()
    ini.write_text(kept.replace("max-requests =", "max-requsts ="))
    done = box.setup("--port", "80", check=False)
    ini.write_text(kept)
    assert done.returncode == 1
    assert "max-requsts" in done.stderr
    assert box.path("/etc/uwsgi/vassals/kernkoa_uwsgi.ini").read_text() == text
    assert box.get(HELLO) == "200 hello world!!."


def test_everything_runs_after_a_reboot(box: Box) -> None:
    key = box.path("/var/lib/kernkoa/var/secret_key").read_text()
    subprocess.run(["bash", TOOL, "reboot", str(box.folder)], check=True)
    box.wait_for(HELLO, "200 hello world!!.")
    assert box.path("/var/lib/kernkoa/var/secret_key").read_text() == key


def test_the_development_server_starts_without_installing_anything_again(box: Box) -> None:
    assert box.setup("dev", "--help").stdout.startswith("Usage: kernkoa.py")


def test_uninstalling_removes_its_own_files_and_keeps_all_others(box: Box) -> None:
    box.setup("uninstall")
    assert box.path("/var/lib/kernkoa/var/secret_key").exists()
    box.setup("uninstall", "--purge")
    try:
        places = ["/etc", "/var", "/run", "/usr/lib/systemd", "/usr/lib/tmpfiles.d"]
        skip = ["-not", "-path", "/run/log/*", "-not", "-path", "/var/log/journal/*"]
        assert box.run("find", *places, "-iname", "*kernkoa*", *skip).stdout == ""
        # files of the system: passwd- is the previous passwd, logrotate records what it rotated
        notes = ["--exclude=*-", "--exclude-dir=logrotate"]
        mentions = box.run("grep", "-rIl", "kernkoa", *notes, "/etc", "/var/lib", "/run/systemd", check=False)
        assert mentions.stdout == ""
        assert box.run("pgrep", "-u", "kernkoa", check=False).returncode != 0
        assert box.run("find", "/var/log/uwsgi", "/var/log/celery", check=False).stdout == ""
        assert box.path("/etc/systemd/system/theirs.service").exists()
        assert "Welcome to nginx" in box.get("/")
        assert box.run("dpkg", "--verify", "nginx-common", "redis-server", check=False).stdout == ""
        assert box.run("find", CLONE, "-newer", f"{CLONE}/setup.sh", "-name", "*.kernkoa*").stdout == ""
        # a failed installation leaves none either
        box.config("port = 'eighty'")
        assert "port = 'eighty'" in box.setup("--default-site", check=False).stderr
        assert box.run("find", *places, "-iname", "*kernkoa*", *skip).stdout == ""
        assert "Welcome to nginx" in box.get("/")
    finally:
        box.config("release = 'first'")
        # this run did not install nginx, so it asks before it disables the welcome page
        assert "--default-site" in box.setup(check=False).stderr
        box.setup("--default-site")
    assert box.get(HELLO) == "200 hello world!!."
