"""What a print format may say: a dict of catalog/print, checked before it is drawn."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import font_roboto
from pydantic import BaseModel, ConfigDict, Discriminator, Field, Tag

Millimetres = Annotated[float, Field(ge=0)]
Length = Annotated[float, Field(gt=0)]
Color = Annotated[str, Field(pattern=r"^#[0-9a-fA-F]{6}$")]
Place = tuple[Millimetres, Millimetres]


class Part(BaseModel):
    """What every part of a print format has in common: an unknown name in it is a fault."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class OnPages(Part):
    """Something with a place of its own, on these pages."""

    pages: Literal["every", "first", "later"] = "every"


class Letters(Part):
    """How a text looks."""

    size: Length = 10
    bold: bool = False
    italic: bool = False
    align: Literal["left", "center", "right"] = "left"
    color: Color = "#1a1a1a"


class Text(Letters, OnPages):
    """A text at a place; with a width it is wrapped. `{page}` and `{pages}` are there too."""

    text: str
    at: Place
    width: Length | None = None


class Line(OnPages):
    """From a place to a place."""

    line: tuple[Millimetres, Millimetres, Millimetres, Millimetres]
    thickness: Length = 0.5
    color: Color = "#1a1a1a"


class Picture(Part):
    """A file of the image folder, in the flow. With one of width and height it keeps its shape."""

    image: str
    width: Length | None = None
    height: Length | None = None


class PlacedPicture(Picture, OnPages):
    """A picture at a place."""

    at: Place


class Paragraph(Letters):
    """A text in the flow, as wide as the page allows or as `width` says."""

    paragraph: str
    width: Length | None = None
    below: Millimetres = 2


class Space(Part):
    """Empty height in the flow."""

    space: Millimetres


class NewPage(Part):
    """What follows stands on the next page."""

    newPage: Literal[True]


class Column(Letters):
    """A column of a table: `value` is filled from the row, then from the data."""

    title: str = ""
    value: str
    width: Length


class Table(Part):
    """The rows of a list of the data, over as many pages as they need, the titles on each."""

    table: str
    columns: Annotated[list[Column], Field(min_length=1)]
    foot: list[list[str]] = []
    below: Millimetres = 4


class Fonts(Part):
    """The files of four TrueType fonts. Without: Roboto, which has Latin, Greek and Cyrillic letters."""

    regular: str = font_roboto.Roboto
    bold: str = font_roboto.RobotoBold
    italic: str = font_roboto.RobotoItalic
    boldItalic: str = font_roboto.RobotoBoldItalic


def _kind(value: Any) -> str | None:
    """The name that tells what a part is: {"text": …} is a text."""
    kinds = ("text", "image", "line", "paragraph", "space", "newPage", "table")
    return next((kind for kind in kinds if isinstance(value, dict) and kind in value), None)


Placed = Annotated[
    Annotated[Text, Tag("text")] | Annotated[PlacedPicture, Tag("image")] | Annotated[Line, Tag("line")],
    Discriminator(_kind),
]
Flowing = Annotated[
    Annotated[Paragraph, Tag("paragraph")]
    | Annotated[Picture, Tag("image")]
    | Annotated[Table, Tag("table")]
    | Annotated[Space, Tag("space")]
    | Annotated[NewPage, Tag("newPage")],
    Discriminator(_kind),
]


class PrintFormat(Part):
    """A document: what has its place on the pages, and what flows through them."""

    title: str = ""
    author: str = ""
    size: Literal["A4", "A5", "letter"] = "A4"
    landscape: bool = False
    margins: tuple[Millimetres, Millimetres, Millimetres, Millimetres] = (20, 20, 20, 20)
    fonts: Fonts = Fonts()
    placed: list[Placed] = []
    body: list[Flowing] = []
