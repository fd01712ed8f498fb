"""Random models for the forms of the explorer, as source text."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

# an annotation, and a default that it takes
LEAVES = [
    ("str", "'x'"), ("int", "3"), ("float", "0.5"), ("bool", "True"), ("bool", "False"), ("Decimal", "Decimal('1.50')"),
    ("datetime.date", "datetime.date(2026, 1, 31)"), ("datetime.datetime", "datetime.datetime(2026, 1, 31, 12, 30)"),
    ("datetime.time", "datetime.time(8, 15, 30)"), ("datetime.timedelta", "datetime.timedelta(hours=1)"),
    ("UUID", "UUID(int=1)"), ("Size", "Size.LARGE"), ("Literal['a', 'b']", "'b'"), ("Literal[1, 2, 'x']", "2"),
    ("Literal['only']", "'only'"), ("Annotated[int, Field(ge=5, le=9)]", "7"), ("Annotated[int, Field(gt=0, multiple_of=5)]", "10"),
    ("Annotated[float, Field(gt=0, lt=1)]", "0.5"), ("Annotated[str, Field(min_length=2, max_length=4)]", "'abc'"),
    ("Annotated[str, Field(pattern='^[a-z]+$')]", "'abc'"), ("Annotated[Decimal, Field(max_digits=4, decimal_places=2)]", "Decimal('9.99')"),
    ("SecretStr", "SecretStr('s')"), ("HttpUrl", "'https://example.org/'"), ("bytes", "b'abc'"), ("Base64Bytes", "b'YWJj'"),
    ("IPv4Address", "IPv4Address('127.0.0.1')"), ("Path", "Path('/tmp/x')"), ("Any", "{'a': 1}"), ("dict[str, int]", "{'a': 1}"),
    ("tuple[int, str]", "(1, 'a')"), ("list[str]", "['a', 'b']"), ("list[int]", "[]"), ("set[int]", "{1}"), ("list[bool]", "[True]"),
    ("Annotated[list[float], Field(min_length=2)]", "[1.5, 2.5]"), ("Inner", "Inner(a=1)"), ("list[Inner]", "[Inner(a=1)]"),
    ("Annotated[list[Inner], Field(min_length=1, max_length=2)]", "[Inner(a=1)]"), ("Cat | Dog", "Cat()"),
    ("Annotated[Cat | Dog, Field(discriminator='kind')]", "Dog(n=1)"), ("list[Cat | Dog]", "[]"), ("Point", "Point(1)"), ("Person", "{'name': 'Ann'}"),
    ("int | str", "'x'"), ("Self_", "None"),
]  # fmt: skip

HEAD = """
import datetime, enum, dataclasses
from decimal import Decimal
from ipaddress import IPv4Address
from pathlib import Path
from typing import Annotated, Any, Literal
from uuid import UUID
from pydantic import Base64Bytes, BaseModel, Field, HttpUrl, SecretStr
from typing_extensions import TypedDict
from system.core.dispatch.decorators import allow

class Size(enum.Enum):
    SMALL = "s"
    LARGE = "l"

class Inner(BaseModel):
    a: int
    b: str = "b"
    c: list[int] = []

class Cat(BaseModel):
    kind: Literal["cat"] = "cat"
    lives: int = 9

class Dog(BaseModel):
    kind: Literal["dog"] = "dog"
    n: int

@dataclasses.dataclass
class Point:
    x: int
    y: float = 0.5

class Person(TypedDict):
    name: str
"""


@st.composite
def fields(draw: Any, name: str, model: str) -> str:
    """A field of a model: required, optional, with a default, or with an example."""
    annotation, default = draw(st.sampled_from(LEAVES))
    annotation = annotation.replace("Self_", f"'{model} | None'")
    kind = (
        draw(st.sampled_from(["required", "default", "optional", "example"]))
        if "|" not in annotation
        else "default"
    )
    if kind == "optional":
        return f"    {name}: {annotation} | None = None"
    if kind == "example":
        return f"    {name}: {annotation} = Field(description='Of **{name}**.', title='T')"
    return f"    {name}: {annotation}" + (f" = {default}" if kind == "default" else "")


@st.composite
def models(draw: Any, name: str) -> str:
    count = draw(st.integers(2, 7))
    lines = [draw(fields(f"f{number}", name)) for number in range(count)]
    ordered = sorted(lines, key=lambda line: " = " in line)
    return f"class {name}(BaseModel):\n" + "\n".join(ordered)
