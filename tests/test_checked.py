from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from ipaddress import IPv4Network
from pathlib import Path
from typing import Annotated, Any, Literal

import pytest

from system.core.checked import Checked, InvalidValues, above, at_least, at_most, convert, longer_than, matches

PASSED: list[tuple[Any, Any, Any]] = [
    (str, "x", "x"),
    (int, 5, 5),
    (int, "5", 5),
    (int, 5.0, 5),
    (int, 2**70 + 1, 2**70 + 1),
    (float, "0.5", 0.5),
    (float, 1, 1.0),
    (bool, True, True),
    (bool, "off", False),
    (bool, 1, True),
    (Path, "a/b", Path("a/b")),
    (IPv4Network, "10.0.0.0/8", IPv4Network("10.0.0.0/8")),
    (IPv4Network, IPv4Network("10.0.0.1"), IPv4Network("10.0.0.1/32")),
    (int | None, None, None),
    (bool | Annotated[str, matches("[a-z]+", "a word")] | None, "admin", "admin"),
    (Annotated[float, at_least(0)] | Literal["off"], "off", "off"),
    (Sequence[int], ("1", 2), [1, 2]),
    (Mapping[str, Sequence[str]], {"a": ("b",)}, {"a": ["b"]}),
    (Annotated[int, at_least(1), at_most(3)], "3", 3),
]
REFUSED: list[tuple[Any, Any, str]] = [
    (str, 5, "text"),
    (int, "many", "an integer"),
    (int, 5.5, "an integer"),
    (int, math.inf, "an integer"),
    (int, None, "an integer"),
    (float, "x", "a number"),
    (float, [], "a number"),
    (bool, "perhaps", "True or False"),
    (bool, 2, "True or False"),
    (Path, 5, "a path"),
    (IPv4Network, "10.0.0.1/8", "an IPv4 network"),
    (Literal["a", "b"], "c", "'a' or 'b'"),
    (Literal["a"], ["a"], "'a'"),
    (int | None, "x", "an integer or None"),
    (Sequence[str], "text", "a list"),
    (Mapping[str, str], [1], "a dict"),
    (Annotated[str, matches("[a-z]+", "a word")], "a\n", "a word"),
    (Annotated[float, above(0)], 0, "greater than 0"),
    (Annotated[float, at_least(0)], math.nan, "at least 0"),
    (Annotated[int, at_most(3)], 4, "at most 3"),
    (Annotated[str, longer_than(3)], "abc", "longer than 3 characters"),
]


@pytest.mark.parametrize(("kind", "value", "made"), PASSED)
def test_a_value_becomes_what_its_annotation_asks_for(kind: Any, value: Any, made: Any) -> None:
    found = convert(value, kind)
    assert (found, type(found)) == (made, type(made))


@pytest.mark.parametrize(("kind", "value", "expected"), REFUSED)
def test_a_value_that_does_not_fit_is_refused_with_what_is_expected(kind: Any, value: Any, expected: str) -> None:
    with pytest.raises(InvalidValues) as raised:
        convert(value, kind)
    ((place, shown, told),) = raised.value.faults
    assert (place, told) == ((), expected)
    assert shown == value or shown is value


class Shop(Checked):
    port: int = 80
    names: Sequence[str] = ()
    limits: Mapping[Literal["low", "high"], Annotated[int, above(0)]] = {}


def test_every_fault_is_told_with_its_place() -> None:
    with pytest.raises(InvalidValues) as raised:
        Shop(port="x", names=["a", 1], limits={"low": -1, "high": 0})
    assert [fault.place for fault in raised.value.faults] == [
        ("port",),
        ("names", "1"),
        ("limits", "low"),
        ("limits", "high"),
    ]


def test_a_record_keeps_other_names_and_is_frozen() -> None:
    shop = Shop(own="x")
    assert vars(shop) == {"own": "x", "port": 80, "names": [], "limits": {}}
    with pytest.raises(AttributeError, match="frozen"):
        shop.port = 1
    assert Shop().names is not Shop().names
