"""Whatever a method is made of, it does not hide the others, and what goes out is JSON that every parser reads."""

from __future__ import annotations

import json
import re
import sys
from typing import Any

import pytest
from openapi_spec_validator import OpenAPIV31SpecValidator

from system.core.commands.check import check_site
from system.core.commands.routes import list_routes

HEAD = """
import enum, math, decimal, datetime, uuid, pathlib, re, typing, dataclasses
from typing import *
import pydantic
from pydantic import Field
"""

# code above the class, the parameters of its method
METHODS = {
    "a_base_named_like_its_own_base": ("class BaseModel(pydantic.BaseModel):\n    n: int = 1", "m: BaseModel"),
    "a_model_that_holds_itself": ("class Node(pydantic.BaseModel):\n    inner: 'list[Node]' = []", "node: Node"),
    "two_models_that_hold_each_other": (
        "class A(pydantic.BaseModel):\n    b: 'B | None' = None\nclass B(pydantic.BaseModel):\n    a: A | None = None",
        "a: A",
    ),
    "bytes_that_are_no_text": ("", "data: bytes = b'\\xff'"),
    "bytes_in_a_model": ("class M(pydantic.BaseModel):\n    data: bytes = b'\\xff'", "m: M"),
    "infinity": ("", "n: float = float('inf')"),
    "not_a_number": ("", "n: float = math.nan"),
    "infinity_in_a_model": ("class M(pydantic.BaseModel):\n    n: float = -math.inf", "m: M"),
    "infinity_in_a_default_model": ("class M(pydantic.BaseModel):\n    n: float = math.inf", "m: M = M()"),
    "infinite_limits": ("", "n: Annotated[float, Field(ge=-math.inf, le=math.inf)] = 1"),
    "a_decimal_that_is_no_number": ("", "n: decimal.Decimal = decimal.Decimal('NaN')"),
    "an_infinite_decimal_limit": ("", "n: Annotated[decimal.Decimal, Field(le=decimal.Decimal('Infinity'))] = 1"),
    "a_huge_number": ("", "n: int = 10 ** 400"),
    "half_a_surrogate_pair": ("", "text: str = '\\ud83d'"),
    "half_a_surrogate_pair_in_a_literal": ("", "text: Literal['\\ud83d', 'a'] = 'a'"),
    "half_a_surrogate_pair_in_a_description": ("", "text: Annotated[str, Field(description='\\ud83d')] = 'a'"),
    "half_a_surrogate_pair_in_an_enum": ("class E(enum.Enum):\n    A = '\\udc00'", "e: E = E.A"),
    "an_enum_of_objects": ("class E(enum.Enum):\n    A = object()", "e: E = None"),
    "an_enum_of_tuples": ("class E(enum.Enum):\n    A = (1, 2)\n    B = (3, 4)", "e: E = E.A"),
    "a_default_that_holds_itself": ("loop = []\nloop.append(loop)", "items: list = loop"),
    "a_default_nested_deep": ("deep = []\nfor _ in range(500):\n    deep = [deep]", "items: list = deep"),
    "a_default_of_another_type": ("", "n: int = object()"),
    "a_default_whose_repr_fails": ("class R:\n    def __repr__(self): raise OSError('no')", "n: int = R()"),
    "a_class_pydantic_does_not_know": ("class Odd: pass", "odd: Odd"),
    "a_function_as_an_annotation": ("def f(): pass", "x: f"),
    "an_annotation_that_names_nothing": ("", "x: 'Nowhere'"),
    "an_annotation_that_is_no_code": ("", "x: 'list['"),
    "a_callable": ("", "x: Callable[[int], int]"),
    "a_schema_that_fails": (
        "class M(pydantic.BaseModel):\n    @classmethod\n"
        "    def __get_pydantic_json_schema__(cls, core, handler): raise KeyError('no')",
        "m: M",
    ),
    "a_schema_that_is_no_json": (
        "class M(pydantic.BaseModel):\n    model_config = {'json_schema_extra': {'x': math.inf, 'y': object()}}",
        "m: M",
    ),
    "examples_that_are_no_json": ("", "n: Annotated[float, Field(examples=[math.inf, object(), b'\\xff'])] = 1"),
    "a_validator_that_raises": (
        "def fail(value): raise RuntimeError('no')\nT = Annotated[int, pydantic.AfterValidator(fail)]",
        "n: T = 1",
    ),
    "a_default_factory": ("class M(pydantic.BaseModel):\n    at: float = Field(default_factory=lambda: 1 / 0)", "m: M"),
    "a_discriminated_union": (
        "class Cat(pydantic.BaseModel):\n    kind: Literal['cat']\nclass Dog(pydantic.BaseModel):\n"
        "    kind: Literal['dog']\nPet = Annotated[Cat | Dog, Field(discriminator='kind')]",
        "pet: Pet",
    ),
    "a_generic_model": (
        "T = TypeVar('T')\nclass Box(pydantic.BaseModel, Generic[T]):\n    it: T",
        "box: Box[int], other: Box[str]",
    ),
    "a_generic_model_without_its_type": (
        "T = TypeVar('T')\nclass Box(pydantic.BaseModel, Generic[T]):\n    it: T", "box: Box",
    ),
    "a_root_model": ("class Names(pydantic.RootModel[list[str]]): pass", "names: Names"),
    "a_typed_dict": ("class D(TypedDict):\n    n: int", "d: D"),
    "a_dataclass_that_holds_itself": (
        "@dataclasses.dataclass\nclass D:\n    inner: 'D | None' = None", "d: D",
    ),
    "a_named_tuple": ("class P(NamedTuple):\n    x: int\n    y: int = 0", "p: P"),
    "a_pattern_with_a_lookahead": ("", "text: Annotated[str, Field(pattern='^a.*')] = 'a'"),
    "every_kind_of_scalar": (
        "", "a: uuid.UUID, b: datetime.timedelta, c: pathlib.Path, d: complex, e: re.Pattern, f: type, g: Any",
    ),
    "names_that_are_not_ascii": ("", "größe: int = 1"),
    "names_of_javascript": ("", "constructor: int = 1, toString: str = 'x', __proto__: str = ''"),
    "a_name_of_the_page": ("", "way: int = 1, more: str = '', q: str = ''"),
    "a_hundred_parameters": ("", ", ".join(f"p{number}: int = {number}" for number in range(100))),
    "positional_only_and_the_rest": ("", "a: int, b: int = 1, /, *rest: 'list[int] | float', c: str, **others: int"),
    "a_default_of_a_type_alias": ("Size = Literal['s', 'l']", "size: Size = 's', other: 'Size | None' = None"),
}  # fmt: skip


def strict_json(text: bytes) -> Any:
    """JSON as the strictest of parsers read it."""

    def refuse(name: str) -> None:
        raise AssertionError(f"{name} is no JSON")

    value = json.loads(text.decode("utf-8"), parse_constant=refuse)
    json.dumps(value, ensure_ascii=False).encode("utf-8")  # no half of a surrogate pair, escaped or not
    return value


def write_method(site: Any, name: str) -> None:
    above, parameters = METHODS[name]
    docstring = (
        "A \\ud83d docstring." if sys.version_info < (3, 13) else "A docstring."
    )  # it refuses the half pair
    site.write(
        "hard.py",
        f"{HEAD}\n{above}\nclass hard:\n    def before_it(self, a: int):\n        return a\n"
        f'    def it(self, {parameters}):\n        "{docstring}"\n'
        "    def after_it(self, a: int):\n        return a\n",
    )
    site.write("easy.py", "class easy:\n    def index(self, a: int):\n        return a\n")


@pytest.mark.parametrize("name", METHODS)
def test_a_method_is_listed_and_hides_no_other(site: Any, name: str) -> None:
    write_method(site, name)
    app = site.app(development=True)
    client = app.test_client()
    document = strict_json(client.get("/_koa/openapi.json").data)
    OpenAPIV31SpecValidator(document).validate()
    assert "/easy" in document["paths"]
    for path in ("", "at/hard", "at/hard/hard/it", "at/easy/easy/index", "find?q=it"):
        response = client.get(f"/_koa/{path}")
        assert response.status_code == 200, (path, response.text)
    loads = client.get("/hard/before_it?a=1").status_code == 200
    assert ("/hard/after_it" in document["paths"]) is loads
    lines, _ = list_routes(app.settings)
    assert {line.url.partition(" ")[0] for line in lines} >= {"/hard/hard/it", "/hard/hard/after_it"}
    check_site(app, app.catalog, app.settings)


def test_a_method_that_cannot_be_described_says_so_on_its_page_and_in_the_log(
    site: Any, caplog: pytest.LogCaptureFixture
) -> None:
    write_method(site, "an_annotation_that_names_nothing")
    client = site.client(development=True)
    text = client.get("/_koa/at/hard/hard/it").text
    assert "cannot be described" in text
    assert "Nowhere" in text
    assert re.search(r"hard/hard/it cannot be described: .*Nowhere", caplog.text)
    stranger = client.get("/_koa/at/hard/hard/it", environ_overrides={"REMOTE_ADDR": "203.0.113.9"}).text
    assert "Nowhere" not in stranger


def test_a_schema_that_fails_leaves_the_method_in_the_document_and_its_reason_in_the_log(
    site: Any, caplog: pytest.LogCaptureFixture
) -> None:
    write_method(site, "a_schema_that_fails")
    paths = strict_json(site.client(explorer="public").get("/_koa/openapi.json").data)["paths"]
    assert "/hard/it" in paths
    assert "The parameter m of hard/hard/it cannot be described" in caplog.text


@pytest.mark.parametrize(
    "text",
    [
        "(" * 3000,
        "x = " + "[" * 90 + "]" * 90 + "\n" + "if x:\n pass\n" * 10,
        "x = " + " + ".join(["1"] * 5000) + "\nclass it:\n    def index(self): return 'x'\n",
        "class it:\n    def index(self): return " + "f(" * 190 + ")" * 190 + "\n",
        "class it:\n    def index(self, a=" + "-" * 5000 + "1): return 'x'\n",
        "class it(" + ".".join(["a"] * 3000) + "):\n    def index(self): return 'x'\n",
        "\ufeffclass it:\n    def index(self): return 'x'\n",
        "# -*- coding: nonsense -*-\nclass it:\n    def index(self): return 'x'\n",
        '"\\ud800"\nclass it:\n    "\\ud800"\n    def index(self):\n        "\\ud800"\n',
    ],
    ids=lambda text: text[:20].strip() if text.isascii() else "bom",
)  # fmt: skip
def test_a_file_that_is_hard_to_parse_hides_no_other(site: Any, text: str) -> None:
    site.write("it.py", text)
    site.write("easy.py", "class easy:\n    def index(self, a: int):\n        return a\n")
    client = site.client(development=True)
    assert "/easy" in strict_json(client.get("/_koa/openapi.json").data)["paths"]
    for path in ("", "at/it", "at/easy", "find?q=index"):
        assert client.get(f"/_koa/{path}").status_code == 200, path
