from __future__ import annotations

from typing import Any

import pytest

from system.core.errors import LibraryError, LoadError


def test_each_kind_is_reached_by_name_and_folder(site: Any) -> None:
    site.write("catalog/model/shop/stock.py", "class stock:\n    def __init__(self, n=1): self.n = n\n")
    site.write("catalog/controller/a/b/cart.py", "class cart:\n    word = 'cart'\n")
    site.write("catalog/print/bills/bill.py", "bill = {'title': 'Bill'}\n")
    site.write("catalog/language/english.py", "english = {'hello': 'Hello'}\n")
    site.write("system/addons/tool.py", "def hammer(): return 'bang'\n")
    load = site.app().load
    assert load.model("stock", "shop").n == 1
    assert load.model("stock", "shop", 5).n == 5
    assert load.controller("cart", "a/b").word == "cart"
    assert load.printFormat("bill", "bills") == {"title": "Bill"}
    assert load.language("english") == {"hello": "Hello"}
    assert load.addon("tool", "hammer")() == "bang"


def test_a_changed_model_counts_at_the_next_load(site: Any) -> None:
    load = site.app().load
    site.write("catalog/model/stock.py", "class stock:\n    n = 1\n")
    assert load.model("stock").n == 1
    site.write("catalog/model/stock.py", "class stock:\n    n = 2\n")
    assert load.model("stock").n == 2


@pytest.mark.parametrize(
    ("name", "folder", "words"),
    [
        ("stok", "shop", ["stok.py", "stock"]),
        ("stock", "shp", ["'shp'", "shop"]),
        ("other", "shop", ["'other'"]),
        ("../stock", "shop", ["../stock.py"]),
        ("os", None, ["os.py"]),
    ],
)
def test_what_is_not_there_is_named_with_near_names(
    site: Any, name: str, folder: str | None, words: list[str]
) -> None:
    site.write("catalog/model/shop/stock.py", "class stock: pass\n")
    site.write("catalog/model/shop/other.py", "class another: pass\n")
    with pytest.raises(LoadError) as raised:
        site.app().load.model(name, folder)
    for word in words:
        assert word in str(raised.value)


def test_a_broken_model_is_told_from_a_missing_one(site: Any) -> None:
    site.write("catalog/model/stock.py", "class stock(:\n")
    with pytest.raises(LibraryError, match=r"stock\.py, line 1"):
        site.app().load.model("stock")


def test_an_addon_may_be_a_package_that_is_imported_once(site: Any) -> None:
    site.write("system/addons/kit/__init__.py", "from .inner import hammer\nimport os\n__all__ = ['hammer']\n")
    site.write("system/addons/kit/inner.py", "made = []\ndef hammer(): made.append(1); return len(made)\n")
    load = site.app().load
    assert [load.addon("kit", "hammer")(), load.addon("kit", "hammer")()] == [1, 2]
    with pytest.raises(LoadError, match="'os'"):
        load.addon("kit", "os")


def test_a_package_among_the_controllers_is_a_folder_like_any_other(site: Any) -> None:
    site.write("old/__init__.py", "raise AssertionError('imported')\n")
    site.write("old/lib.py", "class lib:\n    def index(self): return 'here'\n")
    assert site.client().get("/old/lib").text == "here"


@pytest.mark.parametrize(
    "name", ["os", "path", "json", "Decimal", "D", "deque", "__builtins__", "__import__", "__file__", "inner"]
)
def test_an_addon_gives_only_what_its_file_defines(site: Any, name: str) -> None:
    site.write(
        "system/addons/tool.py",
        """
        import os, json
        import os.path as path
        from collections import *
        from decimal import Decimal, Decimal as D
        if True:
            from . import inner
        hammer = D("1")
        FLAG = True
        def saw(): return "saw"
        class Nail: pass
        """,
    )
    site.write("system/addons/inner.py", "")
    load = site.app().load
    assert [load.addon("tool", own) is not None for own in ("hammer", "FLAG", "saw", "Nail")] == [True] * 4
    with pytest.raises(LoadError, match=name):
        load.addon("tool", name)


NO_ADDONS = [
    "os",
    "os.path",
    "../tool",
    "..tool",
    "tool.py",
    "tool/../tool",
    "/etc/passwd",
    "_hidden",
    "__init__",
    "",
    "tool\0",
]
NO_COMPONENTS = [
    "__dict__",
    "__class__",
    "__loader__",
    "__spec__",
    "__name__",
    "saw.__globals__",
    "os.system",
    "",
    " saw",
    "saw\0",
]


@pytest.mark.parametrize(
    ("module", "component"), [*((name, "saw") for name in NO_ADDONS), *(("tool", name) for name in NO_COMPONENTS)]
)
def test_no_name_of_an_addon_leads_elsewhere(site: Any, module: str, component: str) -> None:
    site.write("system/addons/tool.py", "import os\ndef saw(): return 'saw'\n")
    site.write("system/os.py", "def saw(): return 'outside'\n")
    load = site.app().load
    assert load.addon("tool", "saw")() == "saw"
    with pytest.raises(LoadError):
        load.addon(module, component)


def test_an_addon_gives_what_its_all_names(site: Any) -> None:
    site.write("system/addons/tool.py", "from decimal import Decimal, getcontext\n__all__ = ['Decimal']\n")
    load = site.app().load
    assert load.addon("tool", "Decimal")(1) == 1
    with pytest.raises(LoadError):
        load.addon("tool", "getcontext")
