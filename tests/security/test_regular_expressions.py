"""No regular expression of the kernel takes more than linear time, whatever text a client makes up for it."""

from __future__ import annotations

import importlib
import inspect
import itertools
import pkgutil
import re
import sys
import time
from collections.abc import Callable, Iterator
from re import _constants, _parser  # type: ignore[attr-defined]  # what the compiler itself reads
from types import ModuleType
from typing import Any

import pytest

import system

OF_CLASSES = {"CATEGORY_WORD": "a", "CATEGORY_DIGIT": "1", "CATEGORY_SPACE": " ", "CATEGORY_NOT_SPACE": "x"}
SHORT, LONG = 1_000, 4_000
SOON = 0.001  # seconds: linear time is far below it for a short text
MOST = 9  # times: linear is 4, quadratic 16
# what a text begins with, so that the parts behind it are reached
STARTS = ("", "a=", "http://", "/", '  File "site-packages', "```\n", "[a", "<a ")


def modules() -> Iterator[ModuleType]:
    for found in pkgutil.walk_packages(system.__path__, "system."):
        if found.name.rpartition(".")[2] != "__main__":
            yield importlib.import_module(found.name)


def patterns() -> dict[str, re.Pattern[Any]]:
    """Those that a module of the kernel keeps, in dicts too."""
    found: dict[str, re.Pattern[Any]] = {}

    def collect(where: str, value: object) -> None:
        if isinstance(value, re.Pattern):
            found[where] = value
        elif isinstance(value, dict):
            for name, inner in value.items():
                collect(f"{where}.{name}", inner)

    for module in modules():
        for name, value in vars(module).items():
            if not name.startswith("__"):
                collect(f"{module.__name__}.{name}", value)
    return found


def letters(tree: Any) -> Iterator[str]:
    """A letter for each part of an expression."""
    for operator, value in tree:
        if operator is _constants.LITERAL:
            yield chr(value)
        elif operator is _constants.NOT_LITERAL or operator is _constants.ANY:
            yield "x"
        elif operator is _constants.RANGE:
            yield chr(value[0])
        elif operator is _constants.CATEGORY:
            yield OF_CLASSES.get(str(value), "-")
        elif operator is _constants.IN:
            yield from letters(value)
        elif isinstance(value, tuple | list):
            yield from _below(value)


def _below(value: Any) -> Iterator[str]:
    for part in value:
        if isinstance(part, _parser.SubPattern):
            yield from letters(part)
        elif isinstance(part, list):
            yield from _below(part)


def texts(pattern: re.Pattern[Any]) -> Iterator[Callable[[int], Any]]:
    """Texts of a length, each one a letter or two of the expression again and again."""
    flags = pattern.flags & ~re.UNICODE if isinstance(pattern.pattern, bytes) else pattern.flags
    alphabet = sorted(dict.fromkeys(letters(_parser.parse(pattern.pattern, flags))))[:12] or ["x"]
    units = [*((start, letter) for start in STARTS for letter in alphabet)]
    units += [("", "".join(pair)) for pair in itertools.permutations(alphabet[:6], 2)]
    for start, unit in units:
        yield lambda length, start=start, unit=unit: _of(pattern, start + unit * (length // len(unit)) + "\0")  # type: ignore[misc]


def _of(pattern: re.Pattern[Any], text: str) -> Any:
    return text.encode("latin-1", "replace") if isinstance(pattern.pattern, bytes) else text


def searches(where: str) -> bool:
    """Whether the kernel looks for an expression anywhere in a text, and not only at one place of it."""
    module, _, name = where.rpartition(".")
    source = inspect.getsource(sys.modules[module]) if module in sys.modules else ""
    return re.search(rf"\b{name}\.(search|sub|subn|findall|finditer|split)\(", source) is not None


def seconds(pattern: re.Pattern[Any], text: Any, search: bool = True) -> float:
    began = time.thread_time()
    pattern.match(text)
    pattern.fullmatch(text)
    if search:
        for _ in pattern.finditer(text):
            pass
    return time.thread_time() - began


PATTERNS = patterns()


def test_the_expressions_of_the_kernel_are_found() -> None:
    assert len(PATTERNS) > 40
    assert "system.core.redaction._NAME" in PATTERNS


@pytest.mark.parametrize(("evil", "length"), [(r"(a+)+b", 20), (r"\w+=\w+", SHORT), (r"a*a*b", 200)])
def test_an_expression_that_is_not_linear_would_be_found(evil: str, length: int) -> None:
    pattern = re.compile(evil)
    assert any(seconds(pattern, make(length)) > SOON for make in texts(pattern))


def test_none_takes_more_than_linear_time() -> None:
    faults = []
    for where, pattern in PATTERNS.items():
        search = searches(where)
        for make in texts(pattern):
            took = seconds(pattern, make(SHORT), search)
            if took > SOON and is_worse(pattern, make, search):
                faults.append(f"{where}: {make(SHORT)[:24]!r}, {took * 1000:.1f} ms for {SHORT} letters")
    assert not faults, "\n".join(faults)


def is_worse(pattern: re.Pattern[Any], make: Callable[[int], Any], search: bool) -> bool:
    short, long = (min(seconds(pattern, make(n), search) for _ in range(3)) for n in (SHORT, LONG))
    return short > SOON and long > MOST * short
