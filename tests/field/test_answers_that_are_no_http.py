"""What a method returns is an answer that HTTP has, or a 500 that names the method; all that a parameter takes goes out."""

from __future__ import annotations

import json
from typing import Any

import pytest

HEAD = """
    from kernkoa import *
    import collections, dataclasses, decimal, enum, ipaddress, pathlib, uuid, datetime as dt
    import pydantic
    from typing import NamedTuple, TypedDict

    class Colour(enum.Enum):
        RED = "red"
    class Named(str, enum.Enum):
        RED = "red"
    class Level(enum.IntEnum):
        LOW = 1
    class Pair(NamedTuple):
        a: int
        b: int
    Row = collections.namedtuple("Row", "a b")
    @dataclasses.dataclass
    class Point:
        x: int = 1
    class Square(pydantic.BaseModel):
        side: int = 2
        @pydantic.computed_field
        @property
        def area(self) -> int:
            return self.side ** 2
    class Tags(pydantic.RootModel[list[str]]):
        pass

    class Lib:
"""


def get(site: Any, body: str, **kwargs: Any) -> Any:
    lines = "\n".join("            " + line for line in body.splitlines())
    site.write("lib.py", HEAD + "        def it(self):\n" + lines + "\n")
    return site.client().get("/lib/it", **kwargs)


@pytest.mark.parametrize(
    ("returned", "sent"),
    [
        ("decimal.Decimal('1.50')", '"1.50"'),
        ("dt.date(2026, 1, 31)", '"2026-01-31"'),
        ("dt.datetime(2026, 1, 31, 14, 30)", '"2026-01-31T14:30:00"'),
        ("dt.time(14, 30)", '"14:30:00"'),
        ("dt.timedelta(seconds=90)", '"PT1M30S"'),
        ("uuid.UUID(int=1)", '"00000000-0000-0000-0000-000000000001"'),
        ("Colour.RED", '"red"'),
        ("Named.RED", '"red"'),
        ("Level.LOW", "1"),
        ("{1}", "[1]"),
        ("frozenset({'a'})", '["a"]'),
        ("Pair(3, 4)", "[3,4]"),
        ("Row(3, 404)", "[3,404]"),
        ("Point()", '{"x":1}'),
        ("Square()", '{"side":2,"area":4}'),
        ("Tags(['a'])", '["a"]'),
        ("[Point(), Square()]", '[{"x":1},{"side":2,"area":4}]'),
        ("True", "true"),
        ("10 ** 30", "1000000000000000000000000000000"),
        ("float('nan')", "null"),
        ("ipaddress.ip_address('::1')", '"::1"'),
        ("pathlib.Path('/a')", '"/a"'),
        ("collections.deque([1])", "[1]"),
        ("pydantic.SecretStr('x')", '"**********"'),
    ],
)
def test_every_type_of_a_parameter_can_be_returned(site: Any, returned: str, sent: str) -> None:
    answer = get(site, f"return {returned}")
    assert (answer.status_code, answer.mimetype, answer.text) == (200, "application/json", sent)


@pytest.mark.parametrize(
    "returned",
    [
        "3, 4", "3, 99", "'x', 600", "'x', True", "'x', 1.5", "'x', '4'", "'x', 'ok'", "'x', 100", "'x', 0", "'x', -1",
        "()", "('x',)", "1, 2, 3", "1, 2, 3, 4", "'x', 200, 'text/plain'", "'x', None, 3", "'x', '200\\n'",
        "redirect('http://[::1')", "redirect('//[')", "redirect('http://a:b/')", "redirect('http://x:99999/')",
        "redirect('http://\\u2100.x/')", "'x', 201, {'location': 'http://a..b/'}", "'x', {'X-A\\r\\nX-B': '1'}",
        "'x', {'X A': '1'}", "Response('x', status=99)", "Response('x', status='0 nothing')", "Response('x', status=1000)",
    ],
)  # fmt: skip
def test_an_answer_that_http_does_not_have_is_a_500(site: Any, caplog: Any, returned: str) -> None:
    assert get(site, f"return {returned}").status_code == 500
    assert "lib/Lib/it returned" in caplog.text


@pytest.mark.parametrize(
    ("returned", "status"),
    [
        ("'x', 201", 201),
        ("'x', '404 Not Found'", 404),
        ("'x', 201, {'X-A': '1'}", 201),
        ("'x', {'X-A': '1'}", 200),
        ("'x', [('X-A', '1')]", 200),
        ("{'a': 1}, 599", 599),
        ("None, 202", 202),
        ("Response('x', 418)", 418),
    ],
)
def test_a_tuple_is_what_it_is_in_flask(site: Any, returned: str, status: int) -> None:
    assert get(site, f"return {returned}").status_code == status


@pytest.mark.parametrize("line", ["sys.exit()", "sys.exit(3)", "raise SystemExit('bye')", "exit(1)", "quit()"])
def test_a_method_that_exits_is_a_500_and_the_process_lives(site: Any, caplog: Any, line: str) -> None:
    assert get(site, line).status_code == 500
    assert "lib/Lib/it called sys.exit(" in caplog.text
    assert get(site, f"yield from ()\n{line}").status_code == 500


@pytest.mark.parametrize(
    "line",
    ["raise GeneratorExit", "import asyncio; raise asyncio.CancelledError('late')", "raise BaseException('x')"],
)
def test_an_exception_that_no_server_answers_is_a_500(site: Any, caplog: Any, line: str) -> None:
    assert get(site, line).status_code == 500
    assert "lib/Lib/it raised " in caplog.text


@pytest.mark.parametrize(
    "headers", ["{'Content-Length': '5'}", "{'Content-Length': 0}", "{'content-length': 'x'}"]
)
def test_a_length_that_the_body_does_not_have_is_a_500(site: Any, caplog: Any, headers: str) -> None:
    assert get(site, f"return 'x', {headers}").status_code == 500
    assert "lib/Lib/it returned the header Content-Length" in caplog.text
    assert get(site, "return 'x', {'Content-Length': '1'}").text == "x"


@pytest.mark.parametrize("value", ["'text'", "{'a': 1}", "('x', 201)", "redirect('/lib')"])
def test_what_a_generator_returns_before_its_first_piece_is_the_answer(site: Any, value: str) -> None:
    plain, generator = get(site, f"return {value}"), get(site, f"if True: return {value}\nyield 'x'")
    assert (generator.status_code, generator.data) == (plain.status_code, plain.data)
    assert generator.mimetype == plain.mimetype


@pytest.mark.parametrize(
    ("body", "lines"),
    [
        ("yield {'a': 1}\nyield {'b': dt.date(2026, 1, 31)}", [{"a": 1}, {"b": "2026-01-31"}]),
        ("yield [1]\nyield 'text'\nyield None", [[1], "text", None]),
        ("yield Point()\nyield Square()", [{"x": 1}, {"side": 2, "area": 4}]),
        ("return ({'n': n} for n in range(3))", [{"n": 0}, {"n": 1}, {"n": 2}]),
        ("return map(int, '12')", [1, 2]),
        ("yield Colour.RED", ["red"]),
    ],
)
def test_a_generator_of_values_is_one_json_text_a_line(site: Any, body: str, lines: list[Any]) -> None:
    answer = get(site, body)
    assert answer.mimetype == "application/jsonl"
    assert [json.loads(line) for line in answer.text.splitlines()] == lines


@pytest.mark.parametrize(
    ("body", "text"), [("yield 'a'\nyield b'b'", "ab"), ("yield b'a'", "a"), ("yield from ()", "")]
)
def test_a_generator_of_text_stays_text(site: Any, body: str, text: str) -> None:
    answer = get(site, body)
    assert (answer.text, answer.mimetype) == (text, "text/html")


def test_a_first_piece_that_fails_is_a_500(site: Any, caplog: Any) -> None:
    assert get(site, "yield object()").status_code == 500
    assert "lib/Lib/it returned a stream with a piece that is not JSON" in caplog.text
