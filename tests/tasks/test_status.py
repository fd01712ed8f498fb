"""What is told of a task: the JSON, the page in a browser, the board."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from typing import Any

import pytest
from selenium.webdriver.common.by import By

from system.core.tasks.description import describe_task, measure, show_seconds
from tests.browser import chromium
from tests.conftest import BROWSER
from tests.task_bench import Bench, bench, wait_for

PROMPT = """
    from kernkoa import *

    class Prompt:
        def index(self):
            task = exeTask(self, "work", {"steps": 12})
            return f"<a href='{task['url']}'>watch it</a>"

        def work(self, celery_instance, steps: int):
            for step in range(steps):
                celery_instance.progress(step, steps, f"step <{step}>")
                time.sleep(0.25)
            return {"made": "<b>all</b>"}
"""


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    with bench(tmp_path_factory.mktemp("status"), files={"prompt.py": PROMPT}, explorer="public") as made:
        yield made


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    with chromium(tmp_path_factory.mktemp("profile"), width=390) as driver:
        yield driver


@pytest.mark.parametrize(
    ("record", "told"),
    [
        ({"status": "PENDING"}, {"status": "PENDING", "state": {}}),
        ({"status": "STARTED"}, {"status": "inProgress", "state": {}}),
        (
            {"status": "STARTED", "state": {"status": "halfway", "meta": {"a": 1}}},
            {"status": "halfway", "state": {"a": 1}},
        ),
        ({"status": "SUCCESS", "result": None}, {"status": "SUCCESS", "data": None}),
        ({"status": "REVOKED"}, {"status": "REVOKED", "state": {}}),
        (
            {"status": "FAILURE", "error": {"type": "OSError", "message": "no", "traceback": "Tr"}},
            {"status": "FAILURE", "error": {"type": "OSError", "message": "no"}},
        ),
        (
            {"status": "RETRY", "error": None, "state": {"status": "inProgress", "meta": {"n": 1}}},
            {"status": "RETRY", "state": {"n": 1}, "error": {"type": "Exception", "message": ""}},
        ),
    ],
)
def test_what_a_record_means(record: dict[str, Any], told: dict[str, Any]) -> None:
    assert describe_task(record) == told


def test_the_traceback_is_for_development_alone() -> None:
    record = {"status": "FAILURE", "error": {"type": "E", "message": "m", "traceback": "Traceback…"}}
    assert describe_task(record, development=True)["error"]["traceback"] == "Traceback…"
    assert "traceback" not in describe_task(record)["error"]


def test_times_are_told_as_people_do() -> None:
    assert [show_seconds(value) for value in (0.24, 59.7, 61, 7384)] == ["0.2 s", "60 s", "1 min 1 s", "2 h 3 min"]
    assert measure({"started": 10.0, "queued": 1.0, "done": 12.5}) == 2.5
    assert measure({"queued": 10.0, "done": 11.0}) == 1.0


def test_a_browser_gets_a_page_and_format_json_forces(site: Bench) -> None:
    task_id = site.start("fail")
    site.end(task_id)
    code, headers, body = site.request("GET", f"/status/{task_id}", headers=BROWSER)
    page = body.decode()
    assert code == 200
    assert headers["content-type"].startswith("text/html")
    assert headers["cache-control"] == "no-store"
    assert '<h1 class="mark">Failed' in page
    assert "no such &lt;b&gt;thing&lt;/b&gt;" in page
    assert "Traceback" not in page
    assert "Cancel" not in page
    _, headers, body = site.request("GET", f"/status/{task_id}?format=json", headers=BROWSER)
    assert headers["content-type"] == "application/json"
    assert json.loads(body)["status"] == "FAILURE"


def test_a_result_is_shown_by_its_kind(site: Bench) -> None:
    for value, shown in (
        ("plain <text>", '<p class="result">plain &lt;text&gt;</p>'),
        ("https://example.org/a", '<a href="https://example.org/a">'),
        ("javascript:alert(1)", '<p class="result">javascript:alert(1)</p>'),
        ({"a": [1]}, '<pre class="long" tabindex="0"><code>{'),
        (None, "No result."),
    ):
        task_id = site.start("echo", value)
        site.end(task_id)
        assert shown in site.request("GET", f"/status/{task_id}", headers=BROWSER)[2].decode()


def test_the_page_works_without_scripts(site: Bench) -> None:
    task_id = site.start("count", {"to": 100, "step": 0.1})
    wait_for(lambda: site.status(task_id)["status"] == "inProgress")
    page = site.request("GET", f"/status/{task_id}", headers=BROWSER)[2].decode()
    assert '<noscript><meta http-equiv="refresh" content="3"></noscript>' in page
    assert f'action="/status/{task_id}/cancel"' in page
    code, headers, _ = site.request("POST", f"/status/{task_id}/cancel", headers=BROWSER)
    assert (code, headers["location"]) == (303, f"/status/{task_id}")
    assert "Cancelled" in site.request("GET", headers["location"], headers=BROWSER)[2].decode()


def test_the_page_moves_from_the_click_to_the_result(site: Bench, browser: Any) -> None:
    browser.get(f"http://127.0.0.1:{site.port}/prompt")
    browser.find_element(By.LINK_TEXT, "watch it").click()
    shares, heads = set(), set()
    read = """return [document.querySelector('[role=progressbar]')?.getAttribute('aria-valuenow'),
                      document.querySelector('h1')?.innerText, document.querySelectorAll('button').length]"""
    deadline = time.monotonic() + 20
    while "Done" not in heads and time.monotonic() < deadline:
        share, head, buttons = browser.execute_script(read)
        shares.add(share)
        heads.add(head)
        time.sleep(0.05)
    assert "Done" in heads
    assert len(shares) > 2
    assert any("step <" in head for head in heads if head)
    assert buttons == 0
    assert '"made": "<b>all</b>"' in read_text(browser, "pre")
    assert browser.execute_script("return document.documentElement.scrollWidth <= window.innerWidth")
    assert not [entry for entry in browser.get_log("browser") if "Content Security Policy" in entry["message"]]


def read_text(browser: Any, selector: str) -> str:
    """The text of an element, of whichever is there: the page replaces them while it is looked at."""
    return str(browser.execute_script("return document.querySelector(arguments[0])?.innerText ?? ''", selector))


def test_the_cancel_button_cancels(site: Bench, browser: Any) -> None:
    task_id = site.start("sleep", {"seconds": 60})
    browser.get(f"http://127.0.0.1:{site.port}/status/{task_id}")
    browser.execute_script("document.querySelector('#cancel button').click()")
    wait_for(lambda: "Cancelled" in read_text(browser, "h1"))
    assert site.status(task_id)["status"] == "REVOKED"


def test_the_board_shows_tasks_workers_and_schedules(site: Bench, browser: Any) -> None:
    done = site.start("echo", 1)
    site.end(done)
    running = site.start("sleep", {"seconds": 60})
    wait_for(lambda: site.runs(f"sleep {running}"))
    board = json.loads(site.request("GET", "/_koa/tasks")[2])
    assert [row["id"] for row in board["tasks"][:2]] == [running, done]
    assert board["tasks"][0]["word"] == "Running"
    assert board["queues"] == {"tasks": 0, "reports": 0}
    assert [(worker["processes"], worker["queues"]) for worker in board["workers"]] == [(2, ["reports", "tasks"])]
    (schedule,) = board["schedules"]
    assert [schedule[name] for name in ("route", "when", "queue")] == ["jobs/Ticking/tick", "1s", "tasks"]
    browser.get(f"http://127.0.0.1:{site.port}/_koa/tasks")
    assert "jobs/Jobs/sleep" in read_text(browser, "tbody tr")
    browser.execute_script("document.querySelector('tbody tr button').click()")
    wait_for(lambda: "Cancelled" in read_text(browser, "tbody tr"))
    assert browser.execute_script("return document.documentElement.scrollWidth <= window.innerWidth")
