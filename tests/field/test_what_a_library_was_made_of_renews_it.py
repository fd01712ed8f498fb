"""Whatever a library executed to get its values renews it, and libraries that share state are renewed together."""

from __future__ import annotations

from typing import Any

import pytest

DOORS = {
    "load.language": ("catalog/language/words.py", "words = {!r}\n", "words = load.language('words')"),
    "load.printFormat": ("catalog/print/words.py", "words = {!r}\n", "words = load.printFormat('words')"),
    "load.addon": ("system/addons/words.py", "words = {!r}\n", "words = load.addon('words', 'words')"),
    "load.model": (
        "catalog/model/shop/words.py",
        "class words:\n    text = {!r}\n",
        "words = load.model('words', 'shop').text",
    ),
    "load.controller": (
        "shop/words.py",
        "class words:\n    text = {!r}\n",
        "words = load.controller('words', 'shop').text",
    ),
    "importlib": (
        "catalog/model/words.py",
        "words = {!r}\n",
        "import importlib; words = importlib.import_module('catalog.model.words').words",
    ),
    "import": ("catalog/model/words.py", "words = {!r}\n", "from catalog.model.words import words"),
    "a function of another library": (
        "catalog/model/words.py",
        "words = {!r}\n",
        "from .helper import read; words = read()",
    ),
    "runpy": (
        "catalog/model/words.py",
        "words = {!r}\n",
        "import runpy; words = runpy.run_path(ROOT + '/catalog/model/words.py')['words']",
    ),
    "a loader of importlib": (
        "catalog/model/words.py",
        "words = {!r}\n",
        "from importlib.util import module_from_spec, spec_from_file_location as find; "
        "spec = find('words', ROOT + '/catalog/model/words.py'); "
        "words = module_from_spec(spec); spec.loader.exec_module(words); words = words.words",
    ),
    "exec": (
        "catalog/model/words.py",
        "words = {!r}\n",
        "from pathlib import Path; exec(Path(ROOT + '/catalog/model/words.py').read_text())",
    ),
    "a base class": (
        "catalog/model/words.py",
        "class Base:\n    text = {!r}\n",
        "from catalog.model.words import Base\nclass Own(Base): pass\nwords = Own.text",
    ),
}
PLACES = {
    "module": "{statement}\n\nclass Lib:\n    def index(self): return words\n",
    "class": "class Lib:\n    {statement}\n    def index(self): return self.words\n",
}


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("door", DOORS)
def test_an_edit_renews_what_was_made_of_it(site: Any, door: str, place: str) -> None:
    path, text, statement = DOORS[door]
    site.write("helper.py", "def read():\n    from catalog.model.words import words\n    return words\n")
    file = site.write(path, text.format("one"))
    indent = "\n    " if place == "class" else "\n"
    site.write(
        "lib.py",
        "from runtime_of_test import ROOT, load\n"
        + PLACES[place].format(statement=statement.replace("\n", indent)),
    )
    app = site.app()
    provide_load(app)
    client = app.test_client()
    assert client.get("/lib").text == "one"
    file.write_text(
        text.format("other")
    )  # of another length: a .pyc of Python's own is as old as its second and size
    assert client.get("/lib").text == "other"


def provide_load(app: Any) -> None:
    """What `from kernkoa import load` gives, of this app."""
    import sys
    import types

    module = types.ModuleType("runtime_of_test")
    vars(module).update(load=app.load, ROOT=str(app.settings.path))
    sys.modules["runtime_of_test"] = module


BASE = "from sqlalchemy.orm import DeclarativeBase\n\nclass Base(DeclarativeBase):\n    pass\n"
BOOK = """
from sqlalchemy import Column, Integer, String
from .base import Base

class Book(Base):
    __tablename__ = "books"
    id = Column(Integer, primary_key=True)
    {more}
"""
AUTHOR = """
from sqlalchemy import Column, ForeignKey, Integer
from sqlalchemy.orm import relationship
from .base import Base

class Author(Base):
    __tablename__ = "authors"
    id = Column(Integer, primary_key=True)
    book_id = Column(ForeignKey("books.id"))
    book = relationship("Book")
"""
SHOWS = """
from catalog.model.lib.author import Author
from catalog.model.lib.book import Book
from catalog.model.lib.base import Base

class Lib:
    def index(self):
        Author()
        return [Base.metadata.tables["books"].columns.keys(), Base.metadata is Author.metadata is Book.metadata]
"""


def write_models(site: Any) -> None:
    site.write("catalog/model/lib/base.py", BASE)
    site.write("catalog/model/lib/book.py", BOOK.format(more=""))
    site.write("catalog/model/lib/author.py", AUTHOR)
    site.write("lib.py", SHOWS)
    site.write(
        "other.py", SHOWS.replace("Lib", "Other").replace("author import Author", "author import Author as A")
    )
    site.write("other.py", SHOWS.replace("class Lib", "class Other"))


@pytest.mark.parametrize("development", [True, False])
def test_a_table_gets_a_column(site: Any, development: bool) -> None:
    write_models(site)
    client = site.client(development=development)
    assert client.get("/lib").get_json() == [["id"], True]
    assert client.get("/other").get_json() == [["id"], True]
    for number in range(3):
        site.write("catalog/model/lib/book.py", BOOK.format(more=f"title{number} = Column(String)"))
        assert client.get("/lib").get_json() == [["id", f"title{number}"], True]
        assert client.get("/other").get_json() == [["id", f"title{number}"], True]


def test_an_edit_of_the_base_renews_all_that_is_registered_in_it(site: Any) -> None:
    write_models(site)
    client = site.client()
    assert client.get("/lib").get_json() == [["id"], True]
    site.write("catalog/model/lib/base.py", BASE + "    marker = 1\n")
    assert client.get("/lib").get_json() == [["id"], True]
    assert client.get("/other").get_json() == [["id"], True]


def test_an_edit_that_does_not_load_leaves_all_of_them_as_they_were(site: Any) -> None:
    write_models(site)
    client = site.client()
    assert client.get("/lib").get_json() == [["id"], True]
    site.write("catalog/model/lib/book.py", BOOK.format(more="title = Column(Nothing)"))
    assert client.get("/lib").get_json() == [["id"], True]
    assert client.get("/other").get_json() == [["id"], True]
    site.write("catalog/model/lib/book.py", BOOK.format(more="title = Column(String)"))
    assert client.get("/lib").get_json() == [["id", "title"], True]


def test_a_first_version_that_fails_half_way_does_not_spoil_the_next(site: Any) -> None:
    write_models(site)
    site.write("catalog/model/lib/book.py", BOOK.format(more="") + "\nnothing\n")
    client = site.client()
    assert client.get("/lib").status_code == 500
    site.write("catalog/model/lib/book.py", BOOK.format(more="title = Column(String)"))
    assert client.get("/lib").get_json() == [["id", "title"], True]


def test_a_broken_partner_is_named(site: Any, caplog: pytest.LogCaptureFixture) -> None:
    write_models(site)
    site.write(
        "book_only.py",
        "from catalog.model.lib.book import Book\nclass book_only:\n    def index(self): return ''\n",
    )
    client = site.client()
    assert client.get("/lib").status_code == 200
    author = site.write("catalog/model/lib/author.py", AUTHOR + "1 / 0\n")
    site.write("catalog/model/lib/book.py", BOOK.format(more="title = Column(String)"))
    assert client.get("/book_only").status_code == 200
    assert f"{author}, line {AUTHOR.count(chr(10)) + 1}: ZeroDivisionError" in caplog.text
    assert "They are loaded together" in caplog.text
    assert client.get("/lib").get_json() == [["id"], True]
    site.write("catalog/model/lib/author.py", AUTHOR)
    assert client.get("/lib").get_json() == [["id", "title"], True]


def test_a_renamed_file_leaves_nothing_behind(site: Any) -> None:
    write_models(site)
    client = site.client()
    assert client.get("/lib").status_code == 200
    folder = site.root / "catalog/model/lib"
    (folder / "book.py").rename(folder / "novel.py")
    site.write("lib.py", SHOWS.replace("lib.book", "lib.novel"))
    assert client.get("/lib").get_json() == [["id"], True]
    (site.root / "catalog/model/elsewhere").mkdir()
    (folder / "novel.py").rename(site.root / "catalog/model/elsewhere/novel.py")
    site.write("catalog/model/elsewhere/novel.py", BOOK.format(more="").replace(".base", "..lib.base"))
    site.write("lib.py", SHOWS.replace("lib.book", "elsewhere.novel"))
    assert client.get("/lib").get_json() == [["id"], True]


REGISTRIES = {
    "a list": ("HANDLERS = []\n", "from .registry import HANDLERS\nHANDLERS.append({!r})\n", "HANDLERS"),
    "a dict": ("HANDLERS = {}\n", "from .registry import HANDLERS\nHANDLERS[{!r}] = 1\n", "list(HANDLERS)"),
    "a set": ("HANDLERS = set()\n", "from . import registry\nregistry.HANDLERS.add({!r})\n", "sorted(HANDLERS)"),
    "a decorator": (
        "HANDLERS = []\ndef register(one):\n    HANDLERS.append(one.word)\n    return one\n",
        "from .registry import register\n@register\nclass Plugin:\n    word = {!r}\n",
        "HANDLERS",
    ),
    "__init_subclass__": (
        "HANDLERS = []\nclass Plugin:\n    def __init_subclass__(cls):\n        HANDLERS.append(cls.word)\n",
        "from .registry import Plugin\nclass Own(Plugin):\n    word = {!r}\n",
        "HANDLERS",
    ),
    "a registry that refuses a name twice": (
        "HANDLERS = {}\ndef register(key, value):\n    if key in HANDLERS: raise ValueError(key)\n"
        "    HANDLERS[key] = value\n",
        "from .registry import register\nregister(__name__, {!r})\n",
        "list(HANDLERS.values())",
    ),
    "an object in a closure": (
        "def make():\n    found = []\n    def add(word): found.append(word)\n    return add, lambda: found\n"
        "add, listed = make()\n",
        "from .registry import add\nadd({!r})\n",
        "listed()",
    ),
    "an attribute of the module": (
        "HANDLERS = []\n",
        "from . import registry\nregistry.HANDLERS = [*registry.HANDLERS, {!r}]\n",
        "HANDLERS",
    ),
}


@pytest.mark.parametrize("registry", REGISTRIES)
def test_what_registers_itself_is_registered_once(site: Any, registry: str) -> None:
    holder, plugin, shown = REGISTRIES[registry]
    site.write("plug/registry.py", holder + f"def show(): return {shown}\n")
    site.write("plug/first.py", plugin.format("first"))
    site.write("plug/second.py", plugin.format("second"))
    site.write(
        "lib.py",
        "from .plug import first, second\nfrom .plug.registry import show\nclass Lib:\n    def index(self): return show()\n",
    )
    client = site.client()
    assert sorted(client.get("/lib").get_json()) == sorted(
        ["first", "second"][: len(client.get("/lib").get_json())]
    )
    site.write("plug/second.py", plugin.format("changed"))
    assert "changed" in client.get("/lib").get_json()
    site.write("plug/second.py", plugin.format("again"))
    said = client.get("/lib").get_json()
    assert "again" in said
    assert "changed" not in said
    assert "second" not in said
    assert len(said) == len(set(said))


def test_an_edit_of_a_library_that_only_reads_leaves_the_state_of_others_alone(site: Any) -> None:
    site.write(
        "catalog/model/counter.py", "calls = []\ndef count():\n    calls.append(1)\n    return len(calls)\n"
    )
    text = "from catalog.model.counter import count\nclass Lib:\n    def index(self): return str(count()) + {!r}\n"
    site.write("lib.py", text.format("a"))
    client = site.client()
    assert [client.get("/lib").text for _ in range(3)] == ["1a", "2a", "3a"]
    site.write("lib.py", text.format("b"))
    assert client.get("/lib").text == "4b"


def test_loggers_caches_and_the_face_are_no_shared_state(site: Any) -> None:
    head = "import functools, logging\nfrom kernkoa import *\nlog = logging.getLogger(__name__)\n"
    site.write("base.py", head + "runs = []\n@functools.cache\ndef once(): return 1\nclass Base: log = log\n")
    text = (
        head
        + "from .base import Base, once, runs\nonce()\nclass Lib(Base):\n    def index(self):\n        runs.append(1)\n"
    )
    site.write("lib.py", text + "        return [len(runs), 1]\n")
    client = site.client()
    assert client.get("/lib").get_json() == [1, 1]
    site.write("lib.py", text + "        return [len(runs), 2]\n")
    assert client.get("/lib").get_json() == [2, 2]


def test_an_edit_that_collides_outside_of_the_catalogue_says_to_start_again(
    site: Any, caplog: pytest.LogCaptureFixture
) -> None:
    from sqlalchemy import MetaData

    import tests

    tables = MetaData()
    vars(tests)["TABLES"] = tables
    text = "from tests import TABLES\nfrom sqlalchemy import *\nTable('books', TABLES, Column('id', Integer{}))\n"
    text += "class Lib:\n    def index(self): return 'here'\n"
    site.write("lib.py", text.format(""))
    client = site.client()
    assert client.get("/lib").text == "here"
    site.write("lib.py", text.format(", primary_key=True"))
    assert client.get("/lib").text == "here"
    assert "start the site again" in caplog.text


def test_a_large_value_is_not_walked(site: Any) -> None:
    site.write("big.py", "numbers = list(range(300_000))\n")
    site.write("lib.py", "from .big import numbers\nclass Lib:\n    def index(self): return str(len(numbers))\n")
    client = site.client()
    assert client.get("/lib").text == "300000"
    site.write(
        "lib.py",
        "from .big import numbers\nnumbers.append(1)\nclass Lib:\n    def index(self): return str(len(numbers))\n",
    )
    assert client.get("/lib").text == "300001"
    site.write(
        "lib.py",
        "from .big import numbers\nnumbers.append(2)\nclass Lib:\n    def index(self): return str(len(numbers))\n",
    )
    assert client.get("/lib").text == "300001"


@pytest.mark.parametrize("imports", ["reg, plug", "plug, reg"])
@pytest.mark.parametrize("settings", [{"development": True}, {}], ids=["development", "live"])
def test_a_library_that_uses_two_partners_uses_them_as_they_are_after_each_edit(
    site: Any, imports: str, settings: dict[str, Any]
) -> None:
    site.write(
        "catalog/model/lib/reg.py",
        """
        handlers = {}

        def on(name):
            return lambda function: handlers.setdefault(name, function)
        """,
    )
    plug = "from catalog.model.lib.reg import on\n\n@on('x')\ndef x():\n    return {0!r}\n"
    site.write("catalog/model/lib/plug.py", plug.format("one"))
    site.write(
        "lib.py",
        f"""
        from catalog.model.lib import {imports}

        class Lib:
            def index(self):
                return reg.handlers["x"]()
        """,
    )
    client = site.client(**settings)
    assert client.get("/lib").text == "one"
    for answer in ("two", "three", "four"):
        site.write("catalog/model/lib/plug.py", plug.format(answer))
        assert client.get("/lib").text == answer


def test_a_thread_that_loads_cannot_be_waited_for_without_end(
    site: Any, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("system.core.catalog.policy.LONGEST_WAIT", 0.2)
    site.write("catalog/model/words.py", "words = 'one'\n")
    site.write(
        "lib.py",
        """
        from concurrent.futures import ThreadPoolExecutor

        def read():
            from catalog.model.words import words
            return words

        with ThreadPoolExecutor() as pool:
            words = pool.submit(read).result()

        class Lib:
            def index(self): return words
        """,
    )
    assert site.client().get("/lib").status_code == 500
    assert (
        "A file that starts threads while it loads, and waits for them, imports first what they need"
        in caplog.text
    )
