"""axe-core finds nothing on the pages of the addons, wide in light and narrow in dark."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

import pytest

from tests.browser import chromium
from tests.explorer.test_accessibility import violations
from tests.serving import serving

from .test_auth import ADDONS, PASSWORD, app
from .test_auth_links import link_of

__all__ = ["app"]

LOG_IN = f"""
document.querySelector("[name=name]").value = "Ann";
document.querySelector("[name=password]").value = "{PASSWORD}";
document.querySelector("form").submit();"""
LAYOUTS = [(1280, "light"), (390, "dark")]


@pytest.fixture
def whole(app: Any, site: Any, redis: Any) -> Any:
    """The site of `app` with every addon that has pages, and an API key."""
    store = app.extensions["auth"].store
    store.add_key(store.get("ann"), "nightly", ["/desk"])
    return site.app(libs=ADDONS, redisUrl=redis.url, addons=["auth", "agents"], agents="public")


def test_no_page_of_an_addon_has_a_violation(whole: Any, tmp_path: Any) -> None:
    link = urlsplit(link_of(whole))
    before = ["login", "login?next=/desk", "forgot", "agents", "password?token=x", f"password?{link.query}"]
    with serving(whole) as address, chromium(tmp_path) as browser:
        browser.execute_cdp_cmd("Page.setBypassCSP", {"enabled": True})
        for path in before:
            look(browser, f"{address}/_koa/{path}")
        browser.get(f"{address}/_koa/login")
        browser.execute_script("document.querySelector('form').submit()")
        assert "is wrong" in browser.page_source
        assert violations(browser) == []
        browser.execute_script(LOG_IN)
        look(browser, f"{address}/_koa/account")
        assert "nightly" in browser.page_source


def look(browser: Any, address: str) -> None:
    """Look at a page in both layouts: no violation, and nothing beside the screen."""
    browser.get(address)
    for width, scheme in LAYOUTS:
        feature = {"name": "prefers-color-scheme", "value": scheme}
        browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": [feature]})
        screen = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": width < 500}
        browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", screen)
        assert violations(browser) == [], (address, width, scheme)
        assert browser.execute_script("return document.documentElement.scrollWidth") <= width, (address, width)
