"""The walk of a route through the catalogue: folders, a library, a class, a method, arguments."""

from __future__ import annotations

from dataclasses import dataclass

from ..catalog.execution import Version
from ..catalog.folder import Folder
from ..catalog.library import Library
from ..catalog.tree import Catalog
from ..errors import NotFound
from .routing import Endpoint, Route, find_class, make_endpoint


@dataclass(frozen=True, slots=True)
class Resolved:
    """An endpoint and the remaining segments of the path, its positional arguments."""

    endpoint: Endpoint
    arguments: tuple[str, ...]


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


def resolve(catalog: Catalog, route: Route, now: float, tasks: bool = False) -> Resolved:
    """The live method that a route leads to; with `tasks` also one that only exeTask may start.

    Raises NotFound, with its Stop, where there is none; LibraryError where its file is broken.
    """
    return _Walk(route.segments, now, tasks).in_folder(catalog.roots["controller"], 0, ())


class _Walk:
    """One walk along a route. A missing name is `index`; remaining segments become arguments."""

    __slots__ = ("_now", "_segments", "_tasks")

    def __init__(self, segments: tuple[str, ...], now: float, tasks: bool) -> None:
        self._segments = segments
        self._now = now
        self._tasks = tasks

    def _name_at(self, position: int) -> str:
        """The segment there, where it may name something; empty where it may not."""
        if position >= len(self._segments):
            return ""
        name = self._segments[position]
        return name if name.isidentifier() and name.isascii() and name[0] != "_" else ""

    def in_folder(self, folder: Folder, position: int, above: tuple[Folder, ...]) -> Resolved:
        folder.refresh(self._now)
        folders = (*above, folder)
        name = self._name_at(position)
        library = folder.libraries.get(name)
        if name in folder.folders:
            inner = folder.folders[name]
            if library is not None:
                return self._in_either(inner, library, position + 1, folders)
            return self.in_folder(inner, position + 1, folders)
        if library is not None:
            return self._in_library(library, position + 1, folders)
        library = folder.libraries.get("index")
        if library is None:
            raise NotFound("there is no such folder or library", Stop(self._segments, position, folders))
        return self._in_library(library, position, folders)

    def _in_either(self, inner: Folder, library: Library, position: int, folders: tuple[Folder, ...]) -> Resolved:
        """A folder and a file of one name: the folder first. Reports the walk that came further."""
        try:
            return self.in_folder(inner, position, folders)
        except NotFound as error:
            first = error
        try:
            return self._in_library(library, position, folders)
        except NotFound as error:
            raise max(first, error, key=lambda each: each.stop.progress) from None

    def _in_library(self, library: Library, position: int, folders: tuple[Folder, ...]) -> Resolved:
        version = library.current(self._now)
        name = self._name_at(position)
        if find_class(version, name) is not None:
            return self._in_class(library, version, name, position + 1, folders)
        default = version.outline.default_class(library.short_name)
        if default is None or find_class(version, default) is None:
            raise NotFound("there is no such class", Stop(self._segments, position, folders, library, version))
        return self._in_class(library, version, default, position, folders)

    def _in_class(
        self, library: Library, version: Version, name: str, position: int, folders: tuple[Folder, ...]
    ) -> Resolved:
        for method, rest in ((self._name_at(position), position + 1), ("index", position)):
            endpoint = self._endpoint(library, version, name, method, folders)
            if endpoint is not None:
                return self._with_arguments(endpoint, rest, version)
        raise NotFound("there is no such method", Stop(self._segments, position, folders, library, version, name))

    def _endpoint(
        self, library: Library, version: Version, name: str, method: str, folders: tuple[Folder, ...]
    ) -> Endpoint | None:
        endpoint = version.endpoints.get((name, method))
        if endpoint is None:
            endpoint = make_endpoint(library, version, name, method, folders)
            if endpoint is None:
                return None
            version.endpoints[name, method] = endpoint
        return endpoint if self._tasks or not endpoint.outline.is_task else None

    def _with_arguments(self, endpoint: Endpoint, position: int, version: Version) -> Resolved:
        arguments = self._segments[position:]
        most = endpoint.signature.positional
        if arguments and most is not None and len(arguments) > most:
            name = endpoint.controller.__name__
            stop = Stop(
                self._segments, position + most, endpoint.folders, endpoint.library, version, name, endpoint
            )
            raise NotFound("the method takes no further segments", stop)
        return Resolved(endpoint, arguments)
