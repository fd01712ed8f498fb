"""RabbitMQ as the broker: a cluster of three nodes, and the node with the queue's leader is killed under load."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from system.core.errors import SettingsError
from system.core.tasks.broker_address import split_broker_url
from tests.rabbitmq_cluster import PROGRAMS, rabbitmq_cluster
from tests.task_bench import Bench, bench, wait_for
from tests.web.test_tracing import STARTUP, TRACE, TRACEPARENT

needs_rabbitmq = pytest.mark.skipif(
    not (PROGRAMS / "rabbitmq-server").exists(), reason="RabbitMQ is needed: sh setup.sh test installs it"
)


def test_each_host_of_the_address_is_a_url() -> None:
    assert split_broker_url("amqp://u:p%40w@a,b:5673,[::1]:5/shop") == [
        "amqp://u:p%40w@a/shop",
        "amqp://u:p%40w@b:5673/shop",
        "amqp://u:p%40w@[::1]:5/shop",
    ]
    assert split_broker_url("AMQPS://a") == ["amqps://a"]
    for wrong in ("redis://:s3cret@a", "amqp://:s3cret@a:port/", "amqp://:s3cret@/", "amqp://:s3cret@a;b"):
        with pytest.raises(SettingsError, match="brokerUrl") as refused:
            split_broker_url(wrong)
        assert "s3cret" not in str(refused.value)


@needs_rabbitmq
def test_a_killed_node_of_the_cluster_costs_no_task(tmp_path: Path) -> None:
    with (
        rabbitmq_cluster(tmp_path / "rabbit") as cluster,
        bench(tmp_path / "site", workers=2, brokerUrl=cluster.url, files={"../startup.py": STARTUP}) as site,
    ):
        assert site.run("echo", {"a": 1}) == {"status": "SUCCESS", "data": {"a": 1}}
        a_delayed_and_a_retried_task_are_in_the_trace_of_their_request(site)
        running = [site.start("count", {"to": 60, "step": 0.1}) for _ in range(4)]
        waiting = [site.start("count", {"to": 1, "step": 0}) for _ in range(20)]
        late = site.start("count", {"to": 1, "step": 0}, delay=5)
        wait_for(lambda: all(site.runs(f"count {task_id}") for task_id in running), what="tasks that run")
        # RabbitMQ delivers what they run to the next connection: that must not run them a second time
        cluster.control("close_all_connections", "for a test")
        cluster.kill(cluster.leader_of("tasks"))
        more = [start_when_possible(site) for _ in range(5)]
        for task_id in (*running, *waiting, late, *more):
            assert site.end(task_id, 90)["status"] == "SUCCESS"
            assert site.runs(f"count {task_id}") == 1
        assert all(worker.poll() is None for worker in site.workers)
        killed_worker_is_taken_over(site)
        assert "Exception ignored" not in (site.root / "web.log").read_text()


def a_delayed_and_a_retried_task_are_in_the_trace_of_their_request(site: Bench) -> None:
    for body in ({"method": "flaky", "params": {"fails": 1}}, {"method": "echo", "delay": 0.5}):
        _, _, answer = site.request("POST", "/jobs/Jobs/start", body, TRACEPARENT)
        assert site.end(json.loads(answer)["id"])["status"] == "SUCCESS"
    wanted = ["run/jobs/Jobs/echo", "run/jobs/Jobs/flaky", "run/jobs/Jobs/flaky"]
    wait_for(
        lambda: [name for name in names_in_trace(site) if name.startswith("run/")] == wanted, what="the spans"
    )


def names_in_trace(site: Bench) -> list[str]:
    spans = [json.loads(line) for line in (site.root / "spans").read_text().splitlines()]
    return sorted(span["name"] for span in spans if span["context"]["trace_id"] == f"0x{TRACE}")


def start_when_possible(site: Bench) -> str:
    """The id of a task that was accepted; a 503 is answered while the cluster elects a leader."""
    body = {"method": "count", "params": {"to": 1, "step": 0}}

    def accepted() -> str:
        code, _, answer = site.request("POST", "/jobs/Jobs/start", body)
        assert code in (200, 503), answer
        return str(json.loads(answer)["id"]) if code == 200 else ""

    return str(wait_for(accepted, 60, "the new leader"))


def killed_worker_is_taken_over(site: Bench) -> None:
    task_id = site.start("count", {"to": 30, "step": 0.1})
    wait_for(lambda: site.runs(f"count {task_id}"))
    name = site.server.client.hget(f"kernkoa:task:{task_id}", "worker").decode()
    site.kill(site.workers[int(name[len("worker")])])
    assert site.end(task_id, 60)["data"] == 30
    assert site.runs(f"count {task_id}") == 2
