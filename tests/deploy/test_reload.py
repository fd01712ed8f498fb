"""Deploying new code under load: counts the failed requests of clients that never pause."""

from __future__ import annotations

import http.client
import json
import os
import signal
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from system.deploy import workers
from system.deploy.errors import DeployError
from tests.servers import Load, Production, config_with, needs_servers, production

pytestmark = needs_servers

# the response contains the release, from a file of the release, and the text of the library
PROBE = """
from kernkoa import *

class probe:
    def release(self):
        return config.release

    def text(self):
        return "old"

    def package(self):
        import parcel
        return parcel.VERSION

    def pid(self):
        return {"pid": os.getpid()}

    def dies(self, marks: str):
        # its process is killed the first time
        with open(marks, "a") as file:
            file.write("x")
        if os.path.getsize(marks) == 1:
            os.kill(os.getpid(), 9)
        return "survived"

    def slow(self):
        time.sleep(2)
        return {"pid": os.getpid()}
"""


LAST_IMPORT = "shared-pyimport = system.core.web.before_fork"


@pytest.fixture(scope="module")
def packages(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a package, which uWSGI's master imports."""
    folder = tmp_path_factory.mktemp("site-packages")
    (folder / "parcel.py").write_text("VERSION = 'one'\n")
    return folder


@pytest.fixture(scope="module")
def server(packages: Path) -> Iterator[Production]:
    files = {"catalog/controller/probe.py": PROBE, "config.py": config_with("release = 'first'")}
    edits = {LAST_IMPORT: f"pythonpath = {packages}\nshared-pyimport = parcel\n{LAST_IMPORT}"}
    with production(files=files, edits=edits) as running:
        yield running


@pytest.fixture
def site(server: Production) -> Iterator[Production]:
    """The one server; its files are restored after each test."""
    yield server
    (server.clone / "catalog/controller/probe.py").write_text(PROBE)
    set_release(server, "release = 'first'")
    # each worker checks the file itself: one after the other, a single worker may answer all requests
    assert workers.wait_for(lambda: answers(server, "/probe/probe/text") == {b"old"}, 10)


def answers(site: Production, path: str) -> set[bytes]:
    """What several clients at once are answered."""
    with Load(site.port, path, (b"old", b"new")) as load:
        load.more()
    return load.seen


def set_release(site: Production, text: str) -> None:
    (site.clone / "config.py").write_text(config_with(text))


def test_a_reload_brings_new_settings_and_loses_no_request(
    site: Production, capsys: pytest.CaptureFixture[str]
) -> None:
    old, before = site.workers(), site.get("/probe/probe/release").body
    with Load(site.port, "/probe/probe/release", (before, b"two")) as load:
        set_release(site, 'release = "two"')
        load.more()
        assert load.seen == {before}  # saved, but not deployed yet
        site.reload()
        load.seen.clear()
        load.more()
        assert load.seen == {b"two"}
    report(capsys, "a reload", load)
    assert load.failed == []
    assert not old & site.workers()


def test_a_new_version_of_a_package_is_used_after_a_reload_and_loses_no_request(
    site: Production, packages: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (packages / "parcel.py").write_text("VERSION = 'number two'\n")
    site.reload()
    assert {site.get("/probe/probe/package").text for _ in range(20)} == {"one"}  # the master has imported it
    (packages / "parcel-2.dist-info").mkdir()
    with Load(site.port, "/probe/probe/package", (b"one", b"number two")) as load:
        workers.reload(site.run, packages, 30)
        load.seen.clear()
        load.more()
        assert load.seen == {b"number two"}
    report(capsys, "a new package", load)
    assert load.failed == []
    assert not workers.has_new_packages(site.run, packages)  # the master is replaced once


def test_a_touched_vassal_restarts_and_loses_no_request(
    site: Production, capsys: pytest.CaptureFixture[str]
) -> None:
    old = site.workers()
    with Load(site.port, "/probe/probe/text", (b"old",)) as load:
        os.utime(site.vassal)
        assert workers.wait_for(lambda: len(site.workers()) == 2 and not site.workers() & old, 20)
        load.more()
    report(capsys, "a touched vassal", load)
    assert load.failed == []


def test_an_edited_library_takes_effect_at_once_and_loses_no_request(
    site: Production, capsys: pytest.CaptureFixture[str]
) -> None:
    library = site.clone / "catalog/controller/probe.py"
    with Load(site.port, "/probe/probe/text", (b"old", b"new")) as load:
        library.write_text(PROBE.replace('"old"', '"new"'))
        assert workers.wait_for(lambda: site.get("/probe/probe/text").text == "new", 5)
        library.write_text("class probe:\n    def text(self:\n")
        load.more(500)
    report(capsys, "an edit, and one that does not compile", load)
    assert load.failed == []


def test_broken_code_is_refused_and_the_old_code_keeps_serving(
    site: Production, capsys: pytest.CaptureFixture[str]
) -> None:
    before = (site.folder / "tree/var/lib/kernkoa/current").resolve()
    with Load(site.port, "/probe/probe/text", (b"old",)) as load:
        set_release(site, "release = = nonsense")
        with pytest.raises(DeployError, match=r"(?s)config\.py.*nonsense"):
            site.reload()
        # a worker that is replaced meanwhile must not load the broken file
        victim = min(site.workers())
        os.kill(victim, signal.SIGHUP)
        assert workers.wait_for(lambda: len(site.workers() - {victim}) == 2, 10)
        load.more()
    report(capsys, "a broken config.py", load)
    assert load.failed == []
    assert (site.folder / "tree/var/lib/kernkoa/current").resolve() == before


def test_killed_workers_lose_no_request(site: Production, capsys: pytest.CaptureFixture[str]) -> None:
    with Load(site.port, "/probe/probe/text", (b"old",)) as load:
        for _ in range(3):
            victim = min(site.workers())
            os.kill(victim, signal.SIGKILL)
            assert workers.wait_for(lambda victim=victim: len(site.workers() - {victim}) == 2, 10)
        load.more()
    report(capsys, "kill -9 of three workers", load)
    assert load.failed == []


@pytest.mark.parametrize(("method", "status", "runs"), [("GET", 200, 2), ("POST", 503, 1)])
def test_a_request_whose_worker_is_killed_runs_again_unless_it_is_a_post(
    site: Production, tmp_path: Path, method: str, status: int, runs: int
) -> None:
    marks = tmp_path / "marks"
    answer = site.get(f"/probe/probe/dies?marks={marks}", method)
    assert (answer.status, len(marks.read_text())) == (status, runs)
    assert workers.wait_for(lambda: len(site.workers()) == 2, 10)


def test_a_reload_waits_for_the_request_that_is_running(site: Production) -> None:
    slow = http.client.HTTPConnection("127.0.0.1", site.port, timeout=20)
    slow.request("GET", "/probe/probe/slow")
    old = site.workers()
    site.reload()
    assert json.loads(slow.getresponse().read())["pid"] in old
    slow.close()
    assert not old & site.workers()


def test_a_second_reload_while_one_runs_leaves_no_old_worker(site: Production) -> None:
    slow = http.client.HTTPConnection("127.0.0.1", site.port, timeout=20)
    slow.request("GET", "/probe/probe/slow")
    # the first chain now waits for the slow request; uWSGI drops a signal that comes meanwhile
    (site.run / "uwsgi.fifo").write_text("c")
    set_release(site, 'release = "newest"')
    site.reload()
    assert {site.get("/probe/probe/release").text for _ in range(20)} == {"newest"}
    slow.getresponse().read()
    slow.close()


def report(capsys: pytest.CaptureFixture[str], what: str, load: Load) -> None:
    """Print the counts, even if the test passes."""
    with capsys.disabled():
        sys.stdout.write(f"\n  under load, {what}: {load.summary()}\n")
