"""A task method in a browser: its form, its progress and its result in place; without scripts on its status page."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from selenium.webdriver.common.by import By
from selenium.webdriver.support.ui import WebDriverWait

from tests.browser import chromium
from tests.conftest import BROWSER
from tests.task_bench import Bench, bench

DESK = """
    from kernkoa import *

    class Desk:
        def index(self):
            return exeTask(self, "report", {"year": 2025})

        def made(self):
            return exeTask(self, "report", {"year": 2025}), 202

        def report(self, celery_instance, year: int, pages: int = 2):
            "A yearly report."
            for page in range(pages):
                celery_instance.progress(page, pages, f"page {page}")
                time.sleep(0.3)
            return {"file": f"/pdfs/{year}.pdf", "pages": pages}

        def rows(self, celery_instance=None):
            return [{"name": "tea", "amount": 1}, {"name": "milk", "amount": 2}]

        def sheet(self, name: str):
            rows = "".join(f"{number};<b>{number}</b>\\n" for number in range(1200))
            return Response(f"number;'a; b'\\n{rows}".replace("'", chr(34)), mimetype="text/csv")

        def table(self, celery_instance=None, seconds: float = 0.0):
            time.sleep(seconds)
            return {"file": "/desk/sheet/a.csv", "rows": 1200}

        def broken(self, celery_instance=None):
            raise LookupError("no such order")
"""


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    with bench(tmp_path_factory.mktemp("desk"), files={"desk.py": DESK}, explorer="public") as made:
        yield made


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    with chromium(tmp_path_factory.mktemp("profile")) as driver:
        yield driver


def test_a_browser_that_starts_a_task_is_led_to_its_page_and_a_program_gets_json(site: Bench) -> None:
    for path in ("/desk", "/desk/made"):
        status, headers, _ = site.request("GET", path, headers=BROWSER)
        assert status == 303
        assert "/status/" in headers["location"]
        assert "Accept" in headers["vary"]
        status, _, body = site.request("GET", path)
        assert status == (200 if path == "/desk" else 202)
        assert json.loads(body)["type"] == "task"


def test_a_form_starts_a_task_method(site: Bench) -> None:
    place = "/_koa/run/desk/Desk/report"
    status, _, body = site.request("POST", place, {"year": 2026, "pages": 1})
    assert status == 200
    assert site.end(json.loads(body)["id"])["data"] == {"file": "/pdfs/2026.pdf", "pages": 1}
    form = {"Content-Type": "application/x-www-form-urlencoded", **BROWSER}
    status, headers, _ = site.request("POST", place, b"year=2026&pages=1", headers=form)
    assert (status, "/status/" in headers["location"]) == (303, True)
    status, _, body = site.request("POST", place, {"year": "soon"})
    assert (status, json.loads(body)["errors"][0]["name"]) == (422, "year")


@pytest.mark.parametrize("path", ["desk/Desk/index", "desk/Desk/nothing", "desk/Desk", "desk", "jobs/Jobs/plain"])
def test_only_task_methods_are_started(site: Bench, path: str) -> None:
    assert site.request("POST", f"/_koa/run/{path}", {})[0] == 404
    assert site.request("GET", f"/_koa/run/{path}")[0] in (404, 405)


def open_form(browser: Any, site: Bench, method: str) -> None:
    browser.get(f"http://127.0.0.1:{site.port}/_koa/at/desk/Desk/{method}")


def run(browser: Any) -> None:
    browser.find_element(By.CSS_SELECTOR, "#call button[type=submit]").click()


def wait_for_word(browser: Any, word: str) -> None:
    def is_there(_: Any) -> bool:
        found = browser.find_elements(By.CLASS_NAME, "task-word")
        return bool(found) and word in found[0].text

    WebDriverWait(browser, 20, poll_frequency=0.05).until(is_there)


def test_a_task_runs_in_place_from_its_form_to_its_result(site: Bench, browser: Any) -> None:
    open_form(browser, site, "report")
    browser.find_element(By.NAME, "year").send_keys("2026")
    run(browser)
    wait_for_word(browser, "page 1")
    assert float(browser.find_element(By.CSS_SELECTOR, "#shown progress").get_attribute("value")) == 0.5
    wait_for_word(browser, "Done")
    link = browser.find_element(By.CSS_SELECTOR, "#shown .value a")
    assert link.get_attribute("href").endswith("/pdfs/2026.pdf")
    assert not browser.find_elements(By.CSS_SELECTOR, "#shown progress")


def test_rows_are_a_table_and_an_error_is_told(site: Bench, browser: Any) -> None:
    open_form(browser, site, "rows")
    run(browser)
    wait_for_word(browser, "Done")
    assert [cell.text for cell in browser.find_elements(By.CSS_SELECTOR, "#shown th")] == ["name", "amount"]
    open_form(browser, site, "broken")
    run(browser)
    wait_for_word(browser, "Failed")
    assert "LookupError: no such order" in browser.find_element(By.CSS_SELECTOR, "#shown .fault").text


def read_table(browser: Any, place: str) -> list[str]:
    """The headings, the last row and the note of a table, once it is there."""
    look = f"""const cells = [...document.querySelectorAll({place!r} + " :is(th, tr:last-child td)")];
        return [...cells, ...document.querySelectorAll({place!r} + " .wide + p")].map((cell) => cell.textContent)"""
    found: list[str] = WebDriverWait(browser, 20, poll_frequency=0.05).until(
        lambda _: browser.execute_script(look)
    )
    return found


def test_a_csv_file_is_a_table_in_place(site: Bench, browser: Any) -> None:
    shown = ["number", "a; b", "999", "<b>999</b>", "The first 1000 rows. The file has more."]
    open_form(browser, site, "table")
    run(browser)
    wait_for_word(browser, "Done")
    assert read_table(browser, "#shown figure") == shown
    for seconds in (0, 1):  # the page of a task that has ended, and of one that ends meanwhile
        _, _, body = site.request("POST", "/_koa/run/desk/Desk/table", {"seconds": seconds})
        browser.get(f"http://127.0.0.1:{site.port}/status/{json.loads(body)['id']}")
        assert read_table(browser, "[data-csv]") == shown
        assert browser.find_element(By.LINK_TEXT, "Download the table").get_attribute("download") is not None
    assert not [entry for entry in browser.get_log("browser") if "Content Security" in entry["message"]]


def test_a_task_is_cancelled_in_place(site: Bench, browser: Any) -> None:
    open_form(browser, site, "report")
    browser.find_element(By.NAME, "year").send_keys("2026")
    browser.find_element(By.NAME, "pages").send_keys("100")
    run(browser)
    wait_for_word(browser, "page")
    browser.find_element(By.XPATH, "//button[text()='Cancel']").click()
    wait_for_word(browser, "Cancelled")


def test_without_scripts_the_form_leads_to_the_status_page(site: Bench, tmp_path: Any) -> None:
    with chromium(tmp_path / "profile", scripts=False) as driver:
        open_form(driver, site, "report")
        driver.find_element(By.NAME, "year").send_keys("2026")
        run(driver)
        WebDriverWait(driver, 20).until(lambda _: "/status/" in driver.current_url)
        assert driver.find_element(By.TAG_NAME, "h1").text
