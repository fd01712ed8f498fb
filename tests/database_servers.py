"""Real database servers for the tests: made in a temporary folder, on a free loopback port, ended by pid."""

from __future__ import annotations

import contextlib
import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from pathlib import Path
from typing import Any

from tests.programs import find_program

PASSWORD = "s3cret-of-the-tests"


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Server:
    """A database server that can be stopped and started again; `entry` is its line in config.databases."""

    account = ""  # a server refuses to run as root
    program = ""
    folders = ""  # where Debian keeps it
    stop_signal = signal.SIGTERM

    def __init__(self, address: str = "127.0.0.1") -> None:
        self.address = address
        self.server = find_program(self.program, self.folders)
        self.folder = Path(tempfile.mkdtemp(prefix="kernkoa-db-"))
        self.port = free_port()
        self.process: subprocess.Popen[bytes] | None = None
        self.user = {}
        if os.geteuid() == 0:
            record = pwd.getpwnam(self.account)
            os.chown(self.folder, record.pw_uid, record.pw_gid)
            self.user = {"user": record.pw_uid, "group": record.pw_gid, "extra_groups": []}
        try:
            self.make()
            self.start()
        except BaseException:  # no server outlives a start that failed, whatever the reason
            self.remove()
            raise

    def run(self, *command: str) -> None:
        subprocess.run(command, check=True, capture_output=True, cwd=self.folder, **self.user)

    def make(self) -> None:
        raise NotImplementedError

    def command(self) -> list[str]:
        raise NotImplementedError

    @property
    def log(self) -> Path:
        return self.folder / "server.log"

    def start(self) -> None:
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                self.command(), stdout=log, stderr=log, cwd=self.folder, start_new_session=True, **self.user
            )
        deadline = time.monotonic() + 30
        while not self.answers():
            if self.process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"the server did not start: {self.log.read_text(errors='replace')[-2000:]}")
            time.sleep(0.02)

    def answers(self) -> bool:
        raise NotImplementedError

    def stop(self) -> None:
        if self.process is not None:
            process, self.process = self.process, None
            process.send_signal(self.stop_signal)
            try:
                process.wait(30)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()

    def remove(self) -> None:
        self.stop()
        shutil.rmtree(self.folder)


class PostgreSQL(Server):
    account = "postgres"
    program = "postgres"
    folders = "usr/lib/postgresql/*/bin"
    stop_signal = signal.SIGINT  # the fast shutdown: does not wait for clients

    @property
    def entry(self) -> dict[str, object]:
        return {
            "driver": "postgresql",
            "host": self.address,
            "port": self.port,
            "user": "koa",
            "password": PASSWORD,
            "database": "postgres",
        }

    def make(self) -> None:
        secret = self.folder / "password"
        secret.write_text(PASSWORD)
        self.run(
            find_program("initdb", self.folders),
            *("-D", "data", "-U", "koa", "--pwfile", str(secret), "--auth=scram-sha-256"),
            *("--encoding=UTF8", "--locale=C", "--no-sync"),
        )
        if self.address != "127.0.0.1":
            with open(self.folder / "data/pg_hba.conf", "a") as file:
                file.write(f"host all all {self.address}/24 scram-sha-256\n")

    def command(self) -> list[str]:
        return [
            *(self.server, "-D", "data", "-p", str(self.port), "-k", str(self.folder)),
            *("-c", f"listen_addresses={self.address}", "-c", "fsync=off", "-c", "max_connections=200"),
        ]

    def answers(self) -> bool:
        import psycopg

        with contextlib.suppress(psycopg.OperationalError):
            self.connect().close()
            return True
        return False

    def connect(self) -> Any:
        """A connection that commits each statement."""
        import psycopg

        where = {"host": self.address, "port": self.port, "dbname": "postgres"}
        return psycopg.connect(**where, user="koa", password=PASSWORD, autocommit=True)


class MariaDB(Server):
    account = "mysql"
    program = "mariadbd"
    folders = "usr/sbin"

    @property
    def entry(self) -> dict[str, object]:
        return {
            "driver": "mysql",
            "host": "127.0.0.1",
            "port": self.port,
            "user": "koa",
            "password": PASSWORD,
            "database": "koa",
        }

    def make(self) -> None:
        self.run(
            find_program("mariadb-install-db", "usr/bin"),
            *("--no-defaults", f"--datadir={self.folder}/data", "--skip-test-db"),
            "--auth-root-authentication-method=normal",
        )
        (self.folder / "init.sql").write_text(
            "create database if not exists koa character set utf8mb4;\n"
            f"create user if not exists koa@'127.0.0.1' identified by '{PASSWORD}';\n"
            "grant all on koa.* to koa@'127.0.0.1';\n"
        )

    def command(self) -> list[str]:
        return [
            *(
                self.server,
                "--no-defaults",
                f"--datadir={self.folder}/data",
                f"--socket={self.folder}/socket",
            ),
            *(f"--port={self.port}", "--bind-address=127.0.0.1", f"--init-file={self.folder}/init.sql"),
            *("--skip-name-resolve", "--innodb-flush-log-at-trx-commit=0", "--innodb-buffer-pool-size=32M"),
            *("--max-connections=200", f"--pid-file={self.folder}/pid"),
        ]

    def answers(self) -> bool:
        import pymysql

        with contextlib.suppress(pymysql.OperationalError):
            pymysql.connect(
                host="127.0.0.1", port=self.port, user="koa", password=PASSWORD, database="koa"
            ).close()
            return True
        return False
