"""What a method takes, told from its source alone."""

from __future__ import annotations

import textwrap
from typing import Any

import pytest

from system.core.explorer.inference import NO_DEFAULT, ReadParameters
from system.core.explorer.listing import Listing


def read(site: Any, text: str, name: str = "m") -> ReadParameters:
    """What the method m of the class index takes."""
    site.write("index.py", text)
    app = site.app()
    listing = Listing(app.catalog)
    now = app.catalog.now()
    methods = [method for library in listing.walk(now) for method in library.methods if method.name == name]
    return listing.parameters(methods[0], now)


def body(site: Any, text: str, signature: str = "self, params") -> dict[str, Any]:
    """The parameters of a method of this body, by name."""
    lines = textwrap.indent(textwrap.dedent(text).strip(), " " * 8)
    found = read(site, f"class index:\n    def m({signature}):\n{lines}\n")
    return {parameter.name: parameter for parameter in found.parameters}


STRING, INTEGER, NUMBER = {"type": "string"}, {"type": "integer"}, {"type": "number"}
FILE = {"type": "string", "format": "binary"}


@pytest.mark.parametrize(
    ("source", "schema", "required", "default", "where"),
    [
        ('return params["x"]', STRING, True, NO_DEFAULT, "any"),
        ('return params.get("x", 5)', INTEGER, False, 5, "any"),
        ('return params.get("x", "a")', STRING, False, "a", "any"),
        ('return params.get("x", 1.5)', NUMBER, False, 1.5, "any"),
        ('return params.get("x", True)', {"type": "boolean"}, False, True, "any"),
        ('return params.get("x")', STRING, False, NO_DEFAULT, "any"),
        ('return params.get("x", None)', STRING, False, NO_DEFAULT, "any"),
        ('return params.pop("x", "")', STRING, False, "", "any"),
        ('return int(params["x"])', INTEGER, True, NO_DEFAULT, "any"),
        ('return float(params.get("x", 0))', NUMBER, False, 0, "any"),
        ('return Decimal(params["x"])', NUMBER, True, NO_DEFAULT, "any"),
        ('return date.fromisoformat(params["x"])', {"type": "string", "format": "date"}, True, NO_DEFAULT, "any"),
        ('text = params["x"]\nreturn int(text)', INTEGER, True, NO_DEFAULT, "any"),
        ('return params.getlist("x")', {"type": "array", "items": STRING}, False, NO_DEFAULT, "any"),
        ('return params.files["x"]', FILE, True, NO_DEFAULT, "body"),
        ('return params.files.get("x")', FILE, False, NO_DEFAULT, "body"),
        ('return params.files.getlist("x")', {"type": "array", "items": FILE}, False, NO_DEFAULT, "body"),
        ('return params["get"]["x"]', STRING, True, NO_DEFAULT, "query"),
        ('return params["post"].get("x", "a")', STRING, False, "a", "body"),
        ('return params["data"]["x"]', STRING, True, NO_DEFAULT, "body"),
        ('return request.args["x"]', STRING, True, NO_DEFAULT, "query"),
        ('return request.args.get("x", 1, type=int)', INTEGER, False, 1, "query"),
        ('return request.form["x"]', STRING, True, NO_DEFAULT, "body"),
        ('return request.files["x"]', FILE, True, NO_DEFAULT, "body"),
        ('if "x" in params:\n    return params["x"]', STRING, False, NO_DEFAULT, "any"),
        ('if params == None:\n    return ""\nreturn params["x"]', STRING, False, NO_DEFAULT, "any"),
        ('if not params:\n    return ""\nreturn params["x"]', STRING, False, NO_DEFAULT, "any"),
        ("return f\"{params['x']}\"", STRING, True, NO_DEFAULT, "any"),
    ],
)
def test_what_a_body_reads(
    site: Any, source: str, schema: dict[str, Any], required: bool, default: Any, where: str
) -> None:
    found = body(site, source)
    assert set(found) == {"x"}
    parameter = found["x"]
    assert (parameter.schema, parameter.required, parameter.default) == (schema, required, default)
    assert parameter.where == where


def test_params_handed_on_take_any_name(site: Any) -> None:
    assert read(site, "class index:\n    def m(self, params):\n        return dict(params)\n").is_open
    assert not read(site, "class index:\n    def m(self, params):\n        return params['a']\n").is_open
    assert read(site, "class index:\n    def m(self, a: int, **rest):\n        return a\n").is_open


HEAD = """
from __future__ import annotations
import enum
from dataclasses import dataclass
from shared import Size
Unit = Literal["m", "cm"]
class Colour(enum.Enum):
    RED = "red"
    BLUE = "blue"
@dataclass
class Point:
    x: int
    y: int = 0
class index:
"""


@pytest.mark.parametrize(
    ("annotation", "schema"),
    [
        ("int", INTEGER),
        ("'int'", INTEGER),
        ("datetime.date", {"type": "string", "format": "date"}),
        ("Unit", {"enum": ["m", "cm"]}),
        ("Literal[1, 2]", {"enum": [1, 2]}),
        ("Colour", {"enum": ["red", "blue"]}),
        ("Size", {"enum": ["s", "l"]}),
        ("int | None", {"anyOf": [INTEGER, {"type": "null"}]}),
        ("Optional[int]", {"anyOf": [INTEGER, {"type": "null"}]}),
        ("Union[int, str]", {"anyOf": [INTEGER, STRING]}),
        ("list[int]", {"type": "array", "items": INTEGER}),
        ("tuple[int, str]", {"type": "array", "prefixItems": [INTEGER, STRING], "minItems": 2, "maxItems": 2}),
        ("tuple[int, ...]", {"type": "array", "items": INTEGER}),
        ("dict[str, int]", {"type": "object", "additionalProperties": INTEGER}),
        ("Annotated[int, Field(ge=1, le=9)]", {"type": "integer", "minimum": 1, "maximum": 9}),
        ("Annotated[int, Gt(1)]", {"type": "integer", "exclusiveMinimum": 1}),
        ("Annotated[list[str], Field(min_length=1)]", {"type": "array", "items": STRING, "minItems": 1}),
        ("FileStorage", FILE),
        ("Unknown", {}),
        (
            "Point",
            {
                "type": "object",
                "title": "Point",
                "properties": {"x": INTEGER, "y": {"type": "integer", "default": 0}},
                "required": ["x"],
            },
        ),
    ],
)
def test_what_an_annotation_says(site: Any, annotation: str, schema: dict[str, Any]) -> None:
    site.write("shared.py", "import enum\nclass Size(enum.Enum):\n    S = 's'\n    L = 'l'\n")
    found = read(site, f"{HEAD}    def m(self, v: {annotation}):\n        pass\n")
    (parameter,) = found.parameters
    assert parameter.schema == schema
    assert parameter.required
    assert found.is_typed


def test_names_that_lead_in_a_circle_end(site: Any) -> None:
    site.write("shared.py", "from index import Size\n")
    found = read(site, f"{HEAD}    def m(self, v: Size, w: Loop):\n        pass\nLoop = Loop\n")
    assert [parameter.schema for parameter in found.parameters] == [{}, {}]


def test_records_in_records_are_read_and_one_in_itself_ends(site: Any) -> None:
    found = read(
        site,
        HEAD.replace("class index:", "")
        + "class Path(BaseModel):\n"
        + "    points: Annotated[list[Point], Field(min_length=2)]\n"
        + "    inner: list[Path] = []\n"
        + "class index:\n    def m(self, v: Path | None): pass\n",
    )
    schema = found.parameters[0].schema["anyOf"][0]
    points = schema["properties"]["points"]
    assert points["minItems"] == 2
    assert points["items"]["properties"]["x"] == INTEGER
    assert found.parameters[0].is_record


def test_defaults_and_the_order_of_segments(site: Any) -> None:
    text = (
        HEAD
        + "    def m(self, a: int, b: Colour = Colour.BLUE, c=(1, 2), *rest: int, d: str = 'x', e):\n        pass\n"
    )
    found = {parameter.name: parameter for parameter in read(site, text).parameters}
    assert [found[name].default for name in "abcde"] == [NO_DEFAULT, "blue", [1, 2], "x", NO_DEFAULT]
    assert [found[name].takes_segment for name in "abcde"] == [True, True, True, False, False]
    assert [found[name].required for name in "abcde"] == [True, False, False, False, True]
    assert found["rest"].takes_segment


def test_params_beside_typed_parameters_are_read_from_the_body(site: Any) -> None:
    text = "class index:\n    def m(self, a: int, sent: Params):\n        return sent['b']\n"
    assert [parameter.name for parameter in read(site, text).parameters] == ["a", "b"]


def test_an_inherited_method_is_read_where_it_is_written(site: Any) -> None:
    site.write(
        "base.py", "class Base:\n    @expose\n    def m(self, size: Size): pass\nSize = Literal['s', 'l']\n"
    )
    found = read(site, "from base import Base\nclass index(Base): pass\n")
    assert found.parameters[0].schema == {"enum": ["s", "l"]}
