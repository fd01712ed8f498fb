"""Typed parameters: the signature says what a method takes, and the kernel checks it before the method runs."""

from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from enum import Enum
from typing import Annotated, Literal

from pydantic import BaseModel, Field
from werkzeug.datastructures import FileStorage

from kernkoa import *

Length = Annotated[float, Field(gt=0, le=1_000_000, description="A length; its unit is said apart.")]
Money = Annotated[Decimal, Field(ge=0, le=1_000_000)]


class Paper(Enum):
    """The formats that a drawing is printed on."""

    A3 = "a3"
    A4 = "a4"
    LETTER = "letter"


@dataclass
class Corner:
    """A point of a polygon."""

    x: float
    y: float


class Drawing(BaseModel):
    """What is drawn, and for whom."""

    title: Annotated[str, Field(min_length=1, max_length=80)]
    corners: Annotated[list[Corner], Field(min_length=3)]
    due: date | None = None


class Shapes:
    """Areas and drawings: a tour of what an annotation can say."""

    def area(self, width: Length, height: Length = 1.0, unit: Literal["mm", "cm", "m"] = "m"):
        """The area of a rectangle.

        Try /examples/shapes/area/3/4, the same with ?width=3&height=4, and then a width that is no number.
        """
        return {"area": width * height, "unit": unit + "²"}

    def total(self, sides: list[Length], rounded: bool = False):
        """The sum of lengths: repeat the name, ?sides=1&sides=2.5, for more than one."""
        total = sum(sides)
        return {"total": round(total) if rounded else total, "sides": len(sides)}

    def price(self, area: Length, per_unit: Money = Decimal("12.50"), until: date | None = None):
        """What an area costs, exact to the cent."""
        return {"price": str(round(Decimal(area) * per_unit, 2)), "until": until}

    @allow("POST")
    def draw(self, drawing: Drawing, paper: Paper = Paper.A4, copies: Annotated[int, Field(ge=1, le=99)] = 1):
        """Draw a polygon from a JSON document, as an SVG picture."""
        points = " ".join(f"{corner.x:g},{corner.y:g}" for corner in drawing.corners)
        polygon = f'<polygon points="{points}" fill="#a4361f"/>'
        picture = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 100 100">{polygon}</svg>'
        headers = {"Content-Type": "image/svg+xml", "X-Paper": paper.value, "X-Copies": str(copies)}
        return Response(picture, headers=headers)

    @allow("POST")
    def measure(self, photo: FileStorage, title: str = ""):
        """How large an uploaded file is."""
        return {"name": photo.filename, "title": title, "bytes": len(photo.read())}
