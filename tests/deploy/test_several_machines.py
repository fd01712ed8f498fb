"""Two web machines and a worker machine behind one nginx: changed, reloaded and switched off under load.

The longer version, with Sentinel and RabbitMQ, is benchmarks/several_machines.py.
"""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.machine_site import LIBRARY, Host, MachineSite, fetch, machine_site
from tests.machine_traffic import Traffic, judge
from tests.machines import why_not
from tests.servers import needs_servers

pytestmark = [needs_servers, pytest.mark.skipif(bool(why_not()), reason=why_not() or "possible")]


@pytest.fixture(scope="module")
def site() -> Iterator[MachineSite]:
    folder = Path(tempfile.mkdtemp(prefix="koa-"))  # short: the name of a socket may have 107 bytes
    try:
        with machine_site(folder / "m", web=2, workers=1, stores=1) as made:
            yield made
    finally:
        shutil.rmtree(folder)


def test_an_idempotency_key_holds_on_every_machine(site: MachineSite) -> None:
    def send(host: Host, key: str = "k") -> str:
        headers = {"Prefer": "respond-async", "Idempotency-Key": key}
        status, _, body = fetch(host.machine.address, "POST", "/site/later?number=once", headers)
        assert status == 202, body
        return str(json.loads(body)["id"])

    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(send, site.web * 4))
    assert len(set(found)) == 1
    assert send(site.web[0], "other") not in found


def test_machines_change_and_fail_one_after_the_other(site: MachineSite) -> None:
    lost = site.web[1].machine
    with Traffic(site, pause=0.01) as traffic:
        site.write("catalog/controller/site.py", LIBRARY.replace('VERSION = "1"', 'VERSION = "2"'))
        for host in (*site.web, *site.workers):
            host.pull()
        traffic.until("2 of release 1")
        site.write("config.py", 'release = "2"\nleaseSeconds = 4\n')
        for host in site.web:
            host.reload()
        traffic.until("2 of release 2")
        assert not traffic.failures
        lost.power_off()
        traffic.more(150)
        lost.plug("up")
        site.web[1].start_web()
        traffic.more(150)
    told = judge(traffic)
    # what the lost machine was working on; a client of this test waits for each answer
    assert all(lost.address in failure.through for failure in traffic.failures), traffic.failures
    assert len(traffic.failures) <= len(traffic.jobs)
    assert not told["sessions lost"] + told["orders lost"] + told["tasks lost"], told
    assert not told["tasks run more than once"] + told["schedules run more than once"], told
    assert told["machines of each session"] == [2, 2]
    assert told["tasks started here and watched there"]
    assert told["schedules run"] > 1
