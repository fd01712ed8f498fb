"""The addon auth: who gets in, who is led to the login, and what a guesser learns. On a real database and Redis."""

from __future__ import annotations

import base64
import re
import time
from concurrent.futures import ThreadPoolExecutor
from importlib import import_module
from pathlib import Path
from typing import Any

import pyotp
import pytest
from argon2 import PasswordHasher
from sqlalchemy.dialects import mssql
from sqlalchemy.schema import CreateTable

from system.addons.auth import tables
from system.core.errors import SettingsError
from tests.conftest import Site
from tests.task_bench import Server

ROOT = Path(__file__).resolve().parents[2]
ADDONS = {"addon": str(ROOT / "system" / "addons")}
BROWSER = {"Accept": "text/html"}
PASSWORD = "correct horse battery"

PLACES = """
    from kernkoa import *

    require = load.addon("auth", "require")
    current_user = load.addon("auth", "current_user")

    class Desk:
        def index(self):
            return {"name": current_user.name, "roles": sorted(current_user.roles), "known": bool(current_user)}

        @require()
        def mine(self, number: int):
            return {"name": current_user.name, "number": number}

        @require(role="staff")
        def staff(self):
            return "staff only"

    @require(role=("staff", "boss"))
    class Office:
        def index(self):
            return "the office"

    class Door:
        before = load.addon("auth", "login")
        def index(self):
            return render_template("hello.html")
"""


def use_hasher(hasher: PasswordHasher, monkeypatch: pytest.MonkeyPatch) -> None:
    """Change what hashes cost, in the modules of the current site: each site imports the addon's again."""
    passwords = import_module("system.addons.auth.passwords")
    monkeypatch.setattr(passwords, "_hasher", hasher)
    passwords._decoy.cache_clear()


@pytest.fixture
def app(site: Site, redis: Server, monkeypatch: pytest.MonkeyPatch) -> Any:
    import kernkoa

    redis.client.flushall()
    site.write("desk.py", PLACES)
    site.write("inner/_folder.py", "from kernkoa import *\nbefore = load.addon('auth', 'login')\n")
    site.write(
        "inner/room.py", "class room:\n    def index(self): return 'in'\n    def other(self): return 'other'\n"
    )
    site.write("templates/hello.html", "hello {{ current_user.name }}")
    app = site.app(libs=ADDONS, redisUrl=redis.url, addons=["auth"])
    use_hasher(PasswordHasher(time_cost=1, memory_cost=8, parallelism=1), monkeypatch)
    monkeypatch.setattr(kernkoa, "load", app.load)
    store = app.extensions["auth"].store
    store.add("Ann", PASSWORD, ["staff"])
    store.add("bob", PASSWORD)
    return app


@pytest.fixture
def store(app: Any) -> Any:
    return app.extensions["auth"].store


def log_in(client: Any, name: str = "ann", password: str = PASSWORD, **more: str) -> Any:
    return client.post("/_koa/login", data={"name": name, "password": password, **more}, headers=BROWSER)


def basic(name: str, password: str) -> dict[str, str]:
    return {"Authorization": "Basic " + base64.b64encode(f"{name}:{password}".encode()).decode()}


def bearer(key: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {key}"}


GUARDED = [
    "/desk/Desk/mine/1",
    "/desk/Desk/staff",
    "/desk/Office",
    "/desk/Door",
    "/inner/room",
    "/inner/room/room/other",
]


@pytest.mark.parametrize("path", GUARDED)
def test_a_program_gets_a_401_that_says_how_to_log_in(app: Any, path: str) -> None:
    response = app.test_client().get(path)
    assert (response.status_code, response.mimetype) == (401, "application/problem+json")
    challenges = " ".join(response.headers.getlist("WWW-Authenticate"))
    assert "Bearer" in challenges
    assert "Basic" in challenges


@pytest.mark.parametrize("path", GUARDED)
def test_a_browser_is_led_to_the_login_and_back(app: Any, path: str) -> None:
    client = app.test_client()
    response = client.get(f"{path}?a=1", headers=BROWSER)
    assert response.status_code == 303
    page = client.get(response.location, headers=BROWSER)
    wanted = re.search(r'name="next" value="([^"]*)"', page.text)
    assert wanted
    back = log_in(client, next=wanted[1])
    assert (back.status_code, back.location) == (303, f"{path}?a=1")


def test_a_session_a_password_and_a_key_each_admit(app: Any, store: Any) -> None:
    client = app.test_client()
    log_in(client)
    key = store.add_key(store.get("ann"), "test")
    for headers in ({}, basic("ann", PASSWORD), bearer(key), basic("ann", key)):
        asked = client if not headers else app.test_client()
        assert asked.get("/desk/Desk/mine/1", headers=headers).get_json() == {"name": "ann", "number": 1}
    assert client.get("/desk/Door").text == "hello ann"


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Authorization": ""},
        {"Authorization": "Bearer"},
        {"Authorization": "Bearer koa_"},
        {"Authorization": "Bearer koa_0000000000000000_x"},
        {"Authorization": "Basic ???"},
        {"Authorization": "Digest username=ann"},
        {"Authorization": "Bearer " + "x" * 5000},
        basic("ann", ""),
        basic("", ""),
        basic("ann", "x" * 2000),
        basic("nobody", PASSWORD),
        {"Cookie": "kernkoa_session=eyJrb2FfdXNlciI6WzEsMF19.x.y"},
    ],
)
def test_nothing_else_does(app: Any, headers: dict[str, str]) -> None:
    response = app.test_client().get("/desk/Desk/mine/1", headers=headers)
    assert response.status_code == 401
    assert app.test_client().get("/desk", headers=headers).get_json()["known"] is False


def test_the_method_is_not_reached_nor_its_parameters_told_before_the_guard(app: Any) -> None:
    assert app.test_client().get("/desk/Desk/mine/no-number").status_code == 401


def test_a_role_is_needed_where_it_is_asked_for(app: Any) -> None:
    bob = app.test_client()
    log_in(bob, "bob")
    assert bob.get("/desk/Desk/mine/2").status_code == 200
    assert [bob.get(path).status_code for path in ("/desk/Desk/staff", "/desk/Office")] == [403, 403]
    ann = app.test_client()
    log_in(ann)
    assert [ann.get(path).text for path in ("/desk/Desk/staff", "/desk/Office")] == ["staff only", "the office"]


@pytest.mark.parametrize(
    ("scope", "admitted"),
    [
        ("inner", ["/inner/room", "/inner/room/room/other", "/inner/room/other"]),
        ("inner/room/room/other", ["/inner/room/room/other", "/inner/room/other"]),
        ("inner/roo", []),
        ("desk/Desk", ["/desk/Desk/mine/1"]),
        ("desk/Door/index", ["/desk/Door"]),
    ],
)
def test_a_scope_admits_to_the_methods_below_it_by_any_of_their_urls(
    app: Any, store: Any, scope: str, admitted: list[str]
) -> None:
    key = store.add_key(store.get("ann"), "", [scope])
    client = app.test_client()
    paths = ["/inner/room", "/inner/room/room/other", "/inner/room/other", "/desk/Desk/mine/1", "/desk/Door"]
    codes = {path: client.get(path, headers=bearer(key)).status_code for path in paths}
    assert {path for path, code in codes.items() if code == 200} == set(admitted)
    assert set(codes.values()) <= {200, 403}


def test_a_key_is_stored_as_a_hash_and_ends_when_it_is_revoked_or_expires(app: Any, store: Any) -> None:
    ann = store.get("ann")
    key, short = store.add_key(ann, "long"), store.add_key(ann, "short", days=1e-9)
    rows = str(app.dbs["maindb"].query("select * from koa_keys"))
    assert key.split("_", 2)[2] not in rows
    client = app.test_client()
    assert client.get("/inner/room", headers=bearer(key)).status_code == 200
    store.revoke_key(ann, key.split("_")[1])
    assert client.get("/inner/room", headers=bearer(key)).status_code == 401
    time.sleep(1)
    assert client.get("/inner/room", headers=bearer(short)).status_code == 401


def test_a_browser_with_a_long_url_gets_a_login_page_that_a_proxy_can_pass_on(app: Any) -> None:
    response = app.test_client().get("/inner/room?a=" + "é" * 5_000, headers=BROWSER)
    assert (response.status_code, response.location) == (303, "/_koa/login")


@pytest.mark.parametrize(
    "wanted",
    [
        "https://evil.example/",
        "//evil.example/",
        "/\\evil.example",
        "\\\\evil.example",
        "/\t/evil.example",
        "/\n/evil.example",
        " //evil.example",
        "javascript:alert(1)",
        "http:evil.example",
        "///evil.example",
        "",
        "evil.example",
        "/\u2028/x",
        "/%0d%0aSet-Cookie:x=1/../..//",
        "//[::1",
        "/" + "a" * 5000,
        "\u2215/evil.example",
        "/\x00/evil.example",
        "/\u200b/evil.example",
        "@evil.example",
        "#//evil.example",
    ],
)
def test_the_login_leads_to_no_other_site(app: Any, wanted: str) -> None:
    response = log_in(app.test_client(), next=wanted)
    assert response.status_code == 303
    assert response.location == "/" or response.location.startswith("/%0d%0a")


def test_sessions_end_when_the_password_changes_and_everywhere_at_a_word(app: Any, store: Any) -> None:
    here, there = app.test_client(), app.test_client()
    log_in(here)
    log_in(there)
    changed = here.post(
        "/_koa/account/password", data={"old": PASSWORD, "new": "another long one"}, headers=BROWSER
    )
    assert changed.status_code == 200
    assert here.get("/inner/room").status_code == 200
    assert there.get("/inner/room").status_code == 401
    log_in(there, password="another long one")
    assert there.post("/_koa/account/end", headers=BROWSER).status_code == 303
    assert here.get("/inner/room").status_code == 401
    assert log_in(here, password=PASSWORD).status_code == 401


def test_a_stolen_cookie_is_of_no_use_after_a_lock(app: Any, store: Any) -> None:
    client = app.test_client()
    log_in(client)
    key = store.add_key(store.get("ann"), "")
    store.set_locked(store.get("ann"), True)
    assert client.get("/inner/room").status_code == 401
    assert client.get("/inner/room", headers=bearer(key)).status_code == 401
    assert log_in(app.test_client()).status_code == 401


def test_logging_out_ends_the_session_and_takes_a_post(app: Any) -> None:
    client = app.test_client()
    log_in(client)
    assert client.get("/_koa/logout").status_code == 405
    client.post("/_koa/logout")
    assert client.get("/inner/room").status_code == 401


def test_nothing_of_the_session_before_the_login_is_kept(app: Any) -> None:
    client = app.test_client()
    with client.session_transaction() as kept:
        kept["planted"] = "by a stranger"
    log_in(client)
    with client.session_transaction() as kept:
        assert "planted" not in kept


def test_guesses_are_limited_for_a_name_and_an_address(app: Any) -> None:
    client = app.test_client()
    codes = [log_in(client, password="wrong guess").status_code for _ in range(7)]
    assert codes == [401] * 5 + [429] * 2
    refused = log_in(client)
    assert refused.status_code == 429
    assert 0 < int(refused.headers["Retry-After"]) <= 900
    elsewhere = {"REMOTE_ADDR": "192.0.2.7"}
    assert (
        app.test_client().get("/inner/room", headers=basic("ann", PASSWORD), environ_base=elsewhere).status_code
        == 200
    )
    assert app.test_client().get("/inner/room", headers=basic("ann", PASSWORD)).status_code == 429


def test_guesses_from_one_network_are_limited_whatever_the_name(app: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    from system.addons.auth import throttle

    monkeypatch.setitem(throttle.LIMITS, "address", 6)
    codes = []
    for number in range(9):
        away = {"REMOTE_ADDR": f"2001:db8::{number:x}"}
        codes.append(
            app.test_client().get("/inner/room", headers=basic(f"n{number}", "x"), environ_base=away).status_code
        )
    assert codes == [401] * 6 + [429] * 3


def test_guesses_are_counted_together_for_all_spellings_of_a_name(app: Any) -> None:
    spellings = ["ann", "ANN", " ann ", "Ａnn", "aｎn", "𝐚nn", "ⓐnn", "a𝑛n"]
    codes = [log_in(app.test_client(), name, "wrong guess").status_code for name in spellings]
    assert codes == [401] * 5 + [429] * 3


def test_many_guesses_at_once_are_no_more_than_many_in_turn(app: Any) -> None:
    with ThreadPoolExecutor(12) as pool:
        codes = list(pool.map(lambda _: log_in(app.test_client(), password="wrong guess").status_code, range(12)))
    assert codes.count(401) == 5


def test_a_right_login_takes_its_attempt_back(app: Any) -> None:
    for _ in range(3):
        for _ in range(4):
            log_in(app.test_client(), password="wrong guess")
        assert log_in(app.test_client()).status_code == 303


def test_a_login_takes_as_long_for_a_name_that_nobody_has(
    app: Any, store: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    use_hasher(PasswordHasher(), monkeypatch)
    store.set_password(store.get("ann"), PASSWORD)

    def spent(name: str, address: str) -> float:
        began = time.process_time()
        app.test_client().get(
            "/inner/room", headers=basic(name, "wrong guess"), environ_base={"REMOTE_ADDR": address}
        )
        return time.process_time() - began

    spent("warm up", "192.0.2.1")
    pairs = [(spent("ann", f"192.0.2.{n}"), spent(f"nobody{n}", f"198.51.100.{n}")) for n in range(2, 5)]
    known, unknown = sorted(pair[0] for pair in pairs)[1], sorted(pair[1] for pair in pairs)[1]
    assert 0.6 < known / unknown < 1.6


def test_a_second_factor_is_asked_for_and_each_code_is_good_once(app: Any, store: Any) -> None:
    secret = pyotp.random_base32()
    store.set_otp_secret(store.get("ann"), secret)
    assert log_in(app.test_client()).status_code == 401
    assert app.test_client().get("/inner/room", headers=basic("ann", PASSWORD)).status_code == 401
    code = pyotp.TOTP(secret).now()
    assert log_in(app.test_client(), code=code).status_code == 303
    assert log_in(app.test_client(), code=code).status_code == 401
    assert log_in(app.test_client(), code="000000").status_code == 401


@pytest.mark.parametrize(("ahead", "status"), [(-59, 401), (-30, 303), (30, 303), (61, 401)])
def test_a_code_of_a_clock_that_is_a_step_off_is_accepted(app: Any, store: Any, ahead: int, status: int) -> None:
    secret = pyotp.random_base32()
    store.set_otp_secret(store.get("ann"), secret)
    step = time.time() // 30 * 30
    code = pyotp.TOTP(secret).at(int(step + ahead))
    assert log_in(app.test_client(), code=code).status_code in (
        status,
        401 if time.time() // 30 * 30 != step else status,
    )
    assert log_in(app.test_client(), code=code).status_code == 401


def test_a_second_factor_is_set_up_replaced_and_switched_off_by_the_owner(app: Any, store: Any) -> None:
    """A lost device: a new secret ends the old one, and `--off` lets the user in by the password alone."""
    run = app.test_cli_runner().invoke
    old, new = (pyotp.parse_uri(run(args=["user", "otp", "ANN"]).output.strip()) for _ in range(2))
    assert (new.name, new.issuer) == ("ann", app.name)
    assert run(args=["user", "list"]).output == "ann  staff  second factor\nbob\n"
    assert log_in(app.test_client(), code=old.now()).status_code == 401
    assert log_in(app.test_client(), code=new.now()).status_code == 303
    assert "There is no user 'eve'" in run(args=["user", "otp", "eve"]).output
    assert run(args=["user", "otp", "ann", "--off"]).exit_code == 0
    assert log_in(app.test_client()).status_code == 303


def test_codes_are_limited_like_passwords(app: Any, store: Any) -> None:
    store.set_otp_secret(store.get("ann"), pyotp.random_base32())
    codes = [log_in(app.test_client(), code=f"{number:06}").status_code for number in range(7)]
    assert codes == [401] * 5 + [429] * 2


def test_what_happened_is_in_the_audit_log(app: Any, store: Any) -> None:
    client = app.test_client()
    log_in(client, "bob", "wrong guess")
    log_in(client, "bob")
    client.get("/desk/Office")
    client.post("/_koa/logout")
    lines = [(line.event, line.user, line.address) for line in store.read_audit(10)]
    events = ["logout", "refused", "login", "login failed"]
    assert lines == [(event, "bob", "127.0.0.1") for event in events]


def test_the_audit_log_is_kept_for_some_days_and_some_lines(app: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    store = import_module("system.addons.auth.store")
    monkeypatch.setattr(store, "TRIM_EVERY", 10)
    retention = store.Retention(authAuditDays=2, authAuditLines=50)
    log = store.Store(app.dbs["maindb"], retention)
    for number in range(101):
        log.note("login failed", f"user {number}")
    kept = [line.user for line in log.read_audit(1000)]
    assert kept == [f"user {number}" for number in range(100, 50, -1)]
    app.dbs["maindb"].query("update koa_audit set at = at - 3 * 86400 where id <= 90")
    for _ in range(10):
        log.note("login failed", "late")
    assert {line.user for line in log.read_audit(1000)} == {
        *(f"user {number}" for number in range(90, 101)),
        "late",
    }


def test_a_long_audit_log_is_trimmed_in_pieces(app: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    store = import_module("system.addons.auth.store")
    monkeypatch.setattr(import_module("system.addons.auth.retention"), "MOST_DELETED", 30)
    log = store.Store(app.dbs["maindb"])
    for number in range(100):
        log.note("login", f"user {number}")
    for left in (70, 40, 10, 10):
        with log._begin() as connection:
            store.Retention(authAuditLines=10).trim(connection)
        assert len(log.read_audit(1000)) == left


@pytest.mark.parametrize("wrong", [{"authAuditDays": 0}, {"authAuditDays": "soon"}, {"authAuditLines": -1}])
def test_a_retention_that_cannot_be_is_refused_at_start(site: Site, redis: Server, wrong: dict[str, Any]) -> None:
    with pytest.raises(SettingsError, match=f"{next(iter(wrong))}: expected"):
        site.app(libs=ADDONS, redisUrl=redis.url, addons=["auth"], **wrong)


@pytest.mark.parametrize("name", ["", " ", "a:b", "a\nb", "x" * 151, "\u202e"])
def test_a_name_that_cannot_be_typed_back_is_refused(store: Any, name: str) -> None:
    with pytest.raises(ValueError, match="cannot be a user's name"):
        store.add(name, PASSWORD)


def test_a_name_is_given_once_however_many_ask_at_once(store: Any) -> None:
    def add(number: int) -> str:
        try:
            return str(store.add("eve", PASSWORD).name)
        except ValueError as error:
            return str(error)

    with ThreadPoolExecutor(4) as pool:
        assert sorted(pool.map(add, range(4))) == ["There is already a user 'eve'."] * 3 + ["eve"]


@pytest.mark.parametrize("word", ["", " ", "/", "a b", "a\n", "x" * 1001])
def test_what_cannot_be_a_scope_or_a_role_is_refused(app: Any, store: Any, word: str) -> None:
    """An empty scope would make a key without limits, and a space two scopes."""
    run = app.test_cli_runner().invoke
    made = run(args=["user", "key", "ann", "--scope", "inner", "--scope", word])
    assert (made.exit_code, "scope" in made.output) == (1, True)
    if word != "/":
        assert run(args=["user", "roles", "ann", word]).exit_code == 1
    assert store.list_keys(store.get("ann")) == []
    assert store.get("ann").roles == {"staff"}


@pytest.mark.parametrize(
    ("scope", "near"),
    [
        ("inner", None),
        ("/inner/room/", None),
        ("desk/Desk/mine", None),
        ("_koa/explorer", None),
        ("images", None),
        ("iner", "inner"),
        ("inner/rom", "inner/room"),
        ("desk/desk", "desk/Desk"),
        ("desk/Desk/mine/1", "desk/Desk/mine"),
        ("desk/Desk/_mine", "desk/Desk/mine"),
        ("nothing/like/it", ""),
        ("http://localhost/inner", ""),
    ],
)
def test_a_scope_that_names_nothing_is_refused_with_the_near_names(
    app: Any, store: Any, scope: str, near: str | None
) -> None:
    made = app.test_cli_runner().invoke(args=["user", "key", "ann", "--scope", scope])
    assert (made.exit_code == 0) == (near is None), made.output
    assert len(store.list_keys(store.get("ann"))) == (near is None)
    assert not near or f"Did you mean {near}" in made.output


def test_names_that_look_the_same_are_the_same(app: Any, store: Any) -> None:
    for name in ("ANN", " ann ", "Ａnn"):
        with pytest.raises(ValueError, match="already"):
            store.add(name, PASSWORD)
    assert log_in(app.test_client(), "ANN").status_code == 303


def test_a_site_replaces_the_login_page(app: Any, site: Site) -> None:
    site.write("templates/auth/login.html", "my own page")
    assert app.test_client().get("/_koa/login").text == "my own page"


def test_the_commands(app: Any, store: Any) -> None:
    run = app.test_cli_runner().invoke
    made = run(args=["user", "add", "Cy", "--role", "boss"], input=f"{PASSWORD}\n{PASSWORD}\n")
    assert made.exit_code == 0, made.output
    assert run(args=["user", "list"]).output == "ann  staff\nbob\ncy  boss\n"
    key = run(args=["user", "key", "cy", "--scope", "inner", "--label", "robot"]).output.strip()
    assert app.test_client().get("/inner/room", headers=bearer(key)).status_code == 200
    listed = run(args=["user", "key", "cy", "--list"]).output
    assert listed == f"{key.split('_')[1]}  robot  inner\n"
    run(args=["user", "key", "cy", "--revoke", key.split("_")[1]])
    assert app.test_client().get("/inner/room", headers=bearer(key)).status_code == 401
    short = run(args=["user", "passwd", "cy"], input="short\nshort\n")
    assert (short.exit_code, "10 to 256" in short.output) == (1, True)
    assert run(args=["user", "lock", "cy"]).exit_code == 0
    assert run(args=["user", "list"]).output.endswith("cy  boss  locked\n")
    assert run(args=["user", "lock", "nobody"]).output == (
        "Error: There is no user 'nobody'. See: python kernkoa.py user list\n"
    )
    assert run(args=["user", "audit", "cy"]).output.count("command line") == 4


def test_without_redis_nobody_can_guess_and_keys_still_work(site: Site, app: Any, store: Any) -> None:
    away = site.app(libs=ADDONS, redisUrl="redis://127.0.0.1:1", addons=["auth"])
    assert log_in(away.test_client()).status_code == 503
    key = store.add_key(store.get("ann"), "")
    assert away.test_client().get("/desk/Desk/mine/1", headers=bearer(key)).status_code == 200


def test_the_explorer_opens_in_production_to_a_role(site: Site, redis: Server, app: Any, store: Any) -> None:
    opened = site.app(libs=ADDONS, redisUrl=redis.url, addons=["auth"], explorer="staff")
    for path in ("/_koa/", "/_koa/openapi.json", "/_koa/tasks", "/_koa/find?q=x"):
        assert opened.test_client().get(path).status_code == 401, path
        assert opened.test_client().get(path, headers=BROWSER).status_code == 303, path
        assert opened.test_client().get(path, headers=basic("bob", PASSWORD)).status_code == 403, path
        assert opened.test_client().get(path, headers=basic("ann", PASSWORD)).status_code == 200, path
    without = site.app(explorer="staff")
    assert without.test_client().get("/_koa/").status_code == 403


def test_the_statements_for_sql_server_keep_every_letter() -> None:
    """Compiled only: VARCHAR would store most letters as "?", and `user` is a reserved word there."""
    made = {
        name: str(CreateTable(table).compile(dialect=mssql.dialect()))
        for name, table in tables.metadata.tables.items()
    }
    assert "name NVARCHAR(150) NOT NULL" in made["koa_users"]
    assert "[user] NVARCHAR(150) NOT NULL" in made["koa_audit"]
    assert "scopes NVARCHAR(1000) NOT NULL" in made["koa_keys"]
