"""Where tasks travel: every kind of redisUrl, with a real server behind each."""

from __future__ import annotations

import contextlib
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
import redis

from system.core.settings import Settings
from system.core.tasks.celery_app import TaskApp
from tests.programs import find_program
from tests.task_bench import Bench, wait_for

CERTIFICATE = "req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=localhost -addext subjectAltName=IP:127.0.0.1"


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@contextlib.contextmanager
def redis_server(folder: Path, options: str) -> Iterator[None]:
    program = find_program("redis-server")
    folder.mkdir(parents=True, exist_ok=True)
    command = [program, *options.split(), "--dir", str(folder)]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        yield
    finally:
        process.kill()
        process.wait()


def test_pickle_is_accepted_nowhere(tmp_path: Path) -> None:
    celery = TaskApp(Settings(path=tmp_path), None)
    assert celery.conf.accept_content == ["json"]
    assert celery.conf.task_serializer == celery.conf.result_serializer == "json"
    celery.be_patient()
    assert celery.conf.accept_content == ["json"]


def make_certificate(folder: Path) -> tuple[Path, str]:
    """A certificate, and the options of a server that has it."""
    key, certificate = folder / "key.pem", folder / "cert.pem"
    openssl = find_program("openssl")
    subprocess.run(
        [openssl, *CERTIFICATE.split(), "-keyout", str(key), "-out", str(certificate)],
        check=True,
        capture_output=True,
    )
    files = f"--tls-cert-file {certificate} --tls-key-file {key} --tls-ca-cert-file {certificate}"
    return certificate, f"--port 0 {files} --tls-auth-clients no --tls-replication yes"


@pytest.mark.parametrize("scheme", ["rediss", "sentinels"])
def test_a_redis_with_tls(tmp_path: Path, scheme: str) -> None:
    certificate, tls = make_certificate(tmp_path)
    port, watch = free_port(), free_port()
    full = f"--tls-port {port} --maxmemory 100mb --maxmemory-policy allkeys-lru --appendonly no"
    place = f"{port}/0?" if scheme == "rediss" else f"{watch}/0?master=koa&"
    url = f"{scheme}://127.0.0.1:{place}ssl_ca_certs={certificate}"
    site = Bench(tmp_path / "site", redisUrl=url, leaseSeconds=10)
    told = tmp_path / "sentinel.conf"
    told.write_text(f"sentinel monitor koa 127.0.0.1 {port} 1\n", encoding="utf-8")
    with contextlib.ExitStack() as servers:
        servers.enter_context(redis_server(tmp_path / "redis", f"{tls} {full}"))
        if scheme == "sentinels":
            servers.enter_context(redis_server(tmp_path, f"{told} --tls-port {watch} {tls} --sentinel"))
        try:
            site.start_web()
            site.start_worker()
            assert site.run("echo", "over TLS")["data"] == "over TLS"
            said = site.log.read_text()
            assert "Redis has maxmemory-policy allkeys-lru: when it is full it throws queued tasks away" in said
            assert "Redis has appendonly no" in said
        finally:
            site.close()


def test_sentinel_leads_to_the_new_master(tmp_path: Path) -> None:
    first, second, watch = free_port(), free_port(), free_port()
    told = tmp_path / "sentinel" / "sentinel.conf"
    told.parent.mkdir()
    told.write_text(
        f"port {watch}\nsentinel monitor koa 127.0.0.1 {first} 1\n"
        "sentinel down-after-milliseconds koa 500\nsentinel failover-timeout koa 3000\n",
        encoding="utf-8",
    )
    site = Bench(tmp_path / "site", redisUrl=f"sentinel://127.0.0.1:{watch}/0?master=koa")
    with contextlib.ExitStack() as servers:
        master = servers.enter_context(contextlib.ExitStack())
        master.enter_context(redis_server(tmp_path / "first", f"--port {first} --repl-diskless-sync-delay 0"))
        servers.enter_context(redis_server(tmp_path / "second", f"--port {second} --replicaof 127.0.0.1 {first}"))
        wait_for(lambda: _role(first, "connected_slaves") == 1, what="the replica")
        servers.enter_context(redis_server(told.parent, f"{told} --sentinel"))
        try:
            wait_for(lambda: _knows_replica(watch), what="the sentinel")
            site.start_web()
            site.start_worker()
            assert site.run("echo", "before")["data"] == "before"
            kept = site.start("echo", "kept", delay=4)
            wait_for(lambda: redis.Redis(port=second).exists(f"kernkoa:task:{kept}"), what="the replica's copy")
            master.close()
            wait_for(lambda: _role(second, "role") == "master", what="the new master")
            wait_for(
                lambda: site.request("POST", "/jobs/Jobs/start", {"method": "echo"})[0] == 200, what="the web"
            )
            assert site.run("echo", "after")["data"] == "after"
            assert site.end(kept)["data"] == "kept"
        finally:
            site.close()


def _role(port: int, name: str) -> object:
    with contextlib.suppress(redis.RedisError):
        return redis.Redis(port=port).info("replication")[name]
    return None


def _knows_replica(port: int) -> bool:
    with contextlib.suppress(redis.RedisError):
        return bool(redis.Redis(port=port).sentinel_master("koa")["num-slaves"])
    return False
