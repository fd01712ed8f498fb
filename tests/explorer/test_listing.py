"""What is listed answers, what is not listed does not."""

from __future__ import annotations

from typing import Any

import pytest

from system.core.explorer.listing import Listing


def listing_of(site: Any, **settings: Any) -> tuple[dict[str, Any], Any]:
    """The listed methods of a site by their whole URL (tasks by their place), and its client."""
    app = site.app(**settings)
    listing = Listing(app.catalog, app.settings.home)
    found = {}
    for library in listing.walk(app.catalog.now()):
        for method in library.methods:
            found[method.url or method.place] = method
    return found, app.test_client()


EVERYTHING = """
import functools
from system.core.dispatch.decorators import allow, expose
from datetime import date

class Base:
    @expose
    def shared(self):
        "Shared."
        return "shared"

    @expose
    def covered(self):
        return "base"

    def private_by_default(self):
        return "no"

    @expose
    def before_all(self, celery_instance=None):
        return "no"

class Middle(Base):
    def covered(self):
        return "middle"

class Odd:
    def index(self):
        "The index."
        return "index"

    @allow("POST")
    def save(self, name: str = "x"):
        \"\"\"Save it.

        More of that.
        \"\"\"
        return "saved"

    def build(self, celery_instance=None, params=None):
        return "no"

    def before(self, params):
        return None

    def _hidden(self):
        return "no"

    @property
    def prop(self):
        return "no"

    @staticmethod
    def static():
        return "no"

    @classmethod
    def klass(cls):
        return "no"

    @functools.lru_cache
    def cached(self):
        return "no"

    def selfless():
        return "no"

    class Nested:
        def index(self):
            return "no"

class Child(Odd, Middle):
    def own(self):
        return "own"

class _Secret:
    def index(self):
        return "no"
"""

NAMES = [
    "index", "save", "build", "before", "_hidden", "later", "prop", "static", "klass", "cached", "selfless",
    "Nested", "shared", "covered", "private_by_default", "before_all", "own", "__init__", "after",
]  # fmt: skip


def test_the_listing_and_the_dispatcher_agree_on_every_name(site: Any) -> None:
    site.write("odd.py", EVERYTHING)
    found, client = listing_of(site)
    for controller in ("Odd", "Child", "Base", "Middle", "_Secret"):
        for name in NAMES:
            url = f"/odd/{controller}/{name}"
            verb = client.post if name == "save" else client.get
            answered = verb(url).status_code
            assert answered == (200 if url in found else 404), url


def test_inherited_methods_are_resolved_without_importing(site: Any) -> None:
    site.write("catalog/model/bases.py", EVERYTHING)
    site.write("near.py", EVERYTHING)
    site.write(
        "far/child.py",
        """
        import catalog.model.bases as models
        from catalog.model.bases import Base as Renamed
        from catalog.model import bases

        class A(models.Base): pass
        class B(Renamed): pass
        class C(bases.Base):
            def covered(self): return "own"
        """,
    )
    site.write(
        "sibling.py",
        "from near import Base\nfrom .near import Middle\nfrom . import near\n"
        "class D(Base): pass\nclass E(Middle): pass\nclass F(near.Base): pass\n",
    )
    found, client = listing_of(site)
    inherited = {
        "/far/child/A/shared",
        "/far/child/B/shared",
        "/far/child/C/covered",
        "/sibling/D/covered",
        "/sibling/F/shared",
    }
    assert inherited <= set(found)
    assert "/sibling/E/covered" not in found
    assert found["/far/child/A/shared"].defined_in == "Base"
    assert found["/far/child/A/shared"].origin.endswith("bases.py")
    for name in ("A/shared", "B/shared", "C/covered", "C/shared", "A/private_by_default", "A/before_all"):
        url = f"/far/child/{name}"
        assert client.get(url).status_code == (200 if url in found else 404), url
    assert client.get("/sibling/E/covered").status_code == 404


def test_short_urls_leave_out_what_need_not_be_said(site: Any) -> None:
    text = "class {0}:\n    def index(self): return '{1}'\n    def daily(self): return '{1} daily'\n"
    site.write("index.py", text.format("index", "root"))
    site.write("reports.py", text.format("Reports", "reports") + text.format("Other", "other"))
    site.write("shop/index.py", text.format("index", "shop"))
    site.write("shop/deep/orders.py", text.format("Orders", "orders"))
    found, client = listing_of(site)
    short = {url: method.short_url for url, method in found.items()}
    assert short == {
        "/index/index/index": "/",
        "/index/index/daily": "/daily",
        "/reports/Reports/index": "/reports",
        "/reports/Reports/daily": "/reports/daily",
        "/reports/Other/index": "/reports/Other",
        "/reports/Other/daily": "/reports/Other/daily",
        "/shop/index/index/index": "/shop",
        "/shop/index/index/daily": "/shop/daily",
        "/shop/deep/orders/Orders/index": "/shop/deep/orders",
        "/shop/deep/orders/Orders/daily": "/shop/deep/orders/daily",
    }
    for url, shorter in short.items():
        assert client.get(url).text == client.get(shorter).text


def test_a_short_url_that_leads_elsewhere_is_not_used(site: Any) -> None:
    site.write(
        "lib.py",
        """
        class lib:
            def Other(self): return "method"
            def index(self): return "index"
        class Other:
            def index(self): return "class"
        """,
    )
    site.write("index.py", "class index:\n    def lib(self): return 'root method'\n")
    found, client = listing_of(site)
    assert found["/lib/lib/Other"].short_url == "/lib/lib/Other"
    assert found["/index/index/lib"].short_url == "/index/lib"
    for url, method in found.items():
        assert client.get(url).text == client.get(method.short_url).text


def test_a_folder_and_a_file_of_one_name_are_listed_as_they_answer(site: Any) -> None:
    site.write("a.py", "class a:\n    def index(self): return 'file'\n    def lone(self): return 'lone'\n")
    site.write("a/index.py", "class index:\n    def index(self): return 'folder'\n")
    site.write("a/lone.py", "class lone:\n    def index(self): return 'folder lone'\n")
    found, client = listing_of(site)
    texts = {client.get(method.short_url).text for method in found.values()}
    assert texts == {"file", "lone", "folder", "folder lone"}
    for url, method in found.items():
        assert client.get(url).text == client.get(method.short_url).text
    assert found["/a/a/index"].short_url == "/a/a"


def test_home_is_what_the_root_answers(site: Any) -> None:
    site.write("index.py", "class index:\n    def index(self): return 'index'\n")
    site.write("start.py", "class start:\n    def index(self): return 'start'\n")
    found, client = listing_of(site, home="/start")
    assert found["/start/start/index"].short_url == "/"
    assert found["/index/index/index"].short_url == "/index"
    assert client.get("/").text == "start"


def test_names_that_no_url_reaches_are_not_listed(site: Any) -> None:
    text = "class it:\n    def index(self): return 'x'\n"
    for path in ("status.py", "_koa/it.py", "_private.py", "shop/_folder.py", "pdf/it.py"):
        site.write(path, text)
    assert listing_of(site)[0] == {}


def test_what_a_record_says(site: Any) -> None:
    site.write("shop/odd.py", EVERYTHING)
    found, _ = listing_of(site)
    save = found["/shop/odd/Odd/save"]
    assert save.verbs == ("OPTIONS", "POST")
    assert save.signature == "self, name: str='x'"
    assert save.summary == "Save it."
    assert "More of that." in save.doc
    assert (save.library, save.controller, save.name) == ("shop/odd", "Odd", "save")
    assert "def save" in EVERYTHING.splitlines()[save.line - 1]
    assert found["/shop/odd/Odd/index"].verbs == ("GET", "HEAD", "OPTIONS", "POST")
    task = found["shop/odd/Odd/build"]
    assert task.is_task
    assert task.url == ""


@pytest.mark.parametrize(
    ("text", "line"), [("class x:\n    def index(self)\n", 2), ("x = '\\0'\n" + "(" * 300, 0), ("\0", 0)]
)
def test_a_broken_file_is_listed_with_its_line(site: Any, text: str, line: int) -> None:
    site.write("bad.py", text)
    site.write("good.py", "class good:\n    def index(self): return 'x'\n")
    app = site.app()
    bad, good = Listing(app.catalog).walk(app.catalog.now())
    assert bad.broken
    assert "Error" in bad.broken.detail
    assert bad.broken.line == line or not line
    assert good.broken is None


def test_a_changed_file_is_read_again_and_nothing_is_imported(site: Any) -> None:
    site.write("a.py", "raise SystemExit\nclass a:\n    def one(self): return 'x'\n")
    app = site.app()
    listing = Listing(app.catalog)
    (library,) = listing.walk(app.catalog.now())
    assert [method.name for method in library.methods] == ["one"]
    site.write("a.py", "raise SystemExit\nclass a:\n    def other(self): return 'x'\n")
    (library,) = listing.walk(app.catalog.now())
    assert [method.name for method in library.methods] == ["other"]
