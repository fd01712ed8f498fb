"""What a method receives and what its answer becomes, as a client sees it."""

from __future__ import annotations

import io
from typing import Any

import pytest


def test_the_plainest_old_style_works(site: Any) -> None:
    site.write(
        "old.py",
        """
        from kernkoa import *

        class old:
            def m(self, params = None):
                if params == None:
                    return "Hello World"
                html = ""
                for key, value in params.items():
                    html += key + " = " + value + "<br>"
                return html
        """,
    )
    client = site.client()
    assert client.get("/old/old/m").text == "Hello World"
    assert client.get("/old/old/m?a=1&b=2").text == "a = 1<br>b = 2<br>"
    assert client.post("/old/old/m", data={"a": "1"}).text == "a = 1<br>"
    assert client.post("/old/old/m", json={"a": "1"}).text == "a = 1<br>"


def test_params_without_a_default_are_always_passed(site: Any) -> None:
    site.write("lib.py", "class Lib:\n    def index(self, params): return repr(dict(params))\n")
    assert site.client().get("/lib").text == "{}"


def test_a_missing_parameter_is_a_400_that_names_it(site: Any) -> None:
    site.write("lib.py", "class Lib:\n    def index(self, params): return params['user']\n")
    response = site.client().get("/lib?usr=1")
    assert response.status_code == 400
    assert response.get_json()["name"] == "user"


def test_every_request_has_an_instance_of_its_own(site: Any) -> None:
    site.write(
        "lib.py",
        """
        class Lib:
            def __init__(self): self.seen = 0
            def index(self):
                self.seen += 1
                return str(self.seen)
        """,
    )
    client = site.client()
    assert [client.get("/lib").text for _ in range(3)] == ["1", "1", "1"]


RETURNS = """
    import datetime, decimal, uuid
    from dataclasses import dataclass
    from flask import Response, redirect as go
    from pydantic import BaseModel

    @dataclass
    class Point:
        x: int
        at: datetime.date

    class Model(BaseModel):
        name: str

    class Lib:
        def text(self): return "<b>ñ</b>"
        def data(self): return b"\\x00\\x01"
        def dict(self): return {"b": 1, "a": decimal.Decimal("1.50"), "n": float("nan"), 3: "three"}
        def list(self): return [1, "two", None]
        def number(self): return 10
        def truth(self): return True
        def record(self): return Point(1, datetime.date(2020, 2, 29))
        def model(self): return Model(name="ñandú")
        def models(self): return [Model(name="a"), Point(2, datetime.date(2021, 1, 1))]
        def none(self): return None
        def pair(self): return "made", 201
        def triple(self): return {"a": 1}, 202, {"X-Mine": "yes"}
        def headers(self): return "made", {"X-Mine": "yes"}
        def response(self): return Response("raw", 418)
        def away(self): return go("/elsewhere")
        def stream(self):
            yield "one"
            yield b"two"
        def empty(self):
            return iter(())
        def strange(self): return object()
"""


@pytest.mark.parametrize(
    ("method", "status", "mimetype", "body"),
    [
        ("text", 200, "text/html", "<b>ñ</b>".encode()),
        ("data", 200, "application/octet-stream", b"\x00\x01"),
        ("dict", 200, "application/json", b'{"b":1,"a":"1.50","n":null,"3":"three"}'),
        ("list", 200, "application/json", b'[1,"two",null]'),
        ("number", 200, "application/json", b"10"),
        ("truth", 200, "application/json", b"true"),
        ("record", 200, "application/json", b'{"x":1,"at":"2020-02-29"}'),
        ("model", 200, "application/json", '{"name":"ñandú"}'.encode()),
        ("models", 200, "application/json", b'[{"name":"a"},{"x":2,"at":"2021-01-01"}]'),
        ("none", 204, None, b""),
        ("pair", 201, "text/html", b"made"),
        ("triple", 202, "application/json", b'{"a":1}'),
        ("headers", 200, "text/html", b"made"),
        ("response", 418, "text/html", b"raw"),
        ("away", 302, "text/html", None),
        ("stream", 200, "text/html", b"onetwo"),
        ("empty", 200, "text/html", b""),
        ("strange", 500, "application/problem+json", None),
    ],
)
def test_what_a_method_returns_becomes_a_response(
    site: Any, method: str, status: int, mimetype: str | None, body: bytes | None
) -> None:
    site.write("lib.py", RETURNS)
    response = site.client().get(f"/lib/{method}")
    assert response.status_code == status
    if mimetype:
        assert response.mimetype == mimetype
    if body is not None:
        assert response.data == body


def test_headers_of_a_tuple_and_of_a_download_arrive(site: Any) -> None:
    site.write("lib.py", RETURNS)
    client = site.client()
    assert client.get("/lib/triple").headers["X-Mine"] == "yes"
    assert client.get("/lib/headers").headers["X-Mine"] == "yes"
    assert client.get("/lib/data").headers["Content-Disposition"] == "attachment"


def test_a_generator_streams_with_the_request_at_hand_and_is_closed_when_the_client_leaves(site: Any) -> None:
    site.write(
        "lib.py",
        """
        from kernkoa import request

        ended = []

        class Lib:
            def index(self):
                try:
                    while True:
                        yield request.args["word"]
                finally:
                    ended.append("yes")
            def ended(self): return ended
        """,
    )
    client = site.client()
    response = client.get("/lib?word=x", buffered=False)
    assert response.headers["X-Accel-Buffering"] == "no"
    pieces = response.iter_encoded()
    assert [next(pieces) for _ in range(3)] == [b"x"] * 3
    response.close()
    assert client.get("/lib/ended").get_json() == ["yes"]


def test_a_generator_that_fails_before_its_first_piece_is_an_error_not_half_a_page(site: Any) -> None:
    site.write(
        "lib.py",
        """
        from kernkoa import abort

        class Lib:
            def index(self):
                abort(409)
                yield "never"
        """,
    )
    assert site.client().get("/lib").status_code == 409


HOOKS = """
    class Lib:
        def before(self, params):
            self.trail = getattr(self, "trail", []) + ["class"]
            if params.get("stop") == "class":
                return "stopped by the class"
        def after(self, response):
            response.headers["X-Trail"] = response.headers.get("X-Trail", "") + "class "
        def index(self):
            return " ".join(self.trail)
"""
FOLDER_HOOKS = """
    def before(self, params):
        self.trail = getattr(self, "trail", []) + ["{name}"]
        if params.get("stop") == "{name}":
            return "stopped by {name}", 403

    def after(self, response):
        response.headers["X-Trail"] = response.headers.get("X-Trail", "") + "{name} "
"""


def test_hooks_run_outermost_first_and_end_the_request_by_returning(site: Any) -> None:
    site.write("_folder.py", FOLDER_HOOKS.format(name="root"))
    site.write("shop/_folder.py", FOLDER_HOOKS.format(name="shop"))
    site.write("shop/lib.py", HOOKS)
    client = site.client()
    response = client.get("/shop/lib")
    assert response.text == "root shop class"
    assert response.headers["X-Trail"] == "class shop root "
    stopped = client.get("/shop/lib?stop=shop")
    assert (stopped.text, stopped.status_code) == ("stopped by shop", 403)
    assert client.get("/shop/lib?stop=class").text == "stopped by the class"
    assert client.get("/shop/lib?stop=root").status_code == 403


def test_after_may_put_another_answer_in_place(site: Any) -> None:
    site.write(
        "lib.py",
        "class Lib:\n    def after(self, response): return {'was': response.get_data(as_text=True)}\n"
        "    def index(self): return 'plain'\n",
    )
    assert site.client().get("/lib").get_json() == {"was": "plain"}


def test_a_changed_folder_hook_counts_at_the_next_request(site: Any) -> None:
    site.write("shop/lib.py", "class Lib:\n    def index(self): return 'open'\n")
    client = site.client()
    assert client.get("/shop/lib").text == "open"
    site.write("shop/_folder.py", "def before(self, params): return 'closed', 403\n")
    assert client.get("/shop/lib").status_code == 403
    site.write("shop/_folder.py", "# no hook any more\n")
    assert client.get("/shop/lib").text == "open"


def test_a_broken_folder_hook_lets_nobody_in(site: Any) -> None:
    site.write("shop/_folder.py", "def before(self, params:\n")
    site.write("shop/lib.py", "class Lib:\n    def index(self): return 'open'\n")
    assert site.client().get("/shop/lib").status_code == 503


def test_an_upload_is_among_the_files(site: Any) -> None:
    site.write(
        "lib.py",
        """
        class Lib:
            def index(self, params=None):
                photo = params.files["photo"]
                return [photo.filename, len(photo.read()), params["title"]]
        """,
    )
    sent = {"photo": (io.BytesIO(b"12345"), "a.png"), "title": "ñ"}
    assert site.client().post("/lib", data=sent).get_json() == ["a.png", 5, "ñ"]
