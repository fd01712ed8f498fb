"""nginx and uWSGI in a folder of their own, on loopback, from the very files that setup.sh installs."""

from __future__ import annotations

import contextlib
import grp
import http.client
import json
import os
import pwd
import re
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from system.deploy import release, workers
from system.deploy.machine import Machine
from system.deploy.site import recall
from tests.shipped import needs_shipped_site

REPOSITORY = Path(__file__).resolve().parents[1]
VENV = Path(sys.prefix)
NGINX = shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin:/sbin")
NGINX_MODULES = "".join(f"load_module {file};" for file in Path("/usr/lib/nginx/modules").glob("*brotli_static*"))
NOT_COPIED = shutil.ignore_patterns(
    ".*", "venv3", "var", "tests", "docs", "benchmarks", "__pycache__", "node_modules"
)

needs_servers = pytest.mark.skipif(
    NGINX is None or not (VENV / "bin/uwsgi").exists(),
    reason="nginx and uWSGI are needed: sh setup.sh test installs them",
)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def config_with(extra: str) -> str:
    """The shipped config.py with more lines."""
    needs_shipped_site()
    return f"{(REPOSITORY / 'config.py').read_text()}\n{extra}\n"


def copy_clone(target: Path, venv: bool = True) -> Path:
    """What a visitor clones, with this environment as its venv3."""
    needs_shipped_site()
    shutil.copytree(REPOSITORY, target, ignore=NOT_COPIED, symlinks=True)
    if venv:
        (target / "venv3").symlink_to(VENV)
    return target


@dataclass
class Answer:
    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def text(self) -> str:
        return self.body.decode()


@dataclass
class Production:
    """A staged installation whose files were moved to a folder, and whose servers run from them."""

    folder: Path
    port: int
    clone: Path
    tls_port: int = 0
    processes: list[subprocess.Popen[bytes]] = field(default_factory=list)

    @property
    def run(self) -> Path:
        return self.folder / "run"

    @property
    def vassal(self) -> Path:
        return self.folder / "vassals" / "kernkoa_uwsgi.ini"

    def log(self) -> str:
        return "\n".join(file.read_text(errors="replace") for file in sorted((self.folder / "log").iterdir()))

    def get(self, path: str, method: str = "GET", body: Any = None, **headers: str) -> Answer:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        with contextlib.closing(connection):
            names = {name.replace("_", "-"): value for name, value in headers.items()}
            connection.request(method, path, body, names)
            response = connection.getresponse()
            return Answer(response.status, dict(response.headers.items()), response.read())

    def workers(self) -> set[int]:
        return workers.pids(self.run)

    def machine(self) -> Machine:
        return Machine(recall(self.clone, self.folder / "tree", None))

    def reload(self) -> None:
        """What `sh setup.sh reload` does, without systemd."""
        machine = self.machine()
        made = release.prepare(machine)
        if made:
            release.activate(machine, made)
        workers.reload(self.run, machine.site.packages, 30)

    def stop(self) -> None:
        """End everything. The emperor at once: asked politely it takes three seconds."""
        uwsgi = self._master()
        if self.processes:
            self.processes[0].kill()
        for process in self.processes[1:]:
            process.terminate()
        for process in self.processes:
            process.wait(20)
        if uwsgi:
            os.kill(uwsgi, signal.SIGTERM)
            assert workers.wait_for(lambda: not Path(f"/proc/{uwsgi}").exists(), 20)
        shutil.rmtree(self.folder)

    def _master(self) -> int:
        try:
            return int(workers.stats(self.run)["pid"])
        except (OSError, ValueError):
            return 0


@contextlib.contextmanager
def production(
    *options: str,
    files: Mapping[str, str] | None = None,
    edits: Mapping[str, str] | None = None,
    certificate: bool = False,
) -> Iterator[Production]:
    """Run a copy of this clone, with files added to it, behind nginx and uWSGI.

    `edits` replaces text in the files that were installed, as an administrator would.
    """
    needs_shipped_site()
    # short, because the name of a socket may have 107 bytes
    folder = Path(tempfile.mkdtemp(prefix="koa-"))
    site = Production(folder, free_port(), copy_clone(folder / "clone"))
    try:
        for name, text in (files or {}).items():
            (site.clone / name).parent.mkdir(parents=True, exist_ok=True)
            (site.clone / name).write_text(text)
        if certificate:
            site.tls_port = free_port()
            make_certificate(folder / "tree/etc/tls")
            options = (*options, "--domain", "localhost", "--certificate", "/etc/tls")
        stage(site, options)
        environment = relocate(site, edits or {})
        _start(site, environment)
        yield site
    finally:
        site.stop()


def make_certificate(folder: Path) -> None:
    """One that nobody vouches for."""
    folder.mkdir(parents=True)
    command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=localhost"]
    files = ["-keyout", folder / "privkey.pem", "-out", folder / "fullchain.pem"]
    subprocess.run([*command, *files], check=True, capture_output=True)


def stage(site: Production, options: tuple[str, ...]) -> None:
    me = pwd.getpwuid(os.geteuid()).pw_name
    command = ["sh", site.clone / "setup.sh", "install", "--root", site.folder / "tree", "--user", me]
    command += ["--port", str(site.port), "--processes", "2", "--no-redis", *options]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


def relocate(site: Production, edits: Mapping[str, str]) -> dict[str, str]:
    """Move the staged files to the folder, and answer with the environment that the unit file sets."""
    folder, tree = site.folder, site.folder / "tree"
    for name in ("run", "log", "var", "vassals", "nginx"):
        (folder / name).mkdir()
    me, group = pwd.getpwuid(os.geteuid()).pw_name, grp.getgrgid(os.getegid()).gr_name
    places = {
        "/run/kernkoa": str(site.run),
        "/var/lib/kernkoa": str(tree / "var/lib/kernkoa"),
        "/var/log/uwsgi": str(folder / "log"),
        "/var/log/nginx": str(folder / "log"),
        "/etc/uwsgi/vassals": str(folder / "vassals"),
        f"{me}:www-data": f"{me}:{group}",
        "/etc/tls": str(tree / "etc/tls"),
        "listen 443": f"listen {site.tls_port}",
        "[::]:443": f"[::]:{site.tls_port}",
        **edits,
    }

    def moved(path: str) -> str:
        text = (tree / path).read_text()
        for old, new in places.items():
            text = text.replace(old, new)
        return text

    (folder / "emperor.ini").write_text(moved("etc/uwsgi/emperor.ini"))
    site.vassal.write_text(moved("etc/uwsgi/vassals/kernkoa_uwsgi.ini"))
    (folder / "nginx" / "site.conf").write_text(moved("etc/nginx/sites-available/kernkoa"))
    (folder / "nginx" / "nginx.conf").write_text(
        NGINX_CONF.format(folder=folder, user=f"{me} {group}", modules=NGINX_MODULES)
    )
    unit = moved("etc/systemd/system/emperor.uwsgi.service")
    lines = [line.partition("=")[2] for line in unit.splitlines() if line.startswith("Environment=")]
    pairs = [pair.partition("=") for line in lines for pair in shlex.split(line)]
    return {name: value for name, _, value in pairs} | {"KERNKOA_VAR_PATH": str(folder / "var")}


NGINX_CONF = """
{modules}
user {user};
worker_processes 1;
daemon off;
pid {folder}/nginx/pid;
error_log {folder}/log/nginx.log;
events {{ worker_connections 1024; }}
http {{
	include /etc/nginx/mime.types;
	default_type application/octet-stream;
	client_body_temp_path {folder}/nginx/body;
	uwsgi_temp_path {folder}/nginx/uwsgi;
	proxy_temp_path {folder}/nginx/proxy;
	fastcgi_temp_path {folder}/nginx/fastcgi;
	scgi_temp_path {folder}/nginx/scgi;
	include {folder}/nginx/site.conf;
}}
"""


def _start(site: Production, environment: Mapping[str, str]) -> None:
    path = {"PATH": os.environ["PATH"], "LANG": "C.UTF-8", "HOME": str(site.folder)}
    with (site.folder / "log" / "emperor.log").open("wb") as log:
        for command in (
            [str(VENV / "bin/uwsgi"), "--ini", str(site.folder / "emperor.ini")],
            [str(NGINX), "-p", str(site.folder / "nginx"), "-c", str(site.folder / "nginx" / "nginx.conf")],
        ):
            process = subprocess.Popen(
                command, cwd="/", env={**path, **environment}, stdout=log, stderr=log, start_new_session=True
            )
            site.processes.append(process)
    base, secure = environment.get("KERNKOA_BASE", ""), site.tls_port != 0
    address = (site.tls_port or site.port, "localhost")
    processes = re.search(r"(?m)^processes = (\d+)", site.vassal.read_text())
    assert processes

    def ready() -> bool:
        assert all(process.poll() is None for process in site.processes), site.log()
        return len(site.workers()) == int(processes[1]) and workers.answers(
            *address, f"{base}/_koa/health", secure
        )

    assert workers.wait_for(ready, 30), site.log()


@dataclass
class Load:
    """Clients that ask for one page without a pause, some on one connection and some on a new one each time."""

    port: int
    path: str
    expected: tuple[bytes, ...]
    answered: int = 0
    failed: list[str] = field(default_factory=list)
    longest: float = 0.0
    seen: set[bytes] = field(default_factory=set)

    def __enter__(self) -> Load:
        self._over = threading.Event()
        self._threads = [
            threading.Thread(target=self._ask, args=(index % 2 == 0,), daemon=True) for index in range(6)
        ]
        for thread in self._threads:
            thread.start()
        assert workers.wait_for(lambda: self.answered > 50, 10), self.failed
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        for thread in self._threads:
            thread.join()

    def more(self, count: int = 100) -> None:
        """Wait until this many more requests were answered."""
        aim = self.answered + len(self.failed) + count
        assert workers.wait_for(lambda: self.answered + len(self.failed) >= aim, 30)

    def _ask(self, keep_alive: bool) -> None:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=20)
        while not self._over.is_set():
            began = time.monotonic()
            try:
                connection.request("GET", self.path, headers={} if keep_alive else {"Connection": "close"})
                response = connection.getresponse()
                body = response.read()
                if response.status != 200 or body not in self.expected:
                    self.failed.append(f"{response.status} {body[:80]!r}")
                else:
                    self.answered += 1
                    self.seen.add(body)
            except (OSError, http.client.HTTPException) as error:
                self.failed.append(repr(error))
                connection.close()
            self.longest = max(self.longest, time.monotonic() - began)
        connection.close()

    def summary(self) -> str:
        return f"{len(self.failed)} of {self.answered + len(self.failed)} failed, longest {self.longest:.2f} s"


def health(site: Production, base: str = "") -> dict[str, Any]:
    found: dict[str, Any] = json.loads(site.get(f"{base}/_koa/health").body)
    return found
