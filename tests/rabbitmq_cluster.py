"""A cluster of three RabbitMQ nodes on loopback, with a port mapper of its own."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

from tests.servers import free_port
from tests.task_bench import wait_for

PROGRAMS = Path("/usr/lib/rabbitmq/bin")
COUNT = 3


class Cluster:
    """Three nodes. Started together, they find each other by their configuration; ended by process group."""

    def __init__(self, folder: Path, address: str = "127.0.0.1") -> None:
        self.folder = folder
        self.address = address
        self.names = [f"koa{number}@localhost" for number in range(COUNT)]
        self.ports = [free_port() for _ in range(COUNT)]
        self._mapper_port = free_port()
        self.processes: list[subprocess.Popen[bytes]] = []

    @property
    def url(self) -> str:
        return f"amqp://guest:guest@{','.join(f'{self.address}:{port}' for port in self.ports)}/"

    @property
    def environ(self) -> dict[str, str]:
        mapper = {"ERL_EPMD_PORT": str(self._mapper_port), "ERL_EPMD_ADDRESS": "127.0.0.1"}
        return {"PATH": os.environ["PATH"], "HOME": str(self.folder), "LANG": "C.UTF-8", **mapper}

    def start(self) -> None:
        self.folder.mkdir()
        cookie = self.folder / ".erlang.cookie"
        cookie.write_text("KERNKOA")
        cookie.chmod(0o400)
        program = shutil.which("epmd")
        assert program
        self._mapper = subprocess.Popen([program], env=self.environ, stdout=subprocess.DEVNULL)
        for number in range(COUNT):
            self._start_node(number)
        wait_for(lambda: all(is_open(port, self.address) for port in self.ports), 150, "the cluster")
        wait_for(lambda: self._count_running() == COUNT, 60, "all nodes in one cluster")

    def _start_node(self, number: int) -> None:
        folder = self.folder / str(number)
        folder.mkdir()
        members = [
            f"cluster_formation.classic_config.nodes.{place + 1} = {name}" for place, name in enumerate(self.names)
        ]
        lines = [
            f"listeners.tcp.default = {self.address}:{self.ports[number]}",
            "loopback_users = none",
            "cluster_formation.peer_discovery_backend = classic_config",
            *members,
        ]
        (folder / "rabbitmq.conf").write_text("\n".join(lines) + "\n")
        (folder / "plugins").write_text("[].\n")
        own = {
            "RABBITMQ_NODENAME": self.names[number],
            "RABBITMQ_CONFIG_FILE": str(folder / "rabbitmq.conf"),
            "RABBITMQ_MNESIA_BASE": str(folder / "data"),
            "RABBITMQ_LOG_BASE": str(folder / "log"),
            "RABBITMQ_PID_FILE": str(folder / "pid"),
            "RABBITMQ_ENABLED_PLUGINS_FILE": str(folder / "plugins"),
            "RABBITMQ_DIST_PORT": str(free_port()),
            "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": "-kernel inet_dist_use_interface {127,0,0,1} +S 1 +sbwt none",
        }
        with open(folder / "output", "wb") as log:
            process = subprocess.Popen(
                [PROGRAMS / "rabbitmq-server"],
                env={**self.environ, **own},
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        self.processes.append(process)

    def control(self, *words: str, node: int = 0) -> str:
        """What rabbitmqctl answers about a node."""
        command = [PROGRAMS / "rabbitmqctl", "--silent", "-n", self.names[node], *words]
        return subprocess.run(command, env=self.environ, capture_output=True, text=True, timeout=60).stdout

    def _count_running(self) -> int:
        expression = "length(rabbit_nodes:all_running())."
        found = self.control("eval", expression).strip()
        return int(found) if found.isdecimal() else 0

    def leader_of(self, queue: str) -> int:
        """The number of the node with the leader of a quorum queue."""
        rows = [line.split("\t") for line in self.control("list_queues", "name", "leader").splitlines()]
        return self.names.index(next(row[1] for row in rows if row[0] == queue))

    def kill(self, number: int) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.processes[number].pid, signal.SIGKILL)
        self.processes[number].wait()

    def stop(self) -> None:
        for number in range(len(self.processes)):
            self.kill(number)
        self._mapper.kill()
        self._mapper.wait()


def is_open(port: int, address: str = "127.0.0.1") -> bool:
    try:
        socket.create_connection((address, port), 1).close()
    except OSError:
        return False
    return True


@contextlib.contextmanager
def rabbitmq_cluster(folder: Path, address: str = "127.0.0.1") -> Iterator[Cluster]:
    """A running cluster, ended at the end."""
    made = Cluster(folder, address)
    try:
        made.start()
        yield made
    finally:
        made.stop()
