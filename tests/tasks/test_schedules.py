"""@every and @cron: found without importing, due at the right moments, started once."""

from __future__ import annotations

from pathlib import Path

import pytest

from system.core.errors import TaskError
from system.core.tasks.schedules import list_schedules, read_interval, slot_id
from tests.conftest import Site
from tests.task_bench import bench, wait_for

NIGHTLY = """
    raise RuntimeError("nobody may import this")

    class Night:
        @every("5m")
        def sweep(self, celery_instance=None):
            pass

        @queue("reports")
        @cron("0 2 * * *")
        def report(self, celery_instance=None):
            pass

        @every("often")
        def odd(self, celery_instance=None):
            pass

        @cron("61 2 * * *")
        def never(self, celery_instance=None):
            pass

        @every("1h")
        def no_task(self):
            pass
"""


def test_schedules_are_found_without_importing(site: Site, caplog: pytest.LogCaptureFixture) -> None:
    site.write("jobs/nightly.py", NIGHTLY)
    found = [schedule.describe() for schedule in list_schedules(site.app().catalog)]
    assert found == [
        {"route": "jobs/nightly/Night/report", "when": "0 2 * * *", "queue": "reports"},
        {"route": "jobs/nightly/Night/sweep", "when": "5m", "queue": "tasks"},
    ]
    said = caplog.text
    assert "@every('often') is not an interval" in said
    assert "@cron('61 2 * * *') cannot be used" in said
    assert "needs a parameter celery_instance" in said


def test_a_file_that_changes_changes_the_schedules(site: Site) -> None:
    catalog = site.app().catalog
    site.write("nightly.py", NIGHTLY)
    assert len(list_schedules(catalog)) == 2
    site.write("nightly.py", NIGHTLY.replace('"5m"', '"7m"'))
    assert "7m" in [schedule.when for schedule in list_schedules(catalog)]
    site.write("nightly.py", "class Night: (")  # broken: what it said before stands
    assert len(list_schedules(catalog)) == 2


@pytest.mark.parametrize(
    ("text", "seconds"), [("30s", 30), ("5m", 300), ("2h", 7200), ("1d", 86400), ("1h30m", 5400), ("1.5 h", 5400)]
)
def test_intervals(text: str, seconds: float) -> None:
    assert read_interval(text) == seconds


@pytest.mark.parametrize("text", ["", "5", "m", "0s", "5 minutes", "-5m", "5m!"])
def test_what_is_no_interval_is_told(text: str) -> None:
    with pytest.raises(TaskError, match="is not an interval"):
        read_interval(text)


def test_a_run_has_one_id_whoever_starts_it() -> None:
    assert slot_id("a/B/c", 1_000.0) == slot_id("a/B/c", 1_000.0)
    assert len({slot_id("a/B/c", 1_000.0), slot_id("a/B/c", 1_060.0), slot_id("a/B/d", 1_000.0)}) == 3


def test_two_beats_start_each_run_once(tmp_path: Path) -> None:
    with bench(tmp_path / "site", web=False) as site:
        beats = [site.start_celery("beat", "--pidfile=") for _ in range(2)]
        try:
            ids = wait_for(lambda: len(found := _ticks(site.root)) >= 3 and found, what="three runs")
        finally:
            for beat in beats:
                beat.terminate()
                beat.wait(20)
        assert len(ids) == len(set(ids))


def _ticks(root: Path) -> list[str]:
    log = root / "runs.log"
    return [line for line in log.read_text().splitlines() if line.startswith("tick ")] if log.exists() else []
