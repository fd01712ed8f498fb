"""The schema of a print format: a dict of catalog/print, validated before it is drawn."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import font_roboto
from pydantic import BaseModel, ConfigDict, Discriminator, Field, Tag

Millimetres = Annotated[float, Field(ge=0)]
Length = Annotated[float, Field(gt=0)]
Color = Annotated[str, Field(pattern=r"^#[0-9a-fA-F]{6}$")]
Place = tuple[Millimetres, Millimetres]


class Part(BaseModel):
    """Base of all parts: unknown names are an error."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class OnPages(Part):
    """A part with a fixed position on every page, the first or the later ones."""

    pages: Literal["every", "first", "later"] = "every"


class Letters(Part):
    """The style of a text."""

    size: Length = 10
    bold: bool = False
    italic: bool = False
    align: Literal["left", "center", "right"] = "left"
    color: Color = "#1a1a1a"


class Text(Letters, OnPages):
    """A text at a position, wrapped if it has a width. `{page}` and `{pages}` are available."""

    text: str
    at: Place
    width: Length | None = None


class Line(OnPages):
    """A straight line."""

    line: tuple[Millimetres, Millimetres, Millimetres, Millimetres]
    thickness: Length = 0.5
    color: Color = "#1a1a1a"


class Picture(Part):
    """A file of the image folder, in the flow. If only width or height is given, it keeps its proportions."""

    image: str
    width: Length | None = None
    height: Length | None = None


class PlacedPicture(Picture, OnPages):
    """A picture at a position."""

    at: Place


class Paragraph(Letters):
    """A text in the flow, as wide as the page or as `width`."""

    paragraph: str
    width: Length | None = None
    below: Millimetres = 2


class Space(Part):
    """Vertical space in the flow."""

    space: Millimetres


class NewPage(Part):
    """A page break."""

    newPage: Literal[True]


class Column(Letters):
    """A column of a table; `value` takes values from the row, then from the data."""

    title: str = ""
    value: str
    width: Length


class Table(Part):
    """A table of a list in the data, one row per item; its titles are repeated on each page."""

    table: str
    columns: Annotated[list[Column], Field(min_length=1)]
    foot: list[list[str]] = []
    below: Millimetres = 4


class Fonts(Part):
    """The files of four TrueType fonts. Default: Roboto (Latin, Greek and Cyrillic)."""

    regular: str = font_roboto.Roboto
    bold: str = font_roboto.RobotoBold
    italic: str = font_roboto.RobotoItalic
    boldItalic: str = font_roboto.RobotoBoldItalic


def _kind(value: Any) -> str | None:
    """The key that determines the kind of a part: {"text": …} is a text."""
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
    """A document: parts with a fixed position, and parts that flow over the pages."""

    title: str = ""
    author: str = ""
    size: Literal["A4", "A5", "letter"] = "A4"
    landscape: bool = False
    margins: tuple[Millimetres, Millimetres, Millimetres, Millimetres] = (20, 20, 20, 20)
    fonts: Fonts = Fonts()
    placed: list[Placed] = []
    body: list[Flowing] = []
