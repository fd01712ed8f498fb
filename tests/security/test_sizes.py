"""How large a body may be: small, unless the method takes files or says so."""

from __future__ import annotations

import io
import random
import time
from typing import Any

import pytest

DESK = """
    from flask import request
    from kernkoa import FILES, limit
    from werkzeug.datastructures import FileStorage

    class Desk:
        def note(self, params):
            return {"length": len(params["text"])}

        def typed(self, text: str):
            return {"length": len(text)}

        def upload(self, params):
            return {"length": len(params.files["file"].read())}

        def typed_upload(self, file: FileStorage):
            return {"length": len(file.read())}

        def flask_upload(self):
            return {"length": len(request.files["file"].read())}

        @limit(upload="3KB")
        def small(self, params):
            return {"length": len(params.files["file"].read())}

        @limit(upload="20KB")
        def note_long(self, params):
            return {"length": len(params["text"])}

        def raw(self):
            return {"length": len(request.get_data())}
""".replace("FILES, ", "")
LIMITS = {"maxBodyBytes": 2_000, "maxUploadBytes": 10_000}


@pytest.fixture
def client(site: Any) -> Any:
    site.write("desk.py", DESK)
    return site.client(**LIMITS)


def send(client: Any, method: str, size: int, kind: str) -> Any:
    if kind == "file":
        return client.post(f"/desk/Desk/{method}", data={"file": (io.BytesIO(b"x" * size), "a.txt")})
    if kind == "json":
        return client.post(f"/desk/Desk/{method}", json={"text": "x" * size})
    if kind == "raw":
        return client.post(f"/desk/Desk/{method}", data=b"x" * size, content_type="text/plain")
    return client.post(f"/desk/Desk/{method}", data={"text": "x" * size})


@pytest.mark.parametrize(
    ("method", "kind", "most"),
    [
        ("note", "form", 2_000),
        ("note", "json", 2_000),
        ("typed", "form", 2_000),
        ("typed", "json", 2_000),
        ("upload", "file", 10_000),
        ("typed_upload", "file", 10_000),
        ("flask_upload", "file", 10_000),
        ("small", "file", 3_000),
        ("note_long", "json", 20_000),
        ("raw", "raw", 2_000),
    ],
)
def test_a_body_may_be_as_large_as_its_method_takes(client: Any, method: str, kind: str, most: int) -> None:
    assert send(client, method, most - 500, kind).get_json() == {"length": most - 500}
    response = send(client, method, most + 1, kind)
    assert (response.status_code, response.get_json()["title"]) == (413, "Content Too Large")


@pytest.mark.parametrize(
    "words", [{}, {"upload": "many"}, {"upload": "0MB"}, {"upload": "5 MB"}, {"upload": "-1MB"}]
)
def test_a_size_that_is_none_is_told_at_the_decorator(words: Any) -> None:
    from system.core.dispatch.decorators import limit

    with pytest.raises(TypeError, match="@limit needs a rate or a size"):
        limit(**words)


@pytest.mark.parametrize(
    ("name", "safe"),
    [
        ("a.txt", "a.txt"),
        ("../../etc/passwd", "etc_passwd"),
        ("/abs.txt", "abs.txt"),
        ("..", ""),
        ("C:\\\\x.txt", "Cx.txt"),
        ("..\\..\\x", "x"),
        ("a\0b.txt", "ab.txt"),
        ("\u202egpj.exe", "gpj.exe"),
        (".htaccess", "htaccess"),
        ("%2e%2e%2fx", "2e2e2fx"),
        ("\u2025/\u2025/x", "x"),
        ("~root", "root"),
        ("$(id)", "id"),
        ("x;rm -rf", "xrm_-rf"),
        ("x" * 5000 + ".png", "x" * 196 + ".png"),
        ("x." + "y" * 5000, "x." + "y" * 198),
    ],
)
def test_the_name_of_an_upload_has_a_safe_form_beside_it(site: Any, name: str, safe: str) -> None:
    site.write("desk.py", "class Desk:\n    def up(self, params): return params.files['file'].safe_name\n")
    response = site.client().post("/desk/Desk/up", data={"file": (io.BytesIO(b"x"), name)})
    assert response.text == safe


@pytest.mark.parametrize("spelling", ["shuffled", "near", "long"])
def test_near_misses_of_a_thousand_names_cost_little(site: Any, spelling: str) -> None:
    names = [f"description_of_part_{letter}" for letter in "abcdefghijklmnopqrst"]
    site.write("lib.py", f"class lib:\n    def index(self, {': int, '.join(names)}: int): return 'ok'\n")
    chance = random.Random(1)
    made = {
        "shuffled": lambda number: "".join(chance.sample(names[0], len(names[0]))),
        "near": lambda number: f"description_of_prat{number:03}",
        "long": lambda number: f"{names[0] * 4}{number:03}",
    }[spelling]
    client = site.client()
    query = "&".join(f"{made(number)}=1" for number in range(990))
    client.get(f"/lib?{query}")
    began = time.thread_time()
    assert client.get(f"/lib?{query}").status_code == 422
    assert time.thread_time() - began < 0.02  # 0.6 s when all were compared
    assert "did you mean" in client.get("/lib?description_of_prat_a=1").text
