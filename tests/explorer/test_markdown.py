"""Docstrings as the explorer shows them: Markdown, and nothing that a docstring could do to a page."""

from __future__ import annotations

from typing import Any

import pytest

from system.core.explorer.markdown import render_docstring, render_line


@pytest.mark.parametrize(
    ("source", "shown"),
    [
        ("One line.", "<p>One line.</p>\n"),
        ("Two\nlines.", "<p>Two<br />\nlines.</p>\n"),
        ("A `code` and **more**.", "<p>A <code>code</code> and <strong>more</strong>.</p>\n"),
        ("- a\n- b", "<ul>\n<li>a</li>\n<li>b</li>\n</ul>\n"),
        ("Args:\n    x: a number", "<p>Args:<br />\nx: a number</p>\n"),
        (">>> area(3)\n9", "<p>&gt;&gt;&gt; area(3)<br />\n9</p>\n"),
        ("*args, **kwargs and snake_case_name", "<p>*args, **kwargs and snake_case_name</p>\n"),
        ("# No heading", "<p># No heading</p>\n"),
        ("```\nx < 1\n```", '<pre tabindex="0"><code>x &lt; 1\n</code></pre>\n'),
        ("<script>alert(1)</script>", "<p>&lt;script&gt;alert(1)&lt;/script&gt;</p>\n"),
        ("[x](javascript:alert(1))", "<p>[x](javascript:alert(1))</p>\n"),
        ("[x](data:text/html,a)", "<p>[x](data:text/html,a)</p>\n"),
        ("[x](https://example.org)", '<p><a href="https://example.org">x</a></p>\n'),
    ],
)
def test_a_docstring_is_markdown(source: str, shown: str) -> None:
    assert render_docstring(source) == shown


def test_an_image_is_not_loaded() -> None:
    assert "<img" not in render_docstring("![x](https://example.org/a.png)")


def test_a_line_has_no_link() -> None:
    assert render_line("See [x](https://example.org), `a` <b>") == "See x, <code>a</code> &lt;b&gt;"


SHOP = """
from system.core.dispatch.decorators import background

def require(role): return lambda target: target
def before(self, params): return None

class Orders:
    "Orders of **today**."
    def show(self, n: int) -> list[int]:
        "Show `n`."
        return [n]
    @require(role="boss")
    def drop(self): pass
    def build(self, celery_instance) -> dict[str, int]: return {}

class Staff:
    before = before
    def list(self): pass
"""


def test_pages_show_markdown_guards_counts_and_what_is_returned(site: Any) -> None:
    site.write("shop/orders.py", SHOP)
    site.write("shop/old/a.py", "class a:\n    def index(self): pass\n")
    site.write("shop/_folder.py", "from shop.orders import before\n")
    client = site.client(development=True)

    def page(path: str) -> str:
        text: str = client.get(f"/_koa/{path}").text
        return text

    root, folder, library = page(""), page("at/shop"), page("at/shop/orders")
    assert "2 files" in root
    assert "guarded" not in root
    assert "Orders of <strong>today</strong>." in folder
    assert ('/</a> <span class="quiet count">1 file<' in folder, "guarded" in folder) == (True, True)
    assert library.count(">guarded<") == 2
    assert "Show <code>n</code>." in library
    show = page("at/shop/orders/Orders/show")
    assert "Returns 200" in show
    assert "a list, each a whole number" in show
    assert "Result: an object" in page("at/shop/orders/Orders/build")
    assert 'href="/">Home page' in show
