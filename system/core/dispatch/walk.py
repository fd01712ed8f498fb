"""The walk of a route through the catalogue: folders, a library, a class, a method, arguments.

The rule is in docs/controllers.md. `Walk` is the rule alone: the dispatcher follows it over the live modules, the
explorer over the sources (explorer/urls.py).
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Generic, TypeVar

from ..catalog.execution import Version
from ..catalog.folder import Folder, is_public
from ..catalog.library import Library
from ..catalog.tree import Catalog
from ..errors import NotFound
from .routing import Endpoint, find_class, make_endpoint

# what a walk reads of a library, and what it finds at its end
Opened = TypeVar("Opened")
Method = TypeVar("Method")


@dataclass(frozen=True, slots=True)
class Resolved:
    """An endpoint and the remaining segments of the path, its positional arguments."""

    endpoint: Endpoint
    arguments: tuple[str, ...]
    segments: tuple[str, ...] = ()  # of the whole path


@dataclass(frozen=True, slots=True)
class Stop:
    """Where a walk ended without a method: what it reached, and the index of the segment that it could not use.

    `position` is len(segments) where a segment is missing. `library`, `version`, `controller` (a name) and
    `endpoint` are set as far as the walk came.
    """

    segments: tuple[str, ...]
    position: int
    folders: tuple[Folder, ...]
    library: Library | None = None
    version: Version | None = None
    controller: str = ""
    endpoint: Endpoint | None = None

    @property
    def segment(self) -> str:
        """The segment that could not be used; empty where one is missing."""
        return self.segments[self.position] if self.position < len(self.segments) else ""

    @property
    def loaded(self) -> tuple[Library, Version]:
        """The library that the walk reached, and its version."""
        assert self.library is not None  # noqa: S101 - for the type checker; as is the next
        assert self.version is not None  # noqa: S101
        return self.library, self.version

    @property
    def class_position(self) -> int:
        """The index of the segment that may name a class: a default library has no segment."""
        at = len(self.folders) - 1
        return at + (self.library is not None and self.segments[at : at + 1] == (self.library.short_name,))

    @property
    def method_position(self) -> int:
        """The index of the segment that may name a method: a default class has no segment."""
        at = self.class_position
        return at + (self.segments[at : at + 1] == (self.controller,))

    @property
    def progress(self) -> tuple[int, int]:
        """How far the walk came: segments used, then steps made."""
        return self.position, sum(map(bool, (self.library, self.controller, self.endpoint))) + len(self.folders)


def resolve(catalog: Catalog, route: tuple[str, ...], now: float, tasks: bool = False) -> Resolved:
    """The live method that a route leads to; with `tasks` also one that only exeTask may start.

    Raises NotFound, with its Stop, where there is none; LibraryError where its file is broken.
    """
    return Resolved(*_LiveWalk(route, now, tasks).find(catalog.roots["controller"]))


def resolve_until(catalog: Catalog, route: tuple[str, ...], now: float) -> tuple[Resolved, float]:
    """As resolve, and the moment until which a walk leads to the same: when the first file on the way is due."""
    walk = _LiveWalk(route, now, False)
    return Resolved(*walk.find(catalog.roots["controller"]), route), walk.until


class Walk(Generic[Opened, Method]):
    """One walk along a route. A missing name is `index`; remaining segments become arguments.

    `folders`, `library`, what is `opened` of it and `controller` (a name) are set as far as it came; `position` is
    that of the segment which is looked up now. A subclass tells what a folder, a library and a class contain.
    """

    __slots__ = ("controller", "folders", "library", "opened", "position", "segments")

    def __init__(self, segments: tuple[str, ...]) -> None:
        self.segments = segments
        self.position = 0
        self._start_in(())

    def _start_in(self, folders: tuple[Folder, ...]) -> None:
        self.folders = folders
        self.library: Library | None = None
        self.opened: Opened | None = None
        self.controller = ""

    def contents(self, folder: Folder) -> tuple[Mapping[str, Folder], Mapping[str, Library]]:
        """The folders and the libraries in a folder, by name."""
        raise NotImplementedError

    def open(self, library: Library) -> Opened:
        """What a library contains. Raises LibraryError for a broken one."""
        raise NotImplementedError

    def has_class(self, opened: Opened, name: str) -> bool:
        """Whether a library has a class of this name that a URL may name."""
        raise NotImplementedError

    def default_class(self, library: Library, opened: Opened) -> str | None:
        """The class of the library's own URL."""
        raise NotImplementedError

    def method(self, library: Library, opened: Opened, controller: str, name: str) -> Method | None:
        """A method of a class, or None."""
        raise NotImplementedError

    def most_arguments(self, method: Method) -> int | None:
        """How many segments a method accepts as arguments; None for any number."""
        raise NotImplementedError

    def _name_at(self, position: int) -> str:
        """The segment there, where it may name something; empty where it may not."""
        self.position = position
        if position >= len(self.segments):
            return ""
        name = self.segments[position]
        return name if is_public(name) else ""

    def find(self, folder: Folder, position: int = 0) -> tuple[Method, tuple[str, ...]]:
        """The method that the rest of the route leads to from a folder, and its arguments.

        Raises NotFound, with its Stop.
        """
        self.folders = (*self.folders, folder)
        name = self._name_at(position)
        inner, libraries = self.contents(folder)
        if name in inner and name in libraries:
            return self._in_either(inner[name], libraries[name], position + 1)
        if name in inner:
            return self.find(inner[name], position + 1)
        if name in libraries:
            return self._in_library(libraries[name], position + 1)
        if "index" in libraries:
            return self._in_library(libraries["index"], position)
        raise self._stopped("there is no such folder or library", position)

    def _in_either(self, inner: Folder, library: Library, position: int) -> tuple[Method, tuple[str, ...]]:
        """A folder and a file of one name: the folder first. Reports the walk that came further."""
        above = self.folders
        try:
            return self.find(inner, position)
        except NotFound as error:
            first = error
        self._start_in(above)
        try:
            return self._in_library(library, position)
        except NotFound as error:
            raise max(first, error, key=lambda each: each.stop.progress) from None

    def _in_library(self, library: Library, position: int) -> tuple[Method, tuple[str, ...]]:
        self.library = library
        self.opened = opened = self.open(library)
        name = self._name_at(position)
        if self.has_class(opened, name):
            return self._in_class(library, opened, name, position + 1)
        default = self.default_class(library, opened)
        if default is None or not self.has_class(opened, default):
            raise self._stopped("there is no such class", position)
        return self._in_class(library, opened, default, position)

    def _in_class(
        self, library: Library, opened: Opened, controller: str, position: int
    ) -> tuple[Method, tuple[str, ...]]:
        self.controller = controller
        for name, rest in ((self._name_at(position), position + 1), ("index", position)):
            method = self.method(library, opened, controller, name)
            if method is None:
                continue
            arguments, most = self.segments[rest:], self.most_arguments(method)
            if most is None or len(arguments) <= most:
                return method, arguments
            raise self._stopped("the method takes no further segments", rest + most, method)
        raise self._stopped("there is no such method", position)

    def _stopped(self, reason: str, position: int, method: Method | None = None) -> NotFound:
        version = self.opened if isinstance(self.opened, Version) else None
        endpoint = method if isinstance(method, Endpoint) else None
        reached = self.folders, self.library, version, self.controller, endpoint
        return NotFound(reason, Stop(self.segments, position, *reached))


class _LiveWalk(Walk[Version, Endpoint]):
    """A walk over the live modules; `until` is when the first file on the way is due."""

    __slots__ = ("_now", "_tasks", "until")

    def __init__(self, segments: tuple[str, ...], now: float, tasks: bool) -> None:
        super().__init__(segments)
        self.until = math.inf
        self._now = now
        self._tasks = tasks

    def contents(self, folder: Folder) -> tuple[Mapping[str, Folder], Mapping[str, Library]]:
        folder.refresh(self._now)
        self.until = min(self.until, folder.due)
        return folder.folders, folder.libraries

    def open(self, library: Library) -> Version:
        version = library.current(self._now)
        self.until = min(self.until, library.due)
        return version

    def has_class(self, opened: Version, name: str) -> bool:
        return find_class(opened, name) is not None

    def default_class(self, library: Library, opened: Version) -> str | None:
        return opened.outline.default_class(library.short_name)

    def method(self, library: Library, opened: Version, controller: str, name: str) -> Endpoint | None:
        endpoint = opened.endpoints.get((controller, name))
        if endpoint is None:
            endpoint = make_endpoint(library, opened, controller, name, self.folders)
            if endpoint is None:
                return None
            opened.endpoints[controller, name] = endpoint
        return endpoint if self._tasks or not endpoint.outline.is_task else None

    def most_arguments(self, method: Endpoint) -> int | None:
        return method.signature.positional
