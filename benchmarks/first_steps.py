"""Lines and seconds of first steps of a Flask user: a page with CSS, a login, a data admin, a first test.

    python benchmarks/first_steps.py

Lines: those of code that one writes. Seconds: from the saved files to the answer that shows that it works; the
development server runs already, and its restart for a changed catalog/startup.py counts.
"""

from __future__ import annotations

import re
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.parse
import urllib.request
from http.cookiejar import CookieJar
from pathlib import Path
from textwrap import dedent

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from tests.servers import copy_clone, free_port

CSS = {
    "static/site.css": "h1 { color: teal }\n",
    "templates/hello.html": """
        <link rel="stylesheet" href="{{ url_for('static', filename='site.css') }}">
        <h1>Hello</h1>
        """,
    "catalog/controller/hello.py": """
        from kernkoa import *

        class Hello:
            def index(self):
                return render_template("hello.html")
        """,
}
LOGIN = {
    "catalog/startup.py": """
        from flask_login import LoginManager, UserMixin

        class User(UserMixin):
            def __init__(self, name):
                self.id = name

        def startup(app):
            login = LoginManager(app)
            login.login_view = "account.Account.login"
            login.user_loader(User)
        """,
    "catalog/controller/account.py": """
        from flask_login import current_user, login_required, login_user
        from catalog.startup import User
        from kernkoa import *

        class Account:
            def login(self):
                return '<form method="post" action="enter"><input name="name"><input name="password"></form>'

            @allow("POST", form="login")
            def enter(self, name: str, password: str):
                if password != "open":
                    abort(401)
                login_user(User(name))
                return redirect("account/home", 303)

            @login_required
            def home(self):
                return f"Hello {current_user.id}"
        """,
}
ADMIN = {
    "catalog/startup.py": """
        from flask_admin import Admin
        from flask_admin.contrib.sqla import ModelView
        from flask_babel import Babel
        from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, scoped_session, sessionmaker

        class Base(DeclarativeBase):
            pass

        class Item(Base):
            __tablename__ = "items"
            id: Mapped[int] = mapped_column(primary_key=True)
            name: Mapped[str]

        def startup(app):
            Babel(app)
            engine = app.dbs["maindb"].engine
            Base.metadata.create_all(engine)
            Admin(app).add_view(ModelView(Item, scoped_session(sessionmaker(engine))))
        """,
}
TEST = {
    "tests/site/test_hello.py": """
        def test_the_page_says_hello(client):
            assert "Hello" in client.get("/hello").text
        """,
}


class Site:
    """A copy of this clone and its development server."""

    def __init__(self, folder: Path) -> None:
        self.root, self.port = folder / "site", free_port()
        copy_clone(self.root)
        (self.root / "tests/site").mkdir(parents=True)
        command = [sys.executable, "kernkoa.py", "--port", str(self.port)]
        self.server = subprocess.Popen(
            command, cwd=self.root, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        self.browser = urllib.request.build_opener(urllib.request.HTTPCookieProcessor(CookieJar()))

    def ask(self, path: str, values: dict[str, str] | None = None) -> str:
        data = urllib.parse.urlencode(values).encode() if values else None
        try:
            with self.browser.open(f"http://127.0.0.1:{self.port}{path}", data, timeout=20) as answer:
                return str(answer.read().decode())
        except (urllib.error.HTTPError, OSError):
            return ""

    def wait(self, path: str, text: str, values: dict[str, str] | None = None) -> None:
        deadline = time.monotonic() + 60
        while text not in self.ask(path, values):
            if time.monotonic() > deadline:
                sys.exit(f"{path} did not say {text!r}")
            time.sleep(0.01)

    def write(self, files: dict[str, str]) -> int:
        """Write the files. Returns the number of their lines that are not empty."""
        for name, text in files.items():
            (self.root / name).write_text(dedent(text).lstrip())
        return sum(bool(line.strip()) for text in files.values() for line in text.splitlines())


def show_css(site: Site) -> None:
    site.wait("/hello", "site.css?v=")
    site.wait(re.findall(r'href="([^"]+)"', site.ask("/hello"))[0], "teal")


def log_in(site: Site) -> None:
    site.wait("/account/home", '<form method="post"')
    site.wait("/account/enter", "Hello ann", {"name": "ann", "password": "open"})


def open_admin(site: Site) -> None:
    site.wait("/admin/item/", "Create")
    site.wait("/admin/item/new/", "Lamp", {"name": "Lamp"})


def run_test(site: Site) -> None:
    done = subprocess.run(
        [sys.executable, "kernkoa.py", "test"], cwd=site.root, capture_output=True, text=True, check=False
    )
    if done.returncode:
        sys.exit(done.stdout + done.stderr)


STEPS = (
    ("a page with CSS", CSS, show_css),
    ("a first test of one's own", TEST, run_test),
    ("a login with Flask-Login", LOGIN, log_in),
    ("a data admin with Flask-Admin", ADMIN, open_admin),
)


def main() -> None:
    with tempfile.TemporaryDirectory(prefix="first-steps-") as folder:
        site = Site(Path(folder))
        try:
            site.wait("/", "KernKoa")
            for name, files, shows in STEPS:
                began = time.monotonic()
                lines = site.write(files)
                shows(site)
                print(f"| {name} | {lines} | {time.monotonic() - began:.1f} s |", flush=True)
        finally:
            site.server.terminate()
            site.server.wait(60)


if __name__ == "__main__":
    main()
