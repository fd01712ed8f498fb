"""The models of an OpenAPI document: the definitions of each schema, collected under one name each."""

from __future__ import annotations

import json
from collections.abc import Iterator
from itertools import count
from typing import Any

from ..dispatch.json_schema import Schema

REFERENCE = "#/components/schemas/{model}"
_INNER = "#/$defs/"


class Components:
    """The schemas under `components` of an OpenAPI document.

    Two models of one name that differ get two names. The first in the order of the catalogue keeps its own, one of
    another library has that before it; one that is sent and answered in two forms ends in Input or Output.
    `reference` is how one is referred to.
    """

    def __init__(self, schemas: dict[str, Schema], reference: str = REFERENCE) -> None:
        self.schemas = schemas
        self._reference = reference
        self._identities = dict.fromkeys(schemas, "")
        self._libraries: dict[str, str] = {}

    def take(self, schema: Schema, library: str, is_output: bool = False) -> Schema:
        """A schema whose models stand among the components from now on."""
        definitions = schema.get("$defs")
        if not definitions:
            return schema
        names = {name: self._place(name, definitions, library, is_output) for name in definitions}
        for name, placed in names.items():
            if placed not in self.schemas:
                titled = {"title": placed} if "title" in definitions[name] and placed != name else {}
                self.schemas[placed] = (
                    self._point(definitions[name], names) | titled
                )  # generators name models by title
        bare = {key: value for key, value in schema.items() if key != "$defs"}
        return self._point(bare, names)  # type: ignore[no-any-return]

    def _place(self, name: str, definitions: dict[str, Schema], library: str, is_output: bool) -> str:
        """The name of a model among the components."""
        identity = json.dumps({each: definitions[each] for each in sorted(_reached(name, definitions))})
        for candidate in self._candidates(name, library, is_output):
            if self._identities.setdefault(candidate, identity) == identity:
                self._libraries.setdefault(candidate, library)
                return candidate
        raise AssertionError("the candidates never end")

    def _candidates(self, name: str, library: str, is_output: bool) -> Iterator[str]:
        yield name
        if self._libraries.get(name) != library:
            name = f"{library.replace('/', '_')}_{name}"
            yield name
        name += "Output" if is_output else "Input"
        yield name
        yield from (f"{name}_{number}" for number in count(2))

    def _point(self, value: Any, names: dict[str, str]) -> Any:
        """A schema whose references lead to the components."""
        if isinstance(value, str) and value.startswith(_INNER):
            return self._reference.format(model=names.get(value.removeprefix(_INNER), value))
        if isinstance(value, dict):
            return {key: self._point(inner, names) for key, inner in value.items()}
        if isinstance(value, list):
            return [self._point(inner, names) for inner in value]
        return value


def _reached(name: str, definitions: dict[str, Schema]) -> set[str]:
    """The definitions that one leads to, itself among them."""
    found: set[str] = set()
    waiting = [name]
    while waiting:
        name = waiting.pop()
        if name in definitions and name not in found:
            found.add(name)
            waiting.extend(_references(definitions[name]))
    return found


def _references(value: Any) -> Iterator[str]:
    if isinstance(value, str) and value.startswith(_INNER):
        yield value.removeprefix(_INNER)
    elif isinstance(value, dict):
        for inner in value.values():
            yield from _references(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _references(inner)
