"""Compares an OpenAPI document with an earlier one: the changes that break clients."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from ..dispatch.json_schema import Schema

Document = dict[str, Any]
DEEPEST = 12


def breaking_changes(old: Document, new: Document) -> list[str]:
    """Each change that can break a client of the old document, as a line; nothing where it all still works.

    A removed operation, response or response field; a parameter that is new and required, or required by
    now, or that takes less than it did.
    """
    found: list[str] = []
    for path, verbs in old.get("paths", {}).items():
        for verb, operation in verbs.items():
            place = f"{verb.upper()} {path}"
            now = new.get("paths", {}).get(path, {}).get(verb)
            if now is None:
                found.append(f"{place} is gone")
            else:
                found += [f"{place}: {change}" for change in _Comparison(old, new).operation(operation, now)]
    return found


class _Comparison:
    """Compares the parts of two documents; each follows its own references."""

    def __init__(self, old: Document, new: Document) -> None:
        self._old = old
        self._new = new

    def operation(self, old: Document, new: Document) -> Iterator[str]:
        """What changed of an operation."""
        before, after = _parameters(old), _parameters(new)
        for (place, name), parameter in after.items():
            known = before.get((place, name))
            if parameter["required"] and not (known and known["required"]):
                yield f"the {place} parameter {name} is required"
            if known:
                yield from self._narrowed(
                    _schema_of(known), _schema_of(parameter), f"the {place} parameter {name}", 0
                )
        yield from self._body(old.get("requestBody"), new.get("requestBody"))
        yield from self._responses(old.get("responses", {}), new.get("responses", {}))

    def _body(self, old: Document | None, new: Document | None) -> Iterator[str]:
        if new and new.get("required") and not (old and old.get("required")):
            yield "a body is required"
        for media, content in (old or {}).get("content", {}).items():
            after = (new or {}).get("content", {}).get(media)
            if after is None:
                yield f"a body of the type {media} is not accepted"
            else:
                yield from self._narrowed(content["schema"], after["schema"], "the body", 0)

    def _responses(self, old: Document, new: Document) -> Iterator[str]:
        for status in filter(lambda status: status.startswith("2"), old):
            if status not in new:
                yield f"the response {status} is gone"
                continue
            for media, content in old[status].get("content", {}).items():
                after = new[status].get("content", {}).get(media)
                if after is None:
                    yield f"the response {status} has no {media}"
                else:  # a response may have more fields, but not fewer
                    yield from self._lost(
                        content.get("schema", {}), after.get("schema", {}), f"the response {status}", 0
                    )

    def _narrowed(self, old: Schema, new: Schema, what: str, depth: int) -> Iterator[str]:
        """Request values that are no longer accepted."""
        old, new = _follow(old, self._old), _follow(new, self._new)
        yield from _changed_type(old, new, what)
        if "enum" in new:
            gone = [choice for choice in old.get("enum", ()) if choice not in new["enum"]]
            yield from (f"{what} does not accept {choice!r}" for choice in gone)
        fresh = [name for name in new.get("required", ()) if name not in old.get("required", ())]
        yield from (f"{what} needs {name}" for name in fresh)
        yield from _tightened(old, new, what)
        if depth < DEEPEST:
            for name, inner in old.get("properties", {}).items():
                after = new.get("properties", {}).get(name)
                if after is not None:
                    yield from self._narrowed(inner, after, f"{what}, {name}", depth + 1)

    def _lost(self, old: Schema, new: Schema, what: str, depth: int) -> Iterator[str]:
        """Response values that are no longer returned."""
        old, new = _follow(old, self._old), _follow(new, self._new)
        yield from _changed_type(old, new, what)
        for name, inner in old.get("properties", {}).items():
            after = new.get("properties", {}).get(name)
            if after is None:
                yield f"{what} has no {name}"
            elif depth < DEEPEST:
                yield from self._lost(inner, after, f"{what}, {name}", depth + 1)
        if "items" in old and "items" in new and depth < DEEPEST:
            yield from self._lost(old["items"], new["items"], f"{what}, its items", depth + 1)


def _parameters(operation: Document) -> dict[tuple[str, str], Document]:
    return {(item["in"], item["name"]): item for item in operation.get("parameters", ())}


def _schema_of(parameter: Document) -> Schema:
    if "schema" in parameter:
        return dict(parameter["schema"])
    return dict(next(iter(parameter["content"].values()))["schema"])


def _follow(schema: Schema, document: Document) -> Schema:
    for _ in range(DEEPEST):
        if "$ref" not in schema:
            break
        schema = document.get("components", {}).get("schemas", {}).get(schema["$ref"].rpartition("/")[2], {})
    return schema


def _changed_type(old: Schema, new: Schema, what: str) -> Iterator[str]:
    before, after = old.get("type"), new.get("type")
    if before and after and before != after and (before, after) != ("integer", "number"):
        yield f"{what} is {after} and not {before}"


def _tightened(old: Schema, new: Schema, what: str) -> Iterator[str]:
    for limit, is_least in (
        ("minimum", True), ("exclusiveMinimum", True), ("minLength", True), ("minItems", True),
        ("maximum", False), ("exclusiveMaximum", False), ("maxLength", False), ("maxItems", False),
    ):  # fmt: skip
        after = new.get(limit)
        before = old.get(limit, float("-inf") if is_least else float("inf"))
        if after is not None and (after > before if is_least else after < before):
            yield f"{what} has a {limit} of {after}"
    after, before = new.get("multipleOf"), old.get("multipleOf")
    if after is not None and (before is None or not (before / after).is_integer()):
        yield f"{what} has to be a multiple of {after}"
