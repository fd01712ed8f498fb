"""The board of tasks: filters, one task's page, run again, cancel many, schedules, charts."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlencode

import pytest

from system.core.explorer.charts import make_charts
from system.core.tasks.counts import Minute
from tests.conftest import BROWSER
from tests.task_bench import Bench, bench, wait_for

DESK = """
    from kernkoa import *

    class Desk:
        def start(self, method: str, values: list[str] = [""]):
            return [exeTask(self, method, {"name": each, "password": "pass-word"}) for each in values]

        def report(self, celery_instance, name: str, password: str):
            print("printed", name)
            if name == "bad":
                raise LookupError("no such report")
            return [{"a": 1, "b": "x"}, {"a": 2, "b": None}]

        def held(self, celery_instance, name: str, password: str):
            while True:
                time.sleep(0.05)
                celery_instance.progress(1, 4)

        def made(self, celery_instance, name: str, password: str):
            return name

        @every("1d")
        @queue("reports")
        def tidy(self, celery_instance):
            return "tidied"

    class Closed:
        def before(self, params):
            return None if params.get("key") == "k" else ("no", 403)

        def secret(self, celery_instance=None, params=None):
            return 1
"""
SHUT = """
    from werkzeug.exceptions import Forbidden

    def before(self, params):
        if params.get("key") != "k":
            raise Forbidden
"""


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    jobs = "class Jobs:\n    def secret(self, celery_instance=None):\n        return 1\n"
    files = {"desk.py": DESK, "shut/_folder.py": SHUT, "shut/jobs.py": jobs}
    with bench(tmp_path_factory.mktemp("board"), files=files, explorer="public") as made:
        yield made


def start(site: Bench, method: str, *values: str) -> list[str]:
    body = {"method": method, "values": values}
    return [each["id"] for each in json.loads(site.request("POST", "/desk/start", body)[2])]


def board(site: Bench, **filters: Any) -> Any:
    return json.loads(site.request("GET", f"/_koa/tasks?{urlencode(filters)}")[2])


def listed(site: Bench, **filters: Any) -> list[str]:
    return [row["id"] for row in board(site, **filters)["tasks"]]


def page(site: Bench, path: str) -> str:
    status, _, body = site.request("GET", path, headers=BROWSER)
    assert status == 200
    return body.decode()


def act(site: Bench, path: str = "/_koa/tasks", **form: Any) -> str:
    """Post a form; where it leads."""
    headers = {"Content-Type": "application/x-www-form-urlencoded", **BROWSER}
    status, headers, _ = site.request("POST", path, urlencode(form, doseq=True).encode(), headers=headers)
    assert status == 303
    return headers["location"]


def test_tasks_are_found_by_method_status_worker_queue_and_time(site: Bench) -> None:
    begun = time.time()
    good, bad = start(site, "report", "good", "bad")
    (tidied,) = [json.loads(site.request("POST", "/_koa/run/desk/Desk/tidy", {})[2])["id"]]
    (running,) = start(site, "held", "one")
    for task in (good, bad, tidied):
        site.end(task)
    wait_for(lambda: listed(site, status="STARTED") == [running])
    assert listed(site, status="FAILURE") == [bad]
    assert listed(site, status="SUCCESS") == [tidied, good]
    assert listed(site, method="DESK/rep") == [bad, good]
    assert listed(site, method="desk", status="SUCCESS", queue="reports") == [tidied]
    assert listed(site, queue="none") == []
    worker = board(site)["workers"][0]["name"]
    assert listed(site, worker=worker) == [running, tidied, bad, good]
    assert listed(site, worker="another") == []
    assert listed(site, since=600) == [running, tidied, bad, good]
    assert listed(site, before=begun) == []
    assert listed(site, before="nan", since="inf") == listed(site)
    act(site, cancel=running)


def test_the_page_of_a_task_has_params_without_secrets_the_log_and_the_traceback(site: Bench) -> None:
    (bad,) = start(site, "report", "bad")
    site.end(bad)
    text = page(site, f"/_koa/tasks/{bad}")
    assert "printed bad" in text
    assert "in report" in text
    assert "&#34;name&#34;: &#34;bad&#34;" in text
    assert "pass-word" not in text
    assert "desk/Desk/report" in text
    assert 'href="/_koa/at/desk/Desk/report"' in text
    public = page(site, f"/status/{bad}")
    assert not any(word in public for word in ("printed bad", "in report", "pass-word", "desk/Desk"))
    assert site.request("GET", "/_koa/tasks/nothing")[0] == 404


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("/pdfs/a.pdf", '<iframe src="/pdfs/a.pdf"'),
        ("/images/a.png", '<img src="/images/a.png"'),
        ("/static/a.csv", '<div data-csv="/static/a.csv"></div><p><a href="/static/a.csv" download>'),
        ("https://example.org/a.png", '<a href="https://example.org/a.png"'),
        ("<b>bold</b>", "&lt;b&gt;bold"),
        ("//example.org/a.png", '<p class="result">//example.org'),
        ("line " * 100, '<pre class="long wrap"'),
    ],
)
def test_a_result_is_shown_as_what_it_is(site: Bench, name: str, shown: str) -> None:
    (task,) = start(site, "made", name)
    site.end(task)
    assert shown in page(site, f"/status/{task}")


def test_records_are_a_table_on_the_status_page(site: Bench) -> None:
    (task,) = start(site, "report", "good")
    site.end(task)
    text = page(site, f"/status/{task}")
    assert '<th scope="col">a</th><th scope="col">b</th>' in text
    assert "<td>2</td><td></td>" in text


def test_a_running_task_tells_the_time_that_is_left(site: Bench) -> None:
    (task,) = start(site, "held", "one")
    wait_for(lambda: "left" in page(site, f"/status/{task}"))
    assert act(site, f"/status/{task}/cancel", back="board") == f"/_koa/tasks/{task}"


def test_a_task_is_run_again_from_its_page(site: Bench) -> None:
    (bad,) = start(site, "report", "bad")
    site.end(bad)
    assert f'<button name="again" value="{bad}">' in page(site, f"/_koa/tasks/{bad}")
    again = act(site, again=bad).removeprefix("/_koa/tasks/")
    assert again != bad
    assert site.end(again)["error"]["message"] == "no such report"


def test_many_are_cancelled_chosen_or_found(site: Bench) -> None:
    held = start(site, "held", *"abcdef")
    act(site, do="cancel", id=held[:2])
    assert [site.end(task)["status"] for task in held[:2]] == ["REVOKED"] * 2
    assert act(site, do="cancel_found", method="held", status="PENDING").endswith("method=held&status=PENDING")
    act(site, do="cancel_found", method="held", status="STARTED")
    wait_for(lambda: all(site.end(task)["status"] == "REVOKED" for task in held))


def test_a_schedule_is_paused_and_resumed(site: Bench) -> None:
    def schedule() -> Any:
        return next(each for each in board(site)["schedules"] if each["route"] == "desk/Desk/tidy")

    assert (schedule()["paused"], bool(schedule()["next"])) == (False, True)
    assert act(site, "/_koa/schedules", pause="desk/Desk/tidy").endswith("#schedules")
    assert (schedule()["paused"], schedule()["next"]) == (True, "")
    act(site, "/_koa/schedules", resume="desk/Desk/tidy")
    assert (schedule()["paused"], bool(schedule()["last"])) == (False, True)
    assert site.request("POST", "/_koa/schedules?pause=x", {})[0] == 404


def test_what_a_guard_keeps_is_not_started_and_not_on_the_board(site: Bench) -> None:
    for route, refused in (("desk/Closed/secret", 404), ("shut/jobs/Jobs/secret", 403)):
        assert site.request("POST", f"/_koa/run/{route}", {})[0] == refused
        task = json.loads(site.request("POST", f"/_koa/run/{route}?key=k", {})[2])["id"]
        site.end(task)
        assert listed(site, method=route) == []
        assert listed(site, method=route, key="k") == [task]
        assert site.request("GET", f"/_koa/tasks/{task}")[0] == 404
        assert site.request("GET", f"/_koa/tasks/{task}?key=k")[0] == 200


def test_the_charts_count_what_ended(site: Bench) -> None:
    for task in start(site, "report", "good", "bad"):
        site.end(task)
    for period in ("hour", "day"):
        text = page(site, f"/_koa/tasks?period={period}")
        assert text.count("<svg") == 3
        assert "Ended tasks per minute. done: now " in text
    assert "0 done" not in text


def test_a_million_records_cost_what_a_hundred_cost(site: Bench) -> None:
    """Only the newest are looked at: the script reads ten thousand at most, whatever else is there."""
    client = site.server.client
    client.zadd("kernkoa:tasks:newest", {f"old{number}": number for number in range(30_000)})
    begun = time.perf_counter()
    assert listed(site, method="no such method") == []
    assert time.perf_counter() - begun < 2
    client.zremrangebyscore("kernkoa:tasks:newest", 0, 30_000)


def test_durations_are_right_within_a_fifth_and_queues_keep_their_length() -> None:
    counted = Minute()
    counted.took.update({1: 1, 20: 98, 30: 1})
    assert counted.seconds(0.5) == pytest.approx(1, rel=0.2)
    assert counted.seconds(1) == pytest.approx(32, rel=0.2)
    assert Minute().seconds(0.5) == 0
    waiting = make_charts([Minute(most={"a": 2, "b": 3}), Minute(waiting={"b": 0}, most={"a": 1})], 1)[0]
    assert waiting.summary == "Waiting tasks. waiting: now 0, at most 5."
    assert waiting.lines[0].points == "0.0,0.0 300.0,48.0"
