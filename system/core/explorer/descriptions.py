"""The parameters of each method: of a typed one from its live class, of an untyped one from its source.

The library of a typed method is loaded for that, as calling the method would load it. What was found out is kept
for as long as the library is the same.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass, field

from ..catalog.execution import Version
from ..catalog.tree import Catalog
from ..dispatch.binding import TypedBinding
from ..dispatch.calling import binding_of
from ..dispatch.routing import Endpoint
from ..dispatch.walk import resolve
from ..errors import KernKoaError, LibraryError
from .answers import Answer, answers_of, of_background
from .inference import MethodSource
from .kept import Kept
from .listing import ListedLibrary, ListedMethod, Listing
from .parameters import Parameter
from .typed_parameters import parameter_of

log = logging.getLogger("kernkoa")


@dataclass(frozen=True, slots=True, eq=False)
class Description:
    """A method, what it takes and what it answers.

    `fault` is why that cannot be told: the method would fail when it is called. `later` is the answer to a request
    that asks for it to run in a worker.
    """

    method: ListedMethod
    parameters: tuple[Parameter, ...]
    source: MethodSource
    fault: str = ""
    answers: tuple[Answer, ...] = ()
    later: Answer | None = None


@dataclass(slots=True, eq=False)
class LibraryDescriptions:
    """The methods of a library that were described so far. `is_live`: its live version was asked for some."""

    listed: ListedLibrary
    version: Version | None = None
    methods: dict[tuple[str, str], Description] = field(default_factory=dict)
    is_live: bool = False


class Descriptions:
    """Describes the methods that a listing shows."""

    def __init__(self, listing: Listing) -> None:
        self._catalog: Catalog = listing.catalog
        self._listing = listing
        self._libraries: Kept[LibraryDescriptions] = Kept(50_000)

    def of(self, listed: ListedLibrary, method: ListedMethod, now: float) -> Description:
        """A method of a library."""
        return self._describe(self._current(listed, now), method, now)

    def of_library(self, listed: ListedLibrary, now: float) -> LibraryDescriptions:
        """Every method of a library; the same object while nothing changed."""
        known = self._current(listed, now)
        if len(known.methods) < sum(len(item.methods) for item in listed.classes.values()):
            for method in listed.methods:
                self._describe(known, method, now)
        return known

    def _current(self, listed: ListedLibrary, now: float) -> LibraryDescriptions:
        """The descriptions of the current version of a library."""
        found = self._libraries.find(listed.library.path)
        known = found[1] if found and found[0] is listed else None
        if known is not None and (not known.is_live or known.version is _version_of(listed, now)):
            return known
        known = LibraryDescriptions(listed)
        self._libraries.put(listed.library.path, listed, known)
        return known

    def _describe(self, known: LibraryDescriptions, method: ListedMethod, now: float) -> Description:
        key = method.controller, method.name
        if key not in known.methods:
            source = self._listing.source_of(method, now)
            if source.is_live and not known.is_live:
                known.is_live, known.version = True, _version_of(known.listed, now)
            known.methods[key] = self._make(method, source, now)
        return known.methods[key]

    def _make(self, method: ListedMethod, source: MethodSource, now: float) -> Description:
        if not source.is_live:
            later = of_background(()) if method.is_background else None
            return Description(method, source.parameters, source, later=later)
        try:
            endpoint = self.endpoint_of(method, now)
            return _describe_live(method, source, endpoint)
        except KernKoaError as error:
            log.warning("%s cannot be described: %s", method.place, error.detail)
            return Description(method, (), source, error.detail)
        except Exception as error:  # of the site: one method must not break the others
            log.error("%s cannot be described: %s", method.place, error, exc_info=error)
            return Description(method, (), source, f"{type(error).__name__}: {error}")

    def endpoint_of(self, method: ListedMethod, now: float) -> Endpoint:
        """The live method; its library is loaded."""
        route = tuple((method.url or method.place).strip("/").split("/"))
        return resolve(self._catalog, route, now, tasks=True).endpoint


def _describe_live(method: ListedMethod, source: MethodSource, endpoint: Endpoint) -> Description:
    binding = binding_of(endpoint)
    slots = binding.slots if isinstance(binding, TypedBinding) else ()
    typed = [item for item in (parameter_of(slot, method.place) for slot in slots) if item is not None]
    names = {item.name for item in typed}
    read = (item for item in source.parameters if item.name not in names)
    answers = answers_of(endpoint.function, method.place)
    later = of_background(answers) if method.is_background else None
    return Description(method, (*typed, *read), source, answers=answers, later=later)


def _version_of(listed: ListedLibrary, now: float) -> Version | None:
    try:
        return listed.library.current(now)
    except LibraryError:
        return None
