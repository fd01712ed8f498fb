"""What a method takes, told from its source alone."""

from __future__ import annotations

import textwrap
from typing import Any

import pytest

from system.core.explorer.inference import MethodSource
from system.core.explorer.listing import Listing


def read(site: Any, text: str, name: str = "m") -> MethodSource:
    """What the method m of the class index takes."""
    site.write("index.py", text)
    app = site.app()
    listing = Listing(app.catalog)
    now = app.catalog.now()
    methods = [method for library in listing.walk(now) for method in library.methods if method.name == name]
    return listing.source_of(methods[0], now)


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
        ('return params["x"]', STRING, True, None, "any"),
        ('return params.get("x", 5)', INTEGER, False, 5, "any"),
        ('return params.get("x", "a")', STRING, False, "a", "any"),
        ('return params.get("x", 1.5)', NUMBER, False, 1.5, "any"),
        ('return params.get("x", True)', {"type": "boolean"}, False, True, "any"),
        ('return params.get("x")', STRING, False, None, "any"),
        ('return params.get("x", None)', STRING, False, None, "any"),
        ('return params.pop("x", "")', STRING, False, "", "any"),
        ('return int(params["x"])', INTEGER, True, None, "any"),
        ('return float(params.get("x", 0))', NUMBER, False, 0, "any"),
        ('return Decimal(params["x"])', NUMBER, True, None, "any"),
        ('return date.fromisoformat(params["x"])', {"type": "string", "format": "date"}, True, None, "any"),
        ('text = params["x"]\nreturn int(text)', INTEGER, True, None, "any"),
        ('return params.getlist("x")', {"type": "array", "items": STRING}, False, None, "any"),
        ('return params.files["x"]', FILE, True, None, "body"),
        ('return params.files.get("x")', FILE, False, None, "body"),
        ('return params.files.getlist("x")', {"type": "array", "items": FILE}, False, None, "body"),
        ('return params["get"]["x"]', STRING, True, None, "query"),
        ('return params["post"].get("x", "a")', STRING, False, "a", "body"),
        ('return params["data"]["x"]', STRING, True, None, "body"),
        ('return request.args["x"]', STRING, True, None, "query"),
        ('return request.args.get("x", 1, type=int)', INTEGER, False, 1, "query"),
        ('return request.form["x"]', STRING, True, None, "body"),
        ('return request.files["x"]', FILE, True, None, "body"),
        ('if "x" in params:\n    return params["x"]', STRING, False, None, "any"),
        ('if params == None:\n    return ""\nreturn params["x"]', STRING, False, None, "any"),
        ('if not params:\n    return ""\nreturn params["x"]', STRING, False, None, "any"),
        ("return f\"{params['x']}\"", STRING, True, None, "any"),
    ],
)
def test_what_a_body_reads(
    site: Any, source: str, schema: dict[str, Any], required: bool, default: Any, where: str
) -> None:
    found = body(site, source)
    assert set(found) == {"x"}
    parameter = found["x"]
    given = {} if default is None else {"default": default}
    assert (parameter.schema, parameter.required) == (schema | given, required)
    assert parameter.where == where


def test_params_handed_on_take_any_name(site: Any) -> None:
    assert read(site, "class index:\n    def m(self, params):\n        return dict(params)\n").is_open
    assert not read(site, "class index:\n    def m(self, params):\n        return params['a']\n").is_open
    assert read(site, "class index:\n    def m(self, a: int, **rest):\n        return a\n").is_open


@pytest.mark.parametrize(
    ("signature", "is_typed"),
    [
        ("self", False),
        ("self, params", False),
        ("self, params=None", False),
        ("self, params: dict", False),
        ("self, sent: Params", False),
        ("self, celery_instance=None, params=None", False),
        ("self, a", True),
        ("self, a: int = 1", True),
        ("self, params: Model", True),
        ("self, params, a: int", True),
        ("self, *rest", True),
        ("self, **rest", True),
        ("self, *, a", True),
        ("self, celery_instance, n: int", True),
    ],
)
def test_whether_a_signature_is_typed(site: Any, signature: str, is_typed: bool) -> None:
    assert read(site, f"class index:\n    def m({signature}):\n        pass\n").is_typed is is_typed


def test_params_beside_typed_parameters_are_read_from_the_body(site: Any) -> None:
    text = "class index:\n    def m(self, a: int, sent: Params):\n        return sent['b']\n"
    assert [parameter.name for parameter in read(site, text).parameters] == ["b"]


def test_an_inherited_method_is_read_where_it_is_written(site: Any) -> None:
    site.write("base.py", "class Base:\n    @expose\n    def m(self, params): return params['size']\n")
    found = read(site, "from base import Base\nclass index(Base): pass\n")
    assert [parameter.name for parameter in found.parameters] == ["size"]


def test_a_method_nested_too_deep_to_read_does_not_hide_the_others(site: Any) -> None:
    deep = " + ".join(["params['x']"] * 600)
    text = (
        f"class index:\n    def deep(self, params): return {deep}\n    def m(self, params): return params['a']\n"
    )
    assert [parameter.name for parameter in read(site, text).parameters] == ["a"]


METHOD = "    def m(self, params):\n        return params['ä']\n"


@pytest.mark.parametrize(
    "content",
    [
        f"class index:\n{METHOD}".encode(),
        f"class index:\n{METHOD}".replace("\n", "\r\n").encode(),
        f"class index:\n{METHOD}".replace("\n", "\r").encode(),
        f"class index:\n{METHOD}".replace("    ", "\t").encode(),
        f"\ufeffclass index:\n{METHOD}".encode(),
        f"# -*- coding: latin-1 -*-\nclass index:\n{METHOD}".encode("latin-1"),
        f"'''\nclass index:\n{METHOD}\f\u2028\x85'''\nclass index:\n{METHOD}".encode(),
        f"if True:\n class index:\n  try:\n{METHOD}  finally: pass\n".encode(),
        b"class index:\n    def m(self, params): return params['\xc3\xa4']",
        f"class index:\n    @allow(\n'POST')\n    @retry\n{METHOD}".encode(),
        b"class index:\n    def m(self, params):\n        'Two\nlines.'''\n        return params['\xc3\xa4']\n".replace(
            b"'Two", b"'''Two"
        ),
        f"class index:\n{METHOD}class other:\n{METHOD.replace('ä', 'b')}".encode(),
    ],
)
def test_a_method_is_found_in_every_way_of_writing_a_file(site: Any, content: bytes) -> None:
    site.write("index.py", "")
    (site.controllers / "index.py").write_bytes(content)
    app = site.app()
    listing, now = Listing(app.catalog), app.catalog.now()
    method = next(method for library in listing.walk(now) for method in library.methods)
    assert [parameter.name for parameter in listing.source_of(method, now).parameters] == ["ä"]
