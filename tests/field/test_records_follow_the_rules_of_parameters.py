"""The rules of docs/parameters.md hold for parameters, fields, nested fields and list items, of any kind of record."""

from __future__ import annotations

from typing import Any

import pytest

TYPES = """
    from __future__ import annotations
    import dataclasses, enum
    from datetime import date, datetime, time, timedelta
    from decimal import Decimal
    from typing import Annotated, Any, Literal, NamedTuple, Optional
    from pydantic import BaseModel, Field, RootModel
    from typing_extensions import TypedDict, NotRequired

    class Level(enum.Enum):
        LOW = 1
        HIGH = 2

    class Model(BaseModel):
        name: str = ""
        age: int | None = None
        level: Level = Level.LOW
        size: Literal[1, 2] = 1
        ratio: float = 0
        tags: list[int] = []
        on: bool = False
        when: date | None = None

    @dataclasses.dataclass
    class Data:
        name: str = ""
        age: int | None = None
        level: Level = Level.LOW
        size: Literal[1, 2] = 1
        ratio: float = 0
        tags: list[int] = dataclasses.field(default_factory=list)
        on: bool = False
        when: date | None = None

    class Dict(TypedDict, total=False):
        name: str
        age: int | None
        level: Level
        size: Literal[1, 2]
        ratio: float
        tags: list[int]
        on: bool
        when: date | None

    class Root(RootModel[Model]):
        pass

    class Outer(BaseModel):
        inner: Model
        others: list[Model] = []

    class Numbers(RootModel[list[int]]):
        pass

    class Person(BaseModel):
        name: str
        age: int = Field(ge=0)

    def plain(value):
        value = getattr(value, "root", value)
        found = vars(value) if hasattr(value, "__dict__") else dict(value)
        return {name: getattr(item, "value", item) for name, item in found.items() if item not in (None, [])}

    class Lib:
        def model(self, r: Model): return plain(r)
        def data(self, r: Data): return plain(r)
        def dict(self, r: Dict): return plain(r)
        def root(self, r: Root): return plain(r)
        def flat(self, name: str = "", age: int | None = None, level: Level = Level.LOW, size: Literal[1, 2] = 1,
                 ratio: float = 0, tags: list[int] = [], on: bool = False, when: date | None = None):
            return plain(Model(name=name, age=age, level=level, size=size, ratio=ratio, tags=tags, on=on, when=when))
        def outer(self, r: Outer): return plain(r.inner)
        def person(self, p: Person): return [p.name, p.age]
        def two(self, a: Model, b: Person): return [a.age, b.name]
        def optional(self, r: Model | None = None): return [r is None]
        def numbers(self, n: list[int]): return n
        def texts(self, t: list[str]): return t
        def models(self, m: list[Model]): return len(m)
        def ages(self, n: list[Model]): return [model.age for model in n]
        def outers(self, r: Outer): return [model.age for model in r.others]
        def root_list(self, n: Numbers): return n.root
        def both(self, p: Person, tags: list[int] = []): return [p.name, tags]
        def anything(self, v: dict): return v
"""
KINDS = ["flat", "model", "data", "dict", "root"]


@pytest.fixture
def client(site: Any) -> Any:
    site.write("lib.py", TYPES)
    return site.client()


def ask(client: Any, method: str, door: str, sent: str) -> Any:
    if door == "query":
        return client.get(f"/lib/{method}?{sent}")
    if door == "form":
        return client.post(f"/lib/{method}", data=sent, content_type="application/x-www-form-urlencoded")
    parts = [pair.partition("=") for pair in sent.split("&") if pair]
    body = "".join(
        f'--x\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n' for name, _, value in parts
    )
    return client.post(f"/lib/{method}", data=body + "--x--\r\n", content_type="multipart/form-data; boundary=x")


@pytest.mark.parametrize("door", ["query", "form", "multipart"])
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    ("sent", "values"),
    [
        ("name=Ann&age=", {"name": "Ann"}),
        ("age=&level=&size=&ratio=&on=&when=&tags=", {}),
        ("name=&age=3", {"age": 3}),
        ("level=2&size=2", {"level": 2, "size": 2}),
        ("tags=1&tags=2", {"tags": [1, 2]}),
        ("tags=1&tags=", {"tags": [1]}),
        ("tags=7", {"tags": [7]}),
        ("on=on&when=2026-01-31", {"on": True, "when": "2026-01-31"}),
        ("name=a", {"name": "a"}),
    ],
)
def test_a_text_fills_a_field_as_it_fills_a_parameter(
    client: Any, door: str, kind: str, sent: str, values: dict[str, Any]
) -> None:
    answer = ask(client, kind, door, sent)
    assert answer.status_code == 200, answer.text
    assert answer.get_json().items() >= values.items()
    assert answer.get_json().get("age") == values.get("age")


@pytest.mark.parametrize("door", ["query", "form"])
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    ("sent", "name"),
    [
        ("age=1&age=2", "age"),
        ("ratio=nan", "ratio"),
        ("ratio=inf", "ratio"),
        ("level=3", "level"),
        ("size=x", "size"),
        ("when=20260131", "when"),
        ("when=1769817600", "when"),
        ("on=perhaps", "on"),
        ("tags=1&tags=x", "tags.1"),
    ],
)
def test_a_text_that_a_parameter_refuses_is_refused_by_a_field(
    client: Any, door: str, kind: str, sent: str, name: str
) -> None:
    answer = ask(client, kind, door, sent)
    assert answer.status_code == 422, answer.text
    (fault,) = answer.get_json()["errors"]
    assert fault["name"] == name
    assert fault["expected"] not in ("a value", "Field required")
    flat = ask(client, "flat", door, sent).get_json()["errors"][0]
    assert fault["name"] == flat["name"]


@pytest.mark.parametrize("kind", ["model", "data", "dict", "root", "outer"])
@pytest.mark.parametrize("field", ["ratio", "when"])
@pytest.mark.parametrize("value", ["nan", "Infinity", "20260131", 1769817600, True])
def test_json_follows_the_same_rules(client: Any, kind: str, field: str, value: Any) -> None:
    body = {field: value} if kind != "outer" else {"inner": {field: value}}
    is_number = field == "ratio" and value in ("20260131", 1769817600, True)
    assert client.post(f"/lib/{kind}", json=body).status_code == (200 if is_number else 422)


@pytest.mark.parametrize("kind", [*KINDS, "optional", "anything"])
def test_a_record_of_which_nothing_is_required_may_be_left_out(client: Any, kind: str) -> None:
    assert client.get(f"/lib/{kind}").status_code == 200
    assert client.post(f"/lib/{kind}").status_code == 200


def test_the_faults_of_a_record_speak_to_people(client: Any) -> None:
    faults = {fault["name"]: fault for fault in client.get("/lib/person?nam=Ann").get_json()["errors"]}
    assert faults["name"]["expected"] == "text"
    assert faults["name"]["hint"] == "You sent 'nam'; did you mean 'name'?"
    assert faults["age"]["expected"] == "a whole number, at least 0"
    assert faults["age"]["hint"] == "Send 'age'; it is missing."
    (fault,) = client.post("/lib/person", json={"name": "Ann", "age": -1}).get_json()["errors"]
    assert (fault["name"], fault["expected"], fault["got"]) == ("age", "a whole number, at least 0", -1)
    (fault,) = client.post("/lib/outer", json={"inner": {}, "others": [{}, {"age": "x"}]}).get_json()["errors"]
    assert (fault["name"], fault["expected"]) == ("others.1.age", "a whole number")
    (fault,) = client.post("/lib/two", json={"a": {"age": 1}}).get_json()["errors"]
    assert (fault["name"], fault["hint"]) == ("b", "Send 'b'; it is missing.")


@pytest.mark.parametrize(
    ("method", "body", "answer"),
    [
        ("numbers", [1, 2], [1, 2]),
        ("numbers", [], []),
        ("texts", ["a"], ["a"]),
        ("models", [{}, {"age": 1}], 2),
        ("root_list", [3], [3]),
        ("numbers", {"n": [1]}, [1]),
        ("root_list", {"n": [1]}, [1]),
    ],
)
def test_a_json_list_fits_a_single_parameter_of_a_list_type(
    client: Any, method: str, body: Any, answer: Any
) -> None:
    assert client.post(f"/lib/{method}", json=body).get_json() == answer


@pytest.mark.parametrize("door", ["query", "form", "multipart"])
@pytest.mark.parametrize(
    ("method", "sent", "ages"),
    [
        ("ages", 'n={"age":1}', [1]),
        ("ages", 'n={"age":1}&n={"age":2}', [1, 2]),
        ("ages", 'n=[{"age":1},{"age":2}]', [1, 2]),
        ("ages", 'n={"age":1}&n=&n={"age":3}', [1, 3]),
        ("outers", 'inner={}&others={"age":4}', [4]),
        ("outers", 'inner={}&others={"age":4}&others={"age":5}', [4, 5]),
        ("outers", 'inner={}&others=[{"age":4},{"age":5}]', [4, 5]),
        ("outers", "inner={}&others=", []),
    ],
)
def test_a_list_of_records_is_json_text_of_each_or_of_all(
    client: Any, door: str, method: str, sent: str, ages: list[int]
) -> None:
    answer = ask(client, method, door, sent)
    assert answer.get_json() == ages, answer.text


def test_a_wrong_record_in_a_list_is_named_as_it_was_sent(client: Any) -> None:
    answer = ask(client, "ages", "form", 'n={"age":1}&n={"age":"x"}')
    assert [fault["name"] for fault in answer.get_json()["errors"]] == ["n.1.age"]
    answer = client.post("/lib/ages", json=[{"age": 1}, {"age": "x"}])
    assert [fault["name"] for fault in answer.get_json()["errors"]] == ["1.age"]


def test_a_nested_record_travels_in_a_form_as_json_text(client: Any) -> None:
    for door in ("query", "form", "multipart"):
        answer = ask(
            client,
            "outer",
            door,
            'inner={"age":%205}'.replace("%20", " ") if door == "multipart" else 'inner={"age":5}',
        )
        assert answer.get_json()["age"] == 5
    assert ask(client, "outer", "query", "inner=text").status_code == 422
