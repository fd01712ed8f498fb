from __future__ import annotations

from typing import Any

import pytest

from system.core.dispatch.decorators import allow
from system.core.dispatch.routing import RESERVED, match
from system.core.errors import NotFound

ECHO = """
    class {name}:
        def index(self):
            return "{name}.index of {where}"
        def show(self, *words):
            return "{name}.show " + " ".join(words)
"""


def write(site: Any, path: str, *names: str) -> None:
    source = "".join(ECHO.format(name=name, where=path) for name in names)
    site.write(path, source)


@pytest.mark.parametrize(
    ("path", "segments"),
    [("/", ()), ("/a", ("a",)), ("/a/", ("a",)), ("/a/b/ñ", ("a", "b", "ñ"))],
)
def test_a_path_becomes_its_segments(path: str, segments: tuple[str, ...]) -> None:
    assert match(path) == segments


@pytest.mark.parametrize("path", ["//", "/a//b", "//a", "/a//", "/\0", "/" + "a/" * 2000, "/" + "x" * 100_000])
def test_a_path_that_can_be_nobodys_is_refused(path: str) -> None:
    with pytest.raises(NotFound):
        match(path)


@pytest.mark.parametrize("name", RESERVED)
def test_the_kernels_own_names_lead_to_no_controller(site: Any, name: str) -> None:
    if name != "favicon.ico":
        write(site, f"{name}.py", "index")
    assert site.client().get(f"/{name}/index/show").status_code == 404


def test_what_is_missing_at_the_end_is_index(site: Any) -> None:
    write(site, "index.py", "index")
    write(site, "shop/index.py", "index")
    write(site, "reports.py", "Reports", "Other")
    client = site.client()
    for url, answer in {
        "/": "index.index of index.py",
        "/shop": "index.index of shop/index.py",
        "/shop/": "index.index of shop/index.py",
        "/reports": "Reports.index of reports.py",
        "/reports/Other": "Other.index of reports.py",
        "/reports/show": "Reports.show ",
        "/reports/show/a/b": "Reports.show a b",
        "/reports/Reports/show/a": "Reports.show a",
        "/index/index/index": "index.index of index.py",
    }.items():
        assert client.get(url).text == answer, url


def test_a_folder_comes_before_a_file_of_the_same_name_and_the_file_is_tried_next(site: Any) -> None:
    write(site, "shop/cart.py", "Cart")
    write(site, "shop.py", "Shop")
    client = site.client()
    assert client.get("/shop/cart/show").text == "Cart.show "
    assert client.get("/shop/Shop/show").text == "Shop.show "
    assert client.get("/shop/show/x").text == "Shop.show x"
    assert client.get("/shop").text == "Shop.index of shop.py"


def test_seven_folders_and_more_work(site: Any) -> None:
    deep = "/".join("abcdefghij")
    write(site, f"{deep}/k.py", "K")
    assert site.client().get(f"/{deep}/k/K/show/1").text == "K.show 1"


def test_two_files_of_one_name_are_two_modules(site: Any) -> None:
    write(site, "a/same.py", "Same")
    write(site, "b/same.py", "Same")
    client = site.client()
    assert client.get("/a/same").text == "Same.index of a/same.py"
    assert client.get("/b/same").text == "Same.index of b/same.py"
    assert client.get("/a/same").text == "Same.index of a/same.py"


def test_a_method_takes_as_many_segments_as_its_signature(site: Any) -> None:
    site.write(
        "blog.py",
        """
        class Blog:
            def show(self, year, month="1"):
                return f"{year}-{month}"
            def plain(self, params):
                return "plain"
        """,
    )
    client = site.client()
    assert client.get("/blog/show/2020").text == "2020-1"
    assert client.get("/blog/show/2020/12").text == "2020-12"
    assert client.get("/blog/show/2020/12/1").status_code == 404
    assert client.get("/blog/plain").text == "plain"
    assert client.get("/blog/plain/1").status_code == 404


HIDDEN = """
    import os, json, tempfile, subprocess
    from datetime import timedelta
    from flask import Flask, Response
    from json import JSONEncoder as Encoder

    calls = []

    class Base:
        def inherited(self):
            return "no"

    def imported(self):
        return "no"

    class Open(Base):
        attribute = "no"
        borrowed = imported
        other = os.getcwd
        def __init__(self): pass
        def open(self): return "open"
        def _private(self): return "no"
        def before(self, params): return None
        def after(self, response): return None
        @property
        def trap(self):
            calls.append("trap")
            return "no"
        @staticmethod
        def static(params=None): return "no"
        @classmethod
        def made(cls): return "no"
        class Nested:
            def index(self): return "no"
        def task(self, celery_instance=None, params=None): return "no"
        lamb = lambda self: "no"

    class Catching:
        def __getattr__(self, name):
            calls.append(name)
            return lambda *a, **k: "no"
        def calls(self):
            return calls

    class _Hidden:
        def index(self): return "no"

    Alias = Open
"""


@pytest.mark.parametrize(
    "url",
    """
    inherited attribute borrowed other __init__ _private before after trap static made Nested Nested/index task
    lamb __class__ __dict__ __globals__ __doc__ __module__ OPEN opеn
    """.split(),
)
def test_what_is_not_a_method_of_the_class_is_not_reachable(site: Any, url: str) -> None:
    site.write("lib.py", HIDDEN)
    client = site.client()
    assert client.get(f"/lib/Open/{url}").status_code == 404
    assert client.get(f"/lib/Catching/{url}").status_code == 404
    assert client.get("/lib/Open/open").text == "open"
    assert client.get("/lib/Catching/calls").get_json() == []


@pytest.mark.parametrize(
    "url",
    """
    os/getcwd os/abort os json/JSONEncoder/encode Encoder/encode Flask/run Response/get_data timedelta/total_seconds
    imported calls Alias/open _Hidden/index _Hidden __builtins__ __dict__ __class__/__init__ open/open LIB/Open/open
    """.split(),
)
def test_what_is_not_a_class_of_the_library_is_not_reachable(site: Any, url: str) -> None:
    site.write("lib.py", HIDDEN)
    assert site.client().get(f"/lib/{url}").status_code == 404


def test_an_exposed_method_is_inherited_and_an_override_counts(site: Any) -> None:
    site.write(
        "base.py",
        """
        from kernkoa import expose

        class Base:
            @expose
            def shared(self): return "shared by " + type(self).__name__
            @expose
            def covered(self): return "no"
            def own(self): return "no"
        """,
    )
    site.write(
        "shop.py",
        """
        from catalog.controller.base import Base

        class Shop(Base):
            covered = None
        """,
    )
    client = site.client()
    assert client.get("/shop/shared").text == "shared by Shop"
    assert client.get("/shop/covered").status_code == 404
    assert client.get("/shop/own").status_code == 404


def test_a_decorated_method_is_reachable_and_keeps_its_verbs(site: Any) -> None:
    site.write(
        "lib.py",
        """
        from kernkoa import allow

        def loud(function):
            return lambda self: function(self) + "!"

        class Lib:
            @loud
            @allow("POST")
            def shout(self): return "hey"
        """,
    )
    client = site.client()
    assert client.post("/lib/shout").text == "hey!"
    assert client.get("/lib/shout").status_code == 405


def test_a_verb_that_a_method_does_not_take_is_a_405_with_allow(site: Any) -> None:
    site.write(
        "lib.py",
        """
        from kernkoa import allow

        class Lib:
            def index(self): return "any"
            @allow("POST")
            def save(self): return "saved"
            @allow("GET", "DELETE")
            def item(self): return "item"
        """,
    )
    client = site.client()
    for verb in ("PUT", "DELETE", "TRACE", "PATCH", "NONSENSE"):
        response = client.open("/lib", method=verb)
        assert response.status_code == 405
        assert response.headers["Allow"] == "GET, HEAD, OPTIONS, POST"
    assert client.get("/lib/save").headers["Allow"] == "OPTIONS, POST"
    assert client.delete("/lib/item").text == "item"
    assert client.post("/lib/item").status_code == 405
    head = client.head("/lib")
    assert (head.status_code, head.data, head.headers["Content-Length"]) == (200, b"", "3")
    options = client.options("/lib/save")
    assert (options.status_code, options.headers["Allow"]) == (204, "OPTIONS, POST")
    assert client.put("/nothing").status_code == 404


def test_allow_without_verbs_is_an_error_that_says_what_to_write() -> None:
    with pytest.raises(TypeError, match=r'@allow\("POST"\)'):
        allow()
