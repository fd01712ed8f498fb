"""The catalogue as an OpenAPI 3.1 document: https://spec.openapis.org/oas/v3.1.1

Untyped methods are read from their source; the library of a typed one is loaded, since its models are asked for
their schemas. What does not load is left out: it would answer 500.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Any

from ..catalog.tree import Catalog, Folder
from ..settings import Settings
from .components import Components
from .descriptions import Description, Descriptions, LibraryDescriptions
from .kept import Kept
from .listing import ListedLibrary, Listing
from .operations import INVALID, PROBLEM, operations_of

# how many documents are kept; what a visitor may see is one document, and the server another
MOST_DOCUMENTS = 2

# a library as far as a visitor may see it
Shown = tuple[LibraryDescriptions, tuple[str, ...]]


class Documents:
    """Makes the document, and keeps it until one of the libraries changes."""

    def __init__(self, listing: Listing, descriptions: Descriptions, settings: Settings) -> None:
        self._listing = listing
        self._descriptions = descriptions
        self._settings = settings
        self._encoded: Kept[bytes] = Kept(MOST_DOCUMENTS)

    def encode(
        self,
        server: str,
        admits: Callable[[Folder], bool] = lambda folder: True,
        show: Callable[[ListedLibrary], ListedLibrary] = lambda listed: listed,
    ) -> bytes:
        """The document as JSON, as far as a visitor may see the catalogue. `server` is the site's base URL."""
        now = self._listing.catalog.now()
        shown = tuple(
            (self._descriptions.of_library(listed, now), tuple(show(listed).classes))
            for listed in self._listing.walk(now, admits=admits)
        )
        name = f"{server} {hash(tuple(classes for _, classes in shown))}"
        return self._encoded.get(name, shown, lambda: _encode(make_document(shown, self._settings, server)))


def document_of(catalog: Catalog, settings: Settings, server: str) -> dict[str, Any]:
    """The document of a whole catalogue."""
    listing = Listing(catalog, settings.home)
    descriptions, now = Descriptions(listing), catalog.now()
    every = [descriptions.of_library(listed, now) for listed in listing.walk(now)]
    return make_document([(known, tuple(known.listed.classes)) for known in every], settings, server)


def make_document(shown: Iterable[Shown], settings: Settings, server: str) -> dict[str, Any]:
    """The document of these libraries and of those of their classes that a visitor may see."""
    components = Components({"Problem": PROBLEM, "InvalidParameters": INVALID})
    paths: dict[str, Any] = {}
    tags = []
    for known, classes in shown:
        methods = [
            item
            for item in known.methods.values()
            if item.method.controller in classes and not item.method.is_task and not item.fault
        ]
        if methods:
            doc = known.listed.doc
            tags.append({"name": known.listed.name} | ({"description": doc} if doc else {}))
        for item in methods:
            for path, operations in operations_of(item, _taken(item, components)):
                paths.setdefault(path, {}).update(operations)
    return {
        "openapi": "3.1.0",
        "info": {"title": settings.name, "version": str(getattr(settings, "version", "1.0.0"))},
        "servers": [{"url": (server or settings.base).rstrip("/") or "/"}],
        "tags": tags,
        "paths": paths,
        "components": {"schemas": components.schemas},
    }


def _taken(item: Description, components: Components) -> tuple[Any, ...]:
    """The parameters of a method with their models among the components."""
    library = item.method.library
    return tuple(replace(one, schema=components.take(one.schema, library)) for one in item.parameters)


def _encode(document: dict[str, Any]) -> bytes:
    return json.dumps(document, ensure_ascii=False, allow_nan=False).encode()
