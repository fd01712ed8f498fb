"""What people misspell, mistype and misplace: the answer, the command and `check` say what to write instead."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from system.core.settings import read_settings

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def kernkoa(site: Any) -> Any:
    """Runs a command on the site of the test."""
    (site.root / "config.py").write_text("secretKey = 'x' * 32\nqueues = ['mails']\n")
    return site.kernkoa


# --- JSON without its Content-Type -----------------------------------------------------------------------------------

DOORS = """
    from kernkoa import *

    class Doors:
        @allow("GET", "POST")
        def typed(self, name: str):
            return name

        @allow("POST")
        def untyped(self, params):
            return params["name"]
"""


@pytest.mark.parametrize(
    "kind", ["", "text/plain", "application/x-www-form-urlencoded", "application/octet-stream"]
)
@pytest.mark.parametrize("body", ['{"name": "Ann"}', ' \n[{"name": "Ann"}]', '{"name": '])
@pytest.mark.parametrize("method", ["typed", "untyped"])
def test_json_without_its_type_is_told_apart(site: Any, kind: str, body: str, method: str) -> None:
    site.write("doors.py", DOORS)
    answer = site.client().post(f"/doors/{method}", data=body, headers={"Content-Type": kind} if kind else {})
    assert answer.status_code in (400, 415, 422)
    assert "Content-Type: application/json" in answer.json["detail"]


@pytest.mark.parametrize("body", ["nam", "", "nam=%7B%7D", "<name>"])
def test_other_bodies_are_not_called_json(site: Any, body: str) -> None:
    site.write("doors.py", DOORS)
    for kind in ("text/plain", "application/x-www-form-urlencoded"):
        answer = site.client().post("/doors/typed", data=body, headers={"Content-Type": kind})
        assert answer.status_code >= 400
        assert "looks like JSON" not in answer.text
    answer = site.client().post("/doors/typed", json={"nam": 1})
    assert "looks like JSON" not in answer.text


# --- url_for and redirect --------------------------------------------------------------------------------------------

PLACES = """
    from kernkoa import *

    class Orders:
        def index(self):
            return "orders"

        def show(self, number: int):
            return number

        def link(self, params):
            return url_for(params["to"], **{name: params[name] for name in params if name != "to"})

        def links(self):
            when = datetime(2026, 1, 31, 12, 30)
            return url_for("shop/orders/show", number=[1, 2], name="a b&c", nothing=None, when=when, flag=True, _anchor="x")

        def file(self, year: int, *names):
            return [year, *names]

        def files(self, params):
            return url_for(params["to"], **json.loads(params["values"]))

        def own(self):
            return url_for(request.endpoint)

        def away(self, to: str):
            return redirect(to)

        def back(self):
            return redirect("shop/orders/show", number=3)

        def moved(self):
            return redirect("shop/orders", code=301)

        def wrong(self):
            return redirect("shop/ordres/show", number=3)
"""


@pytest.fixture
def shop(site: Any) -> Any:
    site.write("shop/orders.py", PLACES)
    site.write("shop/broken.py", "class Broken(:\n")
    return site.client()


@pytest.mark.parametrize(
    ("path", "url"),
    [
        ("shop/orders/show", "/shop/orders/show"),
        ("/shop/orders/show", "/shop/orders/show"),
        ("shop/orders/Orders/show/3", "/shop/orders/Orders/show/3"),
        ("shop/orders", "/shop/orders"),
        ("shop.orders.Orders.show", "/shop/orders/Orders/show"),
        ("images", "/images"),
    ],
)
def test_url_for_takes_a_path_of_the_catalogue(shop: Any, path: str, url: str) -> None:
    assert shop.get("/shop/orders/link", query_string={"to": path}).text == url
    assert shop.get("/shop/orders/link", query_string={"to": path, "name": "ñ"}).text == url + "?name=%C3%B1"


def test_the_values_of_url_for_become_its_query(shop: Any) -> None:
    assert shop.get("/shop/orders/links").text == (
        "/shop/orders/show?number=1&number=2&name=a%20b%26c&when=2026-01-31T12%3A30%3A00&flag=true#x"
    )
    assert shop.get("/shop/orders/own").text == "/shop/orders/Orders/own"


@pytest.mark.parametrize(
    ("path", "values", "url", "answer"),
    [
        ("file", '{"year": 3, "names": ["a b", "ñ?#%"]}', "/file/3/a%20b/%C3%B1%3F%23%25", [3, "a b", "ñ?#%"]),
        ("file/3", '{"names": ["a"], "x": "y"}', "/file/3/a?x=y", [3, "a"]),
        ("file/3/a", '{"names": "b"}', "/file/3/a/b", [3, "a", "b"]),
        ("file", '{"year": 3, "names": []}', "/file/3", [3]),
        ("file", '{"year": 3}', "/file?year=3", [3]),
    ],
)
def test_the_values_of_any_number_of_segments_are_segments(
    shop: Any, path: str, values: str, url: str, answer: Any
) -> None:
    made = shop.get("/shop/orders/files", query_string={"to": f"shop/orders/{path}", "values": values}).text
    assert made == f"/shop/orders{url}"
    assert shop.get(made).get_json() == answer


def test_a_url_of_a_site_below_a_base_has_the_base(site: Any) -> None:
    site.write("shop/orders.py", PLACES)
    app = site.app(base="/sub", url="https://example.com/sub")
    assert app.test_client().get("/sub/shop/orders/own").text == "/sub/shop/orders/Orders/own"
    with app.app_context():  # a task, a mail: the full URL
        assert app.url_for("shop/orders/show", number=3) == "https://example.com/sub/shop/orders/show?number=3"
        assert app.url_for("shop/orders", _scheme="http", _external=True) == "http://example.com/sub/shop/orders"


@pytest.mark.parametrize(
    ("method", "location"),
    [
        ("back", "/shop/orders/show?number=3"),
        ("moved", "/shop/orders"),
        ("away?to=/x", "/x"),
        ("away?to=https://example.com/a%3Fb", "https://example.com/a?b"),
        ("away?to=next", "next"),
        ("away?to=%3Fpage=2", "?page=2"),
        ("away?to=shop/orders", "/shop/orders"),
        ("away?to=shop/orders/show/3%3Fa=b%23c", "/shop/orders/show/3?a=b#c"),
    ],
)
def test_redirect_takes_a_path_of_the_catalogue_and_any_url(shop: Any, method: str, location: str) -> None:
    answer = shop.get(f"/shop/orders/{method}")
    assert (answer.status_code, answer.headers["Location"]) == (301 if method == "moved" else 302, location)


@pytest.mark.parametrize(
    "url", ["/shop/orders/wrong", "/shop/orders/link?to=shop/ordres/show", "/shop/orders/link?to=a/b"]
)
def test_a_path_without_a_method_is_a_500_that_names_it(shop: Any, url: str, caplog: Any) -> None:
    assert shop.get(url).status_code == 500
    assert "No method answers" in caplog.text
    assert "python kernkoa.py routes" in caplog.text
    assert "favicon" not in caplog.text


# --- call ------------------------------------------------------------------------------------------------------------

CALLED = """
    from kernkoa import *

    class Tool:
        @allow("GET", "POST")
        def echo(self, params):
            return {**params, "host": request.host, "x": request.headers.get("X-Test"), "verb": request.method}

        @allow("POST")
        def upload(self, file: "FileStorage", title: str = ""):
            return {"name": file.filename, "text": file.read().decode(), "title": title}

        def away(self):
            return redirect("tool/echo", number=3)

        def raw(self):
            return Response(b"\\x00\\x01", mimetype="application/pdf")
"""


@pytest.fixture
def tool(site: Any, kernkoa: Any) -> Any:
    site.write(
        "tool.py",
        CALLED.replace("from kernkoa", "from werkzeug.datastructures import FileStorage\n    from kernkoa"),
    )
    site.write("../../names.csv", "a;b\n")
    return kernkoa


def test_call_takes_what_people_paste(tool: Any) -> None:
    for words, said in {
        ("tool/echo?name=x%20y",): '"name":"x y"',
        ("/tool/echo?name=x&name=y", "other=z"): '"other":"z"',
        ("http://localhost:5000/tool/echo?name=x",): '"host":"localhost:5000"',
        ("https://localhost/tool/echo",): '"host":"localhost"',
        ("tool/echo", "-H", "X-Test: yes"): '"x":"yes"',
        ("tool/echo", "name=@@ann"): '"name":"@ann"',
        ("tool/echo?name=x", "--verb", "post", "more=y"): '"verb":"POST"',
    }.items():
        done = tool("call", *words)
        assert (done.returncode, done.stderr) == (0, ""), words
        assert said in done.stdout
        assert done.stdout.endswith("}\n")


def test_call_uploads_a_file(tool: Any, site: Any) -> None:
    (site.root / "names.csv").write_text("a;b\n")
    done = tool("call", "tool/upload", "file=@names.csv", "title=t")
    assert done.stdout == '{"name":"names.csv","text":"a;b\\n","title":"t"}\n', done.stderr


def test_call_shows_a_redirect_and_leaves_bytes_alone(tool: Any) -> None:
    assert tool("call", "tool/away").stdout == "302 FOUND -> /tool/echo?number=3\n"
    assert tool("call", "tool/raw").stdout == "\x00\x01"


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("tool/upload", "file=@nothing.csv"), "nothing.csv cannot be read"),
        (("tool/echo", "-H", "X-Test"), "is not a header"),
        (("http://localhost:5000",), "404"),
        (("",), "404"),
        (("tool/ecco?name=x",), "Tool has no method ecco"),
    ],
)
def test_call_of_what_cannot_be_says_why(tool: Any, words: tuple[str, ...], said: str) -> None:
    done = tool("call", *words)
    assert done.returncode == 1
    assert said in done.stderr
    assert "Traceback" not in done.stderr


# --- settings --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "environ", "said"),
    [
        ("secret_key = 'x'", {}, "Did you mean secretKey?"),
        ("SECRETKEY = 'x'", {}, "Did you mean secretKey?"),
        ("sessionTimeout = 5", {}, "Did you mean session_timeout?"),
        ("redisURL = ''", {}, "Did you mean redisUrl?"),
        ("databasess = {}", {}, "Did you mean databases?"),
        ("authDatabase = 'users'", {}, "Did you mean defaultDatabase?"),
        ("", {"KERNKOA_SECRETKEY": "x"}, "Did you mean KERNKOA_SECRET_KEY?"),
        ("", {"KERNKOA_REDISURL": "x"}, "Did you mean KERNKOA_REDIS_URL?"),
        ("mailServer = ''", {"KERNKOA_MAIL_SERVR": "x"}, "Did you mean KERNKOA_MAIL_SERVER?"),
    ],
)
def test_a_misspelled_setting_is_reported(tmp_path: Path, text: str, environ: dict[str, str], said: str) -> None:
    (tmp_path / "config.py").write_text(text)
    (warning,) = read_settings(tmp_path / "config.py", environ).warnings
    assert said in warning


@pytest.mark.parametrize(
    ("text", "environ"),
    [
        ("mailServer = 'x'\nshopName = 'y'\nimport os\nprice = 5", {}),
        ("", {"KERNKOA_CONFIG": "x", "KERNKOA_DEVELOPMENT": "5", "KERNKOA_TEST_BOX": "x", "HOME": "/"}),
        ("mailServer = ''", {"KERNKOA_MAIL_SERVER": "x", "KERNKOA_SECRET_KEY": "y"}),
        ("addons = ['auth']\nauthDatabase = 'users'", {}),
    ],
)
def test_a_name_of_the_sites_own_is_not(tmp_path: Path, text: str, environ: dict[str, str]) -> None:
    (tmp_path / "config.py").write_text(text)
    assert not read_settings(tmp_path / "config.py", environ).warnings


# --- check -----------------------------------------------------------------------------------------------------------

FACE = "from kernkoa import *\n"
FAULTS = {
    "my-app/page.py": ("class Page:\n    pass\n", 0, "my-app cannot be part of a URL. A name that can: my_app"),
    "price-list.py": ("class X:\n    pass\n", 0, "price-list cannot be part of a URL"),
    "größe.py": ("class X:\n    pass\n", 0, "größe cannot be part of a URL. A name that can: groe"),
    "2020.py": ("class X:\n    pass\n", 0, "2020 cannot be part of a URL. A name that can: n2020"),
    "often.py": (
        FACE + "class O:\n    @every('5 minutes')\n    def x(self, celery_instance):\n        pass\n",
        4,
        "'5 minutes'",
    ),
    "daily.py": (
        FACE + "class D:\n    @cron('0 25 * * *')\n    def x(self, celery_instance):\n        pass\n",
        4,
        "'25' is no hour",
    ),
    "tasked4.py": (
        FACE + "class Tasked4:\n    def index(self, a=1):\n        exeTask(self, 'nosuch')\n",
        4,
        "nosuch",
    ),
    "tasked5.py": (FACE + "class T:\n    def x(self):\n        exeTask(self, 'x')\n", 4, "no task method x"),
    "above.py": ("import datetime\n" + FACE, 1, "from kernkoa import * in line 2 replaces datetime"),
    "clock.py": ("from time import time\n" + FACE, 1, "replaces time"),
    "loads.py": ("from yaml_like import load\n" + FACE, 1, "ModuleNotFoundError"),
    "annotated.py": (FACE + "class Annotated_:\n    def x(self, a: len):\n        pass\n", 3, "a"),
    "unknown.py": (FACE + "class Unknown:\n    def x(self, a: Nothing):\n        pass\n", 3, "Nothing"),
    "queued.py": (
        FACE + "class Q:\n    @queue('nosuch')\n    def x(self, celery_instance=None):\n        pass\n",
        3,
        "nosuch",
    ),
    "tasked.py": (FACE + "class T:\n    def x(self):\n        exeTask(self, 'nosuch')\n", 4, "nosuch"),
    "tasked2.py": (FACE + "class T:\n    def x(self):\n        exeTask(None, 'no/such/Thing/x')\n", 4, "no/such"),
    "tasked3.py": (FACE + "class T:\n    def x(self):\n        exeTask(self, 'x', queue='far')\n", 4, "far"),
    "model1.py": (FACE + "class M:\n    def x(self):\n        return load.model('nosuch')\n", 4, "nosuch.py"),
    "model2.py": (
        FACE + "class M:\n    def x(self):\n        return load.model('stock', 'nowhere')\n",
        4,
        "nowhere",
    ),
    "words.py": (FACE + "class M:\n    def x(self):\n        return load.language('stcok')\n", 4, "stcok"),
    "prints.py": (FACE + "class M:\n    def x(self):\n        return load.printFormat('nosuch')\n", 4, "nosuch"),
    "pages.py": (
        FACE + "class M:\n    def x(self):\n        return render_template('nosuch.html')\n",
        4,
        "nosuch.html",
    ),
    "urls.py": (FACE + "class M:\n    def x(self):\n        return url_for('no/such')\n", 4, "no/such"),
    "sends.py": (FACE + "class M:\n    def x(self):\n        return redirect('no/such', n=1)\n", 4, "no/such"),
}
FINE = (
    FACE
    + """import datetime as dt
class Fine:
    @queue("mails")
    @every("5m")
    def job(self, celery_instance=None, params=None):
        pass

    def all(self, name: str):
        exeTask(self, "job")
        exeTask(self, "fine/Fine/job", queue="tasks")
        exeTask(self, name)
        load.model("stock", "shop")
        load.model(name)
        redirect("/anywhere")
        redirect("fine/all", name="x")
        url_for("fine/all")
        url_for("images")
        url_for(name)
        return render_template("page.html")
"""
)


@pytest.fixture
def checked(kernkoa: Any, site: Any) -> list[str]:
    """The lines of `check` for a site with every fault."""
    for path, (text, _, _) in FAULTS.items():
        site.write(path, text)
    site.write("fine.py", FINE)
    site.write("_private-notes.py", "")
    site.write("catalog/model/shop/stock.py", "class stock:\n    pass\n")
    site.write("templates/base.html", "{% block body %}{% endblock %}")
    site.write(
        "templates/page.html",
        '{% extends "base.html" %}{% block body %}{% block in %}{% endblock %}{% endblock %}',
    )
    site.write(
        "templates/lost.html",
        '{% extends "page.html" %}\n{% block bdoy %}{% endblock %}{% block in %}{% endblock %}',
    )
    site.write(
        "templates/link.html", "{{ url_for('fine/all') }}\n{{ url_for('no/such', x=1) }}{{ url_for(name) }}"
    )
    (site.root / "config.py").write_text("secretKey = 'x' * 32\nqueues = ['mails']\nredis_url = ''\n")
    done = kernkoa("check")
    assert done.returncode == 1
    return done.stdout.splitlines()


def test_check_finds_what_can_never_answer(checked: list[str], site: Any) -> None:
    missing = []
    for path, (_, line, said) in FAULTS.items():
        file = site.controllers / (path.split("/")[0] if "-" in path.split("/")[0] else path)
        start = f"{file}:{line}: " if line else f"{file}: "
        if not any(found.startswith(start) and said in found for found in checked):
            missing.append((path, start, said))
    assert missing == [], "\n".join(checked)


def test_check_finds_lost_blocks_links_and_settings_and_no_more(checked: list[str], site: Any) -> None:
    templates = site.root / "templates"
    assert (
        f"{templates}/lost.html:2: the block bdoy is never shown: no template that this one extends has it"
        in checked
    )
    assert f"{templates}/link.html:2: url_for finds no method no/such" in checked
    assert any(line.startswith("warning: config.py: redis_url is not a setting") for line in checked)
    assert len(checked) == len(FAULTS) + 4, "\n".join(checked)  # loads.py has two


def test_the_chapter_lists_every_name_of_the_star() -> None:
    import kernkoa

    page = (ROOT / "docs" / "names.md").read_text(encoding="utf-8")
    assert [name for name in kernkoa.__all__ if f"`{name}`" not in page] == []


def test_the_hint_names_an_import_that_the_star_replaced(site: Any) -> None:
    site.write(
        "clock.py",
        """
        import datetime
        from kernkoa import *

        class Clock:
            def now(self):
                return str(datetime.datetime.now())
        """,
    )
    answer = site.client(development=True).get("/clock/now")
    assert answer.status_code == 500
    assert "replaces the datetime of line 2" in answer.json["hint"]
