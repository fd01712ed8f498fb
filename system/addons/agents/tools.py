"""The methods of the catalogue as tools: their names, descriptions and parameters."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

from flask import current_app

from system.core.dispatch.calling import read_hooks
from system.core.explorer.descriptions import Description, Descriptions, LibraryDescriptions
from system.core.explorer.kept import Kept
from system.core.explorer.listing import ListedLibrary, ListedMethod, Listing

from .decorators import LONGEST_NAME, ToolMark
from .protocol import encode_tool
from .schemas import input_schema, output_schema
from .visits import Visit

LONGEST_DESCRIPTION = 4_000  # characters
_PLAIN = ToolMark()
_READS = frozenset({"GET", "HEAD", "OPTIONS"})
_PREFERRED = ("POST", "PUT", "PATCH", "DELETE", "GET")


@dataclass(frozen=True, slots=True, eq=False)
class MethodTool:
    """A method as a tool. `verb` is the one that it is called with; `is_background`: it may run as a task."""

    name: str
    method: ListedMethod
    verb: str
    described: dict[str, Any]  # as the protocol lists it
    encoded: bytes  # the same as JSON
    is_background: bool = False


# a tool and its library
Named = tuple[ListedLibrary, MethodTool]


class Tools:
    """The tools of a site, live: a method is one when it is typed or documented, and nothing hides it."""

    def __init__(self, listing: Listing) -> None:
        self._listing = listing
        self._catalog = listing.catalog
        self._descriptions = Descriptions(listing)
        self._libraries: Kept[tuple[MethodTool, ...]] = Kept(50_000)
        self._named: dict[str, Named] = {}
        self._looked_at: dict[str, float] = {}  # until when a name leads to the same tool

    def every(self, visit: Visit) -> list[MethodTool]:
        """The tools that a visitor may call, in the order of the catalogue."""
        now = self._catalog.now()
        return [tool for listed, tool in self._name_all(now).values() if self._admits(visit, listed, tool, now)]

    def find(self, name: str, visit: Visit) -> MethodTool | None:
        """The tool of a name; None where there is none for the visitor.

        The guards of a method with a URL run when it is called.
        """
        now = self._catalog.now()
        if now >= self._looked_at.get(name, now):
            if not self._is_same(name, now) and name not in self._name_all(now):
                return None
            self._looked_at[name] = self._catalog.policy.next_look(now)
        listed, tool = self._named[name]
        if tool.method.is_task:
            return tool if self._admits(visit, listed, tool, now) else None
        return tool if not visit.needs_guard or self._is_guarded(tool, now) else None

    def has_url(self, name: object) -> bool:
        """Whether a name is that of a tool whose method has a URL."""
        named = self._named.get(name) if isinstance(name, str) else None
        return named is not None and not named[1].method.is_task

    def _name_all(self, now: float) -> dict[str, Named]:
        """Every tool by its name, which no other has, whoever asks."""
        found: dict[str, Named] = {}
        for listed in self._listing.walk(now):
            for tool in self._of_library(listed, now):
                unique = tool if tool.name not in found else _rename(tool)
                found[unique.name] = listed, unique
        self._named, self._looked_at = found, {}
        return found

    def _is_same(self, name: str, now: float) -> bool:
        """Whether the library of a tool that was listed before is as it was."""
        if name not in self._named:
            return False
        listed = self._named[name][0]
        is_there = self._catalog.find(listed.library.name, now) is listed.library
        return is_there and self._listing.list_library(listed.library, now) is listed

    def _of_library(self, listed: ListedLibrary, now: float) -> tuple[MethodTool, ...]:
        known = self._descriptions.of_library(listed, now)
        return self._libraries.get(listed.library.path, known, lambda: tuple(self._make(known, now)))

    def _make(self, known: LibraryDescriptions, now: float) -> Iterator[MethodTool]:
        for item in known.methods.values():
            if item.fault or "{" in item.method.url or not (item.source.is_typed or item.method.doc):
                continue
            if any(parameter.is_file and parameter.required for parameter in item.parameters):
                continue
            mark = self._mark(item.method, now)
            if not mark.hidden:
                yield self._tool(item, mark, now)

    def _tool(self, item: Description, mark: ToolMark, now: float) -> MethodTool:
        method = item.method
        name = mark.name or name_of(method.place)
        doc = mark.description or method.doc or f"Calls {method.place}."
        described = {
            "name": name,
            "title": f"{method.controller}.{method.name}",
            "description": doc[:LONGEST_DESCRIPTION],
            "inputSchema": input_schema(item.parameters, method.library),
            "annotations": _annotations(method),
        }
        verb = "GET" if _READS.issuperset(method.verbs) else next(v for v in _PREFERRED if v in method.verbs)
        function = self._descriptions.endpoint_of(method, now).function if method.is_background else None
        is_background = bool(getattr(function, "koa_background", False))
        answer = None if method.is_task or is_background else output_schema(item.answers, method.library)
        if answer is not None:
            described["outputSchema"] = answer
        return MethodTool(name, method, verb, described, encode_tool(described), is_background)

    def _mark(self, method: ListedMethod, now: float) -> ToolMark:
        """What `@tool` says; the library is loaded for it where the method has such a decorator."""
        written = self._listing.outline_of(method, now)
        if written is None or not written[1].is_decorated("tool"):
            return _PLAIN
        mark = getattr(self._descriptions.endpoint_of(method, now).function, "koa_tool", _PLAIN)
        return mark if isinstance(mark, ToolMark) else _PLAIN

    def _admits(self, visit: Visit, listed: ListedLibrary, tool: MethodTool, now: float) -> bool:
        """Whether the visitor may call a tool: its guards say so, and where one is needed, there is one."""
        if not visit.is_guarded:
            return True
        method = tool.method
        if (
            not visit.admits(listed.library)
            or visit.visitor.show(listed).find(method.controller, method.name) is None
        ):
            return False
        if not current_app.extensions.get("auth.may_use", bool)(method.place) and self._is_guarded(tool, now):
            return False
        return not visit.needs_guard or self._is_guarded(tool, now)

    def _is_guarded(self, tool: MethodTool, now: float) -> bool:
        """Whether a method stands behind a `before` hook."""
        return any("before" in each for each in read_hooks(self._descriptions.endpoint_of(tool.method, now)))


def name_of(place: str) -> str:
    """The name of a tool from its route: shop/orders/Orders/show is shop_orders_Orders_show.

    A longer name is shortened to a digest of the whole and its end.
    """
    name = place.replace("/", "_")
    return name if len(name) <= LONGEST_NAME else f"{_digest(place)}_{name[-(LONGEST_NAME - 9) :]}"


def _rename(tool: MethodTool) -> MethodTool:
    """The tool under a second name, for where its first is taken."""
    name = f"{tool.name[: LONGEST_NAME - 9]}_{_digest(tool.method.place)}"
    described = tool.described | {"name": name}
    return replace(tool, name=name, described=described, encoded=encode_tool(described))


def _digest(place: str) -> str:
    return hashlib.blake2b(place.encode(), digest_size=4).hexdigest()


def _annotations(method: ListedMethod) -> dict[str, Any]:
    """Hints for the client, from the verbs: RFC 9110, section 9.2."""
    verbs = frozenset(method.verbs) - {"HEAD", "OPTIONS"}
    is_read_only = _READS.issuperset(verbs)
    return {
        "readOnlyHint": is_read_only,
        "destructiveHint": "DELETE" in verbs,
        "idempotentHint": is_read_only or verbs <= {"PUT", "DELETE"},
    }
