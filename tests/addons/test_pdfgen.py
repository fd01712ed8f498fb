"""pdfgen: documents read back as text, and looked at as pictures."""

from __future__ import annotations

import subprocess
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from pypdf import PdfReader

from system.addons.pdfgen import draw
from system.core.errors import PrintError
from tests.programs import find_program

ROOT = Path(__file__).resolve().parents[2]
EVERY_LETTER = "áéíóúüñ ÁÉÍÓÚÜÑ ¿? ¡! ç ß Łódź Žižkov ő € £ ¥ — “ ” … Привет Αντίο"


def texts(pdf: bytes) -> list[str]:
    """The text of each page."""
    return [page.extract_text() for page in PdfReader(BytesIO(pdf)).pages]


def pictures(pdf: bytes, folder: Path) -> list[Image.Image]:
    """Each page as a grey picture of 72 dots an inch: a point is a dot."""
    (folder / "x.pdf").write_bytes(pdf)
    subprocess.run([find_program("pdftoppm"), "-r", "72", "-gray", "x.pdf", "page"], cwd=folder, check=True)
    return [Image.open(file) for file in sorted(folder.glob("page*.pgm"))]


def ink(picture: Image.Image) -> tuple[float, float, float, float]:
    """Left, top, right and bottom of what is drawn, in millimetres of the page."""
    box = picture.point(lambda grey: 255 if grey < 200 else 0).getbbox()
    assert box
    return tuple(round(dots / 72 * 25.4, 1) for dots in box)  # type: ignore[return-value]


def body(*parts: dict[str, Any]) -> dict[str, Any]:
    return {"body": list(parts)}


def test_letters_of_many_languages_come_back() -> None:
    pdf = draw({**body({"paragraph": EVERY_LETTER}), "title": "{t}"}, {"t": "Año"})
    assert texts(pdf)[0].split() == EVERY_LETTER.split()
    assert PdfReader(BytesIO(pdf)).metadata.title == "Año"


def test_no_letter_is_an_empty_box(tmp_path: Path) -> None:
    """Each letter looks unlike a letter that the font has not."""
    letters = "áñ€ßŁőŽПΑ"

    def look(letter: str, folder: Path) -> bytes:
        folder.mkdir()
        pdf = draw({"placed": [{"text": letter, "at": (20, 20), "size": 60}]}, {})
        return pictures(pdf, folder)[0].tobytes()

    looks = {letter: look(letter, tmp_path / str(ord(letter))) for letter in [*letters, "\U0001f389"]}
    assert len(set(looks.values())) == len(looks)


def test_a_text_stands_at_its_place(tmp_path: Path) -> None:
    parts = [{"text": "HHH", "at": (100, 50), "align": align, "size": 20} for align in ("left", "right")]
    left, top, _, bottom = ink(pictures(draw({"placed": parts[:1]}, {}), tmp_path)[0])
    assert left == pytest.approx(100, abs=1.5)
    assert 50 <= top <= 54
    assert bottom <= 50 + 20 / 72 * 25.4 + 1
    _, _, right, _ = ink(pictures(draw({"placed": parts[1:]}, {}), tmp_path)[0])
    assert right == pytest.approx(100, abs=1.5)


def test_a_paragraph_is_wrapped_by_its_width(tmp_path: Path) -> None:
    words = {"words": "lorem ipsum " * 30}
    left, top, right, _ = ink(pictures(draw(body({"paragraph": "{words}", "width": 60}), words), tmp_path)[0])
    assert (left, top) == (pytest.approx(20, abs=1.5), pytest.approx(21, abs=2))
    assert 70 <= right <= 80.5
    placed = {"placed": [{"text": "{words}", "at": (100, 100), "width": 50}]}
    left, top, right, _ = ink(pictures(draw(placed, words), tmp_path)[0])
    assert (left, top) == (pytest.approx(100, abs=1.5), pytest.approx(101, abs=2))
    assert 140 <= right <= 150.5


def test_an_image_keeps_its_shape(tmp_path: Path) -> None:
    Image.new("RGB", (200, 100), "black").save(tmp_path / "box.png")
    layout = {"placed": [{"image": "{name}.png", "at": (30, 40), "width": 50}]}
    found = ink(pictures(draw(layout, {"name": "box"}, images=tmp_path), tmp_path)[0])
    assert found == pytest.approx((30, 40, 80, 65), abs=0.8)
    flowing = body({"image": "box.png", "height": 10})
    found = ink(pictures(draw(flowing, {}, images=tmp_path), tmp_path)[0])
    assert found == pytest.approx((20, 20, 40, 30), abs=0.8)


def test_a_line_goes_from_place_to_place(tmp_path: Path) -> None:
    found = ink(pictures(draw({"placed": [{"line": (20, 100, 190, 100), "thickness": 3}]}, {}), tmp_path)[0])
    assert found == pytest.approx((20, 99.5, 190, 100.5), abs=0.8)


def test_a_table_goes_on_over_pages_with_its_titles() -> None:
    columns = [{"title": "Number", "value": "{n}", "width": 40}, {"title": "Owner", "value": "{who}", "width": 60}]
    layout = {
        **body({"table": "rows", "columns": columns, "foot": [["Sum", "{total}"]]}),
        "placed": [
            {"text": "page {page} of {pages}", "at": (20, 10)},
            {"text": "once", "at": (99, 9), "pages": "first"},
        ],
    }
    pages = texts(draw(layout, {"rows": [{"n": n} for n in range(100)], "who": "Ana", "total": 4950}))
    assert len(pages) > 1
    assert all(
        "Number" in page and f"page {number} of {len(pages)}" in page for number, page in enumerate(pages, 1)
    )
    assert [page.count("once") for page in pages] == [1] + [0] * (len(pages) - 1)
    words = " ".join(pages).split()
    assert [word for word in words if word.isdecimal() and words[words.index(word) + 1] == "Ana"][:3] == [
        "0",
        "1",
        "2",
    ]
    assert words.count("Ana") == 100
    assert pages[-1].split()[-6:-4] == ["Sum", "4950"] or "4950" in pages[-1]


def test_a_row_taller_than_a_page_is_split() -> None:
    layout = body({"table": "rows", "columns": [{"value": "{text}", "width": 40}]})
    pages = texts(draw(layout, {"rows": [{"text": "word " * 2000}]}))
    assert len(pages) > 1
    assert sum(page.split().count("word") for page in pages) == 2000


def test_a_value_is_never_markup() -> None:
    hostile = "</para><b>bold</b> & <img src='/etc/passwd'/> {0} {x}\nnext"
    (page,) = texts(draw(body({"paragraph": "<b>Name:</b> {name}"}), {"name": hostile}))
    assert " ".join(page.split()) == "Name: " + " ".join(hostile.split())


def test_numbers_take_pythons_formats() -> None:
    layout = body({"paragraph": "{price:,.2f} € for {who[name]}"})
    assert texts(draw(layout, {"price": 1234.5, "who": {"name": "Ñ"}}))[0].strip() == "1,234.50 € for Ñ"


def test_a_format_without_parts_is_an_empty_page() -> None:
    assert texts(draw({"size": "A5", "landscape": True}, {})) == [""]


@pytest.mark.parametrize(
    ("layout", "fault"),
    [
        ({"bdoy": []}, "bdoy"),
        ({"size": "A0"}, "A4"),
        (body({"paragraf": "x"}), "body.0"),
        (body({"paragraph": "x", "colour": "#000000"}), "colour"),
        (body({"paragraph": "x", "color": "red"}), "body.0.paragraph.color"),
        ({"placed": [{"text": "x"}]}, "at"),
        (body({"paragraph": "{nobody}"}), "nobody"),
        (body({"paragraph": "{name:d}"}), "name:d"),
        (body({"paragraph": "<b>unclosed"}), "markup"),
        (body({"table": "rows", "columns": [{"value": "x", "width": 10}]}), "'rows'"),
        (body({"table": "name", "columns": []}), "columns"),
        (body({"image": "nothing.png"}), "nothing.png"),
        (body({"image": "../secret.png"}), "secret.png"),
        (body({"image": "text.png"}), "text.png"),
        ({"fonts": {"regular": "/nothing.ttf"}, **body({"paragraph": "x"})}, "/nothing.ttf"),
    ],
)
def test_what_cannot_be_drawn_is_named(layout: dict[str, Any], fault: str, tmp_path: Path) -> None:
    images = tmp_path / "images"
    images.mkdir()
    (images / "text.png").write_text("no image")
    Image.new("RGB", (2, 2)).save(tmp_path / "secret.png")
    with pytest.raises(PrintError) as caught:
        draw(layout, {"name": "x"}, images=images)
    assert fault in str(caught.value)


def test_a_document_is_kept_whole_or_not_at_all(tmp_path: Path) -> None:
    pdf = draw(body({"paragraph": "x"}), {}, file=tmp_path / "new" / "x.pdf")
    assert (tmp_path / "new" / "x.pdf").read_bytes() == pdf
    assert [file.name for file in (tmp_path / "new").iterdir()] == ["x.pdf"]
    (tmp_path / "file").write_text("")
    with pytest.raises(PrintError, match="cannot be written"):
        draw(body({"paragraph": "x"}), {}, file=tmp_path / "file" / "x.pdf")


def test_the_example_is_one_page_or_many_and_stays_under_pdfs(tmp_path: Path) -> None:
    from tests.test_message import Board

    board = Board(tmp_path)
    try:
        import urllib.request

        def get(path: str) -> tuple[str, bytes]:
            with urllib.request.urlopen(board.url + path) as answer:
                return answer.headers["Content-Type"], answer.read()

        kind, pdf = get("/examples/invoice/Invoice/show?number=1001")
        assert kind == "application/pdf"
        (page,) = texts(pdf)
        assert "Peña & Ibáñez S.L." in page
        assert "198.86 €" in page
        assert get("/pdfs/invoice-1001.pdf") == (kind, pdf)
        _, pdf = get("/examples/invoice/Invoice/show?number=1002")
        pages = texts(pdf)
        assert len(pages) == 4
        assert "Page 4 of 4" in pages[3]
        assert "3,503.68 €" in pages[3]
        assert board.ask("/examples/invoice/Invoice/show?number=..%2F1001")[0] == 422
        assert board.ask("/examples/invoice/Invoice/show?number=7")[0] == 404
        assert board.ask("/examples/invoice/Invoice/show")[0] == 422
    finally:
        board.server.stop()
