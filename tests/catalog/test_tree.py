"""How the files of the catalogue import one another."""

from __future__ import annotations

import importlib
import os
import pickle
import sys
import threading
from typing import Any

import pytest

SIBLING = "WORD = {word!r}\n"
USES = """
    {statement}

    class Uses:
        def index(self):
            return {expression}
"""


@pytest.mark.parametrize(
    ("statement", "expression"),
    [
        ("import sibling", "sibling.WORD"),
        ("import sibling as s", "s.WORD"),
        ("from sibling import WORD", "WORD"),
        ("from sibling import *", "WORD"),
        ("from . import sibling", "sibling.WORD"),
        ("from .sibling import WORD", "WORD"),
        ("from catalog.controller.shop.sibling import WORD", "WORD"),
        ("from catalog.controller.shop import sibling", "sibling.WORD"),
        ("import catalog.controller.shop.sibling", "catalog.controller.shop.sibling.WORD"),
        ("import catalog.controller.shop.sibling as s", "s.WORD"),
        ("from ..other import WORD", "WORD"),
        ("from .. import other", "other.WORD"),
        ("from ..deep.lib import WORD", "WORD"),
        ("import importlib; s = importlib.import_module('catalog.controller.shop.sibling')", "s.WORD"),
    ],
)
def test_every_import_statement_works_and_a_changed_import_loads_anew(
    site: Any, statement: str, expression: str
) -> None:
    imported = [
        site.write(name, SIBLING.format(word="one")) for name in ("shop/sibling.py", "other.py", "deep/lib.py")
    ]
    site.write("shop/uses.py", USES.format(statement=statement, expression=expression))
    client = site.client()
    assert client.get("/shop/uses").text == "one"
    for file in imported:
        file.write_text(SIBLING.format(word="two"))
    if "importlib" not in statement:  # what is computed is not followed
        assert client.get("/shop/uses").text == "two"


def test_a_change_two_imports_away_counts(site: Any) -> None:
    site.write("a.py", "from .b import WORD\nclass A:\n    def index(self): return WORD\n")
    site.write("b.py", "from .c import WORD\n")
    site.write("c.py", "WORD = 'one'\n")
    client = site.client()
    assert client.get("/a").text == "one"
    site.write("c.py", "WORD = 'two'\n")
    assert client.get("/a").text == "two"


def test_a_broken_import_is_told_by_its_own_file_and_line(site: Any, caplog: pytest.LogCaptureFixture) -> None:
    site.write("a.py", "from .b import WORD\nclass A:\n    def index(self): return WORD\n")
    broken = site.write("b.py", "WORD = 1\nWORD = = 2\n")
    client = site.client()
    assert client.get("/a").status_code == 500
    assert f"{broken}, line 2" in caplog.text
    site.write("b.py", "WORD = 'mended'\n")
    assert client.get("/a").text == "mended"


def test_a_broken_import_leaves_both_files_serving_what_they_were(site: Any) -> None:
    site.write("a.py", "from .b import WORD\nclass A:\n    def index(self): return WORD\n")
    site.write("b.py", "WORD = 'old'\n")
    client = site.client()
    assert client.get("/a").text == "old"
    site.write("b.py", "WORD = = 2\n")
    assert client.get("/a").text == "old"


def test_two_libraries_may_import_each_other(site: Any) -> None:
    a = "from . import b\nWORD = {!r}\nclass A:\n    def index(self): return WORD + b.WORD\n"
    b = "from . import a\nWORD = {!r}\nclass B:\n    def index(self): return WORD + a.WORD\n"
    site.write("a.py", a.format("a"))
    site.write("b.py", b.format("b"))
    client = site.client()
    assert client.get("/a").text == "ab"
    assert client.get("/b").text == "ba"
    site.write("a.py", a.format("A"))
    assert client.get("/b").text == "bA"
    assert client.get("/a").text == "Ab"
    site.write("b.py", b.format("B"))
    assert client.get("/a").text == "AB"
    assert client.get("/b").text == "BA"


def test_a_library_named_like_a_module_of_python_takes_nothing_from_it(site: Any) -> None:
    site.write("json.py", "class Json:\n    def index(self): return 'mine'\n")
    site.write("lib.py", "import json\nclass Lib:\n    def index(self): return json.dumps([1])\n")
    client = site.client()
    assert client.get("/json").text == "mine"
    assert client.get("/lib").text == "[1]"


def test_controllers_reach_models_by_import(site: Any) -> None:
    site.write("catalog/model/shop/stock.py", "class stock:\n    count = 7\n")
    site.write(
        "lib.py",
        "from catalog.model.shop.stock import stock\nclass Lib:\n    def index(self): return str(stock.count)\n",
    )
    client = site.client()
    assert client.get("/lib").text == "7"
    site.write("catalog/model/shop/stock.py", "class stock:\n    count = 8\n")
    assert client.get("/lib").text == "8"


def test_an_import_inside_a_function_is_live(site: Any) -> None:
    site.write("other.py", "WORD = 'one'\n")
    site.write(
        "lib.py", "class Lib:\n    def index(self):\n        from .other import WORD\n        return WORD\n"
    )
    client = site.client()
    assert client.get("/lib").text == "one"
    site.write("other.py", "WORD = 'two'\n")
    assert client.get("/lib").text == "two"


def test_a_module_that_is_nowhere_is_a_module_not_found_error(site: Any) -> None:
    site.write(
        "lib.py",
        """
        try:
            import nowhere_at_all
        except ModuleNotFoundError as error:
            name = error.name
        try:
            from catalog.controller import missing
        except ImportError as error:
            kind = type(error).__name__
        try:
            import catalog.controller.missing
        except ModuleNotFoundError as error:
            whole = error.name

        class Lib:
            def index(self): return [name, kind, whole]
        """,
    )
    assert site.client().get("/lib").get_json() == ["nowhere_at_all", "ImportError", "catalog.controller.missing"]


def test_modules_stand_under_their_true_names(site: Any) -> None:
    site.write(
        "shop/orders.py",
        """
        from dataclasses import dataclass

        @dataclass
        class Order:
            number: "int"

        class Orders:
            def index(self): return __name__
        """,
    )
    client = site.client()
    assert client.get("/shop/orders").text == "catalog.controller.shop.orders"
    module = sys.modules["catalog.controller.shop.orders"]
    assert importlib.import_module("catalog.controller.shop.orders") is module
    order = module.Order(7)
    assert pickle.loads(pickle.dumps(order)) == order


def test_a_link_out_of_the_tree_is_not_followed_and_one_inside_is(site: Any, tmp_path: Any) -> None:
    text = "class {name}:\n    def index(self): return 'here'\n"
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "lib.py").write_text(text.format(name="Lib"))
    site.write("inside/real.py", text.format(name="index"))
    os.symlink(outside, site.controllers / "out")
    os.symlink(outside / "lib.py", site.controllers / "lib.py")
    os.symlink(site.controllers / "inside", site.controllers / "link")
    client = site.client()
    assert client.get("/out/lib").status_code == 404
    assert client.get("/lib").status_code == 404
    assert client.get("/link/real").text == "here"


@pytest.mark.parametrize(
    "name", ["has-dash.py", "has space.py", "ñame.py", "1st.py", "__init__.py", ".dot.py", "a.b.py"]
)
def test_a_file_whose_name_is_no_plain_identifier_is_not_in_the_tree(site: Any, name: str) -> None:
    site.write(name, "class index:\n    def index(self): return 'no'\n")
    assert site.client().get("/" + name.removesuffix(".py")).status_code == 404


def test_a_file_with_an_underscore_can_be_imported_and_not_requested(site: Any) -> None:
    site.write("_tools.py", "WORD = 'tool'\nclass index:\n    def index(self): return 'no'\n")
    site.write("lib.py", "from ._tools import WORD\nclass Lib:\n    def index(self): return WORD\n")
    client = site.client()
    assert client.get("/lib").text == "tool"
    assert client.get("/_tools").status_code == 404


def test_an_app_scans_only_the_top_folder_before_the_first_request(
    site: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    scanned: list[str] = []
    scan = os.scandir
    monkeypatch.setattr(
        "system.core.catalog.folder.os.scandir", lambda path: scanned.append(str(path)) or scan(path)
    )
    site.write("a/lib.py", "class Lib:\n    def index(self): return 'here'\n")
    site.write("b/lib.py", "raise AssertionError('nobody asked for it')\n")
    app = site.app()
    assert {path for path in scanned if path.startswith(str(site.controllers))} == {str(site.controllers)}
    assert app.test_client().get("/a/lib").text == "here"
    assert not [path for path in scanned if path.endswith("/b")]


def test_of_many_folders_and_libraries_only_those_asked_for_are_made(site: Any) -> None:
    for number in range(100):
        (site.controllers / f"folder{number}").mkdir(parents=True, exist_ok=True)
        site.write(f"folder7/lib{number}.py", "class Lib:\n    def index(self): return 'here'\n")
    app = site.app()
    root = app.catalog.roots["controller"]
    assert not root.folders.made
    assert app.test_client().get("/folder7/lib3/Lib").text == "here"
    assert [*root.folders.made] == ["folder7"]
    assert [*root.folders["folder7"].libraries.made] == ["lib3"]
    folder, before = root.folders["folder7"], root.folders["folder7"].libraries
    assert before == before.listed_again({*before})[0] != before.listed_again({"lib3"})[0]
    assert [*folder.libraries.made] == ["lib3"]  # to compare two listings makes none
    assert len(root.folders) == 100
    kept, other = root.folders["folder7"], root.folders["folder8"]
    (site.controllers / "folder8").rmdir()
    root.refresh(app.catalog.policy.after_every_look())
    assert root.folders["folder7"] is kept
    assert root.folders.get("folder8") is None
    (site.controllers / "folder8").mkdir()
    root.refresh(app.catalog.policy.after_every_look())
    assert root.folders["folder8"] is not other


def test_threads_that_ask_for_a_library_first_get_the_same_one(site: Any) -> None:
    site.write("lib.py", "")
    root = site.app().catalog.roots["controller"]
    barrier, found = threading.Barrier(8), set()

    def ask() -> None:
        barrier.wait()
        found.add(root.libraries["lib"])

    threads = [threading.Thread(target=ask) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 1


def test_the_imports_of_an_edited_library_scan_a_folder_once(site: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """A folder that changed in the last two seconds is scanned at each look, as its stamp tells nothing yet."""
    for number in range(9):
        site.write(f"part{number}.py", f"from catalog.controller.part{number + 1} import name\n")
    edited = site.write("part9.py", "name = 'old'\n")
    site.write("lib.py", "from .part0 import name\nclass Lib:\n    def index(self): return name\n")
    client = site.client()
    assert client.get("/lib").text == "old"
    scanned: list[str] = []
    scan = os.scandir
    monkeypatch.setattr(
        "system.core.catalog.folder.os.scandir", lambda path: scanned.append(str(path)) or scan(path)
    )
    edited.write_text("name = 'new'\n")
    assert client.get("/lib").text == "new"
    assert scanned.count(str(site.controllers)) <= 2  # for the request and for the load


@pytest.mark.parametrize(
    "links",
    [
        {"a": ".", "b": "."},
        {"shop/a": ".", "shop/b": "..", "shop/c": "../shop"},
        {"x/y": "../z", "z/x": "../x", "z/z": "."},
        {f"n{one}/to{two}": f"../n{two}" for one in range(8) for two in range(8)},
    ],
    ids=["to itself", "upwards", "round", "each to each"],
)
def test_links_that_lead_round_make_no_endless_tree(site: Any, links: dict[str, str]) -> None:
    site.write("lib.py", "class Lib:\n    def index(self): return 'here'\n")
    for link, target in links.items():
        place = site.controllers / link
        place.parent.mkdir(exist_ok=True)
        os.symlink(target, place)
    site.write("shop/own.py", "class Own:\n    def index(self): return 'own'\n")
    app = site.app()
    listed = list(app.catalog.libraries("controller", app.catalog.now()))
    assert 2 <= len(listed) <= 2 + len(links) * 2
    assert app.test_client().get("/" + "a/b/" * 40 + "lib").status_code == 404


def test_what_is_hidden_is_neither_listed_nor_scheduled(site: Any) -> None:
    from system.core.explorer.listing import Listing
    from system.core.tasks.schedules import list_schedules

    text = "from kernkoa import *\nclass {}:\n    @every('5m')\n    def run(self, celery_instance=None): pass\n"
    for path, name in (
        ("_hidden.py", "Hidden"),
        ("zz/_deep.py", "Deep"),
        ("_folder/lib.py", "Lib"),
        ("lib.py", "_Lib"),
    ):
        site.write(path, text.format(name))
    site.write("shown.py", text.format("Shown"))
    catalog = site.app().catalog
    assert [schedule.route for schedule in list_schedules(catalog)] == ["shown/Shown/run"]
    assert [listed.name for listed in Listing(catalog).walk(catalog.now()) if list(listed.methods)] == ["shown"]
    names = {library.place for library in catalog.libraries("controller", catalog.now(), hidden=True)}
    assert names == {"_hidden", "zz/_deep", "_folder/lib", "lib", "shown"}
