"""Typed parameters: what a client may send, and what it is told when that does not fit."""

from __future__ import annotations

import io
import json
import logging
from typing import Any

import pytest

from system.core.dispatch.calling import make_binding
from system.core.dispatch.params import Params
from system.core.dispatch.signature import read_signature
from system.core.errors import InvalidParameters

TYPES = """
import enum
import dataclasses
from datetime import date, datetime, time
from decimal import Decimal
from typing import Annotated, Any, Literal, Optional, Union
from uuid import UUID
from pydantic import BaseModel, Field
from typing_extensions import TypedDict
from werkzeug.datastructures import FileStorage
from system.core.dispatch.params import Params
from system.core.dispatch.decorators import allow

class Colour(enum.Enum):
    RED = "red"
    BLUE = "blue"

class Level(enum.Enum):
    LOW = 1
    HIGH = 2

class Item(BaseModel):
    name: str
    price: Decimal
    tags: list[str] = []

@dataclasses.dataclass
class Point:
    x: int
    y: int = 0

class Address(TypedDict):
    street: str
    zip: str

class index:
"""


def write(site: Any, method: str, path: str = "index.py") -> Any:
    """A site with one typed method, and its client."""
    body = "\n".join("    " + line for line in method.strip().splitlines())
    site.write(path, TYPES.replace("class index:", f"class {path.split('/')[-1][:-3]}:") + body + "\n")
    return site.client()


def fault_of(response: Any) -> dict[str, Any]:
    """The only fault of a 422."""
    assert response.status_code == 422, response.text
    assert response.content_type == "application/problem+json"
    (fault,) = response.json["errors"]
    assert set(fault) == {"name", "source", "expected", "got", "hint"}
    return dict(fault)


@pytest.mark.parametrize(
    ("annotation", "query", "value"),
    [
        ("str", "v=caf%C3%A9", "'café'"),
        ("str", "v=", "''"),
        ("int", "v=-7", "-7"),
        ("float", "v=2.5", "2.5"),
        ("bool", "v=1", "True"),
        ("bool", "v=0", "False"),
        ("bool", "v=true", "True"),
        ("bool", "v=false", "False"),
        ("bool", "v=on", "True"),
        ("bool", "v=off", "False"),
        ("bool", "v=Yes", "True"),
        ("bool", "v=no", "False"),
        ("Decimal", "v=0.10", "Decimal('0.10')"),
        ("date", "v=2026-01-31", "datetime.date(2026, 1, 31)"),
        ("datetime", "v=2026-01-31T14:30:00", "datetime.datetime(2026, 1, 31, 14, 30)"),
        ("time", "v=14:30", "datetime.time(14, 30)"),
        ("UUID", "v=12345678123456781234567812345678", "UUID('12345678-1234-5678-1234-567812345678')"),
        ("Colour", "v=blue", "<Colour.BLUE: 'blue'>"),
        ("Level", "v=2", "<Level.HIGH: 2>"),
        ("Literal['m', 'cm']", "v=cm", "'cm'"),
        ("Literal[1, 2]", "v=2", "2"),
        ("Literal[True, 'maybe']", "v=true", "True"),
        ("Optional[int]", "v=3", "3"),
        ("int | str", "v=x", "'x'"),
        ("Union[int, Literal['all']]", "v=all", "'all'"),
        ("Annotated[int, Field(ge=1, le=9)]", "v=9", "9"),
        ("list[int]", "v=1&v=2", "[1, 2]"),
        ("list[str]", "v=only", "['only']"),
        ("list[Level]", "v=1&v=2", "[<Level.LOW: 1>, <Level.HIGH: 2>]"),
        ("Optional[list[int]]", "v=1", "[1]"),
        ("set[int]", "v=1&v=1", "{1}"),
        ("tuple[int, str]", "v=1&v=a", "(1, 'a')"),
        ("dict[str, int]", "a=1&b=2", "{'a': 1, 'b': 2}"),
        ("Point", "x=1&y=2", "Point(x=1, y=2)"),
        ("Address", "street=A&zip=1", "{'street': 'A', 'zip': '1'}"),
        ("Item", "name=a&price=1.5&tags=x&tags=y", "Item(name='a', price=Decimal('1.5'), tags=['x', 'y'])"),
        ("Any", "v=5", "'5'"),
    ],
)
def test_a_value_of_the_query_or_a_form_is_converted(site: Any, annotation: str, query: str, value: str) -> None:
    client = write(site, f"def index(self, v: {annotation}):\n    return [repr(v)]")
    assert client.get(f"/?{query}").json == [value]
    posted = client.post("/", data=query, content_type="application/x-www-form-urlencoded")
    assert posted.json == [value]


@pytest.mark.parametrize(
    ("annotation", "body", "value"),
    [
        ("int", {"v": 5}, "5"),
        ("list[int]", {"v": [1, 2]}, "[1, 2]"),
        ("set[str]", {"v": ["a"]}, "{'a'}"),
        ("date", {"v": "2026-01-31"}, "datetime.date(2026, 1, 31)"),
        ("Level", {"v": 2}, "<Level.HIGH: 2>"),
        ("Optional[int]", {"v": None}, "None"),
        ("Point", {"x": 1, "y": 2}, "Point(x=1, y=2)"),
        ("Item", {"name": "a", "price": "1.5"}, "Item(name='a', price=Decimal('1.5'), tags=[])"),
        ("Address", {"street": "A", "zip": "1"}, "{'street': 'A', 'zip': '1'}"),
        ("dict[str, int]", {"a": 1}, "{'a': 1}"),
        ("list[Point]", [{"x": 1}], "[Point(x=1, y=0)]"),
        ("list[Point]", {"v": [{"x": 1}]}, "[Point(x=1, y=0)]"),
    ],
)
def test_a_json_body_is_converted(site: Any, annotation: str, body: Any, value: str) -> None:
    client = write(site, f"def index(self, v: {annotation}):\n    return [repr(v)]")
    assert client.post("/", json=body).json == [value]


def test_one_method_serves_query_form_multipart_json_and_path(site: Any) -> None:
    client = write(site, "def index(self, id: int, name: str = 'x'):\n    return [id, name]")
    assert client.get("/?id=1&name=a").json == [1, "a"]
    assert client.post("/", data={"id": "1", "name": "a"}).json == [1, "a"]
    form = {"id": "1", "name": "a"}
    assert client.post("/", data=form, content_type="multipart/form-data").json == [1, "a"]
    assert client.post("/", json={"id": 1, "name": "a"}).json == [1, "a"]
    assert client.get("/1/a").json == [1, "a"]
    assert client.get("/1?name=a").json == [1, "a"]


def test_left_over_segments_fill_the_parameters_of_the_default_class(site: Any) -> None:
    client = write(site, "def show(self, id: int):\n    return {'id': id}", "blog/posts.py")
    assert client.get("/blog/posts/show/42").json == {"id": 42}
    assert client.get("/blog/posts/show/42/43").status_code == 404
    assert fault_of(client.get("/blog/posts/show/abc"))["source"] == "path"


def test_segments_skip_what_cannot_be_written_in_a_path(site: Any) -> None:
    client = write(
        site, "def index(self, upload: FileStorage = None, item: Point = None, n: int = 0):\n    return [n]"
    )
    assert client.get("/5").json == [5]
    assert client.get("/5/6").status_code == 404


def test_star_arguments_take_every_segment_that_is_left(site: Any) -> None:
    client = write(site, "def index(self, first: str, *rest: int, last: int = 0):\n    return [first, rest, last]")
    assert client.get("/a/1/2?last=3").json == ["a", [1, 2], 3]
    assert fault_of(client.get("/a/1/x"))["name"] == "rest"


def test_double_star_arguments_take_every_other_name(site: Any) -> None:
    client = write(site, "def index(self, a: int, **others: int):\n    return [a, others]")
    assert client.get("/?a=1&b=2&c=3").json == [1, {"b": 2, "c": 3}]
    assert fault_of(client.get("/?a=1&b=x"))["name"] == "b"


def test_the_body_counts_before_the_query_and_the_path_before_both(site: Any) -> None:
    client = write(site, "def index(self, n: int):\n    return [n]")
    assert client.post("/?n=1", data={"n": "2"}).json == [2]
    assert client.post("/?n=1", json={"n": 3}).json == [3]
    assert client.post("/4?n=1", json={"n": 3}).json == [4]


def test_parameters_without_annotation_are_text(site: Any) -> None:
    client = write(site, "def index(self, a, b='x'):\n    return [a, b]")
    assert client.get("/?a=1").json == ["1", "x"]
    assert client.get("/1/2").json == ["1", "2"]


def test_double_star_arguments_never_take_what_the_kernel_passes(site: Any) -> None:
    client = write(site, "def index(self, celery=1, **others):\n    return others")
    assert client.get("/?self=1&celery_instance=2&b=3").json == {"b": "3"}


def test_a_part_without_a_name_is_no_parameter(site: Any) -> None:
    client = write(site, "def index(self, n: int, **others):\n    return others")
    body = b"--x\r\nContent-Disposition: form-data\r\n\r\nlost\r\n--x--\r\n"
    response = client.post("/", data=body, content_type="multipart/form-data; boundary=x")
    assert fault_of(response)["name"] == "n"


def test_params_may_be_one_parameter_among_others(site: Any) -> None:
    client = write(site, "def index(self, n: int, sent: Params):\n    return [n, sent['other']]")
    assert client.get("/?n=1&other=2").json == [1, "2"]
    client = write(site, "def index(self, n: int, params):\n    return [n, params['other']]")
    assert client.get("/?n=1&other=2").json == [1, "2"]


def test_annotations_as_text_resolve_against_the_live_module(site: Any) -> None:
    site.write(
        "index.py",
        """
        from __future__ import annotations
        import enum

        class index:
            class Kind(enum.Enum):
                A = "a"

            def index(self, later: Later, kinds: list[Kind] = []):
                return [later.name, [kind.name for kind in kinds]]

        class Later(enum.Enum):
            X = "x"
        """,
    )
    assert site.client().get("/?later=x&kinds=a").json == ["X", ["A"]]


@pytest.mark.parametrize("sent", [["a"], [1, "x"], 5, "text", {"a": 1}, None])
def test_the_items_of_an_iterable_are_checked_before_the_method_runs(site: Any, sent: Any) -> None:
    site.write(
        "index.py",
        """
        from collections.abc import Iterable

        class index:
            def index(self, v: Iterable[int]):
                return {"v": [*v, *v]}
        """,
    )
    client = site.client()
    assert client.get("/?v=1&v=2").json == {"v": [1, 2, 1, 2]}
    assert client.post("/", json={"v": sent}).status_code == 422


def test_files_arrive_beside_values(site: Any) -> None:
    client = write(
        site,
        "def index(self, photo: FileStorage, title: str, more: list[FileStorage] = ()):\n"
        "    return [photo.filename, len(photo.read()), title, [one.filename for one in more]]",
    )
    data = {
        "photo": (io.BytesIO(b"12345"), "cat.png"),
        "title": "Cat",
        "more": [(io.BytesIO(b"1"), "a.txt"), (io.BytesIO(b"2"), "b.txt")],
    }
    response = client.post("/", data=data, content_type="multipart/form-data")
    assert response.json == ["cat.png", 5, "Cat", ["a.txt", "b.txt"]]


def test_a_file_sent_as_text_is_explained(site: Any) -> None:
    client = write(site, "def index(self, photo: FileStorage):\n    return 'ok'")
    fault = fault_of(client.post("/", data={"photo": "cat.png"}))
    assert (fault["expected"], fault["got"]) == ("a file", "cat.png")
    assert "multipart/form-data" in fault["hint"]


def test_a_file_field_left_empty_was_not_sent(site: Any) -> None:
    client = write(site, "def index(self, photo: FileStorage = None):\n    return [photo is None]")
    empty = {"photo": (io.BytesIO(b""), "")}
    assert client.post("/", data=empty, content_type="multipart/form-data").json == [True]


def test_two_files_for_one_are_a_fault(site: Any) -> None:
    client = write(site, "def index(self, photo: FileStorage):\n    return 'ok'")
    data = {"photo": [(io.BytesIO(b"1"), "a.txt"), (io.BytesIO(b"2"), "b.txt")]}
    response = client.post("/", data=data, content_type="multipart/form-data")
    assert fault_of(response)["hint"] == "2 files were sent. Send one."


def test_a_record_and_values_share_one_json_body(site: Any) -> None:
    client = write(site, "def index(self, item: Item, notify: bool = False):\n    return [item.name, notify]")
    body = {"name": "a", "price": 1, "notify": True}
    assert client.post("/", json=body).json == ["a", True]
    assert client.post("/?notify=1", json={"name": "a", "price": 1}).json == ["a", True]


def test_several_records_are_looked_up_by_name(site: Any) -> None:
    client = write(site, "def index(self, a: Point, b: Point):\n    return [a.x, b.x]")
    assert client.post("/", json={"a": {"x": 1}, "b": {"x": 2}}).json == [1, 2]
    assert client.post("/", data={"a": '{"x": 1}', "b": '{"x": 2}'}).json == [1, 2]


def test_a_record_travels_beside_a_file_as_json_text(site: Any) -> None:
    client = write(site, "def index(self, item: Point, photo: FileStorage):\n    return [item.y, photo.filename]")
    data = {"item": '{"x": 1, "y": 2}', "photo": (io.BytesIO(b"1"), "a.txt")}
    assert client.post("/", data=data, content_type="multipart/form-data").json == [2, "a.txt"]


def test_an_empty_field_of_a_form_was_not_sent(site: Any) -> None:
    client = write(
        site, "def index(self, n: int = 7, unit: Literal['m', 'cm'] = 'm', s: str = 'x'):\n    return [n, unit, s]"
    )
    assert client.get("/?n=&unit=&s=").json == [7, "m", ""]


def test_every_fault_is_told_at_once_and_the_method_does_not_run(site: Any, caplog: Any) -> None:
    client = write(
        site,
        "def index(self, width: float, unit: Literal['m', 'cm'], n: Annotated[int, Field(ge=1)] = 1):\n"
        "    raise RuntimeError('it ran')",
    )
    response = client.get("/?width=wide&unit=km&n=0")
    assert response.status_code == 422
    faults = {fault["name"]: fault for fault in response.json["errors"]}
    assert faults["width"]["expected"] == "a number"
    assert faults["width"]["got"] == "wide"
    assert faults["width"]["source"] == "query"
    assert faults["unit"]["expected"] == "one of m, cm"
    assert faults["n"]["expected"] == "a whole number, at least 1"
    assert not caplog.records


def test_a_missing_parameter_is_named_with_a_near_name_that_was_sent(site: Any) -> None:
    client = write(site, "def index(self, user: str, page: int):\n    return 'ok'")
    response = client.get("/?usr=ann")
    hints = {fault["name"]: fault["hint"] for fault in response.json["errors"]}
    assert hints["user"] == "You sent 'usr'; did you mean 'user'?"
    assert hints["page"] == "Send 'page'; it is missing."
    assert all(fault["got"] is None for fault in response.json["errors"])


@pytest.mark.parametrize(
    ("sent", "is_near"),
    [
        ("first_nam", True),
        ("firstt_name", True),
        ("fisrt_name", True),
        ("first_nome", True),
        ("firstName", True),
        ("FIRST-NAME", True),
        ("first_name[]", True),
        ("irst_name", True),
        ("first_name1", True),
        ("f", False),
        ("last_name", False),
        ("first", False),
        ("fisrt_naem", False),
        ("first_name" * 20, False),
        ("", False),
    ],
)
def test_a_sent_name_is_near_when_one_letter_differs(site: Any, sent: str, is_near: bool) -> None:
    client = write(site, "def index(self, first_name: str):\n    return 'ok'")
    assert ("did you mean" in client.get("/", query_string={sent: "ann"}).text) == is_near


def test_a_repeated_name_for_one_value_is_a_fault(site: Any) -> None:
    client = write(site, "def index(self, n: int):\n    return [n]")
    fault = fault_of(client.get("/?n=1&n=2"))
    assert fault["hint"] == "It was sent 2 times. Send it once."
    assert fault["got"] == "['1', '2']"


def test_faults_inside_a_record_are_named_as_the_client_sent_them(site: Any) -> None:
    client = write(site, "def index(self, item: Item):\n    return 'ok'")
    response = client.post("/", json={"price": "much", "tags": ["a", 5]})
    assert [fault["name"] for fault in response.json["errors"]] == ["name", "price", "tags.1"]
    client = write(site, "def index(self, a: Point, b: Point):\n    return 'ok'")
    response = client.post("/", json={"a": {"x": "?"}, "b": {"x": 2}})
    assert [fault["name"] for fault in response.json["errors"]] == ["a.x"]


def test_a_json_body_of_the_wrong_kind_is_a_422(site: Any) -> None:
    client = write(site, "def index(self, n: int = 1):\n    return [n]")
    assert fault_of(client.post("/", json=[1, 2]))["name"] == "body"


@pytest.mark.parametrize("text", ["nan", "inf", "-Infinity"])
def test_what_is_no_number_is_refused(site: Any, text: str) -> None:
    client = write(site, "def index(self, n: float):\n    return [n]")
    assert fault_of(client.get(f"/?n={text}"))["expected"] == "a number"


def test_a_body_of_an_unknown_type_is_a_415(site: Any) -> None:
    client = write(site, "def index(self, n: int = 1):\n    return [n]")
    response = client.post("/", data="<n>1</n>", content_type="text/xml")
    assert response.status_code == 415
    assert "text/xml" in response.json["detail"]
    assert client.post("/", data=b"n=1").status_code == 415


def test_a_method_that_takes_params_may_read_any_body_itself(site: Any) -> None:
    client = write(site, "def index(self, n: int, params):\n    return [n]")
    assert client.post("/?n=1", data="<n>1</n>", content_type="text/xml").json == [1]


def test_a_body_that_does_not_parse_is_a_400(site: Any) -> None:
    client = write(site, "def index(self, n: int = 1):\n    return [n]")
    response = client.post("/", data="{n:", content_type="application/json")
    assert response.status_code == 400


def test_a_long_value_is_cut_where_it_is_shown_back(site: Any) -> None:
    client = write(site, "def index(self, n: int):\n    return [n]")
    assert len(fault_of(client.get("/?n=" + "x" * 5000))["got"]) == 101


def test_a_browser_reads_the_faults_as_a_page(site: Any, browser_headers: dict[str, str]) -> None:
    client = write(site, "def index(self, width: float, user: str):\n    return 'ok'")
    response = client.get("/?width=<b>wide&usr=ann", headers=browser_headers)
    assert response.status_code == 422
    assert response.mimetype == "text/html"
    assert "a number" in response.text
    assert "did you mean" in response.text
    assert "&lt;b&gt;wide" in response.text
    assert "<b>wide" not in response.text


@pytest.mark.parametrize(
    ("annotation", "said"), [("'Nowhere'", "Nowhere"), ("object()", "object"), ("Unfit", "Unfit")]
)
def test_an_annotation_that_cannot_be_used_is_the_developers_fault(
    site: Any, caplog: Any, annotation: str, said: str
) -> None:
    site.write(
        "index.py",
        f"class Unfit:\n    pass\n\nclass index:\n    def index(self, a: {annotation}):\n        pass\n",
    )
    with caplog.at_level(logging.ERROR, "kernkoa"):
        response = site.client().get("/?a=1")
    assert response.status_code == 500
    assert said not in response.text
    assert f"{site.controllers / 'index.py'}, line 5: index.index" in caplog.text
    assert said in caplog.text


def test_a_decorator_that_hides_the_signature_leaves_what_the_source_says(site: Any) -> None:
    site.write(
        "index.py",
        """
        def login_required(function):
            def wrapper(*args, **kwargs):
                return function(*args, **kwargs)
            return wrapper

        class index:
            @login_required
            def index(self, params=None):
                return "nothing" if params == None else params["a"]

            @login_required
            def bare(self):
                return "bare"
        """,
    )
    client = site.client()
    assert client.get("/?a=1").text == "1"
    assert client.get("/").text == "nothing"
    assert client.get("/bare?a=1").text == "bare"


def test_an_edit_of_the_signature_counts_at_the_next_request(site: Any) -> None:
    client = write(site, "def index(self, n: int):\n    return [n]")
    assert client.get("/?n=1").json == [1]
    write(site, "def index(self, n: str):\n    return [n]")
    assert client.get("/?n=1").json == ["1"]


class Work:
    def build(self, celery_instance: object, year: int, months: list[int] | None = None) -> None:
        """A task method."""


def test_a_task_method_binds_from_params_without_a_request() -> None:
    call = make_binding(read_signature(Work.build))
    sent = Params({"year": "2026", "months": [1, "2"]})
    taken = call(lambda _self, /, **taken: taken, Work(), (), lambda: sent)
    assert taken == {"year": 2026, "months": [1, 2]}
    with pytest.raises(InvalidParameters) as caught:
        call(Work.build, Work(), (), lambda: Params({"months": [1]}))
    assert json.loads(json.dumps(caught.value.errors))[0]["name"] == "year"
