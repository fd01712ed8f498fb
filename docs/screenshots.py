"""Makes the pictures of the documentation: python docs/screenshots.py [folder]

Starts a site with a Redis and a worker, opens the pages in Chromium and saves them as docs/*.png. It needs what the
tests need: sh setup.sh test installs it.
"""

from __future__ import annotations

import json
import sys
import tempfile
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from selenium.webdriver.common.by import By
from selenium.webdriver.support.ui import WebDriverWait

from tests.browser import chromium
from tests.task_bench import Bench, bench

SHOP = """
    from kernkoa import *

    class Shop:
        "Orders, and the reports about them."

        def start(self, method: str):
            return exeTask(self, method)

        def order(self, number: int, copies: int = 1) -> dict[str, int]:
            "Return an order. `copies` is how often it is printed."
            return {"number": number, "copies": copies}

        def report(self, celery_instance=None, params=None):
            for page in range(20):
                print("page", page + 1)
                celery_instance.progress(page + 1, 20, f"page {page + 1} of 20")
                time.sleep(0.4)

        def letter(self, celery_instance=None, params=None):
            time.sleep(0.2)

        def invoice(self, celery_instance=None, params=None):
            raise LookupError("order 7 has no address")
"""


def start_tasks(site: Bench) -> str:
    """Some tasks that end, one that fails, one that runs; returns the last."""
    for method in ("letter", "invoice", *["letter"] * 4):
        site.end(_start(site, method))
    return _start(site, "report")


def _start(site: Bench, method: str) -> str:
    return str(json.loads(site.request("POST", "/shop/start", {"method": method})[2])["id"])


def take(browser: Any, address: str, height: int, file: Path) -> None:
    browser.set_window_size(1200, height)
    browser.get(address)
    WebDriverWait(browser, 20).until(lambda _: browser.find_elements(By.CSS_SELECTOR, "h1"))
    for button in browser.find_elements(By.CSS_SELECTOR, "#call button[type=submit]"):
        button.click()
        WebDriverWait(browser, 20).until(lambda _: browser.find_element(By.ID, "status").text)
        browser.execute_script("scrollTo(0, 0)")
    browser.save_screenshot(str(file))


def main(folder: Path) -> None:
    """Make the pictures in a folder."""
    with tempfile.TemporaryDirectory() as name:
        place = Path(name)
        with bench(place / "site", explorer="public") as site, chromium(place / "profile") as browser:
            site.write("shop.py", SHOP)
            running = start_tasks(site)
            address = f"http://127.0.0.1:{site.port}/_koa"
            take(browser, f"{address}/tasks", 900, folder / "board.png")
            take(browser, f"{address}/tasks/{running}", 700, folder / "task.png")
            take(browser, f"{address}/at/shop/Shop/order?number=42&copies=2", 1100, folder / "explorer.png")


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else ROOT / "docs")
