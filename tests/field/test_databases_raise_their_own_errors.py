"""What people bind, write and break: dbs answers or raises DatabaseError, which says what to write instead."""

from __future__ import annotations

import contextlib
import enum
import sys
import uuid
from collections.abc import Iterator
from datetime import UTC, date, datetime, time
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from markupsafe import Markup

from system.core.database.databases import Databases
from system.core.errors import DatabaseConflict, DatabaseError, DatabaseUnavailable, SettingsError
from system.core.settings import Settings
from tests.database_servers import MariaDB, PostgreSQL, Server

UID = uuid.UUID("12345678-1234-5678-1234-567812345678")


class Colour(enum.Enum):
    RED = "red"


class Size(enum.IntEnum):
    BIG = 3


class Money(enum.Enum):
    CENT = Decimal("0.01")


class Foreign:
    def __repr__(self) -> str:
        return "Foreign()"


@pytest.fixture(scope="module")
def mariadb() -> Iterator[Server]:
    server = MariaDB()
    yield server
    server.remove()


@pytest.fixture(scope="module")
def postgresql() -> Iterator[Server]:
    server = PostgreSQL()
    yield server
    server.remove()


def open_database(folder: Any, **entry: Any) -> Any:
    return Databases(Settings(path=folder, databases={"shop": entry}, defaultDatabase="shop"))["shop"]


@pytest.fixture(scope="module", params=["sqlite", "mariadb", "postgresql"])
def shop(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    folder = tmp_path_factory.mktemp("shop")
    entry = {"driver": "sqlite", "host": "shop.db"}
    if request.param != "sqlite":
        entry = request.getfixturevalue(request.param).entry
    db = open_database(folder, **entry)
    text = "varchar(200)"
    db.query(
        f"create table owners (id integer primary key, name {text} not null unique, age integer check (age > 0))"
    )
    db.query(
        f"create table goods (id integer primary key, owner integer, label {text}, price numeric(10, 2), "
        "foreign key (owner) references owners (id))"
    )
    yield db
    db.close()


@pytest.fixture
def db(shop: Any) -> Iterator[Any]:
    shop.query("delete from goods")
    shop.query("delete from owners")
    shop.query("insert into owners (id, name) values (1, 'Ann')")
    yield shop
    shop.rollbackTransaction()


def backend(db: Any) -> str:
    return str(db.engine.dialect.name)


@pytest.mark.parametrize(
    "value",
    [
        Decimal("12.90"),
        time(12, 30, 15),
        UID,
        date(2026, 1, 31),
        datetime(2026, 1, 31, 12, 30),
        Colour.RED,
        Size.BIG,
        Money.CENT,
        Markup("<b>&</b>"),
        True,
        None,
    ],
    ids=repr,
)
def test_every_type_that_a_parameter_can_have_is_bound(db: Any, value: Any) -> None:
    bound = db.getValue(
        f"select cast(:value as {'char(100)' if backend(db) == 'mysql' else 'text'})", {"value": value}
    )
    expected = getattr(value, "value", value)
    if isinstance(expected, Decimal):
        assert Decimal(bound) == expected
    elif isinstance(expected, bool):
        assert bound in ("1", "true")
    else:
        assert bound == (None if expected is None else str(expected))


@pytest.mark.parametrize("digits", ["12.90", "0", "-3", "1e3", "0.1", "99999999.99", "12345678901234567.89"])
def test_a_decimal_keeps_every_digit_in_a_text_column(db: Any, digits: str) -> None:
    db.query("insert into goods (id, label) values (1, :value)", {"value": Decimal(digits)})
    assert Decimal(db.getValue("select label from goods where id = 1")) == Decimal(digits)


def test_a_decimal_is_compared_as_a_number(db: Any) -> None:
    db.query("insert into goods (id, price) values (1, :price)", {"price": Decimal("12.90")})
    found = "select id from goods where price * 2 < :limit and price = :price"
    assert db.getValue(found, {"limit": Decimal(100), "price": Decimal("12.9")}) == 1


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ([1, 2], "tuple"),
        ({1, 2}, "tuple"),
        (frozenset("a"), "tuple"),
        ({"days": 28}, "json.dumps"),
        (Foreign(), "Foreign"),
        (range(3), "range"),
        (10**30, "64 bits"),
        (-(2**63) - 1, "64 bits"),
        ("\ud83d", "UTF-8"),
    ],
    ids=repr,
)
@pytest.mark.parametrize("verb", ["query", "rows", "getDictionary", "getValue"])
def test_a_value_that_no_column_holds_is_named_with_what_to_write(
    db: Any, value: Any, said: str, verb: str
) -> None:
    statement = "select id from owners where id = :the_id or name = :the_id"
    if isinstance(value, int | list) and backend(db) != "sqlite":
        statement = "update owners set age = :the_id"
    if backend(db) == "postgresql" and isinstance(value, list):
        pytest.skip("PostgreSQL has lists")
    with pytest.raises(DatabaseError, match=said) as caught:
        getattr(db, verb)(statement, {"the_id": value})
    assert ":the_id" in str(caught.value)
    assert type(caught.value) is DatabaseError


def test_a_list_is_an_array_for_postgresql(db: Any) -> None:
    if backend(db) == "postgresql":
        assert db.getValue("select id from owners where name = any(:names)", {"names": ["Ann", "Bob"]}) == 1


@pytest.mark.parametrize("values", ["Ann", b"Ann", 5, ["Ann"], ("Ann",), [("Ann",)], [1, 2], Foreign()])
@pytest.mark.parametrize(
    "sql", ["select id from owners where name = ?", "select id from owners where name = :name"]
)
def test_values_by_position_are_refused_and_not_dropped(db: Any, sql: str, values: Any) -> None:
    with pytest.raises(DatabaseError, match="write :name in the SQL"):
        db.query(sql, values)


@pytest.mark.parametrize("sign", ["?", "%s", "$1", "@name"])
def test_the_signs_of_drivers_are_answered_with_the_one_to_write(db: Any, sign: str) -> None:
    if backend(db) == "mysql" and sign == "@name":
        pytest.skip("a variable of the session")
    with pytest.raises(DatabaseError, match=r"write :name in the SQL"):
        db.query(f"select id from owners where name = {sign}", {"name": "Ann"})


@pytest.mark.parametrize(
    "sql", [None, 5, b"select 1", ["select 1"], "", ";", "selec 1", "select 1; select 2", "\x00"]
)
def test_what_is_no_statement_is_a_database_error(db: Any, sql: Any) -> None:
    with contextlib.suppress(DatabaseError):
        db.query(sql)
        assert sql in ("", ";") or backend(db) == "postgresql"


@pytest.mark.parametrize("name", [None, 5, "a.b.c", "x" * 500, "\x00"])
def test_an_odd_table_name_is_a_no_or_a_database_error(db: Any, name: Any) -> None:
    with contextlib.suppress(DatabaseError):
        assert db.checkTable(name) is False


@pytest.mark.parametrize(
    ("sql", "text"),
    [
        ("""select '{"days":28}'""", '{"days":28}'),
        ("""select '{"a":":b",":c":1}'""", '{"a":":b",":c":1}'),
        ("select ':name'", ":name"),
        ("select ' :name '' :other'", " :name ' :other"),
        ("select 'a' -- :comment ' and :more\n", "a"),
        ("select /* :comment 'x */ 'b'", "b"),
        ("select ':x' /* ' */ , ':y'", ":x"),
        ("select '12:30:15'", "12:30:15"),
        ("select '::'", "::"),
        ("select 'http://x:80/:id'", "http://x:80/:id"),
        ("select 'ends with a backslash \\\\'", None),
        ("select '100%' where ':a' = ':a'", "100%"),
    ],
)
def test_a_colon_in_a_text_or_comment_is_no_value(db: Any, sql: str, text: str | None) -> None:
    found = db.getValue(sql)
    assert found == text if text is not None else found.startswith("ends")
    assert db.query("select " + sql.removeprefix("select ").split(" where")[0].rstrip("\n") + "\n", {"unused": 1})


def test_a_value_beside_a_text_with_colons_is_bound(db: Any) -> None:
    name = "concat(':x', :name)" if backend(db) == "mysql" else "':x' || :name"
    assert db.getValue(f"select {name} -- :no", {"name": "Ann"}) == ":xAnn"
    assert db.getValue(f"select {name} from owners where id in :ids", {"name": "Ann", "ids": (1, 2)}) == ":xAnn"


def test_a_quoted_name_may_have_a_colon(db: Any) -> None:
    quote = "`" if backend(db) == "mysql" else '"'
    assert db.rows(f"select id as {quote}a :b{quote} from owners") == [{"a :b": 1}]


def test_dialects_of_text_are_known(db: Any) -> None:
    if backend(db) == "mysql":
        assert db.getValue(r"select 'it\'s :x'") == "it's :x"
        assert db.getValue("select \"say ':x'\" # :comment\n") == "say ':x'"
    if backend(db) == "postgresql":
        assert db.getValue(r"select E'it\'s :x'") == "it's :x"
        assert db.getValue("select $tag$ :x 'y $tag$") == " :x 'y "
        assert db.getValue("select '5'::integer + :x", {"x": 1}) == 6
        assert db.getValue("select (array[1,2,3])[1:2]") == [1, 2]


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(text=st.text(st.characters(exclude_characters="\x00\\", codec="utf-8"), max_size=30))
def test_any_text_written_into_a_statement_comes_back(db: Any, text: str) -> None:
    literal = "'" + text.replace("'", "''") + "'"
    assert db.getValue(f"select {literal}") == text
    assert db.getDictionary(f"select {literal} as a, :b as b", {"b": text}) == {"a": text, "b": text}


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    value=st.one_of(
        st.integers(-(2**70), 2**70),
        st.floats(allow_nan=False),
        st.decimals(allow_nan=False, allow_infinity=False),
        st.text(max_size=20),
        st.binary(max_size=20),
        st.datetimes(),
        st.dates(),
        st.times(),
        st.timedeltas(),
        st.uuids(),
        st.lists(st.integers(), max_size=3),
        st.dictionaries(st.text(max_size=3), st.integers(), max_size=2),
        st.tuples(st.integers(), st.text(max_size=3)),
        st.sampled_from([Colour.RED, Size.BIG, Foreign(), Foreign, ..., sys, 1j, range(3), UTC]),
    )
)
def test_any_value_is_bound_or_refused_with_a_database_error(db: Any, value: Any) -> None:
    for values in ({"value": value}, [{"value": value}], {"value": (value, value)}):
        with contextlib.suppress(DatabaseError):
            db.query("update goods set label = :value where id in :value", values)


def test_rows_is_a_list_of_dicts(db: Any) -> None:
    db.query("insert into owners (id, name) values (2, 'Bob')")
    assert db.rows("select id, name from owners order by id") == [
        {"id": 1, "name": "Ann"},
        {"id": 2, "name": "Bob"},
    ]
    assert db.rows("select id from owners where id = :id", {"id": 9}) == []
    assert db.rows("select id from owners where id in :ids", {"ids": (2, 3)}) == [{"id": 2}]


@pytest.mark.parametrize("verb", ["rows", "getDictionary", "getValue"])
def test_a_statement_without_rows_is_sent_to_query(db: Any, verb: str) -> None:
    with pytest.raises(DatabaseError, match=r"call query\(\)"):
        getattr(db, verb)("update owners set name = 'x'")


BROKEN_KEYS = [
    ("insert into owners (id, name) values (1, 'Bob')", "unique"),
    ("insert into owners (id, name) values (2, 'Ann')", "unique"),
    ("update owners set name = 'Ann' where id = 3", "unique"),
    ("insert into goods (id, owner) values (1, 99)", "foreign"),
    ("delete from owners where id = 3", "foreign"),
    ("update owners set id = 4 where id = 3", "foreign"),
]


@pytest.mark.parametrize(("sql", "key"), BROKEN_KEYS)
def test_a_broken_key_is_an_error_of_its_own(db: Any, sql: str, key: str) -> None:
    db.query("insert into owners (id, name) values (3, 'Cid')")
    db.query("insert into goods (id, owner) values (7, 3)")
    with pytest.raises(DatabaseConflict) as caught:
        db.query(sql)
    assert caught.value.key == key
    assert caught.value.status == 409
    assert sql.split()[0] in str(caught.value)
    assert "owners" not in caught.value.detail


@pytest.mark.parametrize(
    "sql",
    ["insert into owners (id, name) values (5, null)", "update owners set age = -1", "select 1 from nowhere"],
)
def test_another_failure_is_no_conflict(db: Any, sql: str) -> None:
    with pytest.raises(DatabaseError) as caught:
        db.query(sql)
    assert type(caught.value) is DatabaseError


def test_a_key_that_is_checked_at_the_commit_is_a_conflict_too(db: Any) -> None:
    if backend(db) == "mysql":
        pytest.skip("checks keys at once")
    db.query("drop table if exists later")
    db.query("create table later (owner integer references owners (id) deferrable initially deferred)")
    db.startTransaction()
    db.query("insert into later (owner) values (99)")
    with pytest.raises(DatabaseConflict):
        db.commitTransaction()
    db.rollbackTransaction()
    assert db.rows("select * from later") == []
    db.query("drop table later")


ROUTES = """
    from kernkoa import *

    class Owners:
        def open(self):
            dbs["shop"].query("create table owners (id integer primary key)")

        @allow("POST")
        def add(self, id: int):
            dbs["shop"].query("insert into owners (id) values (:id)", {"id": id})
"""


def test_a_conflict_that_nobody_catches_is_a_409_that_names_no_table(site: Any, monkeypatch: Any) -> None:
    app = site.app(databases={"shop": {"driver": "sqlite", "host": "shop.db"}}, defaultDatabase="shop")
    monkeypatch.setattr("kernkoa.dbs", app.dbs)
    site.write("owners.py", ROUTES)
    client = app.test_client()
    assert client.get("/owners/open").status_code == 204
    assert client.post("/owners/add?id=9223372036854775808").status_code == 500
    assert client.post("/owners/add?id=1").status_code == 204
    answer = client.post("/owners/add?id=1")
    assert answer.status_code == 409
    assert answer.json["title"] == "Conflict"
    assert "owners" not in answer.text
    assert client.post("/owners/add?id=9223372036854775807").status_code == 204


@pytest.mark.parametrize(
    "entry",
    [
        {"url": "postgresql://host:port/x"},
        {"url": "nodialect://host/x"},
        {"url": "postgresql+nodriver://host/x"},
        {"url": "postgresql://127.0.0.1:1/x?no_such=1"},
        {"driver": "sqlite", "host": "file.txt/shop.db"},
    ],
)
def test_an_entry_that_cannot_be_opened_is_a_settings_error(tmp_path: Any, entry: dict[str, Any]) -> None:
    (tmp_path / "file.txt").write_text("")
    with pytest.raises((SettingsError, DatabaseUnavailable)):
        open_database(tmp_path, **entry).query("select 1")
