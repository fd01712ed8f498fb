"""Which methods change something and answer GET."""

from __future__ import annotations

import ast

import pytest

from system.core.catalog.writes import find_writers


def found(body: str, above: str = "", extra: str = "") -> list[str]:
    lines = [f"        {line}" for line in body.split("\n")]
    text = "class Shop:\n" + above + "    def pay(self, params=None):\n" + "\n".join(lines) + "\n" + extra
    return [writer.what for writer in find_writers(ast.parse(text))]


@pytest.mark.parametrize(
    ("body", "what"),
    [
        ("dbs['a'].query('insert into t values (1)')", "writes to a database"),
        ("dbs['a'].query(' UPDATE t set a = :a', {'a': 1})", "writes to a database"),
        ("db = dbs['a']\ndb.query(f'delete from {t}')", "writes to a database"),
        ("db.query('replace into t ' + more)", "writes to a database"),
        ("session['cart'] = 1", "changes the session"),
        ("session['n'] += 1", "changes the session"),
        ("del session['n']", "changes the session"),
        ("session.clear()", "changes the session"),
        ("return exeTask(self, 'build')", "starts a task"),
        ("open('a.txt', 'w').write('x')", "writes a file"),
        ("open('a.txt', mode='ab')", "writes a file"),
        ("Path('a').write_text('x')", "writes a file"),
        ("os.remove('a')", "writes a file"),
        ("shutil.rmtree('a')", "writes a file"),
        ("if params:\n    for x in y:\n        os.mkdir('a')", "writes a file"),
    ],
)
def test_a_method_that_changes_something_is_named(body: str, what: str) -> None:
    assert found(body) == [what]


@pytest.mark.parametrize(
    "body",
    [
        "return 'hello'",
        "return dbs['a'].query('select * from updates')",
        "return session.get('cart')",
        "return open('a.txt').read()",
        "return open('a.txt', 'rb').read()",
        "return 'x'.replace('a', 'b')",
        "return params.pop('a')",
        "return os.path.exists('a')",
    ],
)
def test_one_that_only_reads_is_not(body: str) -> None:
    assert found(body) == []


@pytest.mark.parametrize("above", ['    @allow("POST")\n', '    @kernkoa.allow("GET", "POST")\n'])
def test_one_that_says_its_verbs_is_not(above: str) -> None:
    assert found("session.clear()", above) == []


def test_tasks_hooks_and_private_methods_are_not_but_what_they_do_for_a_public_one_is() -> None:
    text = """
class Shop:
    def before(self, params):
        session["seen"] = 1
    def _store(self):
        os.remove("a")
    def build(self, celery_instance=None):
        os.remove("a")
    def pay(self):
        self._store()
    def loop(self):
        self.loop()
"""
    assert [(writer.method, writer.line) for writer in find_writers(ast.parse(text))] == [("pay", 9)]


FILES = {
    "catalog.model.books": """
from catalog.model.store import keep
class books:
    def read(self): return dbs["a"].query("select 1")
    def save(self): self._write()
    def _write(self): dbs["a"].query("insert into t values (1)")
    def deep(self): keep()
class loop:
    def loop(self): self.loop()
""",
    "catalog.model.store": "import os\ndef keep(): os.remove('a')\ndef look(): pass\n",
    "catalog.model.shop.stock": "from catalog.model.books import books\nclass stock(books):\n    pass\n",
    "catalog.controller.base": "class Base:\n    def put(self): session['a'] = 1\n    def see(self): pass\n",
    "catalog.model.broken": None,
}


@pytest.mark.parametrize(
    ("head", "call", "writes"),
    [
        ("", "load.model('books').save()", True),
        ("", "load.model('books').read()", False),
        ("", "load.model('books').deep()", True),
        ("", "load.model('nothing').save()", False),
        ("", "load.model('broken').save()", False),
        ("", "load.model('stock', 'shop').save()", True),
        ("", "load.model('stock', folder='shop').save()", True),
        ("", "books = load.model('books'); return books.save()", True),
        ("", "self.books = load.model('books'); return self.books.save()", True),
        ("", "books = load.model('books'); return books.read()", False),
        ("store = load.model('books')", "store.save()", True),
        ("", "load.controller('base').put()", False),
        ("from catalog.model.store import keep", "keep()", True),
        ("from catalog.model.store import keep as hold", "hold()", True),
        ("from catalog.model.store import look", "look()", False),
        ("from catalog.model import store", "store.keep()", True),
        ("import catalog.model.store", "catalog.model.store.keep()", True),
        ("import catalog.model.store as st", "st.keep()", True),
        ("def helper(): session['a'] = 1", "helper()", True),
        ("def helper(): return other()\ndef other(): return helper()", "helper()", False),
        ("from os import path", "path.exists('a')", False),
    ],
)
def test_what_a_method_calls_in_other_places_is_looked_into(head: str, call: str, writes: bool) -> None:
    text = f"{head}\nclass Shop:\n    def pay(self):\n        {call}\n"
    assert bool(find_in(text)) is writes


def find_in(text: str) -> list[str]:
    def read(name: str) -> ast.Module | None:
        return ast.parse(FILES[name] or "") if name in FILES else None

    return [writer.what for writer in find_writers(ast.parse(text), "catalog.controller.shop", read)]


def test_what_a_method_calls_of_a_base_class_is_looked_into() -> None:
    text = "from catalog.controller.base import Base\nclass Shop(Base):\n    def pay(self):\n        self.{}()\n"
    assert find_in(text.format("put")) == ["changes the session"]
    assert find_in(text.format("see")) == []
