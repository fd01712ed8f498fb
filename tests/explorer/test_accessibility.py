"""axe-core finds nothing on any page of the explorer, of tasks and of errors, in light and in dark."""

from __future__ import annotations

from collections.abc import Iterator
from importlib.metadata import distribution
from pathlib import Path
from typing import Any

import pytest
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.ui import WebDriverWait

from system.core.app import create_app
from system.core.settings import Settings
from tests.browser import chromium
from tests.serving import serving
from tests.task_bench import Bench, bench

ROOT = Path(__file__).resolve().parents[2]

# the package is there for the file that it ships; Playwright itself is not used
AXE = next(file for file in distribution("axe-playwright-python").files or () if file.name == "axe.min.js")
RUN = """const done = arguments[0];
axe.run(document).then((found) => done(found.violations.map((one) => [one.id, one.nodes.map((node) => node.html)])));"""

DESK = """
    from typing import Annotated, Literal
    from pydantic import BaseModel, Field

    class Line(BaseModel):
        name: str
        amount: Annotated[int, Field(ge=1, description="How many.")] = 1

    class Order(BaseModel):
        lines: Annotated[list[Line], Field(min_length=1)]
        size: Literal["s", "l"] = "s"

    class Desk:
        "Orders."

        def show(self, number: int, big: bool = False, tags: list[str] = ()): return [{"a": 1}, {"a": 2}]
        def save(self, order: Order): return order
        def old(self, params): return params["name"]
        def report(self, celery_instance, year: int): return {"year": year}
"""
PAGES = (
    "_koa/", "_koa/?q=desk", "_koa/at/desk", "_koa/at/bad", "_koa/at/desk/Desk/show?number=1", "_koa/at/desk/Desk/save",
    "_koa/at/desk/Desk/old", "_koa/at/desk/Desk/report", "_koa/tasks", "nowhere",
)  # fmt: skip


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    files = {"desk.py": DESK, "bad.py": "class bad:\n    def index(self)\n"}
    with bench(tmp_path_factory.mktemp("desk"), files=files, explorer="public") as made:
        yield made


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    with chromium(tmp_path_factory.mktemp("profile")) as driver:
        driver.execute_cdp_cmd("Page.setBypassCSP", {"enabled": True})
        yield driver


def violations(browser: Any) -> Any:
    browser.execute_script(AXE.read_text())
    return browser.execute_async_script(RUN)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_no_page_has_a_violation(site: Bench, browser: Any, scheme: str) -> None:
    feature = {"name": "prefers-color-scheme", "value": scheme}
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": [feature]})
    done = [site.start("echo", value) for value in ({"a": [1]}, "text")]
    failed = site.start("fail")
    for task in (*done, failed):
        site.end(task)
    pages = [*PAGES, *(f"{above}/{task}" for above in ("status", "_koa/tasks") for task in (*done, failed))]
    for path in pages:
        browser.get(f"http://127.0.0.1:{site.port}/{path}")
        assert violations(browser) == [], path
    browser.get(f"http://127.0.0.1:{site.port}/_koa/")
    browser.find_element(By.TAG_NAME, "body").send_keys("?")
    assert violations(browser) == [], "the list of keys"


def test_a_response_and_its_faults_have_no_violation(site: Bench, browser: Any) -> None:
    for method, status in (("show", "422"), ("save", "422"), ("old", "200")):
        browser.get(f"http://127.0.0.1:{site.port}/_koa/at/desk/Desk/{method}")
        browser.find_element(By.CSS_SELECTOR, "#call button[type=submit]").click()
        WebDriverWait(browser, 10).until(
            lambda _, status=status: status in browser.find_element(By.ID, "status").text
        )
        assert violations(browser) == [], method


@pytest.fixture(scope="module")
def documentation(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    root = tmp_path_factory.mktemp("documentation")
    for name in ("docs", "README.md"):
        (root / name).symlink_to(ROOT / name)
    app = create_app(Settings(path=root, development=True))
    with serving(app) as address:
        yield f"{address}/_koa/docs/"
    app.catalog.close()


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1280, 390])
def test_no_page_of_the_documentation_has_a_violation(
    documentation: str, browser: Any, scheme: str, width: int
) -> None:
    feature = {"name": "prefers-color-scheme", "value": scheme}
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": [feature]})
    screen = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": width < 500}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", screen)
    for path in ("", "docs/reference.md", "docs/howto/index.md", "docs/explorer.md", "?q=login", "?q=zzqq"):
        browser.get(documentation + path)
        assert violations(browser) == [], path
        assert browser.execute_script("return document.documentElement.scrollWidth") <= width, path


def test_a_task_is_cancelled_on_the_board_with_the_keyboard_alone(site: Bench, browser: Any) -> None:
    task = site.start("sleep", {"seconds": 60})
    browser.get(f"http://127.0.0.1:{site.port}/_koa/tasks")
    wanted = f"return document.activeElement.value === '{task}' && document.activeElement.name === 'cancel'"
    for _ in range(60):
        browser.switch_to.active_element.send_keys(Keys.TAB)
        if browser.execute_script(wanted):
            break
    browser.switch_to.active_element.send_keys(Keys.ENTER)
    assert site.end(task)["status"] == "REVOKED"
    WebDriverWait(browser, 10).until(lambda _: browser.find_element(By.ID, "list").text.count("Cancelled") >= 1)
