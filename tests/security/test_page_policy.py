"""The kernel's own pages have a strict Content-Security-Policy, and do in a browser what they do without one."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from selenium.webdriver.common.by import By
from selenium.webdriver.support.ui import WebDriverWait

from tests.browser import chromium
from tests.conftest import Site
from tests.serving import serving
from tests.shipped import needs_shipped_site
from tests.task_bench import Server

ROOT = Path(__file__).resolve().parents[2]
BROWSER = {"Accept": "text/html"}
PASSWORD = "correct horse battery"
INLINE = re.compile(r"<(?:style|script)(?! (?:src|nonce)=)|\sstyle=|\son[a-z]+=")
PAGES = [
    *("/", "/nothing", "/late", "/hello/fail", "/hello/typed", "/broken", "/status/none"),
    *("/_koa/", "/_koa/tasks", "/_koa/docs/", "/_koa/agents", "/_koa/login", "/_koa/account"),
]
HELLO = """
    from kernkoa import *

    class hello:
        def fail(self):
            raise LookupError("no")

        def typed(self, number: int):
            return number

        def own(self):
            return "<p style='color: red'>mine"
"""


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    needs_shipped_site()
    made = Site(tmp_path_factory.mktemp("policy") / "site")
    for name in ("README.md", "docs", "templates"):
        (made.root / name).symlink_to(ROOT / name)
    made.write("hello.py", HELLO)
    made.write("broken.py", "class broken:\n    def index(self)\n")
    shutil.copy(ROOT / "catalog" / "controller" / "index.py", made.controllers / "index.py")
    yield made
    made.close()


@pytest.fixture(scope="module")
def app(site: Site, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    redis = Server(tmp_path_factory.mktemp("redis")).start()
    addons = {"addon": str(ROOT / "system" / "addons")}
    made = site.app(development=True, addons=["auth", "agents"], libs=addons, redisUrl=redis.url)
    made.extensions["auth"].store.add("ann", PASSWORD)
    yield made
    redis.stop()


def policy_of(response: Any) -> str:
    text: str = response.headers.get("Content-Security-Policy", "")
    return text


@pytest.mark.parametrize("path", [*PAGES, "/_koa/health", "/hello/own"])
def test_a_page_of_the_kernel_runs_nothing_without_a_nonce(app: Any, path: str) -> None:
    client = app.test_client()
    with client.get(path, headers=BROWSER, follow_redirects=True) as response:
        if path not in PAGES:
            assert not policy_of(response)
            return
        assert not INLINE.search(response.text)
        assert "default-src 'none'" in policy_of(response)
        assert "unsafe" not in policy_of(response)
        nonces = {*re.findall(r'nonce="([^"]*)"', response.text)}
        assert all(len(nonce) >= 22 and f"'nonce-{nonce}'" in policy_of(response) for nonce in nonces)
        assert len(nonces) <= 1
    with client.get(path, headers=BROWSER, follow_redirects=True) as again:
        assert not any(nonce in policy_of(again) for nonce in nonces)


def test_in_production_too_and_the_setting_is_for_the_sites_own_pages(site: Site) -> None:
    client = site.client(headers={"Content-Security-Policy": "default-src 'self'"})
    assert "'nonce-" in policy_of(client.get("/nothing", headers=BROWSER))
    assert policy_of(client.get("/hello/own", headers=BROWSER)) == "default-src 'self'"
    assert policy_of(client.get("/nothing")) == "default-src 'self'"


def test_a_page_of_the_site_gets_it_by_asking_for_a_nonce(site: Site) -> None:
    client = site.client()
    site.write("asks.py", "from flask import render_template_string\n" + ASKS)
    response = client.get("/asks")
    nonce = re.findall(r'nonce="([^"]+)"', response.text)[0]
    assert f"script-src 'nonce-{nonce}'" in policy_of(response)


ASKS = """
class asks:
    def index(self):
        return render_template_string('<script nonce="{{ csp_nonce() }}">1</script>')
"""


@pytest.mark.skipif(
    not (shutil.which("chromium") and shutil.which("chromedriver")),
    reason="Chromium is needed: sh setup.sh test installs it",
)
def test_in_a_browser_every_page_has_its_styles_and_scripts(app: Any, tmp_path: Path) -> None:
    with serving(app) as address, chromium(tmp_path) as browser:
        for path in PAGES:
            browser.get(address + path)
            assert browser.find_element(By.TAG_NAME, "h1").text, path
            styled = "return getComputedStyle(document.body).maxWidth + getComputedStyle(document.body).padding"
            assert browser.execute_script(styled) != "none8px", path
        log_in(browser, f"{address}/_koa/login?next=/_koa/account")
        WebDriverWait(browser, 10, 0.05).until(lambda _: browser.current_url.endswith("/_koa/account"))
        refused = [entry for entry in browser.get_log("browser") if "Content Security Policy" in entry["message"]]
        assert not refused


def log_in(browser: Any, address: str) -> None:
    browser.get(address)
    browser.find_element(By.ID, "name").send_keys("ann")
    browser.find_element(By.ID, "password").send_keys(PASSWORD)
    browser.find_element(By.TAG_NAME, "button").click()
