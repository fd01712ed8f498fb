"""A site of several machines: web machines behind one nginx, worker machines, Redis with Sentinel, PostgreSQL.

Each machine has its own clone and release, made by setup.sh; the front's nginx file is the one in
docs/several-machines.md.
"""

from __future__ import annotations

import contextlib
import json
import re
import shlex
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from http.client import HTTPConnection, HTTPException
from pathlib import Path

import redis

from system.deploy import release, workers
from tests.database_servers import PostgreSQL
from tests.machines import Machine, Network, network
from tests.programs import find_program
from tests.rabbitmq_cluster import Cluster, rabbitmq_cluster
from tests.servers import NGINX, REPOSITORY, VENV, Production, copy_clone, relocate, stage

LIBRARY = """
import platform, time
from kernkoa import *

VERSION = "1"


class Site:
    def __init__(self):
        self.db = dbs["maindb"]

    def page(self):
        return {"version": VERSION, "release": config.release, "machine": platform.node()}

    def visit(self):
        session["visits"] = session.get("visits", 0) + 1
        return {"visits": session["visits"], "machine": platform.node()}

    @allow("POST")
    def order(self, number: str):
        self.db.query("insert into orders values (:number)", {"number": number})
        return {"number": number}

    @allow("POST")
    def start(self, number: str):
        return {**exeTask(self, "work", {"number": number}), "machine": platform.node()}

    def work(self, celery_instance, number: str, seconds: float = 0.05):
        self.note(celery_instance)
        celery_instance.update_state(state="inProgress", meta={"number": 1, "title": "on the way"})
        time.sleep(seconds)
        return number

    @background
    def later(self, number: str):
        self.db.query("insert into orders values (:number)", {"number": number})
        return number

    @every("2s")
    def tick(self, celery_instance):
        self.note(celery_instance)

    def note(self, task):
        self.db.query("insert into runs values (:id, :machine, now())", {"id": task.id, "machine": platform.node()})
"""
TABLES = (
    "create table orders (number varchar(60) primary key)",
    "create table runs (id varchar(60), machine varchar(20), at timestamp)",
)
HOST = "www.example.org"
# what docs/several-machines.md says that one changes on each web host
BEHIND = {
    "server_tokens off;": "server_tokens off;\n\tset_real_ip_from {front};\n\treal_ip_header X-Forwarded-For;",
    "uwsgi_param HTTP_X_FORWARDED_PROTO $scheme;": "uwsgi_param HTTP_X_FORWARDED_PROTO $http_x_forwarded_proto;",
    'return 503 "': 'return 444; #"',
    # the clients of the test have one address
    "127.0.0.0/8 0;": "127.0.0.0/8 0; 198.18.0.0/15 0;",
}
FRONT = """
daemon off;
pid {folder}/nginx.pid;
error_log {folder}/error.log;
events {{ worker_connections 1024; }}
http {{
	access_log off;
	client_body_temp_path {folder}/body;
	proxy_temp_path {folder}/proxy;
	uwsgi_temp_path {folder}/uwsgi;
	fastcgi_temp_path {folder}/fastcgi;
	scgi_temp_path {folder}/scgi;
{site}
}}
"""


class Host:
    """A machine with a clone and an installation of the site. Its services are those of the unit files."""

    def __init__(self, machine: Machine, origin: Path, environment: Mapping[str, str], front: str) -> None:
        self.machine = machine
        self.clone = machine.folder / "clone"
        _git(machine.folder, "clone", "--quiet", origin, self.clone)
        (self.clone / "venv3").symlink_to(VENV)
        self.site = Production(machine.folder, 80, self.clone)
        stage(self.site, ())
        edits = {old: new.format(front=front) for old, new in BEHIND.items()}
        self._environment = {**relocate(self.site, edits), **environment}
        lines = [f"{name}={shlex.quote(value)}" for name, value in self._environment.items()]
        self._settings.write_text("\n".join(lines) + "\n")

    @property
    def _settings(self) -> Path:
        return self.machine.folder / "tree/etc/default/kernkoa"

    def start_web(self) -> None:
        """emperor.uwsgi and nginx."""
        folder = self.machine.folder
        self.machine.start([VENV / "bin/uwsgi", "--ini", folder / "emperor.ini"], self._environment)
        self.machine.start([str(NGINX), "-p", folder / "nginx", "-c", folder / "nginx/nginx.conf"])
        assert workers.wait_for(lambda: self.answers(), 30), self.log()

    def start_tasks(self, *preload: str) -> None:
        """kernkoa-worker and kernkoa-beat."""
        for words in ("worker --concurrency=2", f"beat --pidfile= --schedule={self.machine.folder}/var/beat"):
            command = [VENV / "bin/celery", "-A", "kernkoa.celery", *words.split(), "--loglevel=info"]
            current = self.machine.folder / "tree/var/lib/kernkoa/current"
            self.machine.start([*preload, *command], self._environment, current, "tasks.log")

    def restart_tasks(self) -> None:
        """`systemctl restart kernkoa-worker kernkoa-beat`: running tasks are finished first."""
        for process in self.machine.processes:
            process.terminate()
        for process in self.machine.processes:
            process.wait(60)
        self.machine.processes.clear()
        self.start_tasks()

    def pull(self) -> None:
        _git(self.clone, "pull", "--quiet")

    def reload(self) -> None:
        """`git pull && sh setup.sh reload`, which systemd's part is left out of."""
        self.pull()
        if (self.site.run / "uwsgi.fifo").exists():
            self.site.reload()
            return
        machine = self.site.machine()
        made = release.prepare(machine)
        if made:
            release.activate(machine, made)
        self.restart_tasks()

    def answers(self, path: str = "/_koa/health") -> bool:
        with contextlib.suppress(OSError, HTTPException):
            return fetch(self.machine.address, "GET", path)[0] == 200
        return False

    def log(self) -> str:
        folder = self.machine.folder
        files = [folder / "output", folder / "tasks.log", *(folder / "log").iterdir()]
        return "\n".join(f"== {file}\n{file.read_text(errors='replace')}" for file in files if file.is_file())


class MachineSite:
    """The whole site, its origin repository and its servers."""

    def __init__(self, net: Network) -> None:
        self.net = net
        self.origin = copy_clone(net.folder / "origin", venv=False)
        for example in ("catalog/controller", "templates/message"):
            shutil.rmtree(self.origin / example)
        self.write("catalog/controller/site.py", LIBRARY, commit=False)
        self.write("config.py", 'release = "1"\nleaseSeconds = 4\n', commit=False)
        (self.origin / ".gitignore").write_text("/venv3\n/var\n__pycache__/\n")
        _git(self.origin, "init", "--quiet", "--initial-branch=main")
        self._commit("first")
        self.web: list[Host] = []
        self.workers: list[Host] = []
        self.stores: list[Machine] = []
        self.front = ""
        self.rabbitmq: Cluster | None = None
        self._servers = contextlib.ExitStack()

    def write(self, name: str, text: str, commit: bool = True) -> None:
        """Change a file of the origin, which each machine pulls."""
        file = self.origin / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
        if commit:
            self._commit(name)

    def _commit(self, message: str) -> None:
        _git(self.origin, "add", "--all")
        _git(
            self.origin,
            *("-c", "user.name=test", "-c", "user.email=test@localhost"),
            *("commit", "--quiet", "--message", message),
        )

    def start(self, web: int, workers: int, stores: int = 3, rabbitmq: bool = False) -> None:
        """Start everything. With one store Redis stands alone; with more it has a sentinel on each."""
        if rabbitmq:
            made = rabbitmq_cluster(self.net.folder / "rabbitmq", self.net.address)
            self.rabbitmq = self._servers.enter_context(made)
        self.database = PostgreSQL(self.net.address)
        self._servers.callback(self.database.remove)
        for statement in TABLES:
            self.query(statement)
        address = self._start_stores(stores)
        environment = {
            "KERNKOA_SECRET_KEY": "a" * 64,
            "KERNKOA_REDIS_URL": address,
            "KERNKOA_BROKER_URL": self.rabbitmq.url if self.rabbitmq else "",
            "KERNKOA_DATABASES": json.dumps({"maindb": self.database.entry}),
            "KERNKOA_HOSTS": json.dumps([HOST, "localhost"]),
            "PYTHONDONTWRITEBYTECODE": "1",
        }
        front = self.net.add("front")
        self.front = front.address

        def install(name: str) -> Host:
            return Host(self.net.by_name[name], self.origin, environment, front.address)

        names = [f"web{number}" for number in range(1, web + 1)]
        names += [f"worker{number}" for number in range(1, workers + 1)]
        for name in names:
            self.net.add(name)
        with ThreadPoolExecutor(2) as pool:
            hosts = list(pool.map(install, names))
            self.web, self.workers = hosts[:web], hosts[web:]
            for host in self.workers:
                host.start_tasks()
            list(pool.map(Host.start_web, self.web))
        self._start_front(front)

    def _start_stores(self, count: int) -> str:
        self.stores = [self.net.add(f"store{number}") for number in range(1, count + 1)]
        master = self.stores[0].address
        for store in self.stores:
            self.start_redis(store)
        assert workers.wait_for(lambda: self._replicas(master) == count - 1, 20)
        if count == 1:
            return f"redis://{master}:6379/0"
        for store in self.stores:
            file = store.folder / "sentinel.conf"
            file.write_text(SENTINEL.format(address=store.address, master=master, folder=store.folder))
            store.start([find_program("redis-server"), file, "--sentinel"], log="sentinel.log")
        assert workers.wait_for(lambda: self._sentinels() == count - 1, 20)
        hosts = ",".join(f"{store.address}:26379" for store in self.stores)
        return f"sentinel://{hosts}/0?master=koa"

    def start_redis(self, store: Machine) -> None:
        """The Redis of a store; the first one is the master of the others."""
        options = f"--bind {store.address} --protected-mode no --appendonly yes --dir {store.folder}"
        if len(self.stores) > 1:
            options += " --min-replicas-to-write 1 --min-replicas-max-lag 2 --repl-diskless-sync-delay 0"
        master = self.stores[0]
        follows = [] if store is master else ["--replicaof", master.address, "6379"]
        store.start([find_program("redis-server"), *options.split(), *follows])

    @staticmethod
    def _replicas(address: str) -> int:
        with contextlib.suppress(redis.RedisError):
            return int(redis.Redis(address, socket_timeout=1).info("replication")["connected_slaves"])
        return -1

    def _sentinels(self) -> int:
        with contextlib.suppress(redis.RedisError):
            return int(redis.Redis(self.stores[0].address, 26379).sentinel_master("koa")["num-other-sentinels"])
        return -1

    def master(self) -> Machine:
        """The store with the master."""
        for store in self.stores:
            with contextlib.suppress(redis.RedisError):
                if redis.Redis(store.address, socket_timeout=1).info("replication")["role"] == "master":
                    return store
        raise AssertionError("no master")

    def _start_front(self, front: Machine) -> None:
        text = front_text([host.machine.address for host in self.web])
        (front.folder / "nginx.conf").write_text(FRONT.format(folder=front.folder, site=text))
        front.start([str(NGINX), "-p", front.folder, "-c", front.folder / "nginx.conf"])
        assert workers.wait_for(lambda: self.is_up(), 20)

    def is_up(self) -> bool:
        with contextlib.suppress(OSError, HTTPException):
            return fetch(self.front, "GET", "/_koa/health")[0] == 200
        return False

    def query(self, statement: str) -> list[tuple[object, ...]]:
        """Run a statement in the database; its rows."""
        with self.database.connect() as connection:
            found = connection.execute(statement)
            return list(found.fetchall()) if found.description else []

    def close(self) -> None:
        self._servers.close()


SENTINEL = """
bind {address}
port 26379
protected-mode no
dir {folder}
sentinel monitor koa {master} 6379 2
sentinel down-after-milliseconds koa 1500
sentinel failover-timeout koa 6000
"""


def front_text(addresses: list[str]) -> str:
    """The nginx file of the front machine in docs/several-machines.md, for these web machines, without TLS."""
    page = (REPOSITORY / "docs/several-machines.md").read_text(encoding="utf-8")
    text = next(block for block in re.findall(r"(?ms)^```nginx\n(.*?)^```", page) if "upstream" in block)
    lines = [line for line in text.splitlines() if "ssl_certificate" not in line]
    text = "\n".join(lines).replace(
        "listen 443 ssl;", "listen 80;\n\tadd_header X-Upstream $upstream_addr always;"
    )
    server = next(line for line in lines if "server 10.0.0.11" in line)
    servers = "\n".join(server.replace("10.0.0.11", address) for address in addresses)
    return re.sub(r"(?m)(^\s*server 10\.0\.0\.\d+:.*\n)+", servers + "\n", text)


def fetch(
    address: str, verb: str, path: str, headers: Mapping[str, str] | None = None, timeout: float = 30
) -> tuple[int, dict[str, str], bytes]:
    """One request on a connection of its own."""
    with contextlib.closing(HTTPConnection(address, 80, timeout=timeout)) as connection:
        connection.request(verb, path, headers={"Host": HOST, **(headers or {})})
        answer = connection.getresponse()
        return answer.status, {name.lower(): value for name, value in answer.getheaders()}, answer.read()


def _git(folder: Path, *words: str | Path) -> None:
    done = subprocess.run(["git", *words], cwd=folder, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


@contextlib.contextmanager
def machine_site(folder: Path, **options: object) -> Iterator[MachineSite]:
    """A running site of several machines, removed at the end."""
    with network(folder) as net:
        site = MachineSite(net)
        try:
            site.start(**options)  # type: ignore[arg-type]
            yield site
        finally:
            site.close()
