"""The addon auth: every refused attempt is in the audit log, and none can be repeated without end."""

from __future__ import annotations

from typing import Any

import pyotp
import pytest

from .test_auth import ADDONS, BROWSER, PASSWORD, app, basic, bearer, log_in, store

__all__ = ["ADDONS", "app", "store"]

WRONG = "koa_0000000000000000_x"


def get(app: Any, headers: dict[str, str], address: str = "127.0.0.1") -> int:
    client = app.test_client()
    code: int = client.get("/inner/room", headers=headers, environ_base={"REMOTE_ADDR": address}).status_code
    return code


def change_password(app: Any, client: Any, old: str, new: str = "another long one") -> int:
    code: int = client.post("/_koa/account/password", data={"old": old, "new": new}, headers=BROWSER).status_code
    return code


def use_link(app: Any, method: str) -> int:
    client = app.test_client()
    code: int = client.open("/_koa/password?token=x", method=method, data={"token": "x"}).status_code
    return code


REFUSED = {
    "a wrong password": (
        lambda app, _: log_in(app.test_client(), password="x").status_code,
        "login failed",
        "ann",
    ),
    "no user": (lambda app, _: log_in(app.test_client(), "eve").status_code, "login failed", "eve"),
    "a wrong code": (lambda app, _: log_in(app.test_client(), "bob", code="1").status_code, "login failed", "bob"),
    "Basic": (lambda app, _: get(app, basic("ann", "x")), "login failed", "ann"),
    "Basic without a code": (lambda app, _: get(app, basic("bob", PASSWORD)), "login failed", "bob"),
    "a wrong old password": (lambda app, ann: change_password(app, ann, "x"), "wrong old password", "ann"),
    "a wrong key": (lambda app, _: get(app, bearer(WRONG)), "key refused", ""),
    "a wrong key by Basic": (lambda app, _: get(app, basic("ann", WRONG)), "key refused", "ann"),
    "a link": (lambda app, _: use_link(app, "POST"), "link refused", ""),
    "the page of a link": (lambda app, _: use_link(app, "GET"), "link refused", ""),
}


@pytest.mark.parametrize("name", REFUSED)
def test_a_refused_attempt_is_in_the_audit_log_and_limited(app: Any, store: Any, name: str) -> None:
    act, event, user = REFUSED[name]
    store.set_otp_secret(store.get("bob"), pyotp.random_base32())
    ann = app.test_client()
    log_in(ann)
    codes = [act(app, ann) for _ in range(8)]
    assert codes[0] in (401, 410, 422)
    assert codes == [codes[0]] * 5 + [429] * 3
    lines = [(line.event, line.user, line.address) for line in store.read_audit(20)]
    expected = [("too many attempts", user)] + [(event, user)] * 5 + [("login", "ann")]
    assert lines == [(*line, "127.0.0.1") for line in expected]


def test_a_method_out_of_reach_is_in_the_audit_log(app: Any, store: Any) -> None:
    key = store.add_key(store.get("ann"), "", ["inner/roo"])
    assert get(app, bearer(key)) == 403
    assert app.test_client().get("/desk/Desk/staff", headers=basic("bob", PASSWORD)).status_code == 403
    lines = [(line.event, line.user, line.detail) for line in store.read_audit(2)]
    assert lines == [("refused", "bob", "/desk/Desk/staff"), ("out of scope", "ann", "/inner/room")]


def test_one_address_cannot_use_up_the_attempts_of_an_account(app: Any) -> None:
    """Else a stranger would lock the owner out everywhere with a hundred requests."""
    assert [get(app, basic("ann", "x")) for _ in range(130)].count(401) == 5
    assert get(app, basic("ann", PASSWORD), "192.0.2.7") == 200


def test_a_count_ends_although_its_login_ended_after_it(app: Any, redis: Any) -> None:
    """A count that expired while the password was checked must not begin again without an end."""
    throttle = app.extensions["auth"].throttle
    throttle.passed("ann", "192.0.2.7")
    throttle.enter("ann", "192.0.2.7")
    counts = redis.client.keys("*:auth:*")
    assert counts
    assert all(0 < redis.client.ttl(count) <= 900 for count in counts)


def test_a_password_that_is_too_short_is_no_wrong_guess(app: Any) -> None:
    client = app.test_client()
    log_in(client)
    assert [change_password(app, client, PASSWORD, "short") for _ in range(7)] == [422] * 7
    assert change_password(app, client, PASSWORD) == 200


def test_a_wrong_key_blocks_no_logins_and_no_right_keys_of_its_address(app: Any, store: Any) -> None:
    for number in range(60):
        get(app, bearer(f"{WRONG}{number}"))
    assert get(app, bearer(WRONG)) == 429
    assert get(app, bearer(store.add_key(store.get("ann"), ""))) == 200
    assert log_in(app.test_client()).status_code == 303
