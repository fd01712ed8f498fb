"""A mail that waits is sent before its process ends: real servers, a real SMTP server, users in a real database."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from aiosmtpd.controller import Controller

from system.addons.auth.outbox import Outbox
from tests.servers import free_port
from tests.task_bench import ROOT, Bench, bench, wait_for

from .test_auth import ADDONS, PASSWORD
from .test_auth_links import MAILER, Post

BIN = Path(sys.executable).parent
ASKED = {"Content-Type": "application/x-www-form-urlencoded"}
SERVERS = {
    "gunicorn": [str(BIN / "gunicorn"), "--threads", "4", "-b", "127.0.0.1:PORT", "kernkoa:app"],
    "uwsgi": [
        *(str(BIN / "uwsgi"), "--http-socket", "127.0.0.1:PORT", "--module", "kernkoa:app", "--master"),
        *("--lazy-apps", "--enable-threads", "--die-on-term", "--single-interpreter"),
    ],
}


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Bench, int]]:
    """A site whose mailer asks a port at which nobody listens yet."""
    root, port = tmp_path_factory.mktemp("mails"), free_port()
    settings = {"libs": ADDONS, "addons": ["auth"], "authMail": "mailer", "url": "https://shop.example"}
    with bench(root, web=False, workers=0, **settings) as made:
        made.write("../model/mailer.py", MAILER.replace("PORT", str(port)).replace("timeout=10", "timeout=60"))
        command, typed = [sys.executable, "kernkoa.py", "user", "add", "ann"], f"{PASSWORD}\n{PASSWORD}\n"
        subprocess.run(
            command, cwd=ROOT, env=made.environ, input=typed, text=True, check=True, capture_output=True
        )
        yield made, port


def start(site: Bench, name: str) -> Path:
    """Start a server as the web process of the site; returns its log."""
    site.port, log = free_port(), site.root / f"{name}-{time.monotonic_ns()}.log"
    command = [word.replace("PORT", str(site.port)) for word in SERVERS[name]]
    with open(log, "ab") as opened:
        site.web = subprocess.Popen(command, cwd=ROOT, env=site.environ, stderr=opened, stdout=opened)
    wait_for(site._answers, what=name)
    return log


def ask(site: Bench) -> None:
    assert site.request("POST", "/_koa/forgot", b"name=ann", ASKED)[0] == 200


@pytest.mark.parametrize("name", SERVERS)
def test_a_mail_that_waits_for_its_next_try_is_sent_at_the_exit(site: tuple[Bench, int], name: str) -> None:
    made, port = site
    made.server.client.flushall()
    log = start(made, name)
    ask(made)
    wait_for(lambda: "It is tried again in 5 seconds." in log.read_text(), what="the first failure")
    post = Post()
    controller = Controller(post, hostname="127.0.0.1", port=port)
    controller.start()
    try:
        assert made.web
        made.web.terminate()
        assert post.take()[0] == "ann@example.org"
        made.web.wait(20)
    finally:
        controller.stop()


def test_a_mail_server_that_does_not_answer_delays_the_exit_for_a_bounded_time(
    caplog: pytest.LogCaptureFixture,
) -> None:
    box, is_over = Outbox(), threading.Event()
    for _ in range(3):
        box.add("The mail", lambda: is_over.wait(20))
    began = time.monotonic()
    box.close(seconds=0.2)
    is_over.set()
    assert time.monotonic() - began < 5
    assert "The process exits before 3 mails could be sent" in caplog.text
