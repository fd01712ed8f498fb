"""Flask's extensions on methods of the catalogue: each test does what the quick start of its extension shows."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

# of the extensions and their libraries, not of the kernel
pytestmark = pytest.mark.filterwarnings(
    "ignore::DeprecationWarning", "ignore::ResourceWarning", "ignore::UserWarning"
)


def test_flask_login_protects_a_method(site: Any) -> None:
    site.write(
        "catalog/startup.py",
        """
        from flask_login import LoginManager, UserMixin

        login_manager = LoginManager()

        class User(UserMixin):
            def __init__(self, name): self.id = name

        @login_manager.user_loader
        def load_user(name): return User(name)

        def startup(app):
            login_manager.init_app(app)
            login_manager.login_view = "account.Account.login"
        """,
    )
    site.write(
        "account.py",
        """
        from flask_login import current_user, login_required, login_user, logout_user
        from catalog.startup import User
        from kernkoa import *

        class Account:
            def login(self, name="ann"):
                login_user(User(name))
                return redirect(url_for("account.Account.page", number=3))
            @login_required
            def page(self, number: int): return f"{current_user.id} {number}"
            def logout(self):
                logout_user()
                return "bye"
        """,
    )
    client = site.client()
    away = client.get("/account/page/3")
    assert (away.status_code, away.headers["Location"]) == (
        302,
        "/account/Account/login?next=%2Faccount%2Fpage%2F3",
    )
    assert client.get("/account/login", follow_redirects=True).text == "ann 3"
    assert client.get("/account/page/x").status_code == 422
    client.get("/account/logout")
    assert client.get("/account/page/3").status_code == 302


MODEL = """
    from flask_migrate import Migrate
    from flask_sqlalchemy import SQLAlchemy
    from sqlalchemy.orm import Mapped, mapped_column

    db = SQLAlchemy()

    class User(db.Model):
        id: Mapped[int] = mapped_column(primary_key=True)
        username: Mapped[str] = mapped_column(unique=True)

    def startup(app):
        app.config["SQLALCHEMY_DATABASE_URI"] = f"sqlite:///{app.settings.path}/users.db"
        db.init_app(app)
        Migrate(app, db, directory=str(app.settings.path / "migrations"))
"""


def test_flask_sqlalchemy_and_flask_migrate(site: Any) -> None:
    site.write("catalog/startup.py", MODEL)
    site.write(
        "users.py",
        """
        from catalog.startup import User, db
        from kernkoa import *

        class Users:
            def add(self, username):
                db.session.add(User(username=username))
                db.session.commit()
                return redirect("/users/names")
            def names(self):
                return [user.username for user in db.session.execute(db.select(User)).scalars()]
        """,
    )
    app = site.app()
    runner = app.test_cli_runner()
    for words in (["db", "init"], ["db", "migrate", "-m", "first"], ["db", "upgrade"]):
        done = runner.invoke(args=words)
        assert done.exit_code == 0, done.output
    client = app.test_client()
    assert client.post("/users/add", data={"username": "ann"}, follow_redirects=True).get_json() == ["ann"]
    from sqlalchemy.orm import close_all_sessions

    close_all_sessions()
    with app.app_context():
        app.extensions["sqlalchemy"].engine.dispose()


def test_flask_wtf_forms_and_csrf(site: Any) -> None:
    site.write(
        "catalog/startup.py",
        """
        from flask_wtf.csrf import CSRFProtect

        csrf = CSRFProtect()

        def startup(app): csrf.init_app(app)
        """,
    )
    site.write(
        "templates/form.html",
        "<form method=post>{{ form.hidden_tag() }}{{ form.name() }}{{ form.name.errors }}</form>",
    )
    site.write(
        "forms.py",
        """
        from catalog.startup import csrf
        from flask_wtf import FlaskForm
        from kernkoa import *
        from wtforms import StringField
        from wtforms.validators import DataRequired

        class MyForm(FlaskForm):
            name = StringField("name", validators=[DataRequired()])

        class Forms:
            def submit(self):
                form = MyForm()
                if form.validate_on_submit():
                    return "hello " + form.name.data
                return render_template("form.html", form=form)
            @csrf.exempt
            def hook(self): return "exempt"

        class Other:
            def hook(self): return "other"
        """,
    )
    client = site.client()
    token = re.search(r'name="csrf_token"[^>]*value="([^"]+)"', client.get("/forms/submit").text)
    assert token is not None
    assert client.post("/forms/submit", data={"name": "ann"}).status_code == 400
    assert client.post("/forms/submit", data={"name": "ann", "csrf_token": token[1]}).text == "hello ann"
    assert "required" in client.post("/forms/submit", data={"name": "", "csrf_token": token[1]}).text
    assert client.post("/forms/hook").text == "exempt"
    assert client.post("/forms/Other/hook").status_code == 400, "another class of the file"


def test_flask_cors_answers_a_preflight_and_marks_responses(site: Any) -> None:
    site.write(
        "catalog/startup.py",
        """
        from flask_cors import CORS

        def startup(app): CORS(app, resources={r"/api/*": {"origins": "https://other.example"}})
        """,
    )
    site.write(
        "api.py",
        """
        from flask_cors import cross_origin
        from kernkoa import *

        class Api:
            def index(self): return {"a": 1}
            def fail(self): abort(409)

        """,
    )
    site.write(
        "open.py",
        "from flask_cors import cross_origin\nclass Open:\n    @cross_origin()\n    def index(self): return {'b': [1]}\n",
    )
    client = site.client()
    headers = {"Origin": "https://other.example", "Access-Control-Request-Method": "GET"}
    for verb, path in (("GET", "/api"), ("OPTIONS", "/api"), ("GET", "/api/fail"), ("GET", "/api/none")):
        answer = client.open(path, method=verb, headers=headers)
        assert answer.headers["Access-Control-Allow-Origin"] == "https://other.example", (verb, path)
    assert "Access-Control-Allow-Origin" not in client.get("/open/none", headers=headers).headers
    opened = client.get("/open", headers=headers)
    assert opened.get_json() == {"b": [1]}
    assert opened.headers["Access-Control-Allow-Origin"] in ("*", "https://other.example")


def test_flask_caching_keeps_an_answer(site: Any) -> None:
    site.write(
        "catalog/startup.py",
        """
        from flask_caching import Cache

        cache = Cache(config={"CACHE_TYPE": "SimpleCache", "CACHE_DEFAULT_TIMEOUT": 60})

        def startup(app): cache.init_app(app)
        """,
    )
    site.write(
        "slow.py",
        """
        from catalog.startup import cache
        from kernkoa import *

        calls = []

        class Slow:
            @cache.cached(timeout=50)
            def page(self):
                calls.append(1)
                return {"calls": len(calls)}
            @cache.cached(timeout=50, query_string=True)
            def query(self, params=None):
                calls.append(1)
                return f"{params} {len(calls)}"
            @cache.memoize(50)
            def remembered(self, number: int):
                calls.append(1)
                return len(calls)
            def __repr__(self): return "Slow()"
        """,
    )
    client = site.client()
    assert [client.get("/slow/page").get_json()["calls"] for _ in range(3)] == [1, 1, 1]
    assert len({client.get(f"/slow/query?a={a}").text for a in (1, 2, 1)}) == 2
    assert client.get("/slow/remembered/1").text == client.get("/slow/remembered/1").text
    assert client.get("/slow/remembered/2").text != client.get("/slow/remembered/1").text


def test_flask_session_keeps_sessions_on_the_server(site: Any) -> None:
    site.write(
        "catalog/startup.py",
        """
        from cachelib.file import FileSystemCache
        from flask_session import Session

        def startup(app):
            app.config["SESSION_TYPE"] = "cachelib"
            app.config["SESSION_CACHELIB"] = FileSystemCache(str(app.settings.path / "sessions"))
            Session(app)
        """,
    )
    site.write(
        "basket.py",
        "from kernkoa import *\nclass Basket:\n"
        "    def put(self, name):\n        session['name'] = name\n        return 'put'\n"
        "    def look(self): return session.get('name', 'nothing')\n",
    )
    client = site.client()
    assert client.get("/basket/look").text == "nothing"
    put = client.get("/basket/put?name=apple")
    assert "apple" not in put.headers["Set-Cookie"]
    assert client.get("/basket/look").text == "apple"
    assert list((site.root / "sessions").iterdir())


def test_flask_talisman_sets_headers_and_a_method_has_its_own(site: Any) -> None:
    site.write(
        "catalog/startup.py",
        """
        from flask_talisman import Talisman

        talisman = Talisman()

        def startup(app): talisman.init_app(app, force_https=True, content_security_policy={"default-src": "'self'"})
        """,
    )
    site.write(
        "pages.py",
        """
        from catalog.startup import talisman

        class Pages:
            def index(self): return "page"
            @talisman(frame_options="ALLOW-FROM", frame_options_allow_from="https://a.example", force_https=False)
            def embedded(self): return "embedded"
        """,
    )
    client = site.client()
    assert client.get("/pages").status_code == 302
    page = client.get("/pages", base_url="https://localhost")
    assert page.headers["Content-Security-Policy"] == "default-src 'self'"
    assert page.headers["X-Frame-Options"] == "SAMEORIGIN"
    embedded = client.get("/pages/embedded")
    assert (embedded.text, embedded.headers["X-Frame-Options"]) == ("embedded", "ALLOW-FROM https://a.example")


@contextmanager
def mail_server() -> Iterator[tuple[int, list[Any]]]:
    """A real SMTP server, and what it received."""
    from aiosmtpd.controller import Controller

    received: list[Any] = []

    class Handler:
        async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:
            received.append(envelope)
            return "250 OK"

    from tests.servers import free_port

    controller = Controller(Handler(), hostname="127.0.0.1", port=free_port())
    controller.start()
    try:
        yield controller.port, received
    finally:
        controller.stop()


def test_flask_mail_sends_by_smtp(site: Any) -> None:
    with mail_server() as (port, received):
        site.write(
            "catalog/startup.py",
            f"""
            from flask_mail import Mail

            mail = Mail()

            def startup(app):
                app.config.update(MAIL_SERVER="127.0.0.1", MAIL_PORT={port}, MAIL_DEFAULT_SENDER="shop@example.org")
                mail.init_app(app)
            """,
        )
        site.write(
            "letters.py",
            "from catalog.startup import mail\nfrom flask_mail import Message\nclass Letters:\n"
            "    def send(self, to):\n"
            "        mail.send(Message('Hello', recipients=[to], body='It works.'))\n        return 'sent'\n",
        )
        assert site.client().post("/letters/send", data={"to": "ann@example.org"}).text == "sent"
        assert received[0].rcpt_tos == ["ann@example.org"]
        assert b"It works." in received[0].content


def test_flask_admin_over_a_database_of_dbs(site: Any) -> None:
    site.write(
        "catalog/startup.py",
        """
        from flask_admin import Admin
        from flask_admin.contrib.sqla import ModelView
        from flask_babel import Babel
        from sqlalchemy.ext.automap import automap_base
        from sqlalchemy.orm import scoped_session, sessionmaker

        def startup(app):
            engine = app.dbs["maindb"].engine
            with engine.begin() as connection:
                connection.exec_driver_sql("CREATE TABLE product (id INTEGER PRIMARY KEY, name TEXT)")
            base = automap_base()
            base.prepare(autoload_with=engine)
            session = scoped_session(sessionmaker(engine))
            app.teardown_appcontext(lambda error: session.remove())
            Babel(app)  # needed where Flask-Babel is installed
            admin = Admin(app, name="shop", url="/admin")
            admin.add_view(ModelView(base.classes.product, session))
        """,
    )
    site.write(
        "products.py",
        "from flask import current_app\nclass Products:\n"
        "    def index(self): return current_app.dbs['maindb'].getDictionary('SELECT name FROM product', [])\n",
    )
    client = site.client()
    assert client.get("/admin/").status_code == 200
    added = client.post("/admin/product/new/", data={"name": "apple"}, follow_redirects=True)
    assert added.status_code == 200
    assert "apple" in client.get("/admin/product/").text
    assert "apple" in client.get("/products").text


def test_flask_babel_translates_by_the_request(site: Any) -> None:
    site.write(
        "catalog/startup.py",
        """
        from flask import request
        from flask_babel import Babel

        def startup(app):
            Babel(app, locale_selector=lambda: request.accept_languages.best_match(["en", "es", "de"]))
        """,
    )
    site.write(
        "dates.py",
        "from datetime import date\nfrom flask_babel import format_date\nclass Dates:\n"
        "    def index(self): return format_date(date(2026, 1, 2), 'long')\n",
    )
    client = site.client()
    for language, text in (("es", "2 de enero de 2026"), ("de", "2. Januar 2026"), ("en", "January 2, 2026")):
        assert client.get("/dates", headers={"Accept-Language": language}).text == text


def test_flask_limiter_limits_all_methods_and_one(site: Any) -> None:
    site.write(
        "catalog/startup.py",
        """
        from flask_limiter import Limiter
        from flask_limiter.util import get_remote_address

        limiter = Limiter(get_remote_address, default_limits=["5 per hour"], storage_uri="memory://")

        def startup(app): limiter.init_app(app)
        """,
    )
    site.write(
        "busy.py",
        """
        from catalog.startup import limiter

        class Busy:
            def index(self): return "free"
            @limiter.limit("2 per hour")
            def slow(self): return "slow"
            @limiter.exempt
            def ping(self): return "pong"
        """,
    )
    client = site.client()
    assert [client.get("/busy").status_code for _ in range(6)] == [200] * 5 + [429]
    assert [client.get("/busy/slow").status_code for _ in range(3)] == [200, 200, 429]
    assert {client.get("/busy/ping").status_code for _ in range(8)} == {200}


def test_sentry_names_the_method_of_an_error(site: Any) -> None:
    import sentry_sdk

    site.write("shop/faulty.py", "class Faulty:\n    def index(self): return 1 / 0\n")
    site.write(
        "catalog/startup.py",
        """
        import sentry_sdk
        from sentry_sdk.integrations.flask import FlaskIntegration
        from sentry_sdk.transport import Transport

        sent = []

        class Kept(Transport):
            def capture_envelope(self, envelope):
                sent.append(envelope)

        def startup(app):
            sentry_sdk.init(
                dsn="https://key@sentry.example/1", transport=Kept, integrations=[FlaskIntegration()],
                default_integrations=False, auto_enabling_integrations=False,
            )
            app.config["SENT"] = sent
        """,
    )
    app = site.app()
    try:
        assert app.test_client().get("/shop/faulty").status_code == 500
    finally:
        sentry_sdk.init()  # off again
    (event,) = [item.get_event() for envelope in app.config["SENT"] for item in envelope.items if item.get_event()]
    assert event["exception"]["values"][-1]["type"] == "ZeroDivisionError"
    assert event["transaction"] == "shop.faulty.Faulty.index"


def test_proxy_fix_restores_the_address_that_a_proxy_passed_on(site: Any) -> None:
    site.write(
        "catalog/startup.py",
        """
        from werkzeug.middleware.proxy_fix import ProxyFix

        def startup(app): app.wsgi_app = ProxyFix(app.wsgi_app, x_for=1, x_proto=1, x_host=1, x_prefix=1)
        """,
    )
    site.write(
        "who.py",
        "from flask import request\nclass Who:\n    def index(self): return [request.remote_addr, request.url]\n",
    )
    headers = {"X-Forwarded-For": "192.0.2.7", "X-Forwarded-Proto": "https", "X-Forwarded-Host": "shop.example"}
    assert site.client().get("/who", headers=headers).get_json() == ["192.0.2.7", "https://shop.example/who"]
