"""What comes in and could not go out is a 400; what a method returns and cannot be sent is a 500 that says where."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from system.core.dispatch.json_text import encode_any

LIBRARY = """
    from kernkoa import *
    import pydantic

    class Model(pydantic.BaseModel):
        n: int = 0

    class Lib:
        def typed(self, n: int = 0, s: str = ""):
            return {"n": n, "s": s}
        def record(self, m: Model):
            return m
        def untyped(self, params=None):
            return {"params": dict(params or {})}
        def file(self, params):
            return [upload.filename for upload in params.files.values()]
        def name(self, *parts: str):
            return list(parts)
"""
JSON = "application/json"
FORM = "application/x-www-form-urlencoded"


@pytest.fixture
def client(site: Any) -> Any:
    site.write("lib.py", LIBRARY)
    return site.client()


def deep(levels: int, opened: str = "[", closed: str = "]") -> str:
    return opened * levels + closed * levels


@pytest.mark.parametrize("method", ["typed", "record", "untyped"])
@pytest.mark.parametrize(
    "body",
    [
        '{"n": "\\ud83d"}',
        '{"n": "\\udc00x"}',
        '{"\\ud83d": 1}',
        '{"n": ["a", {"b": "\\uD83D"}]}',
        '{"n": 1e400}',
        '{"n": -1E+999}',
        '{"n": ' + "9" * 400 + ".0}",
        '{"n": ' + "9" * 5000 + "}",
        '{"n": NaN}',
        '{"n": ' + deep(300) + "}",
        deep(101),
        '{"n": ' + deep(120, '{"a": [', "]}").replace("[]", "[1]") + "}",
        deep(100_000),
    ],
    ids=lambda text: str(text)[:20],
)
def test_json_that_could_not_be_sent_on_is_a_400(client: Any, method: str, body: str) -> None:
    answer = client.post(f"/lib/{method}", data=body, content_type=JSON)
    assert answer.status_code == 400, answer.text
    assert answer.get_json()["detail"]


@pytest.mark.parametrize(
    "body", ['{"s": "\\ud83d\\ude00"}', '{"s": "\\\\ud83d"}', '{"n": 1e2}', '{"s": "\\u0000"}']
)
def test_what_only_looks_like_it_is_taken(client: Any, body: str) -> None:
    answer = client.post("/lib/untyped", data=body, content_type=JSON)
    assert answer.get_json()["params"] == json.loads(body)


class TestJsonTextInAField:
    """JSON text in a form or query follows the rules of a JSON body, wherever a record or a list of records is."""

    @pytest.fixture
    def client(self, site: Any) -> Any:
        site.write(
            "lib.py",
            """
            from kernkoa import *
            from typing import Any
            import pydantic

            class Model(pydantic.BaseModel):
                d: dict = {}
                items: list[dict] = []

            class Lib:
                def one(self, v: dict): return v
                def maybe(self, v: dict | None = None, w: int = 1): return {"v": v}
                def items(self, v: list[dict]): return {"v": v}
                def lists(self, v: list[list[Any]]): return {"v": v}
                def record(self, v: Model): return v
                def beside(self, v: Model, w: int = 1): return v
            """,
        )
        return site.client(maxJsonValues=200)

    @pytest.mark.parametrize(
        ("bad", "status"),
        [
            ('"\\ud83d"', 400),
            ("1e400", 400),
            ("NaN", 400),
            ("-Infinity", 400),
            (deep(101), 400),
            (deep(100_000), 400),
            ("9" * 5000, 400),
            ("[" + "1," * 300 + "1]", 413),
        ],
        ids=lambda value: str(value)[:12],
    )
    @pytest.mark.parametrize(
        ("method", "text"),
        [
            ("one", 'v={"a": %s}'),
            ("maybe", 'v={"a": %s}'),
            ("items", 'v=[{"a": %s}]'),
            ("items", 'v={"a": 1}&v={"a": %s}'),
            ("lists", "v=[%s]&v=[]"),
            ("record", 'd={"a": %s}'),
            ("record", 'items={"a": %s}'),
            ("record", 'v={"d": {"a": %s}}'),
            ("beside", 'v={"d": {"a": %s}}'),
        ],
    )
    def test_what_a_body_could_not_have_is_refused(
        self, client: Any, method: str, text: str, bad: str, status: int
    ) -> None:
        answer = client.post(f"/lib/{method}", data=text % bad, content_type=FORM)
        assert answer.status_code == status, answer.text
        assert answer.json["detail"].startswith(f"The JSON text of '{text[: text.index('=')]}' ")
        if status == 400 and len(bad) < 200:
            assert client.get(f"/lib/{method}", query_string=text % bad).status_code == status

    @pytest.mark.parametrize("text", ["{", '{"a": }', "[1", "{a: 1}", "text"])
    def test_text_that_is_no_json_is_a_fault_of_the_value(self, client: Any, text: str) -> None:
        for method in ("one", "maybe", "items", "record", "beside"):
            answer = client.post(f"/lib/{method}", data={"v": text})
            assert answer.status_code == 422, method
            assert [(fault["name"], fault["got"]) for fault in answer.json["errors"]] in (
                [("v", text)],
                [("v.0", text)],
            )


@pytest.mark.parametrize("bad", ["%ff", "%ed%a0%bd", "%c3", "%c3%28", "%f5%80%80%80", "a%80b"])
def test_bytes_that_are_no_utf_8_are_a_400_at_every_door(client: Any, bad: str) -> None:
    for method in ("typed", "untyped"):
        assert client.get(f"/lib/{method}?s={bad}").status_code == 400
        assert client.get(f"/lib/{method}?{bad}=1").status_code == 400
        assert client.post(f"/lib/{method}", data=f"s={bad}", content_type=FORM).status_code == 400
    environ = {"PATH_INFO": "/lib/name/" + re.sub("%(..)", lambda found: chr(int(found[1], 16)), bad)}
    assert client.get("/", environ_overrides=environ).status_code == 400


MULTIPART = "multipart/form-data; boundary=x"
INVALID = [b"\xff", b"\xed\xa0\xbd", b"\xc3", b"\xc3(", b"\xf5\x80\x80\x80", b"a\x80b", b"caf\xe9"]


def part(value: bytes, head: bytes = b'name="s"', more: bytes = b"") -> bytes:
    return b"--x\r\nContent-Disposition: form-data; " + head + more + b"\r\n\r\n" + value + b"\r\n--x--\r\n"


@pytest.mark.parametrize("bad", INVALID, ids=repr)
def test_multipart_and_json_that_are_no_utf_8_are_a_400(client: Any, bad: bytes) -> None:
    escaped = b"".join(b"%%%02X" % byte for byte in bad)
    bodies = [
        part(bad),
        part(bad, more=b"\r\nContent-Type: text/plain; charset=utf-8"),
        part(bad, more=b"\r\nContent-Type: text/plain; charset=us-ascii"),
        part(bad, more=b"\r\nContent-Type: text/plain; charset=utf-7"),
        part(b"1", b'name="' + bad + b'"'),
        part(b"1", b"name*=UTF-8''" + escaped),
        part(b"1", b'name="f"; filename="' + bad + b'"'),
        part(b"1", b'name="' + bad + b'"; filename="a.txt"'),
        part(b"1", b"name=\"f\"; filename*=UTF-8''" + escaped),
        part(b"1", b'name="f"; filename="a"; filename*0*=UTF-8\'\'' + escaped),
        part(b"1", b'name="s"', b"\r\nX-Note: " + bad),
    ]
    for body in bodies:
        answer = client.post("/lib/untyped", data=body, content_type=MULTIPART)
        assert answer.status_code == 400, (body, answer.text)
    for body in (b'{"s": "' + bad + b'"}', b'{"' + bad + b'": 1}', b'"' + bad + b'"'):
        for content_type in (JSON, f"{JSON}; charset=utf-8", f"{JSON}; charset=latin-1"):
            assert client.post("/lib/untyped", data=body, content_type=content_type).status_code == 400, body


@pytest.mark.parametrize("text", ["ñ", "日本", "\U0001f600", "\ufffd", "a\u0000b", "%ff", "é*=b"])
def test_multipart_that_is_utf_8_arrives_as_it_was_sent(client: Any, text: str) -> None:
    raw = text.encode()
    escaped = b"".join(b"%%%02X" % byte for byte in raw)
    for body in (part(raw), part(raw, more=b"\r\nContent-Type: text/plain; charset=UTF-8")):
        answer = client.post("/lib/untyped", data=body, content_type=MULTIPART)
        assert answer.get_json() == {"params": {"s": text}}
    for head in (b'name="f"; filename="' + raw + b'"', b"name=\"f\"; filename*=UTF-8''" + escaped):
        assert client.post("/lib/file", data=part(b"1", head), content_type=MULTIPART).get_json() == [text]
    latin = part(b"caf\xe9", more=b"\r\nContent-Type: text/plain; charset=iso-8859-1")
    assert client.post("/lib/untyped", data=latin, content_type=MULTIPART).get_json()["params"]["s"] == "café"


@pytest.mark.parametrize("bad", INVALID, ids=repr)
@pytest.mark.parametrize("name", ["Prefer", "X-Request-ID", "Cookie", "Accept", "Origin", "User-Agent"])
def test_a_header_of_any_bytes_gets_an_answer(client: Any, name: str, bad: bytes) -> None:
    answer = client.get("/lib/untyped", headers={name: bad.decode("latin-1")})
    assert answer.status_code in (200, 400, 403), answer.text
    for _, value in answer.headers:
        value.encode("latin-1")


def test_more_values_than_the_limit_are_a_413(site: Any) -> None:
    site.write("lib.py", LIBRARY)
    client = site.client(maxJsonValues=100, maxJsonDepth=10)
    assert client.post("/lib/untyped", json={"a": [1] * 98}).status_code == 200
    assert client.post("/lib/untyped", json={"a": [1] * 99}).status_code == 413
    assert client.post("/lib/untyped", json={str(number): 1 for number in range(100)}).status_code == 413
    assert client.post("/lib/untyped", json={"a": "," * 10_000}).status_code == 200
    assert client.post("/lib/untyped", data=deep(10), content_type=JSON).status_code == 200
    assert client.post("/lib/untyped", data=deep(11), content_type=JSON).status_code == 400


ANYTHING = st.recursive(
    st.one_of(
        st.none(),
        st.booleans(),
        st.integers(-(10**30), 10**30),
        st.floats(),
        st.text(st.characters(codec=None, exclude_categories=()), max_size=5),  # type: ignore[arg-type]
        st.binary(max_size=4),
    ),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=8,
)


@settings(max_examples=60, deadline=None)
@given(value=ANYTHING)
def test_an_error_document_shows_any_value(value: Any) -> None:
    json.loads(encode_any({"got": value}))


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(body=st.text(max_size=30), method=st.sampled_from(["typed", "record", "untyped"]))
def test_no_json_body_crashes_a_method(client: Any, body: str, method: str) -> None:
    for text in (body, json.dumps({"n": body, body: [body]})):
        answer = client.post(f"/lib/{method}", data=text.encode("utf-8", "replace"), content_type=JSON)
        assert answer.status_code in (200, 400, 422)
        answer.get_json()


@pytest.mark.parametrize(
    ("returned", "place"),
    [
        ("{'a': [1, {'b': object()}]}", "value['a'][1]['b'] is of type object"),
        ("{'a': b'\\xff'}", "value['a'] is bytes"),
        ("{'a': '\\ud83d'}", "value['a'] is text that UTF-8 cannot hold"),
        ("['x', '\\udc00']", "value[1] is text"),
        ("'\\ud83d'", "text that UTF-8 cannot hold at character 0"),
        ("object()", "value is of type object"),
        ("loop()", "levels deep, or contains itself"),
        ("{1: {2: {object(): 1}}}", "value[1][2] has the key"),
        ("Model.model_construct(n=object())", "value['n'] is of type object"),
        ("range(3)", "value is of type range (list(…) makes a list of it)"),
        ("{'keys': {1: 2}.values()}", "value['keys'] is of type dict_values (list(…) makes a list of it)"),
        ("self.bad", "lib/Lib/bad returned bad itself. Call it: bad(…)."),
        ("Model", "returned Model itself. Call it: Model(…)."),
        ("lambda: 1", "returned <lambda> itself"),
    ],
)
def test_a_returned_value_that_is_no_json_is_a_500_that_names_the_place(
    site: Any, caplog: Any, returned: str, place: str
) -> None:
    source = LIBRARY + f"        def bad(self):\n            return {returned}\n"
    site.write(
        "lib.py", source + "\n    def loop():\n        made = []\n        made.append(made)\n        return made\n"
    )
    answer = site.client().get("/lib/bad")
    assert answer.status_code == 500
    assert "lib/Lib/bad" in caplog.text
    assert place in caplog.text


@pytest.mark.parametrize("value", ["€", "a\x01b", "a\x7f", "日本"])
def test_a_header_that_http_cannot_carry_is_a_500_before_the_first_byte(
    site: Any, caplog: Any, value: str
) -> None:
    site.write(
        "lib.py",
        f"""
        from kernkoa import *

        class Lib:
            def response(self):
                return Response("x", headers={{"X-Name": {value!r}}})
            def pair(self):
                return "x", 200, {{"X-Name": {value!r}}}
            def stream(self):
                return (piece for piece in "ab"), {{"X-Name": {value!r}}}
            def place(self):
                return redirect("/caf\\u00e9")

        class After:
            def index(self):
                return "x"
            def after(self, response):
                response.headers["X-Name"] = {value!r}
        """,
    )
    client = site.client()
    for url in ("/lib/response", "/lib/pair", "/lib/stream", "/lib/After"):
        caplog.clear()
        answer = client.get(url)
        assert answer.status_code == 500, url
        assert "X-Name" not in answer.headers
        assert f"the header X-Name: {value!r}" in caplog.text
    assert client.get("/lib/place").headers["Location"] == "/caf%C3%A9"
