"""Machines on a network of their own: network namespaces, each with an address, a host name and its processes.

They share the files of this machine. Needs root and the programs `ip` and `unshare`.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from system.deploy.workers import wait_for

_IN_NAMESPACE = 'hostname "$0"; exec "$@"'


def why_not() -> str:
    """The reason why no machines can be made here; empty if they can."""
    missing = [tool for tool in ("ip", "unshare") if shutil.which(tool) is None]
    if missing:
        return f"these are missing: {', '.join(missing)}"
    if os.geteuid() != 0 or subprocess.run(["unshare", "-n", "true"], capture_output=True).returncode:
        return "only root, where the kernel allows it, can make network namespaces"
    return ""


class Machine:
    """A network namespace. Its processes can be killed at once, as by a power failure, or stopped."""

    def __init__(self, name: str, address: str, namespace: str, folder: Path) -> None:
        self.name = name
        self.address = address
        self.folder = folder
        self.processes: list[subprocess.Popen[bytes]] = []
        self._namespace = namespace
        folder.mkdir(parents=True)

    def start(
        self,
        command: Sequence[str | Path],
        environment: Mapping[str, str] | None = None,
        cwd: str | Path = "/",
        log: str = "output",
    ) -> subprocess.Popen[bytes]:
        """Start a process on this machine; its output goes to the file `log` in the machine's folder."""
        path = {"PATH": f"{os.environ['PATH']}:/usr/sbin:/sbin", "LANG": "C.UTF-8", "HOME": str(self.folder)}
        prefix = ["ip", "netns", "exec", self._namespace, "unshare", "--uts", "sh", "-c", _IN_NAMESPACE, self.name]
        with open(self.folder / log, "ab") as output:
            process = subprocess.Popen(
                [*prefix, *command],
                cwd=cwd,
                env={**path, **(environment or {})},
                stdout=output,
                stderr=output,
                start_new_session=True,
            )
        self.processes.append(process)
        return process

    def run(self, *command: str | Path) -> None:
        """Run a command on this machine."""
        assert self.start(command, log="commands").wait(30) == 0, (self.folder / "commands").read_text()

    def pids(self) -> list[int]:
        return [int(pid) for pid in _ip("netns", "pids", self._namespace).split()]

    def signal(self, number: signal.Signals) -> None:
        """Send a signal to every process of this machine."""
        for pid in self.pids():
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, number)

    def plug(self, state: str) -> None:
        """Connect or disconnect its network: "up" or "down"."""
        _ip("link", "set", self._namespace, state)

    def power_off(self) -> None:
        """Every process ends at once, and no packet says so to the others."""
        self.plug("down")
        assert wait_for(self._kill, 20)
        for process in self.processes:
            process.wait()
        self.processes.clear()

    def _kill(self) -> bool:
        self.signal(signal.SIGKILL)
        return not self.pids()


class Network:
    """A switch and its machines, at 198.18.N.x: addresses that are kept for tests (RFC 2544)."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.by_name: dict[str, Machine] = {}
        self._name = f"koa{os.getpid()}"
        self._prefix = f"198.18.{os.getpid() % 250 + 1}"
        self.address = f"{self._prefix}.1"
        _ip("link", "add", self._name, "type", "bridge")
        _ip("addr", "add", f"{self.address}/24", "dev", self._name)
        _ip("link", "set", self._name, "up")

    def add(self, name: str) -> Machine:
        """A new machine."""
        number = len(self.by_name) + 11
        namespace, address = f"{self._name}n{number}", f"{self._prefix}.{number}"
        _ip("netns", "add", namespace)
        machine = Machine(name, address, namespace, self.folder / name)
        self.by_name[name] = machine
        _ip("link", "add", namespace, "type", "veth", "peer", "name", "eth0", "netns", namespace)
        _ip("link", "set", namespace, "master", self._name, "up")
        for words in (f"addr add {address}/24 dev eth0", "link set eth0 up", "link set lo up"):
            _ip("-n", namespace, *words.split())
        _ip("-n", namespace, "route", "add", "default", "via", self.address)
        return machine

    def close(self) -> None:
        for machine in self.by_name.values():
            machine.power_off()
            _ip("link", "delete", machine._namespace)
            _ip("netns", "delete", machine._namespace)
        _ip("link", "delete", self._name)


@contextlib.contextmanager
def network(folder: Path) -> Iterator[Network]:
    """A network, removed at the end with its machines and their processes."""
    made = Network(folder)
    try:
        yield made
    finally:
        made.close()


def _ip(*words: str) -> str:
    done = subprocess.run(["ip", *words], capture_output=True, text=True)
    assert done.returncode == 0, f"ip {' '.join(words)}: {done.stderr}"
    return done.stdout
