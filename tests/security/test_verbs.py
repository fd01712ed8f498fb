"""Methods that change something by GET: named to the developer, and none where strictVerbs is set."""

from __future__ import annotations

import logging
from threading import Timer
from threading import enumerate as enumerate_threads
from typing import Any

import pytest

from system.core.commands.check import find_notes
from system.core.development.writers import warn_of_writer
from system.deploy.workers import wait_for

SHOP = """
    from kernkoa import *

    class Shop:
        def pay(self):
            session["paid"] = True
            return "paid"

        @allow("POST")
        def order(self):
            session["ordered"] = True
            return "ordered"

        def look(self):
            return "looked"
"""


def test_the_developer_and_check_name_the_method_and_the_line(site: Any, caplog: pytest.LogCaptureFixture) -> None:
    site.write("shop.py", SHOP)
    app = site.app(development=True)
    with caplog.at_level(logging.WARNING), app.test_request_context("/shop/pay") as context:
        for _ in range(2):
            warn_of_writer(app.catalog, context.request.resolved.endpoint)
        assert wait_for(lambda: bool(caplog.records), 10)
    (line,) = [record.getMessage() for record in caplog.records]
    assert "shop.py, line 5: Shop.pay changes the session and answers GET" in line
    (note,) = find_notes(app.catalog, app.settings)
    assert (note.line, "@allow" in note.what) == (5, True)


def test_a_version_that_was_edited_meanwhile_is_not_parsed(site: Any, caplog: pytest.LogCaptureFixture) -> None:
    site.write("shop.py", SHOP)
    app = site.app(development=True)
    with caplog.at_level(logging.WARNING):
        for amount in ("1", "2"):
            site.write("shop.py", SHOP.replace('["paid"] = True', f'["paid{amount}"] = {amount}'))
            with app.test_request_context("/shop/pay") as context:
                warn_of_writer(app.catalog, context.request.resolved.endpoint)
        assert wait_for(lambda: not [thread for thread in enumerate_threads() if isinstance(thread, Timer)], 10)
    assert len(caplog.records) == 1


@pytest.mark.parametrize(("strict", "status"), [(False, 200), (True, 405)])
def test_strict_verbs_make_plain_methods_answer_get_only(site: Any, strict: bool, status: int) -> None:
    site.write("shop.py", SHOP)
    client = site.client(strictVerbs=strict)
    assert client.get("/shop/look").status_code == 200
    assert client.post("/shop/look").status_code == status
    assert client.post("/shop/order").status_code == 200
    assert client.options("/shop/look").headers["Allow"] == (
        "GET, HEAD, OPTIONS" if strict else "GET, HEAD, OPTIONS, POST"
    )
