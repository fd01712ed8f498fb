"""The addon auth's links to set a new password: by mail over a real SMTP server, and from the command line."""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from email import message_from_bytes
from email.policy import default
from queue import Queue
from typing import Any

import pyotp
import pytest
from aiosmtpd.controller import Controller

from tests.conftest import Site
from tests.servers import free_port
from tests.task_bench import Server, wait_for

from .test_auth import ADDONS, BROWSER, app, basic, log_in, store

__all__ = ["app", "store"]

NEW = "another long password"
SENT = "If there is a user of this name"
MAILER = """
    import smtplib
    from email.message import EmailMessage

    class mailer:
        def password_link(self, name, link):
            message = EmailMessage()
            message["From"], message["To"], message["Subject"] = "desk@example.org", f"{name}@example.org", "Link"
            message.set_content(link)
            with smtplib.SMTP("127.0.0.1", PORT, timeout=10) as server:
                server.send_message(message)
"""


class Post:
    """An SMTP server that keeps what it receives, and can be told to wait before it answers."""

    def __init__(self) -> None:
        self.received: Queue[Any] = Queue()
        self.is_open = threading.Event()
        self.is_open.set()

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:
        import asyncio

        await asyncio.get_running_loop().run_in_executor(None, self.is_open.wait, 20)
        self.received.put(envelope)
        return "250 OK"

    def take(self) -> tuple[str, str]:
        """The receiver and the link of the next mail."""
        envelope = self.received.get(timeout=20)
        message = message_from_bytes(envelope.content, policy=default)
        return envelope.rcpt_tos[0], "".join(message.get_content().split())


@pytest.fixture(scope="module")
def server() -> Iterator[tuple[Post, int]]:
    post, port = Post(), free_port()
    controller = Controller(post, hostname="127.0.0.1", port=port)
    controller.start()
    yield post, port
    controller.stop()


@pytest.fixture
def post(server: tuple[Post, int]) -> Post:
    server[0].received = Queue()
    return server[0]


@pytest.fixture
def mailing(site: Site, redis: Server, app: Any, server: tuple[Post, int]) -> Any:
    """The site of `app` with a mailer."""
    site.write("catalog/model/mail/mailer.py", MAILER.replace("PORT", str(server[1])))
    more = {"authMail": "mail/mailer", "url": "https://shop.example"}
    return site.app(libs=ADDONS, redisUrl=redis.url, addons=["auth"], **more)


def ask(app: Any, name: str, address: str = "127.0.0.1", **headers: str) -> Any:
    client = app.test_client()
    at = {"REMOTE_ADDR": address}
    return client.post("/_koa/forgot", data={"name": name}, headers={**BROWSER, **headers}, environ_base=at)


def set_password(app: Any, link: str, password: str = NEW) -> Any:
    token = link.partition("token=")[2]
    return app.test_client().post("/_koa/password", data={"token": token, "new": password}, headers=BROWSER)


def link_of(app: Any, name: str = "ann") -> str:
    done = app.test_cli_runner().invoke(args=["user", "link", name])
    assert done.exit_code == 0, done.output
    return str(done.output.strip())


def test_a_mailed_link_sets_the_password_once_and_ends_every_session(mailing: Any, post: Post, store: Any) -> None:
    signed_in = mailing.test_client()
    log_in(signed_in)
    assert SENT in ask(mailing, "Ann", Host="evil.example").text
    receiver, link = post.take()
    assert receiver == "ann@example.org"
    assert link.startswith("https://shop.example/_koa/password?token=")
    page = mailing.test_client().get(link.removeprefix("https://shop.example"))
    assert (page.status_code, page.headers["Cache-Control"]) == (200, "no-store")
    assert page.headers["Referrer-Policy"] == "strict-origin"
    assert "New password" in page.text
    assert set_password(mailing, link).status_code == 200
    assert signed_in.get("/inner/room").status_code == 401
    assert log_in(mailing.test_client()).status_code == 401
    assert log_in(mailing.test_client(), password=NEW).status_code == 303
    assert set_password(mailing, link, "a third password").status_code == 410
    events = [line.event for line in store.read_audit(10)]
    assert "password set by link" in events
    assert "link asked" in events


def test_a_stranger_is_not_told_whether_there_is_such_a_user(mailing: Any, post: Post, store: Any) -> None:
    """While the mail server does not answer, both answers are there: nothing of the work is done before them."""
    store.set_locked(store.get("bob"), True)
    post.is_open.clear()
    try:
        pages = {
            re.sub('nonce="[^"]*"', "", ask(mailing, name).text) for name in ("ann", "bob", "nobody", "a:b", "")
        }
    finally:
        post.is_open.set()
    assert len(pages) == 1
    assert post.take()[0] == "ann@example.org"


def test_links_are_limited_for_a_name_and_an_address_apart_from_logins(mailing: Any, post: Post) -> None:
    for name in ("bob", "nobody"):
        assert [ask(mailing, name).status_code for _ in range(5)] == [200] * 3 + [429] * 2
        elsewhere = [ask(mailing, name, f"192.0.2.{number}").status_code for number in range(9)]
        assert elsewhere == [200] * 7 + [429] * 2
    for _ in range(10):
        post.take()
    assert log_in(mailing.test_client(), "bob").status_code == 303


def test_who_guessed_too_often_gets_in_with_a_new_password(app: Any) -> None:
    for _ in range(6):
        log_in(app.test_client(), password="wrong guess")
    assert log_in(app.test_client()).status_code == 429
    assert set_password(app, link_of(app)).status_code == 200
    assert log_in(app.test_client(), password=NEW).status_code == 303


@pytest.mark.parametrize("act", ["set_password", "end_sessions", "lock", "lock and undo"])
def test_a_link_ends_with_the_sessions(app: Any, store: Any, act: str) -> None:
    link, ann = link_of(app), store.get("ann")
    if act == "set_password":
        store.set_password(ann, "changed meanwhile")
    elif act == "end_sessions":
        store.end_sessions(ann)
    else:
        store.set_locked(ann, True)
        if act == "lock and undo":
            store.set_locked(ann, False)
    assert set_password(app, link).status_code == 410


def test_a_link_used_by_many_at_once_works_once(app: Any) -> None:
    link = link_of(app)
    with ThreadPoolExecutor(6) as pool:
        codes = list(pool.map(lambda number: set_password(app, link, f"{NEW} {number}").status_code, range(6)))
    assert sorted(codes) == [200] + [410] * 5


def test_a_link_is_valid_for_an_hour(app: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    from system.addons.auth import links

    link = link_of(app)
    monkeypatch.setattr(links, "SECONDS", -1)
    assert set_password(app, link).status_code == 410


def test_a_forged_link_is_refused(app: Any, store: Any) -> None:
    from flask.sessions import SecureCookieSessionInterface

    signer = SecureCookieSessionInterface().get_signing_serializer(app)
    assert signer is not None
    ann = store.get("ann")
    token = link_of(app).partition("token=")[2]
    head, _, signature = token.rpartition(".")
    forged = [signer.dumps([ann.id, ann.epoch]), signer.dumps({"koa_user": [ann.id, ann.epoch]}), f"x{token}"]
    forged += [head, f"{head}.", f"{head}.{signature[::-1]}", "", ".", "\x00", "é" * 9, "." * 5_000]
    for each in forged:
        assert set_password(app, f"?token={each}").status_code == 410, each
        shown = app.test_client().get("/_koa/password", query_string={"token": each}, headers=BROWSER)
        assert shown.status_code == 410, each
    assert log_in(app.test_client()).status_code == 303


def test_a_bad_password_leaves_the_link_as_it_is(app: Any) -> None:
    link = link_of(app)
    short = set_password(app, link, "short")
    assert (short.status_code, "10 to 256 characters" in short.text) == (422, True)
    assert set_password(app, link).status_code == 200


def test_a_link_does_not_replace_the_second_factor(app: Any, store: Any) -> None:
    store.set_otp_secret(store.get("ann"), pyotp.random_base32())
    answer = set_password(app, link_of(app))
    assert (answer.status_code, "Set-Cookie" in answer.headers) == (200, False)
    assert log_in(app.test_client(), password=NEW).status_code == 401
    assert app.test_client().get("/inner/room", headers=basic("ann", NEW)).status_code == 401


def test_a_page_of_another_site_sets_no_password(app: Any) -> None:
    token = link_of(app).partition("token=")[2]
    answer = app.test_client().post(
        "/_koa/password", data={"token": token, "new": NEW}, headers={"Sec-Fetch-Site": "cross-site"}
    )
    assert answer.status_code == 403


@pytest.mark.parametrize("settings", [{}, {"authMail": "mail/mailer"}], ids=["no mailer", "no name of the site"])
def test_without_a_mailer_or_a_name_the_page_says_who_makes_links(
    site: Site, redis: Server, app: Any, store: Any, post: Post, settings: dict[str, Any]
) -> None:
    site.write("catalog/model/mail/mailer.py", MAILER)
    silent = site.app(libs=ADDONS, redisUrl=redis.url, addons=["auth"], **settings)
    for page in (silent.test_client().get("/_koa/forgot"), ask(silent, "ann")):
        assert (page.status_code, "kernkoa.py user link NAME" in page.text) == (200, True)
    assert post.received.empty()
    assert "link asked" not in [line.event for line in store.read_audit(9)]


def test_a_mail_that_fails_is_in_the_log_and_is_sent_later(
    site: Site,
    mailing: Any,
    post: Post,
    store: Any,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from system.addons.auth import outbox

    monkeypatch.setattr(outbox, "RETRY_SECONDS", (0.1, 0.1))
    failing = "import pathlib\nclass mailer:\n    tries = []\n    def password_link(self, name, link):\n        self.tries.append(1)\n"
    failing += (
        "        if len(self.tries) < 3: raise OSError('away')\n        pathlib.Path(FILE).write_text(link)\n"
    )
    sent = site.root / "sent"
    site.write("catalog/model/mail/mailer.py", failing.replace("FILE", repr(str(sent))))
    assert SENT in ask(mailing, "ann").text
    link = wait_for(lambda: sent.exists() and sent.read_text())
    assert set_password(mailing, link).status_code == 200
    assert caplog.text.count("to 'ann' was not sent. It is tried again in 0.1 seconds.") == 2
    assert "OSError: away" in caplog.text
    assert "token=" not in caplog.text
    assert [line.event for line in store.read_audit(9)].count("link asked") == 1


def test_a_mail_that_never_goes_ends_in_the_log(
    site: Site, mailing: Any, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    from system.addons.auth import outbox

    monkeypatch.setattr(outbox, "RETRY_SECONDS", (0.05,))
    site.write("catalog/model/mail/mailer.py", "class mailer: pass\n")
    ask(mailing, "ann")
    wait_for(lambda: "It is not tried again: the user can ask again." in caplog.text)
    assert "password_link" in caplog.text


def test_a_site_replaces_the_pages(app: Any, site: Site) -> None:
    for name, path in (("forgot", "/_koa/forgot"), ("password", "/_koa/password")):
        site.write(f"templates/auth/{name}.html", f"my own {name}")
        assert app.test_client().get(path).text == f"my own {name}"


def test_the_command_names_what_is_wrong(app: Any, store: Any) -> None:
    run = app.test_cli_runner().invoke
    assert "There is no user 'eve'" in run(args=["user", "link", "eve"]).output
    store.set_locked(store.get("bob"), True)
    locked = run(args=["user", "link", "bob"])
    assert (locked.exit_code, "user lock bob --undo" in locked.output) == (1, True)
    assert "token=" not in run(args=["user", "audit"]).output
