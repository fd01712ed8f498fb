"""Headless Chromium for the tests: a fresh profile each time, light or dark, wide or narrow."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from selenium.webdriver import Chrome, ChromeOptions
from selenium.webdriver.chrome.service import Service

from tests.programs import find_program

FLAGS = (
    *("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
)


@contextmanager
def chromium(profile: Path, scripts: bool = True, width: int = 1280, language: str = "en") -> Iterator[Chrome]:
    """A browser of its own; without `scripts` it runs none."""
    options = ChromeOptions()
    for flag in (*FLAGS, f"--user-data-dir={profile}", f"--window-size={width},900"):
        options.add_argument(flag)
    preferences: dict[str, object] = {"intl.accept_languages": language}
    if not scripts:
        preferences["profile.managed_default_content_settings.javascript"] = 2
    options.add_experimental_option("prefs", preferences)
    options.binary_location = find_program("chromium")
    driver = Chrome(options, Service(find_program("chromedriver")))
    try:
        yield driver
    finally:
        driver.quit()
