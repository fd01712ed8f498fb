"""The pages at /_koa/: what they show, to whom, and how they work in a browser."""

from __future__ import annotations

import ast
import os
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.ui import Select, WebDriverWait

from system.core.app import create_app
from system.core.settings import Settings
from tests.browser import chromium
from tests.explorer.random_records import HEAD, models
from tests.serving import serving
from tests.shipped import needs_shipped_site

ROOT = Path(__file__).resolve().parents[2]

SHOP = """
from typing import Literal
from system.core.dispatch.decorators import allow

class Orders:
    "Orders of the shop."

    def show(self, id: int, unit: Literal["m", "cm"] = "m"):
        \"\"\"Show an order.

        At <b>length</b>.
        \"\"\"
        return {"id": id}

    @allow("POST")
    def save(self, params):
        return params["name"]

    def build(self, celery_instance=None, params=None):
        "Build it."

    def _secret(self):
        pass
"""


def page(client: Any, path: str = "", status: int = 200, **more: Any) -> str:
    response = client.get(f"/_koa/{path}", **more)
    assert response.status_code == status, response.text
    text: str = response.text
    return text


def test_it_is_there_in_development_and_elsewhere_only_when_asked_for(site: Any) -> None:
    for wanted, status in (
        ({"development": True}, 200),
        ({"development": True, "explorer": False}, 404),
        ({}, 404),
        ({"explorer": "public"}, 200),
    ):
        client = site.client(**wanted)
        for path in ("", "find", "openapi.json", "assets/explorer.js", "assets/explorer.css"):
            with client.get(f"/_koa/{path}") as response:
                assert response.status_code == status, (wanted, path)
        assert client.get("/_koa/health").status_code == 200


def test_a_folder_lists_its_folders_and_libraries_without_importing(site: Any) -> None:
    site.write("shop/orders.py", "raise SystemExit\n" + SHOP)
    site.write("shop/deep/more.py", "raise SystemExit\n")
    site.write("shop/_folder.py", "raise SystemExit\n")
    client = site.client(development=True)
    text = page(client, "at/shop")
    assert 'href="/_koa/at/shop/orders"' in text
    assert 'href="/_koa/at/shop/deep"' in text
    assert "_folder" not in text
    assert "Show an order." in page(client, "at/shop/orders")


def test_a_library_lists_what_is_reachable_and_marks_tasks(site: Any) -> None:
    site.write("shop/orders.py", SHOP)
    text = page(site.client(development=True), "at/shop/orders")
    assert "Orders of the shop." in text
    assert 'href="/_koa/at/shop/orders/Orders/show"' in text
    assert re.search(r"build</b></a> <span class=\"tag task\">task", text)
    assert "_secret" not in text


def test_a_method_shows_its_url_verbs_and_parameters(site: Any) -> None:
    site.write("shop/orders.py", SHOP)
    client = site.client(development=True)
    text = page(client, "at/shop/orders/Orders/show")
    assert "GET POST" in text
    assert "<code>/shop/orders/show</code>" in text
    assert "<code>/shop/orders/show/{id}/{unit}</code>" in text
    assert "<code>/shop/orders/Orders/show</code>" in text
    assert "a whole number" in text
    assert "one of m, cm" in text
    assert "At &lt;b&gt;length&lt;/b&gt;." in text
    assert "catalog/controller/shop/orders.py, line" in text
    assert re.search(r'name="id"[^>]* required[^>]* type="number"', text)
    assert '<option value="">default: m</option>' in text
    assert "POST" in page(client, "at/shop/orders/Orders/save")


def test_a_task_has_a_form_that_starts_it(site: Any) -> None:
    site.write("shop/orders.py", SHOP)
    text = page(site.client(development=True), "at/shop/orders/Orders/build")
    assert 'exeTask(self, "build", params)' in text
    assert 'action="/_koa/run/shop/orders/Orders/build" method="post"' in text


def test_a_broken_file_is_shown_with_its_line(site: Any) -> None:
    site.write("bad.py", "class bad:\n    def index(self)\n")
    client = site.client(development=True)
    assert "broken" in page(client)
    text = page(client, "at/bad")
    assert "line 2" in text
    assert "def index(self)" in text
    strangers = {"REMOTE_ADDR": "203.0.113.9"}
    assert "def index(self)" not in page(client, "at/bad", environ_overrides=strangers)
    assert "def index(self)" not in page(site.client(explorer="public"), "at/bad")


@pytest.mark.parametrize(
    "path",
    ["at/nowhere", "at/_private", "at/shop/orders/Orders/_secret", "at/shop/orders/Orders", "at/..", "at/status",
     "at/shop/orders/Orders/show/1", "assets/nothing.js", "assets/..%2fexplorer.py", "at/%00"],
)  # fmt: skip
def test_what_is_not_listed_is_a_404(site: Any, path: str) -> None:
    site.write("shop/orders.py", SHOP)
    site.write("_private.py", SHOP)
    assert site.client(development=True).get(f"/_koa/{path}").status_code == 404


def test_names_are_found_by_any_of_their_parts(site: Any) -> None:
    site.write("shop/orders.py", SHOP)
    site.write(
        "blog/posts.py", "class Posts:\n    def showAll(self):\n        pass\n    def other(self):\n        pass\n"
    )
    site.write("bad.py", "class bad:\n    def index(self)\n")
    client = site.client(development=True)

    def found(query: str) -> list[str]:
        return re.findall(r'href="/_koa/at/([^"]+)"', page(client, f"find?q={query}"))

    assert found("show") == ["shop/orders/Orders/show", "blog/posts/Posts/showAll"]
    assert found("SHOWALL") == ["blog/posts/Posts/showAll"]
    assert found("blog/other") == ["blog/posts/Posts/other"]
    assert found("orders sav") == ["shop/orders/Orders/save"]
    assert found("_secret") == []
    assert found("bad") == ["bad"]
    assert found("nothing-of-it") == []
    assert found("of the shop") == []
    assert found("show an order") == ["shop/orders/Orders/show"]
    assert found("literal cm") == ["shop/orders/Orders/show"]
    assert "Nothing found for “&lt;i&gt;”" in page(client, "find?q=<i>")
    assert "shop/orders/Orders/show" in page(client, "?q=show")


def test_a_method_written_meanwhile_is_found(site: Any) -> None:
    site.write("a.py", "class a:\n    def early(self):\n        pass\n")
    client = site.client(development=True)
    assert "at/a/a/late" not in page(client, "find?q=late")
    site.write("a.py", "class a:\n    def lately(self):\n        pass\n")
    assert "at/a/a/lately" in page(client, "find?q=late")


def test_a_page_parses_each_file_once_and_after_an_edit_only_that_file(
    site: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    parsed: list[str] = []
    parse = ast.parse

    def note(source: Any, *more: Any, **named: Any) -> Any:
        parsed.extend(Path(name).name for name in more)  # the file's name comes with its text
        return parse(source, *more, **named)

    monkeypatch.setattr(ast, "parse", note)
    for number in range(20):
        site.write(f"shop/lib{number}.py", "class Lib:\n    def show(self, params): return 'shown'\n")
    site.write("shop/broken.py", "class Broken(:\n")
    client = site.client(development=True)
    page(client, "at/shop")
    assert sorted(parsed) == sorted(["broken.py", *(f"lib{number}.py" for number in range(20))])
    parsed.clear()
    page(client, "at/shop")
    assert parsed == []
    site.write("shop/lib7.py", "class Lib:\n    def added(self, params): return 'added'\n")
    page(client, "at/shop")
    page(client, "find?q=added")
    assert parsed == ["lib7.py"]


def test_a_long_folder_is_shown_in_pages(site: Any) -> None:
    for number in range(130):
        site.write(f"many/lib{number:03}.py", "")
    client = site.client(development=True)
    text = page(client, "at/many")
    assert "1 to 100 of 130" in text
    assert "and 30 more" in text
    assert "lib129" not in text
    assert "lib129" in page(client, "at/many?from=100")
    assert "lib129" in page(client, "at/many/lib129")


def test_a_library_of_many_methods_is_shown_in_pages(site: Any) -> None:
    site.write("many.py", "class many:\n" + "".join(f"    def m{n:03}(self): pass\n" for n in range(130)))
    client = site.client(development=True)
    text = page(client, "at/many")
    assert "1 to 100 of 130" in text
    assert "m129" not in text
    assert "m129" in page(client, "at/many?from=100")
    assert "and 29 more" in page(client, "at/many/many/m129")


GUARD = """
from flask import abort, redirect, request

def before(self, params):
    if request.args.get("key") != "{0}":
        {1}
"""


def test_outside_development_the_hooks_of_the_folders_guard_their_pages(site: Any) -> None:
    site.write("_folder.py", GUARD.format("k", "return redirect('/login')"))
    site.write("open.py", "class open:\n    def index(self):\n        pass\n")
    site.write("staff/_folder.py", GUARD.format("never", "abort(403)"))
    site.write("staff/pay.py", SHOP)
    client = site.client(explorer=True)
    for path in ("", "at/open", "find?q=open", "openapi.json"):
        assert client.get(f"/_koa/{path}").status_code == 302, path
    text = page(client, "?key=k")
    assert "at/open" in text
    assert "staff" not in text
    assert "pay" not in page(client, "find?q=pay&key=k").replace("q=pay", "").replace("“pay”", "")
    assert set(client.get("/_koa/openapi.json?key=k").get_json()["paths"]) == {"/open"}
    assert client.get("/_koa/at/staff?key=k").status_code == 403
    assert client.get("/_koa/at/staff/pay/Orders/show?key=k").status_code == 403
    assert client.get("/staff/pay/Orders/show/1?key=k").status_code == 403
    assert "staff" in page(site.client(development=True))


def test_outside_development_it_is_closed_to_everyone_without_a_guard(site: Any) -> None:
    site.write("open.py", SHOP)
    client = site.client(explorer=True)
    site.write("_folder.py", "def after(self, response):\n    return response\n")
    for path in ("", "at/open", "at/open/Orders/show", "find?q=open", "openapi.json", "tasks"):
        response = client.get(f"/_koa/{path}")
        assert response.status_code == 403, path
        assert "explorer = 'public'" in response.text, path
    assert client.post("/_koa/run/open/Orders/build").status_code == 403
    site.write("_folder.py", "def before(self, params):\n    return None\n")
    assert "open" in page(client)


def test_outside_development_the_hook_of_a_class_guards_its_methods(site: Any) -> None:
    site.write(
        "mixed.py",
        """
        class Base:
            def before(self, params):
                return None if params.get("key") == "k" else ("no", 403)
        class Closed(Base):
            def secret(self): return "secret"
        class Free:
            def known(self): return "known"
        class Faulty:
            def before(self, params): raise RuntimeError("broken guard")
            def hidden(self): return "hidden"
        """,
    )
    client = site.client(explorer="public")
    text = page(client, "at/mixed")
    assert "known" in text
    assert "secret" not in text
    assert "Faulty" not in text
    assert "at/mixed/Closed/secret" not in page(client, "find?q=secret")
    assert client.get("/_koa/at/mixed/Closed/secret").status_code == 404
    assert set(client.get("/_koa/openapi.json").get_json()["paths"]) == {"/mixed/Free/known"}
    assert "secret" in page(client, "at/mixed?key=k")
    assert "/mixed/Closed/secret" in client.get("/_koa/openapi.json?key=k").get_json()["paths"]


def test_outside_development_the_guard_of_a_method_hides_it(site: Any) -> None:
    site.write(
        "mixed.py",
        """
        def guard(self, params):
            return None if params.get("key") == "k" else ("no", 403)
        class mixed:
            def secret(self, n: int = 1): return "secret"
            secret.koa_before = (guard,)
            def known(self): return "known"
        """,
    )
    client = site.client(explorer="public")
    assert "at/mixed/mixed/secret" not in page(client, "at/mixed")
    assert "at/mixed/mixed/secret" not in page(client, "find?q=secret")
    assert client.get("/_koa/at/mixed/mixed/secret").status_code == 404
    assert set(client.get("/_koa/openapi.json").get_json()["paths"]) == {"/mixed/known"}
    assert "/mixed/secret" in client.get("/_koa/openapi.json?key=k").get_json()["paths"]


def test_its_pages_allow_no_inline_script_or_style_and_nothing_from_elsewhere(site: Any) -> None:
    site.write("shop/orders.py", SHOP)
    client = site.client(development=True)
    for path in ("", "at/shop", "at/shop/orders", "at/shop/orders/Orders/show", "find?q=show"):
        response = client.get(f"/_koa/{path}")
        policy = response.headers["Content-Security-Policy"]
        assert "unsafe" not in policy
        assert policy.startswith("default-src 'none'; script-src 'self'; style-src 'self';")
        assert not re.search(r"<style|\sstyle=|\son\w+=|<script>|https?://", response.text), path


def test_it_works_below_a_base(site: Any) -> None:
    site.write("shop/orders.py", SHOP)
    client = site.client(development=True, base="/site")
    text = client.get("/site/_koa/at/shop/orders/Orders/show").text
    assert 'data-url="/site/shop/orders/show"' in text
    assert 'src="/site/_koa/assets/explorer.js"' in text


# ---------------------------------------------------------------------------------------------- in a browser

PAGES = """
from werkzeug.datastructures import FileStorage
from collections.abc import Iterator
from flask import Response, request
import time

class Kinds:
    def page(self):
        return (
            "<style>h1 { color: rgb(1, 2, 3) }</style><h1>Title</h1><p style='color: rgb(4, 5, 6)'>text</p>"
            "<script>parent.document.title = 'taken'</script><img src='x' onerror=\\"parent.document.title='taken'\\">"
        )

    def download(self):
        return Response(b"abc", headers={"Content-Disposition": "attachment; filename=abc.bin"})

    def nothing(self):
        return None

    def told(self, params=None):
        return {**request.headers, "body": request.get_data(as_text=True)}

    def lines(self) -> Iterator[dict[str, int]]:
        for n in range(3):
            yield {"n": n}
        time.sleep(5)

    def events(self):
        def run():
            yield 'event: tick\\ndata: {"n": 1}\\n\\ndata: bye\\n\\n'
            time.sleep(5)
        return Response(run(), mimetype="text/event-stream")

    def sheet(self, rows: int):
        q = chr(34)
        return Response(f"name,{q}a, b{q}\\r\\nx,1\\n{q}say {q}{q}hi{q}{q}{q},2\\n", mimetype="text/csv")

    def far(self):
        return {"a": {"b": {"c": {"d": {"e": {"f": 1}}}}}}
"""


# the fields of a record, or the annotation of a parameter
RECORDS = {
    "texts": "class T(BaseModel):\n    name: str\n    note: str = 'x'\n    short: Annotated[str, Field(min_length=3)] = 'abc'",
    "numbers": "class T(BaseModel):\n    n: int\n    m: Annotated[int, Field(ge=5, le=9)] = 5\n    f: float | None = None",
    "choices": "class T(BaseModel):\n    a: Literal['x', 'y']\n    b: Literal[1, 2] = 2\n    c: Literal['only']",
    "flags": "class T(BaseModel):\n    a: bool = True\n    b: bool = False\n    c: bool",
    "dates": "class T(BaseModel):\n    a: datetime.date\n    b: datetime.datetime | None = None\n    c: datetime.time = datetime.time(1)",
    "lists": "class T(BaseModel):\n    a: list[str]\n    b: list[int] = []\n    c: Annotated[list[float], Field(min_length=2)]",
    "records": "class I(BaseModel):\n    x: int = 1\nclass T(BaseModel):\n    a: I\n    b: I | None = None\n    c: list[I] = []\n    d: Annotated[list[I], Field(min_length=2)]",
    "themselves": "class T(BaseModel):\n    name: str = 'x'\n    inner: 'list[T]' = []\n    one: 'T | None' = None",
    "kinds": "class C(BaseModel):\n    kind: Literal['cat'] = 'cat'\n    n: int = 9\nclass D(BaseModel):\n    kind: Literal['dog'] = 'dog'\nclass T(BaseModel):\n    pet: Annotated[C | D, Field(discriminator='kind')]\n    other: C | D | None = None",
    "unions": "class C(BaseModel):\n    kind: Literal['cat']\nclass D(BaseModel):\n    kind: Literal['dog']\n    n: int\nclass T(BaseModel):\n    pet: Annotated[C | D, Field(discriminator='kind')]\n    other: C | D | None = None",
    "maps": "class T(BaseModel):\n    a: dict[str, int] = {}\n    b: dict[str, str]",
    "defaults": "class T(BaseModel):\n    a: int = 1\n    b: str = ''\n    c: list[int] = [1]",
    "aliases": "class T(BaseModel):\n    a: int = Field(1, alias='camelCase')\n    b: str = Field(alias='theName')",
    "tuples": "class T(BaseModel):\n    a: tuple[int, str] = (1, 'a')\n    b: tuple[int, int]",
    "anything": "class T(BaseModel):\n    a: Any = None\n    b: Any",
    "examples": "class T(BaseModel):\n    a: Annotated[int, Field(examples=[3], description='How many.')]\n    b: Annotated[str, Field(title='The name', examples=['Ann'])] = 'x'",
}  # fmt: skip


def records() -> str:
    head = "import datetime\nfrom typing import *\nfrom pydantic import BaseModel, Field\nfrom system.core.dispatch.decorators import allow\n"
    models, methods = [], []
    for name, text in RECORDS.items():
        for one in ("T", "I", "C", "D"):
            text = re.sub(rf"\b{one}\b", f"{one}_{name}", text)
        models.append(text)
        methods.append(f"    @allow('POST')\n    def {name}(self, it: T_{name}): return {{'ok': True}}\n")
    return head + "\n".join(models) + "\nclass Records:\n" + "".join(methods)


RANDOM_MODELS = 12


def random_records() -> str:
    """Methods that take random models; other ones in a run with KERNKOA_EXAMPLES."""
    names = [f"M{number}" for number in range(RANDOM_MODELS)]
    drawn: list[list[str]] = []

    @settings(
        max_examples=5,  # the first is the smallest
        phases=[Phase.generate],
        derandomize="KERNKOA_EXAMPLES" not in os.environ,
        deadline=None,
        database=None,
        suppress_health_check=list(HealthCheck),
    )
    @given(st.tuples(*(models(name) for name in names)))
    def draw(made: Any) -> None:
        drawn.append(list(made))

    draw()
    methods = [
        f"    @allow('POST')\n    def {name.lower()}(self, it: {name}): return {{'ok': True}}\n" for name in names
    ]
    return HEAD + "\n".join(drawn[-1]) + "\n\nclass Random:\n" + "".join(methods)


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The examples of this repository, and more kinds of answers, on a development server of their own."""
    needs_shipped_site()
    root = tmp_path_factory.mktemp("site")
    shutil.copytree(ROOT / "catalog", root / "catalog", ignore=shutil.ignore_patterns("__pycache__"))
    (root / "catalog" / "controller" / "kinds.py").write_text(PAGES)
    (root / "catalog" / "controller" / "records.py").write_text(records())
    (root / "catalog" / "controller" / "random.py").write_text(random_records())
    app = create_app(Settings(path=root, development=True))
    with serving(app) as address:
        yield address
    app.catalog.close()


@pytest.fixture(scope="module")
def driver(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    with chromium(tmp_path_factory.mktemp("profile")) as started:
        yield started


@pytest.fixture
def browser(driver: Any, address: str) -> Iterator[Any]:
    """A browser at the explorer's first page; at the end nothing was refused by the page's own policy."""
    driver.get(f"{address}/_koa/")
    yield driver
    assert not [entry for entry in driver.get_log("browser") if "Content Security Policy" in entry["message"]]


def wait(browser: Any, condition: Any) -> Any:
    return WebDriverWait(browser, 10, poll_frequency=0.05).until(condition)


def find(browser: Any, text: str) -> None:
    """Type a name and open the first that is found, by keyboard alone."""
    browser.find_element(By.TAG_NAME, "body").send_keys("/")
    box = browser.switch_to.active_element
    assert box.get_attribute("id") == "q"
    box.send_keys(text)
    wait(browser, lambda _: browser.find_elements(By.CSS_SELECTOR, "#found a"))
    wait(browser, lambda _: text in browser.find_element(By.CSS_SELECTOR, "#found a").text)
    browser.switch_to.active_element.send_keys(Keys.ARROW_DOWN)
    browser.switch_to.active_element.send_keys(Keys.ENTER)
    wait(browser, lambda _: browser.find_elements(By.CSS_SELECTOR, "#call[data-url], h1"))
    wait(browser, lambda _: text in browser.find_element(By.TAG_NAME, "h1").text)


def run(browser: Any) -> str:
    """Run the method with the keyboard; the line that tells how it went."""
    browser.find_element(By.CSS_SELECTOR, "#call button[type=submit]").send_keys(Keys.ENTER)
    wait(browser, lambda _: browser.find_element(By.ID, "stop").get_attribute("hidden"))
    status: str = wait(browser, lambda _: browser.find_element(By.ID, "status").text)
    return status


def shown(browser: Any) -> str:
    text: str = browser.find_element(By.ID, "shown").text
    return text


def test_a_typed_method_is_found_filled_and_run(browser: Any, address: str) -> None:
    find(browser, "area")
    browser.find_element(By.NAME, "width").send_keys("3")
    browser.find_element(By.NAME, "height").send_keys("4")
    Select(browser.find_element(By.NAME, "unit")).select_by_visible_text("cm")
    status = run(browser)
    assert re.match(r"200 OK · \d+ ms · \d+ bytes · application/json", status)
    assert '"area": 12' in shown(browser).replace("\n", " ")
    assert browser.find_element(By.CSS_SELECTOR, "#shown .json .number").text == "12"
    curl = browser.find_element(By.ID, "sample").text
    assert curl == f"curl '{address}/examples/shapes/area?width=3&height=4&unit=cm'"


def test_the_address_carries_the_values(browser: Any, address: str) -> None:
    browser.get(f"{address}/_koa/at/examples/shapes/Shapes/area?width=3&unit=cm")
    assert browser.find_element(By.NAME, "width").get_attribute("value") == "3"
    browser.find_element(By.NAME, "height").send_keys("4")
    assert run(browser).startswith("200")
    assert browser.current_url.endswith("/area?width=3&height=4&unit=cm")
    browser.refresh()
    assert browser.find_element(By.NAME, "height").get_attribute("value") == "4"
    browser.get(f"{address}/_koa/at/examples/shapes/Shapes/total?sides=1&sides=2&rounded=true")
    assert browser.find_element(By.NAME, "sides").get_attribute("value") == "1\n2"
    assert browser.find_element(By.NAME, "rounded").is_selected()
    browser.get(f"{address}/_koa/at/examples/shapes/Shapes/draw?drawing=%7B%22title%22%3A1%7D")
    assert browser.find_element(By.CSS_SELECTOR, "textarea.raw").get_attribute("value") == '{"title":1}'


def test_a_fault_is_shown_beside_its_field(browser: Any, address: str) -> None:
    browser.get(f"{address}/_koa/at/examples/shapes/Shapes/area")
    browser.find_element(By.NAME, "width").send_keys("-3")
    assert run(browser).startswith("422")
    field = browser.find_element(By.CSS_SELECTOR, "[data-name=width]")
    assert "greater than 0" in field.find_element(By.CLASS_NAME, "fault").text
    assert field.find_element(By.NAME, "width").get_attribute("aria-invalid") == "true"


def test_an_untyped_method_has_a_form_and_its_page_is_shown_in_a_frame(browser: Any) -> None:
    find(browser, "greet")
    browser.find_element(By.NAME, "name").send_keys("Ann & Bob")
    assert run(browser).startswith("200")
    browser.switch_to.frame(browser.find_element(By.CSS_SELECTOR, "#shown iframe"))
    assert browser.find_element(By.TAG_NAME, "h1").text == "Hello, Ann & Bob"
    browser.switch_to.default_content()


def test_a_file_is_uploaded(browser: Any, tmp_path: Path) -> None:
    upload = tmp_path / "cat.png"
    upload.write_bytes(b"12345")
    find(browser, "measure")
    browser.find_element(By.NAME, "photo").send_keys(str(upload))
    browser.find_element(By.NAME, "title").send_keys("Cat")
    assert run(browser).startswith("200")
    text = shown(browser)
    assert '"cat.png"' in text
    assert '"bytes": 5' in text
    assert "-F photo=@cat.png" in browser.find_element(By.ID, "sample").text


def test_a_record_is_sent_as_json_and_the_picture_is_shown(browser: Any) -> None:
    find(browser, "draw")
    browser.find_element(By.CSS_SELECTOR, "[data-name=title] input").send_keys("T")
    for number, field in enumerate(browser.find_elements(By.CSS_SELECTOR, "[data-name=corners] .item input")):
        field.send_keys(str(number * number % 7))
    browser.find_element(By.CSS_SELECTOR, "[data-name=corners] .item:last-child .remove").click()
    assert run(browser).startswith("422")
    browser.find_element(By.CSS_SELECTOR, "[data-name=corners] .add").click()
    for field in browser.find_elements(By.CSS_SELECTOR, "[data-name=corners] .item:last-child input"):
        field.send_keys("9")
    assert run(browser).startswith("200")
    picture = browser.find_element(By.CSS_SELECTOR, "#shown img")
    wait(browser, lambda _: browser.execute_script("return arguments[0].naturalWidth > 0", picture))
    assert "Content-Type: application/json" in browser.find_element(By.ID, "sample").text


def test_a_fault_inside_a_record_is_shown_beside_its_field(browser: Any, address: str) -> None:
    browser.get(f"{address}/_koa/at/examples/shapes/Shapes/draw")
    browser.find_element(By.CSS_SELECTOR, "[data-name=title] input").send_keys("T")
    corners = browser.find_elements(By.CSS_SELECTOR, "[data-name=corners] .item")
    corners[0].find_element(By.CSS_SELECTOR, "[data-name=x] input").send_keys("1")
    assert run(browser).startswith("422")
    wrong = browser.find_elements(By.CSS_SELECTOR, "[data-name=corners] [data-name=y] .fault")
    assert len(wrong) == 3


def test_the_json_of_a_record_is_one_click_away(browser: Any, address: str) -> None:
    browser.get(f"{address}/_koa/at/examples/shapes/Shapes/draw")
    browser.find_element(By.CSS_SELECTOR, "[data-name=title] input").send_keys("T")
    browser.find_element(By.CLASS_NAME, "as-json").click()
    raw = browser.find_element(By.CSS_SELECTOR, "textarea.raw")
    assert '"title": "T"' in raw.get_attribute("value")
    raw.clear()
    raw.send_keys('{"title": "T", "corners": [{"x": 1, "y": 1}, {"x": 9, "y": 1}, {"x": 5, "y": 9}]}')
    assert run(browser).startswith("200")


def test_what_a_form_begins_with_is_taken_or_marked_as_required(browser: Any, address: str) -> None:
    for name in RECORDS:
        check_beginning(browser, f"{address}/_koa/at/records/Records/{name}")
    for number in range(RANDOM_MODELS):
        check_beginning(browser, f"{address}/_koa/at/random/Random/m{number}")


def check_beginning(browser: Any, page: str) -> None:
    """What a form begins with is taken, or each fault is at an empty field that is marked as required."""
    browser.get(page)
    status = run(browser)
    if status.startswith("200"):
        return
    assert status.startswith("422"), (page, status, shown(browser))
    faults = browser.find_elements(By.CSS_SELECTOR, "#call .fault")
    assert faults, (page, shown(browser))
    for fault in faults:
        field = fault.find_element(By.XPATH, "./ancestor::*[contains(@class, 'field')][1]")
        empty = field.find_elements(By.CSS_SELECTOR, "input, select, textarea")[0]
        assert field.get_attribute("data-required") is not None, (page, fault.text)
        assert empty.get_attribute("value") == "" or empty.get_attribute("type") == "checkbox", (page, fault.text)


def test_a_page_that_is_shown_runs_no_script_and_keeps_its_styles(browser: Any, address: str) -> None:
    browser.get(f"{address}/_koa/at/kinds/Kinds/page")
    title = browser.title
    assert run(browser).startswith("200")
    browser.switch_to.frame(browser.find_element(By.CSS_SELECTOR, "#shown iframe"))
    assert "1, 2, 3" in browser.find_element(By.TAG_NAME, "h1").value_of_css_property("color")
    assert "4, 5, 6" in browser.find_element(By.TAG_NAME, "p").value_of_css_property("color")
    browser.switch_to.default_content()
    assert browser.title == title


def test_a_download_is_saved_and_nothing_is_told_as_nothing(browser: Any, address: str) -> None:
    browser.get(f"{address}/_koa/at/kinds/Kinds/download")
    run(browser)
    link = browser.find_element(By.CSS_SELECTOR, "#shown a")
    assert (link.get_attribute("download"), link.text) == ("abc.bin", "Save abc.bin (3 bytes)")
    browser.get(f"{address}/_koa/at/kinds/Kinds/nothing")
    assert run(browser).startswith("204")
    assert shown(browser) == ""


def test_deep_json_is_folded(browser: Any, address: str) -> None:
    browser.get(f"{address}/_koa/at/kinds/Kinds/far")
    run(browser)
    assert '"d"' in shown(browser)
    assert '"f"' not in shown(browser)
    while folded := browser.find_elements(By.CSS_SELECTOR, "#shown .json details:not([open]) > summary"):
        folded[0].send_keys(Keys.ENTER)
        wait(browser, lambda _, one=folded[0]: one.find_element(By.XPATH, "..").get_attribute("open"))
    assert '"f": 1' in shown(browser)


def test_on_a_phone_nothing_is_wider_than_the_screen(browser: Any, address: str) -> None:
    size = {"width": 390, "height": 844, "deviceScaleFactor": 1, "mobile": True}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
    try:
        for path in ("", "at/examples", "at/examples/shapes", "at/examples/shapes/Shapes/draw"):
            browser.get(f"{address}/_koa/{path}")
            assert browser.execute_script("return document.documentElement.scrollWidth") <= 390, path
    finally:
        browser.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})


def test_every_control_has_a_name_for_those_who_do_not_see_it(browser: Any, address: str) -> None:
    for path in (
        "shapes/Shapes/area",
        "shapes/Shapes/total",
        "shapes/Shapes/measure",
        "guestbook2018/Guestbook/page",
    ):
        browser.get(f"{address}/_koa/at/examples/{path}")
        for control in browser.find_elements(By.CSS_SELECTOR, "input, select, textarea, button, a"):
            if control.is_displayed():
                assert control.accessible_name, control.get_attribute("outerHTML")


def test_the_authorization_is_kept_for_the_tab_and_is_sent_and_in_the_sample(browser: Any, address: str) -> None:
    browser.get(f"{address}/_koa/at/kinds/Kinds/told")
    browser.find_element(By.CSS_SELECTOR, "#authorize summary").click()
    for kind, first, second, header in (
        ("bearer", "a.b", "", "Authorization: Bearer a.b"),
        ("basic", "ann", "pä", "Authorization: Basic YW5uOnDDpA=="),
        ("key", "k-1", "", "X-API-Key: k-1"),
    ):
        Select(browser.find_element(By.CSS_SELECTOR, "[data-auth=kind]")).select_by_value(kind)
        for name, text in (("first", first), ("second", second)):
            field = browser.find_element(By.CSS_SELECTOR, f"[data-auth={name}]")
            if field.is_displayed():
                field.clear()
                field.send_keys(text)
        assert run(browser).startswith("200")
        assert header.partition(": ")[2] in shown(browser)
        assert header in browser.find_element(By.ID, "sample").text
    browser.get(f"{address}/_koa/at/kinds/Kinds/nothing")
    assert "API key" in browser.find_element(By.CSS_SELECTOR, "#authorize summary").text
    assert "X-API-Key: k-1" in browser.find_element(By.ID, "sample").text
    browser.execute_script("sessionStorage.clear()")


def test_headers_and_a_raw_body_are_sent_and_a_language_is_kept(browser: Any, address: str) -> None:
    browser.get(f"{address}/_koa/at/kinds/Kinds/told")
    browser.find_element(By.CSS_SELECTOR, ".asked details:last-child summary").click()
    browser.find_element(By.ID, "more-headers").send_keys("X-One: 1\nno header\nX-Two: two")
    browser.find_element(By.ID, "raw").send_keys("<a/>")
    kind = browser.find_element(By.ID, "raw-type")
    kind.clear()
    kind.send_keys("text/xml")
    Select(browser.find_element(By.ID, "way")).select_by_value("POST form")
    assert run(browser).startswith("200")
    assert all(word in shown(browser) for word in ('"text/xml"', '"<a/>"', '"two"'))
    Select(browser.find_element(By.ID, "language")).select_by_visible_text("Python")
    assert 'content="<a/>"' in browser.find_element(By.ID, "sample").text
    browser.refresh()
    assert browser.find_element(By.ID, "sample").text.startswith("import httpx")
    browser.execute_script("sessionStorage.clear()")


def test_a_stream_is_shown_as_it_comes_and_can_be_stopped(browser: Any, address: str) -> None:
    for method, count in (("lines", 3), ("events", 2)):
        browser.get(f"{address}/_koa/at/kinds/Kinds/{method}")
        browser.find_element(By.CSS_SELECTOR, "#call button[type=submit]").click()
        wait(browser, lambda _, count=count: len(browser.find_elements(By.CSS_SELECTOR, ".events > li")) == count)
        assert browser.find_element(By.ID, "stop").is_displayed()
        browser.find_element(By.ID, "stop").click()
        wait(browser, lambda _: "Stopped." in browser.find_element(By.ID, "status").text)
        assert len(browser.find_elements(By.CSS_SELECTOR, ".events > li")) == count
    assert [item.text for item in browser.find_elements(By.CSS_SELECTOR, ".events > li")] == [
        'tick {1}\n"n": 1',
        'message "bye"',
    ]


def test_comma_separated_values_are_a_table_and_the_last_calls_lead_back(browser: Any, address: str) -> None:
    browser.get(f"{address}/_koa/at/kinds/Kinds/sheet?rows=2")
    run(browser)
    assert [cell.text for cell in browser.find_elements(By.CSS_SELECTOR, "#shown th")] == ["name", "a, b"]
    cells = browser.find_elements(By.CSS_SELECTOR, "#shown td")
    assert [cell.text for cell in cells] == ["x", "1", 'say "hi"', "2"]
    browser.get(f"{address}/_koa/at/kinds/Kinds/nothing")
    browser.find_element(By.CSS_SELECTOR, "#calls summary").click()
    last = browser.find_element(By.CSS_SELECTOR, "#calls a")
    assert "rows=2" in last.text
    last.click()
    wait(browser, lambda _: browser.find_element(By.NAME, "rows").get_attribute("value") == "2")


def test_the_keys_are_told_on_a_question_mark(browser: Any) -> None:
    browser.find_element(By.TAG_NAME, "body").send_keys("?")
    assert browser.find_element(By.ID, "help").is_displayed()
    browser.switch_to.active_element.send_keys(Keys.ESCAPE)
    assert not browser.find_element(By.ID, "help").is_displayed()
