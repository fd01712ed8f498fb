"""Typed parameters: the kernel validates the request against the signature before the method runs."""

from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from enum import Enum
from typing import Annotated, Literal

from pydantic import BaseModel, Field
from typing_extensions import TypedDict
from werkzeug.datastructures import FileStorage

from kernkoa import *

Length = Annotated[float, Field(gt=0, le=1_000_000, description="A length, without its unit.")]
Money = Annotated[Decimal, Field(ge=0, le=1_000_000)]


class Paper(Enum):
    """Paper sizes."""

    A3 = "a3"
    A4 = "a4"
    LETTER = "letter"


@dataclass
class Corner:
    """A point of a polygon."""

    x: float
    y: float


class Drawing(BaseModel):
    """A polygon with a title."""

    title: Annotated[str, Field(min_length=1, max_length=80)]
    corners: Annotated[list[Corner], Field(min_length=3)]
    due: date | None = None


class Area(TypedDict):
    """The area of a shape."""

    area: float
    unit: str


class Total(TypedDict):
    """The sum of the sides of a shape."""

    total: float
    sides: int


class Price(TypedDict):
    """What an area costs; text, because JSON's numbers are not exact."""

    price: str
    until: date | None


class Photo(TypedDict):
    """An uploaded file."""

    name: str
    title: str
    bytes: int


class Shapes:
    """Areas and drawings: examples of annotations."""

    def area(self, width: Length, height: Length = 1.0, unit: Literal["mm", "cm", "m"] = "m") -> Area:
        """Return the area of a rectangle.

        Try /examples/shapes/area/3/4, then ?width=3&height=4, then a width that is not a number.
        """
        return {"area": width * height, "unit": unit + "²"}

    def total(self, sides: list[Length], rounded: bool = False) -> Total:
        """Return the sum of lengths. Repeat the name for more than one: ?sides=1&sides=2.5."""
        total = sum(sides)
        return {"total": round(total) if rounded else total, "sides": len(sides)}

    def price(self, area: Length, per_unit: Money = Decimal("12.50"), until: date | None = None) -> Price:
        """Return the price of an area, exact to the cent."""
        return {"price": str(round(Decimal(area) * per_unit, 2)), "until": until}

    @allow("POST")
    def draw(
        self, drawing: Drawing, paper: Paper = Paper.A4, copies: Annotated[int, Field(ge=1, le=99)] = 1
    ) -> Response:
        """Draw a polygon from a JSON document. Returns an SVG image."""
        points = " ".join(f"{corner.x:g},{corner.y:g}" for corner in drawing.corners)
        polygon = f'<polygon points="{points}" fill="#a4361f"/>'
        picture = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 100 100">{polygon}</svg>'
        headers = {"Content-Type": "image/svg+xml", "X-Paper": paper.value, "X-Copies": str(copies)}
        return Response(picture, headers=headers)

    @allow("POST")
    def measure(self, photo: FileStorage, title: str = "") -> Photo:
        """Return the size of an uploaded file."""
        return {"name": photo.filename, "title": title, "bytes": len(photo.read())}
