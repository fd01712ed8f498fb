"""Records whose attributes are checked against their annotations when they are made.

For the few types of a configuration, what pydantic does for parameters: pydantic costs a process 5 MB and 60 ms of
CPU time at start, and a site without typed methods needs none of it.
"""

from __future__ import annotations

import collections.abc
import re
import types
import typing
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from ipaddress import IPv4Network, IPv6Network
from pathlib import Path
from typing import Any, Literal, NamedTuple, NoReturn

_BOOLEANS = dict.fromkeys(("1", "true", "t", "yes", "y", "on"), True) | dict.fromkeys(
    ("0", "false", "f", "no", "n", "off"), False
)


@dataclass(frozen=True, slots=True)
class Rule:
    """What Annotated adds to a type: a condition, and how a message names it."""

    holds: Callable[[Any], bool]
    expected: str


def matches(pattern: str, meaning: str) -> Rule:
    """The pattern matches the whole text; `meaning` is what it says, for people."""
    return Rule(re.compile(pattern).fullmatch, meaning)  # type: ignore[arg-type]


def at_least(least: float) -> Rule:
    """A number of `least` or more."""
    return Rule(lambda number: number >= least, f"at least {least}")


def above(least: float) -> Rule:
    """A number greater than `least`."""
    return Rule(lambda number: number > least, f"greater than {least}")


def at_most(most: float) -> Rule:
    """A number of `most` or less."""
    return Rule(lambda number: number <= most, f"at most {most}")


def longer_than(most: int) -> Rule:
    """A text of more than `most` characters."""
    return Rule(lambda text: len(text) > most, f"longer than {most} characters")


class Fault(NamedTuple):
    """A value that an attribute cannot have: the path to it, the value, what is expected."""

    place: tuple[str, ...]
    value: Any
    expected: str


class InvalidValues(ValueError):
    """Values that a record cannot have: `faults` are all of them."""

    def __init__(self, *faults: Fault) -> None:
        super().__init__("; ".join(f"{'.'.join(fault.place)}: expected {fault.expected}" for fault in faults))
        self.faults = faults


class Checked:
    """A frozen record: its annotations say what an attribute may be, its class attributes are the defaults.

    A text becomes what the annotation asks for, as the value of an environment variable has to. Names without an
    annotation are attributes as they are. Raises InvalidValues with every fault.
    """

    def __init__(self, **values: Any) -> None:
        record: Any = type(self)
        kinds = kinds_of(record)
        made = _convert_all((name, values.get(name, getattr(record, name)), kind) for name, kind in kinds.items())
        vars(self).update(values | dict(zip(kinds, made, strict=True)))

    def __setattr__(self, name: str, value: Any) -> None:
        raise AttributeError(f"{type(self).__name__} is frozen: {name} cannot be set.")


@cache
def kinds_of(record: Any) -> Mapping[str, Any]:
    """The annotations of the attributes of a subclass of Checked."""
    return typing.get_type_hints(record, include_extras=True)


def convert(value: Any, kind: Any) -> Any:
    """The value as `kind`, an annotation. Raises InvalidValues."""
    origin, arguments = typing.get_origin(kind), typing.get_args(kind)
    if origin is typing.Annotated:
        return _keep_rules(convert(value, arguments[0]), arguments[1:])
    if origin in (typing.Union, types.UnionType):
        return _convert_any(value, arguments)
    if origin is Literal:
        return value if value in arguments else _refuse(value, " or ".join(map(repr, arguments)))
    if origin is collections.abc.Sequence:
        return _convert_items(value, arguments[0])
    if origin is collections.abc.Mapping:
        return _convert_pairs(value, *arguments)
    return value if kind is Any else _CONVERTERS[kind](value)


def _refuse(value: Any, expected: str) -> NoReturn:
    raise InvalidValues(Fault((), value, expected))


def _keep_rules(value: Any, rules: tuple[Rule, ...]) -> Any:
    for rule in rules:
        if not rule.holds(value):
            _refuse(value, rule.expected)
    return value


def _convert_any(value: Any, kinds: tuple[Any, ...]) -> Any:
    """The value as the first of the kinds that it fits."""
    expected = []
    for kind in kinds:
        try:
            return convert(value, kind)
        except InvalidValues as error:
            expected += [fault.expected for fault in error.faults]
    return _refuse(value, " or ".join(expected))


def _convert_items(value: Any, kind: Any) -> list[Any]:
    if not isinstance(value, list | tuple | set | frozenset):
        _refuse(value, "a list")
    return _convert_all((str(number), item, kind) for number, item in enumerate(value))


def _convert_pairs(value: Any, names: Any, kind: Any) -> dict[Any, Any]:
    if not isinstance(value, Mapping):
        _refuse(value, "a dict")
    keys = _convert_all((str(name), name, names) for name in value)
    return dict(zip(keys, _convert_all((str(name), item, kind) for name, item in value.items()), strict=True))


def _convert_all(items: Iterable[tuple[str, Any, Any]]) -> list[Any]:
    """Each value as its kind; items are places, values and kinds. Raises InvalidValues with the faults of all."""
    found, faults = [], []
    for place, value, kind in items:
        try:
            found.append(convert(value, kind))
        except InvalidValues as error:
            faults += [fault._replace(place=(place, *fault.place)) for fault in error.faults]
    if faults:
        raise InvalidValues(*faults)
    return found


def _as_text(value: Any) -> str:
    return value if isinstance(value, str) else _refuse(value, "text")


def _integer_of(value: Any) -> int:
    if isinstance(value, float) and not value.is_integer():
        raise ValueError
    return int(value)


def _as_nothing(value: Any) -> None:
    return None if value is None else _refuse(value, "None")


def _made_by(kind: Callable[[Any], Any], expected: str) -> Callable[[Any], Any]:
    def make(value: Any) -> Any:
        try:
            return kind(value)
        except (ValueError, TypeError, LookupError):
            _refuse(value, expected)

    return make


_CONVERTERS: dict[Any, Callable[[Any], Any]] = {
    str: _as_text,
    bool: _made_by(lambda value: _BOOLEANS[str(value).lower()], "True or False"),
    int: _made_by(_integer_of, "an integer"),
    float: _made_by(float, "a number"),
    Path: _made_by(Path, "a path"),
    IPv4Network: _made_by(IPv4Network, "an IPv4 network"),
    IPv6Network: _made_by(IPv6Network, "an IPv6 network"),
    types.NoneType: _as_nothing,
}
