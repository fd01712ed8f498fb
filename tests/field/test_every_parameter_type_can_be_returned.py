"""What a method can receive it can return, alone or inside a value, from the web and from a task."""

from __future__ import annotations

from typing import Any

import pytest

from system.core.tasks.json_text import NotJson, encode_value

HEAD = """
    from kernkoa import *
    import collections, decimal, enum, fractions, ipaddress, pathlib, re, typing, uuid, datetime as dt
    from zoneinfo import ZoneInfo
    import pydantic
    from pydantic_core import core_schema

    class Level(enum.IntEnum):
        LOW = 1
    class Right(enum.Flag):
        READ = 1
        WRITE = 2
    class Mode(enum.IntFlag):
        FAST = 1
        SAFE = 4
    class Celsius:
        def __init__(self, degrees):
            self.degrees = degrees
        @classmethod
        def __get_pydantic_core_schema__(cls, source, handler):
            shown = core_schema.plain_serializer_function_ser_schema(lambda value: f"{value.degrees} C")
            return core_schema.no_info_plain_validator_function(cls, serialization=shown)

    class Lib:
"""
TYPES = [
    ("pathlib.Path", "/a/b", "/a/b"),
    ("pathlib.PurePosixPath", "/a/b", "/a/b"),
    ("ipaddress.IPv4Address", "10.0.0.1", "10.0.0.1"),
    ("ipaddress.IPv6Network", "2001:db8::/32", "2001:db8::/32"),
    ("re.Pattern", "a.*", "a.*"),
    ("pydantic.SecretStr", "password", "**********"),
    ("pydantic.AnyUrl", "http://example.org/z", "http://example.org/z"),
    ("fractions.Fraction", "1/3", "1/3"),
    ("complex", "1+2j", "1+2j"),
    ("ZoneInfo", "Europe/Berlin", "Europe/Berlin"),
    ("collections.deque[int]", "5", [5]),
    ("frozenset[str]", "a", ["a"]),
    ("typing.Iterable[int]", "5", [5]),
    ("pydantic.ByteSize", "10KB", 10_000),
    ("pydantic.Json", '{"a": 1}', {"a": 1}),
    ("dt.time", "10:11", "10:11:00"),
    ("uuid.UUID", "5d0b4c1e-0000-4000-8000-000000000000", "5d0b4c1e-0000-4000-8000-000000000000"),
    ("decimal.Decimal", "1.10", "1.10"),
    ("Level", "1", 1),
    ("Right", "2", 2),
    ("Right", "3", 3),
    ("Mode", "5", 5),
    ("list[Right]", "3", [3]),
    ("Mode | None", "4", 4),
    ("Celsius", "20", "20 C"),
]


@pytest.fixture(scope="module")
def client(tmp_path_factory: Any) -> Any:
    from tests.conftest import Site

    site = Site(tmp_path_factory.mktemp("types") / "site")
    methods = "".join(
        f"        def m{number}(self, v: {kind}): return v\n        def inside{number}(self, v: {kind}): return {{'v': [v]}}\n"
        for number, (kind, _, _) in enumerate(TYPES)
    )
    site.write("lib.py", HEAD + methods)
    yield site.client()
    site.close()


@pytest.mark.parametrize(("number", "sent", "got"), [(at, *case[1:]) for at, case in enumerate(TYPES)])
def test_a_value_is_returned_as_json(client: Any, number: int, sent: str, got: Any) -> None:
    answer = client.get(f"/lib/inside{number}", query_string={"v": sent})
    assert (answer.status_code, answer.json) == (200, {"v": [got]})
    answer = client.get(f"/lib/m{number}", query_string={"v": sent})
    assert answer.status_code == 200
    assert answer.get_data(as_text=True) == got or answer.json == got


@pytest.mark.parametrize("sent", ["4", "-1", "read", "99999999999999999999", "1.0"])
def test_flags_that_do_not_exist_are_a_422(client: Any, sent: str) -> None:
    number = next(at for at, case in enumerate(TYPES) if case[0] == "Right")
    answer = client.get(f"/lib/m{number}", query_string={"v": sent})
    assert answer.status_code == 422
    assert answer.json["errors"][0]["expected"] == "a whole number, at least 0, at most 3"


@pytest.mark.parametrize("sent", [4, -1, 2**70, "x", 0.5])
def test_flags_that_do_not_exist_are_refused_in_json_too(client: Any, sent: Any) -> None:
    number = next(at for at, case in enumerate(TYPES) if case[0] == "Mode")
    assert client.post(f"/lib/m{number}", json={"v": 2 if sent == 4 else sent}).status_code == 422


def test_a_task_sends_the_same_types() -> None:
    from zoneinfo import ZoneInfo

    assert encode_value({"zone": ZoneInfo("Europe/Berlin")}, "params") == b'{"zone":"Europe/Berlin"}'
    with pytest.raises(NotJson, match=r"params\['x'\] is of type range"):
        encode_value({"x": range(3)}, "params")
