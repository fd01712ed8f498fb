"""A site of awkward shapes: what annotations can say, in one file."""

AWKWARD = '''
import dataclasses
import datetime
import enum
from collections.abc import Iterator
from decimal import Decimal
from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field
from typing_extensions import TypedDict
from werkzeug.datastructures import FileStorage

from system.core.dispatch.decorators import allow


class Size(enum.Enum):
    SMALL = "s"
    LARGE = "l"


class Cat(BaseModel):
    kind: Literal["cat"]
    lives: Annotated[int, Field(ge=0, le=9)] = 9


class Dog(BaseModel):
    kind: Literal["dog"]
    names: Annotated[list[str], Field(min_length=1, max_length=3)]


class Tree(BaseModel):
    model_config = ConfigDict(extra="forbid")
    name: str
    children: list["Tree"] = []


class Order(BaseModel):
    number: int = Field(alias="orderNumber")
    total: Decimal = Field(ge=0, le=1000, max_digits=6, decimal_places=2)
    day: datetime.date | None = None
    at: datetime.datetime | None = None
    tags: set[str] = set()
    prices: dict[str, Annotated[float, Field(gt=0)]] = {}


@dataclasses.dataclass
class Point:
    x: int
    y: float = 0.5


class Person(TypedDict, total=False):
    name: str
    age: int


class Awkward:
    """Shapes that are hard to describe."""

    def scalars(self, n: int, f: float = 1.0, b: bool = False, d: Decimal = Decimal("1"), u: UUID | None = None) -> dict[str, Any]:
        return {"n": n, "f": f, "b": b, "d": d, "u": u}

    def times(self, day: datetime.date, at: datetime.datetime | None = None, of: datetime.time | None = None) -> list[str]:
        return [str(day), str(at), str(of)]

    def choices(self, size: Size, unit: Literal["m", "cm"] = "m", digit: Literal[1, 2] = 1) -> Size:
        return size

    def limits(
        self,
        low: Annotated[int, Field(ge=-5, lt=5)],
        name: Annotated[str, Field(min_length=2, max_length=5, pattern="^[a-z]+$")] = "ab",
        step: Annotated[int, Field(multiple_of=3)] = 3,
    ) -> str:
        return f"{low} {name} {step}"

    def lists(self, ids: list[int], names: list[str] = []) -> dict[str, int]:
        return {"ids": len(ids), "names": len(names)}

    def rest(self, first: int, *others: int) -> list[int]:
        return [first, *others]

    def maybe(self, n: int | None = None) -> Point | None:
        return None if n is None else Point(n)

    @allow("POST")
    def order(self, order: Order) -> Order:
        return order

    @allow("PUT")
    def pet(self, pet: Annotated[Cat | Dog, Field(discriminator="kind")]) -> Cat | Dog:
        return pet

    @allow("POST")
    def tree(self, tree: Tree) -> tuple[Tree, Literal[201]]:
        return tree, 201

    @allow("POST")
    def two(self, point: Point, person: Person, pair: tuple[int, str] = (1, "a")) -> list[Any]:
        return [point, person, len(pair)]  # schemathesis 4.32 cannot check an answer with prefixItems

    @allow("POST")
    def points(self, points: list[Point]) -> int:
        return len(points)

    @allow("POST")
    def upload(self, file: FileStorage, title: str = "") -> dict[str, str | int]:
        return {"name": file.filename or "", "bytes": len(file.read()), "title": title}

    def lines(self, n: Annotated[int, Field(ge=0, le=5)] = 2) -> Iterator[Point]:
        return (Point(each) for each in range(n))

    @allow("DELETE")
    def drop(self, n: int) -> None:
        return None

    def untyped(self, params):
        return {"name": params["name"], "n": int(params.get("n", 1)) if str(params.get("n", 1)).isascii() and str(params.get("n", 1)).isdigit() else 0}
'''
