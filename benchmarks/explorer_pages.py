"""Weight and time of the explorer's pages in Chromium, beside Swagger UI over the same OpenAPI document.

    npm pack swagger-ui-dist && tar -xf swagger-ui-dist-*.tgz
    python benchmarks/explorer_pages.py package [methods…]

Weight: bytes that the browser fetched for the page. Time: until the page's load event, for Swagger UI until its
first operation is shown. The median of five, after one visit; the cache of the browser is off.
"""

from __future__ import annotations

import logging
import sys
import tempfile
import time
from pathlib import Path
from statistics import median

from flask import send_from_directory

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from selenium.common.exceptions import TimeoutException
from selenium.webdriver.common.by import By
from selenium.webdriver.support.ui import WebDriverWait

from system.core.app import create_app
from system.core.settings import Settings
from system.core.web.startup import start
from tests.browser import chromium
from tests.serving import serving

SWAGGER = """<!doctype html><title>Swagger UI</title><link rel="stylesheet" href="/swagger/swagger-ui.css">
<div id="ui"></div><script src="/swagger/swagger-ui-bundle.js"></script>
<script>SwaggerUIBundle({url: "/_koa/openapi.json", dom_id: "#ui"})</script>"""
PAGES = {
    "start": "/_koa/",
    "a folder": "/_koa/at/f0",
    "a library": "/_koa/at/f0/l0",
    "a method": "/_koa/at/f0/l0/L0/m0",
    "a search": "/_koa/?q=m7",
    "Swagger UI": "/swagger-ui",
}
FETCHED = """return performance.getEntriesByType('resource').concat(performance.getEntriesByType('navigation'))
    .reduce((sum, one) => sum + one.transferSize, 0)"""
LONGEST = 300


def write(root: Path, methods: int) -> None:
    """Folders of ten libraries of ten methods, each with two parameters and a docstring."""
    for number in range(methods // 10):
        folder = root / "catalog/controller" / f"f{number // 10}"
        folder.mkdir(parents=True, exist_ok=True)
        body = "".join(
            f'    def m{each}(self, params):\n        "Method {each}."\n        return params["a"] + params["b"]\n'
            for each in range(10)
        )
        (folder / f"l{number % 10}.py").write_text(f"class L{number % 10}:\n{body}")


def visit(browser, address: str, is_swagger: bool) -> tuple[float, int]:
    """Milliseconds and bytes of a page."""
    browser.get("about:blank")
    began = time.monotonic()
    browser.get(address)
    if is_swagger:
        WebDriverWait(browser, LONGEST, 0.01).until(lambda _: browser.find_elements(By.CSS_SELECTOR, ".opblock"))
    return (time.monotonic() - began) * 1000, browser.execute_script(FETCHED)


def measure(methods: int, package: str) -> None:
    with tempfile.TemporaryDirectory(prefix="pages-") as folder:
        write(Path(folder), methods)
        app = create_app(Settings(path=Path(folder), explorer="public", liveSeconds=60))
        app.add_url_rule(
            "/swagger/<path:name>", "swagger", lambda name: send_from_directory(Path(package).resolve(), name)
        )
        app.add_url_rule("/swagger-ui", "swagger_ui", lambda: SWAGGER)
        start(app)
        with serving(app) as address, chromium(Path(folder) / "profile") as browser:
            browser.set_page_load_timeout(LONGEST)
            browser.execute_cdp_cmd("Network.enable", {})
            browser.execute_cdp_cmd("Network.setCacheDisabled", {"cacheDisabled": True})
            for name, path in PAGES.items():
                report(browser, methods, name, address + path)
        app.catalog.close()


def report(browser, methods: int, name: str, address: str) -> None:
    times = 2 if name == "Swagger UI" and methods > 1000 else 6
    try:
        visits = [visit(browser, address, name == "Swagger UI") for _ in range(times)][1:]
    except TimeoutException:
        print(f"| {methods} | {name} | more than {LONGEST} s | |", flush=True)
        return
    print(
        f"| {methods} | {name} | {median(each[0] for each in visits):.0f} ms | {visits[-1][1] / 1000:.0f} kB |",
        flush=True,
    )


if __name__ == "__main__":
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    for size in map(int, sys.argv[2:] or ("10", "10000")):
        measure(size, sys.argv[1])
