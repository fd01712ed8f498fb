"""What the document says of answers is what the annotation says, and what the site answers."""

from __future__ import annotations

from typing import Any

import pytest
from jsonschema import Draft202012Validator

HEAD = """
import dataclasses, datetime, decimal, enum, uuid
from collections.abc import Iterator
from typing import Annotated, Any, Generator, Literal, NewType, Optional, Union
from flask import Response, redirect
from pydantic import BaseModel, Field, computed_field
from typing_extensions import TypedDict
from system.core.dispatch.decorators import allow, background

class Line(BaseModel):
    name: str
    price: decimal.Decimal = decimal.Decimal("1.50")
    at: datetime.date = datetime.date(2026, 1, 31)
    @computed_field
    @property
    def label(self) -> str:
        return self.name.upper()

class Order(BaseModel):
    lines: list[Line] = []
    note: str | None = Field(None, alias="Note")

@dataclasses.dataclass
class Point:
    x: int
    y: int = 0

class Person(TypedDict):
    name: str

class Size(enum.Enum):
    SMALL = "s"
"""

# annotation, what is returned, status, media type
ANSWERS = [
    ("Order", "Order(lines=[Line(name='a')])", 200, "application/json"),
    ("'Order'", "Order()", 200, "application/json"),
    ("list[Order]", "[Order()]", 200, "application/json"),
    ("dict[str, int]", "{'a': 1}", 200, "application/json"),
    ("dict[str, Line]", "{'a': Line(name='b')}", 200, "application/json"),
    ("Point", "Point(1)", 200, "application/json"),
    ("Person", "{'name': 'Ann'}", 200, "application/json"),
    ("int", "3", 200, "application/json"),
    ("float", "0.5", 200, "application/json"),
    ("bool", "True", 200, "application/json"),
    ("Literal[1, 2]", "1", 200, "application/json"),
    ("list[decimal.Decimal]", "[decimal.Decimal('1.5')]", 200, "application/json"),
    ("list[uuid.UUID]", "[uuid.uuid4()]", 200, "application/json"),
    ("list[tuple[int, str]]", "[(1, 'a')]", 200, "application/json"),
    ("Annotated[Order, 'x']", "Order()", 200, "application/json"),
    ("Union[Order, Point]", "Point(1)", 200, "application/json"),
    ("Order | None", "Order()", 200, "application/json"),
    ("Optional[Order]", "None", 204, ""),
    ("None", "None", 204, ""),
    ("str", "'text'", 200, "text/html"),
    ("Literal['a', 'b']", "'a'", 200, "text/html"),
    ("str | Order", "Order()", 200, "application/json"),
    ("str | Order", "'text'", 200, "text/html"),
    ("bytes", "b'abc'", 200, "application/octet-stream"),
    ("Iterator[str]", "iter(['a', 'b'])", 200, "text/html"),
    ("Iterator[bytes]", "iter([b'a'])", 200, "text/html"),
    ("Iterator[Line]", "iter([Line(name='a')])", 200, "application/jsonl"),
    ("Iterator[Line]", "iter([])", 200, "application/jsonl"),
    ("'Iterator[Line]'", "iter([])", 200, "application/jsonl"),
    ("Iterator[str]", "iter([])", 200, "text/html"),
    ("Iterator[dict[str, int]]", "iter([{'a': 1}])", 200, "application/jsonl"),
    ("tuple[Order, Literal[201]]", "(Order(), 201)", 201, "application/json"),
    ("tuple[Order, Literal[200, 202]]", "(Order(), 202)", 202, "application/json"),
    ("tuple[str, Literal[418]]", "('teapot', 418)", 418, "text/html"),
]


def responses_of(site: Any, annotation: str, value: str) -> tuple[dict[str, Any], dict[str, Any], Any]:
    site.write("it.py", f"{HEAD}\nclass it:\n    def index(self) -> {annotation}:\n        return {value}\n")
    client = site.client(explorer="public")
    document = client.get("/_koa/openapi.json").get_json()
    found: dict[str, Any] = document["paths"]["/it"]["get"]["responses"]
    return document, found, client


@pytest.mark.parametrize(("annotation", "value", "status", "media"), ANSWERS)
def test_a_method_answers_as_its_annotation_says(
    site: Any, annotation: str, value: str, status: int, media: str
) -> None:
    document, found, client = responses_of(site, annotation, value)
    answer = client.get("/it")
    assert answer.status_code == status
    assert "2XX" not in found
    content = found[str(status)].get("content", {})
    assert answer.mimetype == (media if media else answer.mimetype)
    assert bool(content) == bool(media)
    if media == "application/json":
        schema = {**content[media]["schema"], "components": document["components"]}
        Draft202012Validator(schema).validate(answer.get_json())
    elif media:
        assert media in content


TASKS = """
from system.core.dispatch.responses import Task
class it:
    def index(self) -> Task[list[Order]]: return Task(type="task", id="1", url="/status/1")
    def bare(self) -> Task: return Task(type="task", id="1", url="/status/1")
    def made(self) -> tuple[Task[int], Literal[202]]: return Task(type="task", id="1", url="/status/1"), 202
    @background
    def slow(self) -> Order: return Order()
    @background
    def open(self, params): return params
"""


@pytest.mark.parametrize(
    ("path", "status", "data"),
    [
        ("/it", 200, {"type": "array", "items": {"$ref": "#/components/schemas/Order"}}),
        ("/it/bare", 200, None),
        ("/it/made", 202, {"type": "integer"}),
        ("/it/slow", 202, {"$ref": "#/components/schemas/Order"}),
        ("/it/open", 202, None),
    ],
)
def test_what_a_task_returns_is_linked(site: Any, path: str, status: int, data: Any) -> None:
    site.write("it.py", HEAD + TASKS)
    client = site.client(explorer="public")
    document = client.get("/_koa/openapi.json").get_json()
    found = document["paths"][path]["get"]["responses"][str(status)]
    assert found["content"]["application/json"]["schema"] == {"$ref": "#/components/schemas/Task"}
    link = found["links"]["status"]
    assert document["paths"]["/status/{id}"]["get"]["operationId"] == link["operationId"]
    result = link.get("x-schema", {"$ref": "/TaskStatus"})["$ref"].rpartition("/")[2]
    assert document["components"]["schemas"][result]["properties"]["data"] == (data or {})
    if path != "/it/slow" and path != "/it/open":
        assert client.get(path).status_code == status


@pytest.mark.parametrize(
    "annotation", ["Any", "object", "Response", "Order | Response", "tuple[Order, int]", "'Nowhere'"]
)
def test_what_an_annotation_does_not_say_is_left_open(site: Any, annotation: str) -> None:
    _, found, client = responses_of(site, annotation, "Response('x')")
    assert {"2XX", "3XX", "default"} == set(found)
    assert client.get("/it").status_code == 200


def test_models_of_answers_are_told_apart_from_those_that_are_sent(site: Any) -> None:
    site.write("it.py", f"{HEAD}\nclass it:\n    def index(self, line: Line) -> Line:\n        return line\n")
    document = site.client(explorer="public").get("/_koa/openapi.json").get_json()
    schemas = document["components"]["schemas"]
    operation = document["paths"]["/it"]["post"]
    sent = operation["requestBody"]["content"]["application/json"]["schema"]["$ref"].rpartition("/")[2]
    answered = operation["responses"]["200"]["content"]["application/json"]["schema"]["$ref"].rpartition("/")[2]
    assert schemas[sent]["properties"]["price"]["type"] == "number"
    assert schemas[answered]["properties"]["price"]["type"] == "string"
    assert "label" in schemas[answered]["properties"]
    assert "label" not in schemas[sent]["properties"]


def test_only_the_errors_that_a_method_can_give_are_listed(site: Any) -> None:
    site.write(
        "it.py",
        f"{HEAD}\nclass it:\n    def nothing(self) -> None: pass\n    def typed(self, n: int) -> None: pass\n"
        "    def untyped(self, params): return params['x']\n    @background\n    def slow(self, params): return {'a': params['x']}\n",
    )
    paths = site.client(explorer="public").get("/_koa/openapi.json").get_json()["paths"]
    statuses = {
        (verb, path): set(operation["responses"]) - {"default"}
        for path, verbs in paths.items()
        for verb, operation in verbs.items()
    }
    assert statuses["get", "/it/nothing"] == {"204"}
    assert statuses["post", "/it/nothing"] == {"204"}
    assert statuses["get", "/it/typed"] == {"204", "400", "422"}
    assert statuses["get", "/it/typed/{n}"] == {"204", "400", "404", "422"}
    assert statuses["post", "/it/typed"] == {"204", "400", "413", "415", "422"}
    assert statuses["get", "/it/untyped"] == {"2XX", "3XX", "400"}
    assert statuses["post", "/it/slow"] >= {"202", "2XX", "413"}
    described = paths["/it/slow"]["get"]["responses"]["2XX"]["description"]
    assert described == "An object with a."


def test_the_setting_openapi_adds_to_the_document(site: Any) -> None:
    site.write("it.py", "class it:\n    def index(self): return 'x'\n")
    more = {
        "info": {"version": "2.1.0", "contact": {"email": "a@example.org"}},
        "servers": [{"url": "https://example.org"}],
        "components": {"securitySchemes": {"key": {"type": "apiKey", "in": "header", "name": "X-Key"}}},
        "security": [{"key": []}],
    }
    document = site.client(explorer="public", name="Shop", openapi=more).get("/_koa/openapi.json").get_json()
    assert document["info"] == {"title": "Shop", "version": "2.1.0", "contact": {"email": "a@example.org"}}
    assert document["servers"] == [{"url": "https://example.org"}]
    assert document["components"]["securitySchemes"]["key"]["name"] == "X-Key"
    assert "Problem" in document["components"]["schemas"]
