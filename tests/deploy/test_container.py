"""The Dockerfile and the compose file, step by step in a plain Debian root directory: no container engine is needed."""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import signal
import subprocess
import tempfile
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from system.deploy.workers import wait_for
from tests.servers import REPOSITORY, copy_clone, free_port

BOX = REPOSITORY / "tests" / "box.sh"
CONTAINER = REPOSITORY / "system" / "deploy" / "container"
READY = os.geteuid() == 0 and subprocess.run(["bash", BOX, "ready"], capture_output=True).returncode == 0

pytestmark = [
    pytest.mark.box,
    pytest.mark.skipif(not READY, reason="sh setup.sh test --box prepares the Debian it needs"),
]


def instructions() -> list[tuple[str, str]]:
    """The instructions of the Dockerfile, after FROM."""
    text = re.sub(r"(?m)^#.*\n", "", (CONTAINER / "Dockerfile").read_text()).replace("\\\n", "")
    found = [line.partition(" ") for line in text.splitlines() if line]
    assert found[0][0] == "FROM"
    return [(name, value) for name, _, value in found[1:]]


class Container:
    """The root directory that the instructions made, and what runs in it."""

    def __init__(self, folder: Path) -> None:
        self.root, self.log = folder / "root", folder / "log"
        self.port, self.redis_port = free_port(), free_port()
        self.environment = {"PATH": "/venv/bin:/usr/sbin:/usr/bin:/sbin:/bin", "LANG": "C.UTF-8"}
        self.folder, self.user = "/", ""
        self.processes: list[subprocess.Popen[bytes]] = []
        self._set = dict(instructions())

    def command(self, line: str) -> list[str | Path]:
        script = f"cd {self.folder} && exec {line.replace('8000', str(self.port))}"
        user = [f"--userspec={self.user}:{self.user}"] if self.user else []
        variables = [f"{name}={value}" for name, value in self.environment.items()]
        return ["chroot", *user, self.root, "env", "-i", *variables, "sh", "-ec", script]

    def run(self, line: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        done = subprocess.run(self.command(f"sh -ec {shlex.quote(line)}"), capture_output=True, text=True)
        assert done.returncode == 0 or not check, f"{line}\n{done.stdout}{done.stderr}"
        return done

    def start(self, line: str, in_root: bool = True) -> None:
        with self.log.open("ab") as log:
            command = self.command(line) if in_root else shlex.split(line)
            self.processes.append(subprocess.Popen(command, stdout=log, stderr=log, start_new_session=True))

    def build(self, context: Path) -> None:
        """Carry out the instructions of the Dockerfile."""
        for name, value in instructions():
            if name == "WORKDIR":
                self.folder = value
                (self.root / value.lstrip("/")).mkdir()
            elif name == "COPY":
                self._copy(context, *value.split())
            elif name == "RUN":
                self.run(value)
            elif name == "ENV":
                self.environment |= dict(pair.split("=", 1) for pair in value.split())
            elif name == "USER":
                self.user = value
            else:
                assert name in ("EXPOSE", "HEALTHCHECK", "CMD")

    def _copy(self, context: Path, name: str, target: str) -> None:
        place = self.root / self.folder.lstrip("/") / target
        if name == ".":
            shutil.copytree(context, place, dirs_exist_ok=True, symlinks=True)
        else:
            shutil.copy(context / name, place)

    def is_healthy(self) -> bool:
        return self.run(self._set["HEALTHCHECK"].removeprefix("CMD "), check=False).returncode == 0

    def get(self, path: str) -> str:
        with urllib.request.urlopen(f"http://127.0.0.1:{self.port}{path}", timeout=30) as answer:
            text: str = answer.read().decode()
            return text

    def stop(self) -> None:
        for process in reversed(self.processes):
            os.killpg(process.pid, signal.SIGTERM)
        for process in reversed(self.processes):
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()


@pytest.fixture(scope="module")
def container() -> Iterator[Container]:
    folder = Path(tempfile.mkdtemp(prefix="koa-image-"))
    subprocess.run(["bash", BOX, "mount", folder], check=True)
    made = Container(folder)
    try:
        made.run("apt-get install -y --no-install-recommends python3-venv >/dev/null && python3 -m venv /venv")
        made.build(copy_clone(folder / "clone", venv=False))
        services: dict[str, Any] = yaml.safe_load((CONTAINER / "compose.yaml").read_text())["services"]
        made.environment["KERNKOA_REDIS_URL"] = f"redis://127.0.0.1:{made.redis_port}/0"
        made.start(f"{services['redis']['command']} --port {made.redis_port} --dir {folder}", in_root=False)
        made.start(shlex.join(json.loads(dict(instructions())["CMD"])))
        made.start(services["worker"]["command"])
        made.start(services["beat"]["command"])
        assert wait_for(made.is_healthy, 60), made.log.read_text()
        yield made
    finally:
        made.stop()
        subprocess.run(["bash", BOX, "unmount", folder], check=True)


def test_the_site_answers(container: Container) -> None:
    assert container.get("/fasthelloworld/fastHelloClass/fastHelloWorld") == "hello world!!."


def test_the_worker_runs_a_task(container: Container) -> None:
    page = container.get("/celeryexample/asynclibrary/asyncclass/triggerfunction?step=0.01")
    path = re.search(r"/status/[^']+", page)[0]  # type: ignore[index]
    assert wait_for(lambda: json.loads(container.get(path))["status"] == "SUCCESS", 60), container.log.read_text()


def test_the_processes_can_write_to_the_volume_only(container: Container) -> None:
    assert container.run("id -un").stdout == "kernkoa\n"
    assert container.run("touch /data/x && rm /data/x").returncode == 0
    for path in ("/site/x", "/site/catalog/x", "/venv/x", "/etc/x"):
        assert container.run(f"touch {path}", check=False).returncode != 0


def test_every_service_of_the_site_uses_the_one_image() -> None:
    services = yaml.safe_load((CONTAINER / "compose.yaml").read_text())["services"]
    assert {services[name]["image"] for name in ("web", "worker", "beat")} == {"kernkoa"}
