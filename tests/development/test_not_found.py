"""Why a path leads nowhere, and that the lines it suggests make the path work."""

from __future__ import annotations

import ast
import textwrap
from pathlib import Path
from typing import Any

import pytest

from system.core.development.not_found import Explanation, explain
from system.core.development.remedies import Remedy
from system.core.dispatch.walk import resolve
from system.core.errors import NotFound

ORDERS = '''
    """Orders of the shop."""
    from datetime import timedelta

    from kernkoa import expose


    class Base:
        def inherited(self):
            pass

        @expose
        def shared(self):
            """From above."""


    class Orders(Base):
        """All the orders."""

        kind = "order"

        class Nested:
            pass

        def show(self, number):
            """Show one order."""
            return f"order {number}"

        def before(self, params):
            pass

        def build(self, celery_instance=None):
            pass

        def selfless():
            pass

        @property
        def total(self):
            raise AssertionError("run")

        @staticmethod
        def static():
            pass

        @classmethod
        def made(cls):
            pass


    class Empty:
        pass


    def helper():
        pass
'''


@pytest.fixture
def shop(site: Any) -> Any:
    site.write("shop/orders.py", ORDERS)
    site.write("shop/stock.py", "class Shelf:\n    def count(self, number):\n        return number\n")
    return site


def why(site: Any, path: str) -> Explanation:
    catalog = site.app().catalog
    with pytest.raises(NotFound) as found:
        resolve(catalog, tuple(filter(None, path.split("/"))), catalog.now())
    return explain(found.value.stop)


@pytest.mark.parametrize(
    ("path", "reason"),
    [
        ("nowhere", "catalog/controller has no folder and no library nowhere"),
        ("shop/nowhere/x", "catalog/controller/shop has no folder and no library nowhere"),
        ("shop", "catalog/controller/shop has no index.py"),
        ("shop/or-ders", "'or-ders' cannot be a name"),
        ("_shop/orders", "_shop starts with an underscore"),
        ("shop/orders/timedelta/total_seconds", "timedelta is imported into orders.py (from datetime, timedelta)"),
        ("shop/orders/helper", "helper is a function at the top of orders.py: put it into a class"),
        ("shop/orders/Empty", "Empty has no method index"),
        ("shop/orders/Orders", "Orders has no method index"),
        ("shop/orders/Orders/Nested/x", "Nested is a class inside the class"),
        ("shop/orders/Orders/kind", "kind is an attribute"),
        ("shop/orders/Orders/__init__", "__init__ starts with an underscore"),
        ("shop/orders/Orders/inherited", "inherited is inherited from Base: write @expose above it"),
        ("shop/orders/Orders/before", "before is a hook"),
        ("shop/orders/Orders/build", "build is a task method: start it with exeTask"),
        ("shop/orders/Orders/selfless", "selfless has no self: write def selfless(self)"),
        ("shop/orders/Orders/total", "total is a property"),
        ("shop/orders/Orders/static", "static is a static method"),
        ("shop/orders/Orders/made", "made is a class method"),
        ("shop/orders/Orders/shw/4", "Orders has no method shw"),
        ("shop/orders/Orders/show/4/5", "show(self, number) takes at most 1 further segment"),
        ("shop/orders/Orders/shared/4", "takes no further segments"),
    ],
)
def test_the_reason_names_what_failed(shop: Any, path: str, reason: str) -> None:
    assert reason in why(shop, path).reason


@pytest.mark.parametrize(
    ("file", "path"),
    [
        ("price-list.py", "shop/price_list/all"),
        ("price-list.py", "shop/price-list/all"),
        ("price list.py", "shop/PriceList"),
        ("price_list.PY", "shop/price_list"),
        ("price_list.py.txt", "shop/price_list"),
    ],
)
def test_a_file_whose_name_is_none_is_named_with_the_right_one(shop: Any, file: str, path: str) -> None:
    shop.write("shop/other.txt", "")
    (shop.root / "catalog/controller/shop" / file).write_text("class PriceList:\n    pass\n")
    assert why(shop, path).reason.endswith(f"no URL reaches the file {file} there: rename it to price_list.py")


def test_the_walk_tells_how_far_it_led_and_what_was_not_read(shop: Any) -> None:
    steps = why(shop, "shop/orders/Orders/shw/4").steps
    assert [(step.segment, step.kind, step.found) for step in steps] == [
        ("shop", "folder", True),
        ("orders", "library", True),
        ("Orders", "class", True),
        ("shw", "nothing", False),
        ("4", "unread", False),
    ]
    assert steps[1].path == str(shop.controllers / "shop" / "orders.py")
    line = Path(steps[2].path).read_text().splitlines()[steps[2].line - 1]
    assert line == "class Orders(Base):"


def test_a_default_class_is_a_step_of_its_own(shop: Any) -> None:
    steps = why(shop, "shop/orders/nothing").steps
    assert (steps[2].segment, steps[2].kind, steps[2].note) == ("", "class", "Orders, the default class of orders")


@pytest.mark.parametrize(
    ("path", "near"),
    [
        ("shop/orders/Orders/shw/4", "shop/orders/Orders/show/4"),
        ("shop/orders/orders/show/4", "shop/orders/Orders/show/4"),
        ("shop/order/Orders/show/4", "shop/orders/Orders/show/4"),
        ("SHOP/orders/Orders/show/4", "shop/orders/Orders/show/4"),
        ("shop/orders/Orders/Show/4", "shop/orders/Orders/show/4"),
        ("shop/orders/Ordrs/show/4", "shop/orders/Orders/show/4"),
        ("shop/stock/count/4", "shop/stock/Shelf/count/4"),
    ],
)
def test_near_names_keep_the_rest_of_the_path(shop: Any, path: str, near: str) -> None:
    explanation = why(shop, path)
    assert "/".join(explanation.near[0].segments) == near


def test_what_is_here_has_signatures_docstrings_and_lines(shop: Any) -> None:
    choices = {choice.name: choice for choice in why(shop, "shop/orders/Orders/x").choices}
    assert set(choices) == {"show", "shared", "Base", "Empty"}
    assert (choices["show"].signature, choices["show"].summary) == ("(self, number)", "Show one order.")
    assert choices["show"].segments == ("shop", "orders", "Orders", "show")
    assert choices["shared"].summary == "From above."


def test_a_folder_shows_what_its_libraries_say_and_marks_a_broken_one(shop: Any) -> None:
    shop.write("shop/broken.py", "class Broken:\n    def x(self:\n")
    shop.write("shop/inner/a.py", "")
    choices = {choice.name: choice for choice in why(shop, "shop/x").choices}
    assert choices["orders"].summary == "Orders of the shop."
    assert "cannot be read: SyntaxError" in choices["broken"].summary
    assert "line 2" in choices["broken"].summary
    assert choices["inner"].kind == "folder"


def test_a_folder_of_thousands_is_not_shown_whole(site: Any) -> None:
    for number in range(200):
        site.write(f"many/library{number}.py", "")
    explanation = why(site, "many/librarry7")
    assert len(explanation.choices) <= 60
    assert "many/library7" in ["/".join(choice.segments) for choice in explanation.near]


def test_where_a_folder_and_a_file_share_a_name_the_walk_that_led_further_is_told(site: Any) -> None:
    site.write("sales.py", "class Sales:\n    def report(self):\n        pass\n")
    site.write("sales/other.py", "")
    explanation = why(site, "sales/Sales/reprt")
    assert "Sales has no method reprt" in explanation.reason
    assert explanation.near[0].name == "report"


def test_nothing_is_run(shop: Any) -> None:
    shop.write("shop/danger.py", "raise AssertionError('run')\n")
    assert "no library dangr" in why(shop, "shop/dangr").reason


@pytest.mark.parametrize(
    "path",
    [
        "hello",
        "hello/world",
        "hello/World",
        "hello/World/greet",
        "a/b/c/Hello/greet",
        "a/b/c/Hello/greet/4",
        "a/b/c/Hello/greet/4/5-6",
        "shop/new_things",
        "shop/new_things/list_all",
        "shop",
        "shop/orders/Orders",
        "shop/orders/Orders/new",
        "shop/orders/Orders/new/4/5",
        "shop/orders/Orders/show/4/5",
        "shop/orders/Empty/x",
        "shop/orders/New/x/4",
        "shop/orders/Orders/selfless",
    ],
)
def test_the_suggested_lines_make_the_path_work(shop: Any, path: str) -> None:
    remedy = why(shop, path).remedy
    assert remedy is not None
    apply(remedy)
    app = shop.app()
    resolved = resolve(app.catalog, tuple(path.split("/")), app.catalog.now())
    assert app.test_client().get("/" + path).status_code in (200, 204), resolved


def apply(remedy: Remedy) -> None:
    """Do what the page says: a new file, lines at the end of one, a method in a class, a def line in its place."""
    file = Path(remedy.path)
    if remedy.where == "a new file":
        assert not file.exists()
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(remedy.code)
        return
    lines = file.read_text().splitlines()
    code = remedy.code.splitlines()
    if remedy.where == "at its end":
        file.write_text("\n".join([*lines, "", "", *code]) + "\n")
        return
    number = int("".join(filter(str.isdigit, remedy.where.partition("line ")[2])))
    inside = textwrap.indent(remedy.code, "    ").splitlines()
    if "in class" in remedy.where:
        classes = [node for node in ast.parse(file.read_text()).body if isinstance(node, ast.ClassDef)]
        end = next(node.end_lineno for node in classes if node.lineno == number)
        file.write_text("\n".join([*lines[:end], *inside, *lines[end:]]) + "\n")
    else:
        file.write_text("\n".join([*lines[: number - 1], *inside, *lines[number:]]) + "\n")


@pytest.mark.parametrize(
    "path",
    [
        "or-ders",
        "_private",
        "shop/orders/Orders/total",
        "shop/orders/Orders/build",
        "shop/orders/timedelta",
        "class",
    ],
)
def test_no_lines_are_suggested_that_could_not_work(shop: Any, path: str) -> None:
    assert why(shop, path).remedy is None
