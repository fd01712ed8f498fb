"""One site with all extensions of the table at once: behind uWSGI with two processes, and in a Celery worker."""

from __future__ import annotations

import http.client
import json
import re
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest

from tests.deploy.test_uwsgi import Server
from tests.servers import needs_servers
from tests.task_bench import Bench, wait_for

from .test_extensions import mail_server

pytestmark = needs_servers

STARTUP = """
import json, sentry_sdk
from cachelib.file import FileSystemCache
from flask import Blueprint, render_template, request
from flask_admin import Admin
from flask_admin.contrib.sqla import ModelView
from flask_babel import Babel
from flask_caching import Cache
from flask_cors import CORS
from flask_limiter import Limiter
from flask_limiter.util import get_remote_address
from flask_login import LoginManager, UserMixin
from flask_mail import Mail
from flask_migrate import Migrate
from flask_session import Session
from flask_sqlalchemy import SQLAlchemy
from flask_talisman import Talisman
from flask_wtf.csrf import CSRFProtect
from sentry_sdk.integrations.celery import CeleryIntegration
from sentry_sdk.integrations.flask import FlaskIntegration
from sentry_sdk.transport import Transport
from sqlalchemy.orm import Mapped, mapped_column
from werkzeug.middleware.proxy_fix import ProxyFix

db, login_manager, csrf, cache, mail = SQLAlchemy(), LoginManager(), CSRFProtect(), Cache(), Mail()
limiter = Limiter(get_remote_address, storage_uri="memory://")
news = Blueprint("news", __name__, url_prefix="/news", template_folder="news")


class User(UserMixin, db.Model):
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(unique=True)


@login_manager.user_loader
def load_user(identifier):
    return db.session.get(User, int(identifier))


@news.get("/latest")
def latest():
    return render_template("news.html", text="No news.")


class File(Transport):
    def capture_envelope(self, envelope):
        for item in envelope.items:
            if event := item.get_event():
                with open(ROOT / "sentry", "a") as file:
                    file.write(json.dumps([event["transaction"], event["exception"]["values"][-1]["type"]]) + "\\n")


def startup(app):
    global ROOT
    ROOT = app.settings.path
    integrations = [FlaskIntegration(), CeleryIntegration()]
    sentry_sdk.init("https://key@sentry.example/1", transport=File, integrations=integrations, shutdown_timeout=0)
    app.config.update(
        SQLALCHEMY_DATABASE_URI=f"sqlite:///{ROOT}/users.db",
        MAIL_PORT=MAIL_PORT_OF_TEST, MAIL_SERVER="127.0.0.1", MAIL_DEFAULT_SENDER="shop@example.org",
        CACHE_TYPE="FileSystemCache", CACHE_DIR=f"{ROOT}/cache",
        SESSION_TYPE="cachelib", SESSION_CACHELIB=FileSystemCache(f"{ROOT}/sessions"),
    )
    for extension in (db, login_manager, csrf, cache, mail, limiter):
        extension.init_app(app)
    Migrate(app, db)
    login_manager.login_view = "account.Account.login"
    CORS(app, resources={r"/account/*": {"origins": "https://other.example"}})
    Session(app)
    Talisman(app, force_https=False, session_cookie_secure=False)
    Babel(app, locale_selector=lambda: request.accept_languages.best_match(["en", "de"]))
    Admin(app, url="/admin").add_view(ModelView(User, db.session))
    app.register_blueprint(news)
    app.wsgi_app = ProxyFix(app.wsgi_app, x_for=1, x_host=1)
"""
ACCOUNT = """
from datetime import date
from catalog.startup import User, cache, csrf, db, limiter, mail
from flask_babel import format_date, force_locale
from flask_login import current_user, login_required, login_user
from flask_mail import Message
from flask_wtf import FlaskForm
from kernkoa import *


class Account:
    @csrf.exempt
    @allow("POST")
    def register(self, name: str):
        db.session.add(User(name=name))
        db.session.commit()
        login_user(db.session.scalar(db.select(User).filter_by(name=name)))
        session["from"] = request.remote_addr
        return redirect(url_for("account.Account.page", number=3))

    def login(self):
        return render_template("form.html", form=FlaskForm())

    @login_required
    def page(self, number: int):
        return [current_user.name, number, session["from"]]

    @cache.cached(timeout=60)
    def process(self):
        return os.getpid()

    @limiter.limit("2 per hour")
    def rare(self):
        return format_date(date(2026, 1, 2), "long")

    @allow("POST")
    def welcome(self, name: str):
        return exeTask(self, "send", {"name": name})

    def send(self, celery_instance=None, params=None):
        user = db.session.scalar(db.select(User).filter_by(name=params["name"]))
        with force_locale("de"):
            mail.send(Message(format_date(date(2026, 1, 2), "long"), recipients=[user.name + "@example.org"], body="."))
        cache.set("welcomed", user.name)
        db.session.delete(user)
        db.session.commit()

    def welcomed(self):
        return cache.get("welcomed")
"""


class Browser:
    """Keeps the cookies of its answers."""

    def __init__(self, port: int) -> None:
        self._port, self._cookies = port, dict[str, str]()

    def ask(self, path: str, values: dict[str, str] | None = None, **headers: str) -> tuple[int, str, Any]:
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        sent["Cookie"] = "; ".join(f"{name}={value}" for name, value in self._cookies.items())
        sent["Content-Type"] = "application/x-www-form-urlencoded"
        with closing(http.client.HTTPConnection("127.0.0.1", self._port, timeout=20)) as connection:
            connection.request("GET" if values is None else "POST", path, urlencode(values or {}), sent)
            answer = connection.getresponse()
            for cookie in answer.headers.get_all("Set-Cookie", []):
                name, _, value = cookie.partition(";")[0].partition("=")
                self._cookies[name] = value
            return answer.status, answer.read().decode(), answer.headers


@pytest.fixture
def together(tmp_path: Path) -> Iterator[tuple[Bench, int, list[Any]]]:
    site = Bench(tmp_path / "site")
    site.write("account.py", ACCOUNT)
    for name, text in (
        ("catalog/news/news.html", "<p>{{ text }}</p>"),
        ("templates/form.html", "{{ form.csrf_token }}"),
    ):
        (site.root / name).parent.mkdir()
        (site.root / name).write_text(text)
    with closing(sqlite3.connect(site.root / "users.db")) as connection:
        connection.execute("create table user (id integer primary key, name text unique not null)")
    with mail_server() as (port, mails):
        (site.root / "catalog/startup.py").write_text(STARTUP.replace("MAIL_PORT_OF_TEST", str(port)))
        site.server.start()
        site.workers.append(site.start_celery("worker", "--concurrency=1"))
        web = Server(site.root / "config.py", tmp_path / "uwsgi.log")
        try:
            yield site, web.port, mails
        finally:
            web.stop()
            site.close()


def test_extensions_work_together_behind_uwsgi_and_in_a_worker(together: tuple[Bench, int, list[Any]]) -> None:
    site, port, mails = together
    ann, guest = Browser(port), Browser(port)

    assert ann.ask("/account/register", {"name": "ann"}, X_Forwarded_For="192.0.2.7")[0] == 302
    assert {ann.ask("/account/page/3")[1] for _ in range(6)} == {'["ann",3,"192.0.2.7"]'}, "in both processes"
    refused = guest.ask("/account/page/3", Origin="https://other.example")
    assert refused[2]["Location"] == "/account/Account/login?next=%2Faccount%2Fpage%2F3"
    assert refused[2]["Access-Control-Allow-Origin"] == "https://other.example"
    assert len({guest.ask("/account/process")[1] for _ in range(6)}) == 1, "cached for both processes"
    rare = [guest.ask("/account/rare", Accept_Language="de") for _ in range(5)]
    assert (rare[0][1], {answer[0] for answer in rare}) == ("2. Januar 2026", {200, 429}), "twice in each process"
    status, page, headers = guest.ask("/news/latest")
    assert (status, page, headers["X-Frame-Options"]) == (200, "<p>No news.</p>", "SAMEORIGIN")
    assert "ann" in guest.ask("/admin/user/")[1]

    assert ann.ask("/account/welcome", {"name": "ann"})[0] == 400, "without a token"
    token = re.search(r'value="([^"]+)"', ann.ask("/account/login")[1])
    assert token

    def run(name: str) -> str:
        task = json.loads(ann.ask("/account/welcome", {"name": name, "csrf_token": token[1]})[1])
        ended = ("SUCCESS", "FAILURE")
        return str(
            wait_for(lambda: (now := json.loads(ann.ask(f"/status/{task['id']}")[1])["status"]) in ended and now)
        )

    assert run("ann") == "SUCCESS", site.log.read_text()
    assert [mail.rcpt_tos for mail in mails] == [["ann@example.org"]]
    assert b"Subject: 2. Januar 2026" in mails[0].content
    assert guest.ask("/account/welcomed")[1] == "ann"
    assert ann.ask("/account/page/3")[0] == 302, "deleted by the task"
    assert run("nobody") == "FAILURE"
    assert (site.root / "sentry").read_text().splitlines() == ['["account.Account.send", "AttributeError"]']
