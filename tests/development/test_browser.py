"""The pages of the development server in a browser: they come back by themselves, on a phone too."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from selenium.webdriver.common.by import By
from selenium.webdriver.support.ui import WebDriverWait

from tests.browser import chromium

from .test_supervisor import Clone

# the answer is nowhere in the source, which the pages show
GOOD = "class index:\n    def index(self):\n        return 'men' + 'ded'\n"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Clone]:
    made = Clone(tmp_path_factory.mktemp("browser") / "clone")
    made.start()
    yield made
    made.stop()


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    with chromium(tmp_path_factory.mktemp("profile")) as driver:
        yield driver


def open_page(browser: Any, server: Clone, path: str) -> None:
    browser.get(f"http://127.0.0.1:{server.port}{path}")


def await_text(browser: Any, text: str) -> None:
    """Wait for a text on the page, which may be reloading itself."""
    body = "return document.body ? document.body.innerText : ''"
    WebDriverWait(browser, 15, 0.05).until(lambda driver: text in driver.execute_script(body), text)


def test_a_404_becomes_the_answer_when_its_file_is_made(server: Clone, browser: Any) -> None:
    open_page(browser, server, "/late")
    await_text(browser, "has no folder and no library late")
    server.write("catalog/controller/late.py", GOOD)
    await_text(browser, "mended")


def test_a_broken_library_becomes_the_answer_when_it_is_mended(server: Clone, browser: Any) -> None:
    server.write("catalog/controller/late_too.py", GOOD.replace("return", "return return"))
    open_page(browser, server, "/late_too")
    await_text(browser, "late_too.py is broken")
    link = browser.find_element(By.CSS_SELECTOR, "a[href^='vscode://file/']")
    assert link.get_attribute("href").endswith("late_too.py:3")
    server.write("catalog/controller/late_too.py", GOOD)
    await_text(browser, "mended")


def test_an_exception_becomes_the_answer_when_its_file_is_mended(server: Clone, browser: Any) -> None:
    server.write("catalog/controller/fails.py", GOOD.replace("return", "1 / 0; return"))
    open_page(browser, server, "/fails")
    await_text(browser, "ZeroDivisionError")
    server.write("catalog/controller/fails.py", GOOD)
    await_text(browser, "mended")


def test_a_server_that_did_not_start_comes_back(server: Clone, browser: Any) -> None:
    config = server.root / "config.py"
    good = config.read_text()
    config.write_text(good + "port = (\n")
    server.answers("/hello", 500, "did not start")
    open_page(browser, server, "/hello")
    await_text(browser, "The server did not start")
    config.write_text(good)
    await_text(browser, "hello")


@pytest.mark.parametrize("path", ["/nothing_here_at_all/with/a/long/path", "/wide", "/broken"])
def test_a_page_fits_a_phone(server: Clone, browser: Any, path: str) -> None:
    long = "x" * 300
    server.write("catalog/controller/wide.py", f"class Wide:\n    def index(self):\n        a = '{long}'; 1 / 0\n")
    server.write("catalog/controller/broken.py", f"a = '{long}' +* 1\n")
    browser.execute_cdp_cmd(
        "Emulation.setDeviceMetricsOverride", {"width": 390, "height": 800, "deviceScaleFactor": 1, "mobile": True}
    )
    try:
        open_page(browser, server, path)
        assert browser.execute_script("return document.documentElement.scrollWidth") == 390
    finally:
        browser.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})


def test_nothing_is_fetched_from_elsewhere_and_no_console_error(server: Clone, browser: Any) -> None:
    open_page(browser, server, "/nothing")
    names = browser.execute_script("return performance.getEntriesByType('resource').map(entry => entry.name)")
    assert all(name.startswith(f"http://127.0.0.1:{server.port}/") for name in names)
    assert not [entry for entry in browser.get_log("browser") if entry["source"] != "network"]
