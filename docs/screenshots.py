"""Makes the pictures of the documentation: python docs/screenshots.py. Needs Chromium and its driver.

Each is a page of a fresh copy of this clone, served by the development server.
"""

from __future__ import annotations

import atexit
import os
import shutil
import sys
import tempfile
import threading
from pathlib import Path

from werkzeug.serving import make_server

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))
# the controllers import the face, whose databases are in this folder
os.environ["KERNKOA_VAR_PATH"] = tempfile.mkdtemp(prefix="screenshots-")
atexit.register(shutil.rmtree, os.environ["KERNKOA_VAR_PATH"], ignore_errors=True)

from selenium.webdriver.common.by import By
from selenium.webdriver.support.ui import WebDriverWait

from system.core.app import create_app
from system.core.settings import Settings
from system.core.web.startup import start
from tests.browser import chromium

# the name of the picture, the page, what is typed into its fields, and its size
PICTURES = (
    ("explorer.png", "/_koa/at/examples/shapes/Shapes/area?width=3&height=4", "call", 1200, 1240),
    ("form.png", "/message/message/message/index", "post", 1200, 620),
)


def take(browser, address: str, name: str, page: str, form: str, width: int, height: int) -> None:
    """Open a page, send its form, and save what is shown then."""
    screen = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": False}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", screen)
    browser.get(address + page)
    if form == "call":
        browser.find_element(By.CSS_SELECTOR, "#call button[type=submit]").click()
        WebDriverWait(browser, 20).until(lambda _: browser.find_element(By.ID, "status").text)
    else:
        browser.execute_script(
            f"document.getElementById('{form}').noValidate = true; document.getElementById('{form}').submit()"
        )
        WebDriverWait(browser, 20).until(lambda _: browser.find_elements(By.CSS_SELECTOR, "[aria-invalid=true]"))
    browser.execute_script("window.scrollTo(0, 0)")
    browser.save_screenshot(str(ROOT / "docs" / name))


def main() -> None:
    with tempfile.TemporaryDirectory(prefix="screenshots-") as folder:
        app = create_app(Settings(path=ROOT, varPath=os.environ["KERNKOA_VAR_PATH"], development=True))
        start(app)
        server = make_server("127.0.0.1", 0, app, threaded=True)
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            with chromium(Path(folder) / "profile") as browser:
                for picture in PICTURES:
                    take(browser, f"http://127.0.0.1:{server.server_port}", *picture)
        finally:
            server.shutdown()
            thread.join()
            server.server_close()
            app.catalog.close()
            app.dbs.close()


if __name__ == "__main__":
    main()
