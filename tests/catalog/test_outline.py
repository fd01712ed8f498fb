from __future__ import annotations

import ast

from system.core.catalog.outline import Outline, read_outline


def read(source: str) -> Outline:
    return read_outline(ast.parse(source))


def test_a_class_under_a_condition_is_at_the_top_level() -> None:
    outline = read("try:\n  import fast\nexcept ImportError:\n  class A:\n    def m(self): pass\n")
    assert list(outline.classes) == ["A"]
    assert list(outline.classes["A"].methods) == ["m"]


def test_a_nested_class_is_no_class_of_the_library() -> None:
    assert list(read("class A:\n  class B:\n    def m(self): pass\n").classes) == ["A"]


def test_the_default_class_ignores_case_and_underscores() -> None:
    assert read("class SalesReport: pass").default_class("sales_report") == "SalesReport"
    assert read("class index: pass\nclass Other: pass").default_class("x") == "index"
    assert read("class Other: pass").default_class("x") is None
    assert read("class Ab: pass\nclass ab: pass").default_class("ab") == "ab"


def test_what_is_hidden_says_why() -> None:
    methods = (
        read(
            "class A:\n"
            "  def _p(self): pass\n"
            "  def before(self, params): pass\n"
            "  @property\n"
            "  def prop(self): pass\n"
            "  @staticmethod\n"
            "  def s(x): pass\n"
            "  @classmethod\n"
            "  def c(cls): pass\n"
            "  def none(): pass\n"
            "  def task(self, celery_instance=None, params=None): pass\n"
            "  def open(self): pass\n"
        )
        .classes["A"]
        .methods
    )
    hidden = {name: method.hidden for name, method in methods.items()}
    assert all(hidden[name] for name in hidden if name != "open")
    assert hidden["open"] == ""
    assert methods["task"].is_task
    assert "no self" in hidden["none"]


def test_the_verbs_of_allow_are_read_as_they_are_written() -> None:
    methods = (
        read(
            "class A:\n"
            "  @allow('post', 'PUT')\n"
            "  def a(self): pass\n"
            "  @kernkoa.allow('GET')\n"
            "  def b(self): pass\n"
            "  @allow(*VERBS)\n"
            "  def c(self): pass\n"
        )
        .classes["A"]
        .methods
    )
    assert methods["a"].verbs == ("POST", "PUT")
    assert methods["b"].verbs == ("GET",)
    assert methods["c"].verbs is None


def test_the_signature_and_the_first_line_of_the_docstring_are_kept() -> None:
    method = read('class A:\n  def m(self, a: int = 1):\n    """One.\n\n    Two."""\n').classes["A"].methods["m"]
    assert method.signature == "self, a: int=1"
    assert method.summary == "One."
