"""What the author of a site sees of an error in development, and that nobody else does."""

from __future__ import annotations

import os
import re
from typing import Any
from urllib.parse import quote

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from werkzeug.test import Client

UNEXPECTED = "The server failed to answer this request."
FAULTY = """
    from kernkoa import *
    from system.core.errors import BrokerUnavailable, DatabaseError, DatabaseUnavailable


    class Faulty:
        def divide(self, params=None):
            total = 10
            password = "hunter22"
            account = {"api_key": "abcdef", "owner": "Ann"}
            return self._share(total, 0)

        def _share(self, total, count):
            return total / count

        def markup(self):
            shown = "<script>alert(1)</script>"
            raise ValueError("<b>bold</b>")

        def chain(self):
            try:
                int("x")
            except ValueError as error:
                raise RuntimeError("could not read it") from error

        def missing_template(self):
            return render_template("welcom.html")

        def bad_template(self):
            return render_template("page.html", user={"name": "Ann"})

        def broken_template(self):
            return render_template("broken.html")

        def selfless(params=None):
            return params.items()

        def unsupported(self):
            return object()

        def unsupported_json(self):
            return {"at": object()}

        def typo(self):
            return render_tempate("x")

        def nothing(self):
            return None.items()

        def setting(self):
            return config.nothing

        def address(self):
            where = "redis://me:pw123456@host/0"
            raise OSError("cannot reach " + where)

        def unprintable(self):
            class Odd:
                def __repr__(self):
                    raise RuntimeError("no")

            odd = Odd()
            raise ValueError(odd)

        def deep(self):
            return self.deep()

        def long(self):
            text = "x" * 1_000_000
            items = list(range(1_000_000))
            raise ValueError(text)

        def broker(self):
            raise BrokerUnavailable("The broker at redis://localhost does not answer.")

        def refused_connection(self):
            import redis

            raise redis.exceptions.ConnectionError("Error 111 connecting to localhost:6379. Connection refused.")

        def database(self):
            raise DatabaseUnavailable("maindb does not answer.")

        def table(self):
            raise DatabaseError("maindb: no such table: orders")

        def own(this: str):
            return this

        def dot(self, params):
            return params.name

        def name_of_face(self):
            from kernkoa import rendr_template

        def asks(self):
            raise EOFError("EOF when reading a line")

        def stops(self):
            import bdb

            raise bdb.BdbQuit

        def encoding(self):
            raise SyntaxError("source code string cannot contain null bytes")

        def port(self):
            import socket

            with socket.socket() as one, socket.socket() as two:
                one.bind(("127.0.0.1", 0))
                one.listen()
                two.bind(one.getsockname())

        def module(self):
            import no_such_module

        def gone(self):
            abort(404)

        def refused(self):
            abort(500)
"""


@pytest.fixture
def client(site: Any) -> Any:
    site.write("faulty.py", FAULTY)
    site.write("templates/welcome.html", "welcome")
    site.write("templates/page.html", "<h1>\n{{ user.name }}\n{{ usr.name }}\n</h1>\n")
    site.write("templates/broken.html", "<h1>\n{% for x in y %}\n{{ x }\n")
    site.write("broken.py", 'class Broken:\n    def index(self):\n        return "a" +* "b"\n')
    site.write("raises.py", 'limit = int("many")\n')
    site.write("importer.py", "from .broken import Broken\n")
    return site.client(development=True, secretKey="topsecretkey1", databases=DATABASES)


DATABASES = {"maindb": {"driver": "sqlite", "host": "var/main.db", "password": "dbpassword9"}}


def test_the_404_page_shows_the_walk_the_near_names_and_the_lines(client: Any, browser_headers: Any) -> None:
    response = client.get("/faulty/Faulty/dvide?a=1&b=<x>", headers=browser_headers)
    assert response.status_code == 404
    assert response.headers["Cache-Control"] == "no-store"
    assert 'href="/faulty/Faulty/divide?a=1&amp;b=' in response.text
    assert "catalog/controller/faulty.py" in response.text
    assert "def dvide(self, params=None):" in response.text
    assert "<x>" not in response.text


def test_a_404_tells_programs_the_same(client: Any) -> None:
    document = client.get("/faulty/Faulty/dvide?a=1").get_json()
    assert document["status"] == 404
    assert document["reason"].startswith("Faulty has no method dvide")
    assert document["near"] == ["/faulty/Faulty/divide?a=1"]
    assert [step["found"] for step in document["walk"]] == [True, True, False]
    assert document["remedy"]["code"].startswith("def dvide")
    assert {"url": "/faulty/Faulty/chain?a=1", "kind": "method", "signature": "(self)", "does": ""} in document[
        "callable"
    ]


@pytest.mark.parametrize(
    ("path", "reason"),
    [
        ("/images/nothing", "images answers the files of the folder imagePath"),
        ("/_koa/nothing", "_koa answers the kernel's own pages"),
        ("/a//b", "empty segment"),
        ("/" + "a/" * 200, "too many"),
        ("/%C3%A9t%C3%A9", "'été' cannot be a name"),
    ],
)
def test_a_404_of_another_kind_is_explained_too(client: Any, path: str, reason: str) -> None:
    assert reason in client.get(path).get_json()["reason"]


def test_hostile_text_in_a_404_stays_text(client: Any, browser_headers: Any) -> None:
    for path in (
        "/%3Cscript%3Ealert(1)%3C%2Fscript%3E",
        "/faulty/%22onmouseover=%22x",
        "/a%00b",
        "/%7B%7B7*7%7D%7D",
    ):
        response = client.get(path, headers=browser_headers)
        assert response.status_code == 404
        assert "<script>alert" not in response.text
        assert '"onmouseover' not in response.text
        assert ("{{7*7}}" in response.text) == ("7*7" in path)


def test_what_a_method_itself_does_not_find_is_its_own_answer(client: Any) -> None:
    assert "walk" not in client.get("/faulty/Faulty/gone").get_json()
    assert "frames" not in client.get("/faulty/Faulty/refused").get_json()


def test_an_exception_shows_the_own_frames_first_with_source_and_values(client: Any, browser_headers: Any) -> None:
    page = client.get("/faulty/Faulty/divide?token=t0ken&name=Ann", headers=browser_headers)
    assert page.status_code == 500
    assert "ZeroDivisionError" in page.text
    inner, outer = page.text.index("in Faulty._share"), page.text.index("in Faulty.divide")
    assert inner < outer < page.text.index("frames of the kernel and of libraries")
    assert "return total / count" in page.text
    assert "<td>count</td><td>0</td>" in page.text
    assert "<td>name</td><td>&#39;Ann&#39;</td>" in page.text


def test_an_exception_tells_programs_type_message_and_frames(client: Any) -> None:
    document = client.get("/faulty/Faulty/divide").get_json()
    assert (document["exception"], document["message"]) == ("ZeroDivisionError", "division by zero")
    assert document["frames"][-1]["function"] == "Faulty._share"
    assert document["frames"][-1]["origin"] == "site"
    assert document["detail"].startswith(UNEXPECTED)


@pytest.mark.parametrize("method", ["divide", "address", "setting", "bad_template"])
def test_no_secret_is_on_a_page(client: Any, browser_headers: Any, method: str) -> None:
    headers = browser_headers | {"Authorization": "Bearer abc123", "Cookie": "kernkoa_session=abc123"}
    page = client.get(f"/faulty/Faulty/{method}?password=pa55word", headers=headers).text
    for secret in ("hunter22", "abcdef", "topsecretkey1", "dbpassword9", "abc123", "pa55word", "pw123456"):
        assert secret not in page
    assert "••••••" in page


def test_markup_in_messages_and_values_is_escaped(client: Any, browser_headers: Any) -> None:
    page = client.get("/faulty/Faulty/markup?x=<img src=x>", headers=browser_headers).text
    assert "<script>alert" not in page
    assert "<b>bold" not in page
    assert "<img" not in page
    assert "&lt;b&gt;bold" in page


def test_what_an_exception_came_of_is_shown_too(client: Any, browser_headers: Any) -> None:
    page = client.get("/faulty/Faulty/chain", headers=browser_headers).text
    assert page.index("RuntimeError") < page.index("Caused by") < page.index("invalid literal for int")


@pytest.mark.parametrize("method", ["unprintable", "deep", "long"])
def test_values_that_cannot_be_shown_do_not_break_the_page(client: Any, browser_headers: Any, method: str) -> None:
    page = client.get(f"/faulty/Faulty/{method}", headers=browser_headers)
    assert page.status_code == 500
    assert f"in Faulty.{method}" in page.text
    assert len(page.text) < 200_000


def test_an_error_of_a_template_shows_its_line(client: Any, browser_headers: Any) -> None:
    document = client.get("/faulty/Faulty/bad_template").get_json()
    template = next(frame for frame in document["frames"] if frame["origin"] == "template")
    assert (template["file"].rpartition("/")[2], template["line"]) == ("page.html", 3)
    page = client.get("/faulty/Faulty/bad_template", headers=browser_headers).text
    assert "{{ usr.name }}" in page


def test_a_template_that_does_not_compile_shows_its_line(client: Any) -> None:
    frame = client.get("/faulty/Faulty/broken_template").get_json()["frames"][-1]
    assert (frame["file"].rpartition("/")[2], frame["line"]) == ("broken.html", 3)


@pytest.mark.parametrize(
    ("method", "hint"),
    [
        ("selfless", "Write def selfless(self, params)."),
        ("missing_template", "Did you mean welcome.html"),
        ("bad_template", "Did you mean user?"),
        ("unsupported", "A method returns str, bytes"),
        ("unsupported_json", "A method returns str, bytes"),
        ("typo", "Did you mean render_template"),
        ("nothing", "The value before .items is None"),
        ("setting", "config.py sets no nothing"),
        ("broker", "Redis does not answer. Start it (redis-server)"),
        ("refused_connection", "Redis does not answer."),
        ("database", "The database does not answer."),
        ("table", "A table is missing."),
        ("own", "Write def own(self, this)."),
        ("dot?a=1", "read with brackets: ['name']"),
        ("name_of_face", "Did you mean render_template"),
        ("asks", "No one can type into the server."),
        ("stops", "python kernkoa.py call faulty/Faulty/stops"),
        ("encoding", "Save the file in the encoding UTF-8"),
        ("port", "Another program listens on that port"),
        ("module", "pip install no_such_module"),
    ],
)
def test_the_commonest_faults_have_a_hint(client: Any, browser_headers: Any, method: str, hint: str) -> None:
    assert hint in client.get(f"/faulty/Faulty/{method}").get_json()["hint"]
    assert 'class="hint"' in client.get(f"/faulty/Faulty/{method}", headers=browser_headers).text


def test_the_page_of_an_answer_that_cannot_be_sent_shows_the_method(client: Any, browser_headers: Any) -> None:
    page = client.get("/faulty/Faulty/unsupported", headers=browser_headers).text
    assert re.search(r"return object\(\)", page)
    frame = client.get("/faulty/Faulty/unsupported").get_json()["frames"][-1]
    assert (frame["origin"], frame["file"].endswith("catalog/controller/faulty.py")) == ("site", True)


def test_an_error_keeps_its_status_and_headers(client: Any, browser_headers: Any) -> None:
    page = client.get("/faulty/Faulty/broker", headers=browser_headers)
    assert (page.status_code, page.headers["Retry-After"]) == (503, "5")


def test_a_broken_library_names_file_line_and_text_to_who_sees_no_page(client: Any) -> None:
    told = client.get("/broken").get_json()
    assert told["file"].endswith("catalog/controller/broken.py")
    assert (told["line"], told["text"]) == (3, 'return "a" +* "b"')


def test_a_broken_library_shows_file_line_text_and_caret(client: Any, browser_headers: Any) -> None:
    page = client.get("/broken", headers=browser_headers)
    assert page.status_code == 500
    assert "catalog/controller/broken.py is broken" in page.text
    assert "vscode://file" in page.text
    assert "broken.py:3" in page.text
    line = page.text.index("return &#34;a&#34; +* &#34;b&#34;")
    assert line < page.text.index('<span class="caret">^</span>')


@pytest.mark.parametrize(("path", "line"), [("/raises", 1), ("/importer", 3)])
def test_a_library_that_raises_or_imports_a_broken_one_shows_the_place(
    client: Any, browser_headers: Any, path: str, line: int
) -> None:
    page = client.get(path, headers=browser_headers).text
    name = "broken.py" if path == "/importer" else "raises.py"
    assert f"{name} is broken" in page
    assert f"{name}:{line}" in page
    assert client.get(path).get_json()["exception"] in ("SyntaxError", "ValueError")


@pytest.mark.parametrize("path", ["/faulty/Faulty/divide", "/faulty/Faulty/dvide", "/broken"])
@pytest.mark.parametrize(
    "changes",
    [
        {"environ_base": {"REMOTE_ADDR": "192.0.2.7"}},
        {"headers": {"X-Forwarded-For": "127.0.0.1"}},
        {"headers": {"Forwarded": "for=127.0.0.1"}},
        {"headers": {"Host": "rebound.example"}},
        {"headers": {"Host": "127.0.0.1.example"}},
        {"headers": {"Host": ""}},
    ],
)
def test_only_this_machine_is_told_why(client: Any, path: str, changes: Any) -> None:
    document = client.get(path, **changes).get_json()
    assert set(document) == {"type", "title", "status", "detail"}


@pytest.mark.parametrize("path", ["/faulty/Faulty/divide", "/faulty/Faulty/dvide", "/broken"])
@pytest.mark.parametrize("values", [{"development": False}, {"development": True, "flaskDebug": False}])
def test_production_and_debug_off_answer_constantly(
    client: Any, site: Any, browser_headers: Any, path: str, values: Any
) -> None:
    other = site.client(**values)
    assert set(other.get(path).get_json()) == {"type", "title", "status", "detail"}
    page = other.get(path, headers=browser_headers).text
    assert "faulty" not in page.lower()
    assert "broken" not in page


@pytest.mark.parametrize("host", ["localhost", "localhost:5000", "127.0.0.1:5000", "[::1]:5000"])
def test_each_name_of_this_machine_counts(client: Any, host: str) -> None:
    assert "reason" in client.get("/nothing", headers={"Host": host}).get_json()


def token_of(page: str) -> str:
    found = re.search(r'"token": "(\w+)"', page)
    assert found
    return found[1]


def changed(client: Any, token: str) -> bool:
    return bool(client.get(f"/_koa/changed?since={token}").get_json()["changed"])


def touch(file: Any, text: str) -> None:
    file.write_text(text)
    os.utime(file, ns=(1, file.stat().st_mtime_ns + 5_000_000))


def test_a_page_hears_that_its_file_was_mended(client: Any, site: Any, browser_headers: Any) -> None:
    token = token_of(client.get("/broken", headers=browser_headers).text)
    assert not changed(client, token)
    touch(site.controllers / "broken.py", "class Broken:\n    def index(self):\n        return 'mended'\n")
    assert changed(client, token)
    assert client.get("/broken").text == "mended"


def test_a_404_page_hears_that_the_file_was_made(client: Any, site: Any, browser_headers: Any) -> None:
    token = token_of(client.get("/new_one", headers=browser_headers).text)
    assert not changed(client, token)
    site.write("new_one.py", "class NewOne:\n    def index(self):\n        return 'new'\n")
    assert changed(client, token)


def test_an_importer_hears_that_the_imported_file_was_mended(client: Any, site: Any, browser_headers: Any) -> None:
    token = token_of(client.get("/importer", headers=browser_headers).text)
    touch(site.controllers / "broken.py", "class Broken:\n    pass\n")
    assert changed(client, token)


def test_an_unknown_token_counts_as_a_change_and_tells_nothing(client: Any) -> None:
    assert changed(client, "../../etc/passwd")
    assert changed(client, "")


def test_only_so_many_pages_are_remembered(client: Any, browser_headers: Any) -> None:
    first = token_of(client.get("/nothing", headers=browser_headers).text)
    for _ in range(64):
        client.get("/nothing", headers=browser_headers)
    assert changed(client, first)


def test_a_page_of_a_post_does_not_send_it_again(client: Any, browser_headers: Any) -> None:
    page = client.post("/faulty/Faulty/divide", data={"a": "1"}, headers=browser_headers).text
    assert '"reloads": false' in page
    assert '"reloads": true' in client.get("/faulty/Faulty/divide", headers=browser_headers).text


def test_there_is_no_such_url_in_production(site: Any) -> None:
    assert site.client().get("/_koa/changed?since=x").status_code == 404


def test_a_page_that_cannot_be_made_does_not_hide_the_error(client: Any, site: Any, browser_headers: Any) -> None:
    site.write("templates/kernkoa/exception.html", "{{ nothing.at.all }}")
    page = client.get("/faulty/Faulty/divide", headers=browser_headers)
    assert page.status_code == 500
    assert UNEXPECTED in page.text


def test_a_site_may_replace_a_page(client: Any, site: Any, browser_headers: Any) -> None:
    site.write("templates/kernkoa/not_found.html", "own {{ walk.reason }}")
    assert client.get("/nothing", headers=browser_headers).text.startswith("own catalog/controller has no folder")


def test_the_pages_keep_the_sub_path(site: Any, browser_headers: Any) -> None:
    site.write("faulty.py", FAULTY)
    client = Client(site.app(development=True, base="/shop"))
    here = {"REMOTE_ADDR": "127.0.0.1"}
    page = client.get("/shop/faulty/Faulty/dvide?a=1", headers=browser_headers, environ_base=here)
    assert page.status_code == 404
    assert 'href="/shop/faulty/Faulty/divide?a=1"' in page.text
    assert '"url": "/shop/_koa/changed"' in page.text
    asked = client.get(f"/shop/_koa/changed?since={token_of(page.text)}", environ_base=here)
    assert asked.get_json() == {"changed": False}


NAMES = ("faulty", "Faulty", "divide", "selfless", "broken", "raises", "_x", "..", "", "é", "__init__", "4")
PATHS = st.lists(st.one_of(st.sampled_from(NAMES), st.text(max_size=8)), max_size=8).map("/".join)
PATHS = PATHS.filter(lambda path: not path.startswith("/"))  # the client would take what follows for a host


@given(path=PATHS, is_browser=st.booleans())
@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_no_path_breaks_a_page_that_explains(
    client: Any, browser_headers: Any, path: str, is_browser: bool
) -> None:
    """A 500 is right where a method or a library fails, and then the page is the one that explains."""
    answer = client.get("/" + quote(path), headers=browser_headers if is_browser else {})
    assert answer.status_code in (200, 308, 400, 404, 500)
    if answer.status_code == 404:
        assert "no method has this URL" in answer.text if is_browser else answer.get_json()["reason"]
    elif answer.status_code == 500:
        assert "The request</h2>" in answer.text if is_browser else answer.get_json()["exception"]
