"""PDF documents from a print format and data, made with ReportLab.

    draw = load.addon("pdfgen", "draw")
    pdf = draw(load.printFormat("invoice", "examples"), {"number": 7, "items": […]})

A print format is a dict, described in docs/print-formats.md. Positions and lengths are in millimetres from the
page's upper left corner, font sizes in points. `{name}` in a text is a value of the data.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Mapping
from io import BytesIO
from pathlib import Path
from typing import Any

from pydantic import ValidationError
from reportlab.lib.colors import HexColor
from reportlab.lib.enums import TA_CENTER, TA_LEFT, TA_RIGHT
from reportlab.lib.pagesizes import A4, A5, LETTER, landscape
from reportlab.lib.styles import ParagraphStyle
from reportlab.lib.units import mm
from reportlab.lib.utils import ImageReader
from reportlab.pdfbase import pdfmetrics
from reportlab.pdfbase.ttfonts import TTFError, TTFont
from reportlab.pdfgen.canvas import Canvas
from reportlab.platypus import BaseDocTemplate, Flowable, Frame, Image, LongTable, PageBreak, PageTemplate, Spacer
from reportlab.platypus import Paragraph as FlowingText
from reportlab.platypus.doctemplate import LayoutError

from system.addons.print_format import (
    Fonts,
    Letters,
    NewPage,
    Paragraph,
    Picture,
    PlacedPicture,
    PrintFormat,
    Table,
    Text,
)
from system.addons.print_text import clean, fill
from system.core.errors import PrintError

SIZES = {"A4": A4, "A5": A5, "letter": LETTER}
ALIGNMENTS = {"left": TA_LEFT, "center": TA_CENTER, "right": TA_RIGHT}


def draw(
    layout: Mapping[str, Any], data: Mapping[str, Any], images: Path | None = None, file: Path | None = None
) -> bytes:
    """The PDF of a print format filled with data, as bytes; also written to `file` if given.

    `images` is the folder of the format's images. Raises PrintError for anything that cannot be drawn: an invalid
    format, a missing name in the data, a missing image, invalid markup.
    """
    if not isinstance(data, Mapping):
        raise PrintError(f"The data of a print format is a dict, not a {type(data).__name__}.")
    checked = _validate(layout)
    try:
        pdf = _Drawing(checked, data, images).draw()
    except PrintError:
        raise
    except Exception as error:  # ReportLab and Pillow raise many kinds
        raise PrintError(f"The print format cannot be drawn: {type(error).__name__}: {error}") from error
    if file is not None:
        _keep(pdf, file)
    return pdf


def _validate(layout: Mapping[str, Any]) -> PrintFormat:
    try:
        return PrintFormat.model_validate(layout)
    except ValidationError as error:
        faults = "; ".join(f"{'.'.join(map(str, fault['loc']))}: {fault['msg']}" for fault in error.errors())
        raise PrintError(f"The print format is invalid: {faults}") from error


def _keep(pdf: bytes, file: Path) -> None:
    """Write a temporary file and move it into place, so that readers never see half of it."""
    try:
        file = Path(file)
        file.parent.mkdir(parents=True, exist_ok=True)
        descriptor, aside = tempfile.mkstemp(dir=file.parent, prefix=".")
        with os.fdopen(descriptor, "wb") as stream:
            stream.write(pdf)
        Path(aside).chmod(0o644)
        os.replace(aside, file)
    except (OSError, TypeError, ValueError) as error:
        raise PrintError(
            f"{file!r} cannot be written: {error}. Give the path of a file in a writable folder."
        ) from error


class _Drawing:
    """Draws one document."""

    def __init__(self, layout: PrintFormat, data: Mapping[str, Any], images: Path | None) -> None:
        self.layout = layout
        self.data = data
        self.images = images
        size = SIZES[layout.size]
        self.width, self.height = landscape(size) if layout.landscape else size
        self.top, self.right, self.bottom, self.left = (length * mm for length in layout.margins)
        self.family = _register(layout.fonts)

    def draw(self) -> bytes:
        frame = Frame(self.left, self.bottom, self.flow_width, self.height - self.top - self.bottom, 0, 0, 0, 0)
        output = BytesIO()
        document = BaseDocTemplate(
            output,
            pagesize=(self.width, self.height),
            title=self.fill(self.layout.title),
            author=self.fill(self.layout.author),
            pageTemplates=[PageTemplate(frames=[frame])],
        )
        story = [flowable for part in self.layout.body for flowable in self.flow(part)]
        try:
            document.build(story or [Spacer(0, 1)], canvasmaker=lambda *a, **k: _Pages(self, *a, **k))
        except LayoutError as error:
            raise PrintError(f"The print format does not fit its page: {error}") from error
        return output.getvalue()

    @property
    def flow_width(self) -> float:
        return float(self.width - self.left - self.right)

    def fill(self, text: str, row: Mapping[str, Any] | None = None, markup: bool = False, **more: Any) -> str:
        """The text with its placeholders replaced by values of the row, then of the data."""
        return fill(text, {**self.data, **(row or {}), **more}, markup)

    def flow(self, part: Any) -> list[Flowable]:
        if isinstance(part, Paragraph):
            text = self.paragraph(part.paragraph, part)
            text.style.rightIndent = max(0.0, self.flow_width - part.width * mm) if part.width else 0
            return [text, Spacer(0, part.below * mm)]
        if isinstance(part, Table):
            return [self.table(part), Spacer(0, part.below * mm)]
        if isinstance(part, Picture):
            return [Image(self.image(self.fill(part.image)), *self.measure(part), hAlign="LEFT")]
        return [PageBreak()] if isinstance(part, NewPage) else [Spacer(0, part.space * mm)]

    def paragraph(self, text: str, letters: Letters, row: Mapping[str, Any] | None = None, **more: Any) -> Any:
        style = ParagraphStyle(
            "text",
            fontName=self.font(letters),
            fontSize=letters.size,
            leading=letters.size * 1.35,
            alignment=ALIGNMENTS[letters.align],
            textColor=HexColor(letters.color),
            splitLongWords=True,
        )
        try:
            return FlowingText(clean(self.fill(text, row, markup=True, **more), self.image), style)
        except ValueError as error:
            raise PrintError(f"{text!r} has invalid markup: {error}") from error

    def font(self, letters: Letters) -> str:
        return self.family + ("-bold" if letters.bold else "") + ("-italic" if letters.italic else "")

    def table(self, part: Table) -> LongTable:
        if part.table not in self.data:
            raise PrintError(f"The data has no list {part.table!r} for the table.")
        records = list(self.data[part.table])
        if not all(isinstance(record, Mapping) for record in records):
            raise PrintError(f"The rows of the table {part.table!r} are dicts, and one of the data is not.")
        heads = [column.model_copy(update={"bold": True}) for column in part.columns]
        rows = [[self.paragraph(head.title, head) for head in heads]]
        rows += [[self.paragraph(column.value, column, row) for column in part.columns] for row in records]
        for texts in part.foot:
            if len(texts) > len(heads):
                raise PrintError(
                    f"The foot of the table {part.table!r} has {len(texts)} texts for {len(heads)} columns."
                )
            padded = texts + [""] * (len(heads) - len(texts))
            rows.append([self.paragraph(text, head) for text, head in zip(padded, heads, strict=True)])
        widths = [column.width * mm for column in part.columns]
        style = _table_style(len(records))
        return LongTable(rows, widths, style=style, repeatRows=1, hAlign="LEFT", splitInRow=1)

    def image(self, name: str) -> str:
        """The path of an image inside the image folder. Raises PrintError if it does not exist."""
        root = os.path.realpath(self.images or ".")
        path = os.path.realpath(os.path.join(root, name))
        if self.images is None or not path.startswith(root + os.sep) or not os.path.isfile(path):
            raise PrintError(f"There is no image {name!r} in the folder that draw() was given: {self.images}.")
        return path

    def measure(self, part: Picture) -> tuple[float, float]:
        """Width and height in points."""
        try:
            width, height = ImageReader(self.image(self.fill(part.image))).getSize()
        except PrintError:
            raise
        except Exception as error:
            raise PrintError(f"{part.image!r} is not a readable image: {error}") from error
        if part.height:
            return (part.width or part.height * width / height) * mm, part.height * mm
        wide = part.width * mm if part.width else min(width, self.flow_width)
        return wide, wide * height / width

    def place(self, canvas: Canvas, page: int, pages: int) -> None:
        """Draw the placed parts of this page."""
        for part in self.layout.placed:
            if part.pages != "every" and (part.pages == "first") != (page == 1):
                continue
            if isinstance(part, Text):
                self.place_text(canvas, part, page, pages)
            elif isinstance(part, PlacedPicture):
                width, height = self.measure(part)
                x, y = part.at[0] * mm, self.height - part.at[1] * mm
                canvas.drawImage(self.image(self.fill(part.image)), x, y - height, width, height, mask="auto")
            else:
                x1, y1, x2, y2 = (length * mm for length in part.line)
                canvas.setLineWidth(part.thickness)
                canvas.setStrokeColor(HexColor(part.color))
                canvas.line(x1, self.height - y1, x2, self.height - y2)

    def place_text(self, canvas: Canvas, part: Text, page: int, pages: int) -> None:
        x, y = part.at[0] * mm, self.height - part.at[1] * mm
        if part.width:
            text = self.paragraph(part.text, part, page=page, pages=pages)
            _, height = text.wrapOn(canvas, part.width * mm, self.height)
            text.drawOn(canvas, x, y - height)
            return
        canvas.setFont(self.font(part), part.size)
        canvas.setFillColor(HexColor(part.color))
        write = {"left": canvas.drawString, "center": canvas.drawCentredString, "right": canvas.drawRightString}
        write[part.align](x, y - part.size, self.fill(part.text, page=page, pages=pages))


class _Pages(Canvas):  # type: ignore[misc]
    """A canvas that keeps its pages until the end, because placed parts may show the number of pages."""

    def __init__(self, drawing: _Drawing, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._drawing = drawing
        self._kept: list[dict[str, Any]] = []

    def showPage(self) -> None:
        self._kept.append(dict(self.__dict__))
        self._startPage()

    def save(self) -> None:
        kept = self._kept
        for number, state in enumerate(kept, 1):
            self.__dict__.update(state)
            self._drawing.place(self, number, len(kept))
            super().showPage()
        super().save()


def _table_style(records: int) -> list[tuple[Any, ...]]:
    """Thin lines between rows, thick ones below the titles and above the footer."""
    fine, strong = HexColor("#d0d0d0"), HexColor("#1a1a1a")
    lines = [
        ("LINEBELOW", (0, 0), (-1, 0), 0.75, strong),
        ("LINEBELOW", (0, records), (-1, records), 0.75, strong),
    ]
    if records > 1:
        lines.append(("LINEBELOW", (0, 1), (-1, records - 1), 0.25, fine))
    return [
        ("VALIGN", (0, 0), (-1, -1), "TOP"),
        ("TOPPADDING", (0, 0), (-1, -1), 3),
        ("BOTTOMPADDING", (0, 0), (-1, -1), 4),
        *lines,
    ]


def _register(fonts: Fonts) -> str:
    """Register a font family, once per process; returns its name."""
    family = Path(fonts.regular).stem
    names = [family, f"{family}-bold", f"{family}-italic", f"{family}-bold-italic"]
    files = [fonts.regular, fonts.bold, fonts.italic, fonts.boldItalic]
    for name, file in zip(names, files, strict=True):
        if name in pdfmetrics.getRegisteredFontNames():
            continue
        try:
            pdfmetrics.registerFont(TTFont(name, file))
        except TTFError as error:
            raise PrintError(f"{file} is not a readable TrueType font: {error}") from error
    pdfmetrics.registerFontFamily(family, *names)
    return family
