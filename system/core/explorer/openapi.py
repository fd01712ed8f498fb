"""The catalogue as an OpenAPI 3.1 document: https://spec.openapis.org/oas/v3.1.1

Untyped methods are read from their source; the library of a typed one is loaded, since its models are asked for
their schemas. What does not load is left out: it would answer 500.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Any

from ..catalog.folder import Folder
from ..catalog.source import collection_paused
from ..catalog.tree import Catalog
from ..settings import Settings
from .answers import Answer
from .components import Components
from .descriptions import Description, Descriptions, LibraryDescriptions
from .kept import Kept
from .listing import ListedLibrary, Listing
from .operations import RESPONSES, SCHEMAS, STATUS, STATUS_PATH, operations_of
from .plain_json import plain_json

# how many documents are cached: there is one for each set of visible methods and each base URL
MOST_DOCUMENTS = 2

# a library and the methods (class, name) that a visitor may see; None: all of them
Shown = tuple[LibraryDescriptions, frozenset[tuple[str, str]] | None]


class Documents:
    """Makes the document, and keeps it until one of the libraries changes."""

    def __init__(self, listing: Listing, descriptions: Descriptions, settings: Settings) -> None:
        self._listing = listing
        self._descriptions = descriptions
        self._settings = settings
        self._encoded: Kept[bytes] = Kept(MOST_DOCUMENTS)

    @collection_paused()
    def encode(
        self,
        server: str,
        admits: Callable[[Folder], bool] = lambda folder: True,
        show: Callable[[ListedLibrary], ListedLibrary] | None = None,
    ) -> bytes:
        """The document as JSON. `server` is the site's base URL; `admits` and `show` leave out what is guarded."""
        now = self._listing.catalog.now()
        shown = tuple(
            (self._descriptions.of_library(listed, now), _keys(show(listed)) if show else None)
            for listed in self._listing.walk(now, admits)
        )
        name = f"{server} {hash(tuple(keys for _, keys in shown))}"
        return self._encoded.get(name, shown, lambda: self._make(shown, server))

    def _make(self, shown: tuple[Shown, ...], server: str) -> bytes:
        document = make_document(shown, self._settings, server)
        return json.dumps(document, ensure_ascii=False, allow_nan=False).encode()


@collection_paused()
def document_of(catalog: Catalog, settings: Settings, server: str) -> dict[str, Any]:
    """The document of a whole catalogue."""
    listing = Listing(catalog, settings.home)
    descriptions, now = Descriptions(listing), catalog.now()
    every = [descriptions.of_library(listed, now) for listed in listing.walk(now)]
    return make_document([(known, None) for known in every], settings, server)


def _keys(listed: ListedLibrary) -> frozenset[tuple[str, str]]:
    return frozenset((method.controller, method.name) for method in listed.methods)


def make_document(shown: Iterable[Shown], settings: Settings, server: str) -> dict[str, Any]:
    """The document of these libraries."""
    components = Components(dict(SCHEMAS))
    paths: dict[str, Any] = {}
    tags = []
    for known, keys in shown:
        methods = [
            item
            for key, item in known.methods.items()
            if (keys is None or key in keys) and not item.method.is_task and not item.fault
        ]
        if methods:
            doc = known.listed.doc
            tags.append({"name": known.listed.name} | ({"description": doc} if doc else {}))
        for item in methods:
            for path, operations in operations_of(_collect(item, components)):
                paths.setdefault(path, {}).update(operations)
    every = (operation for operations in paths.values() for operation in operations.values())
    if any("links" in answer for operation in every for answer in operation["responses"].values()):
        paths[STATUS_PATH] = STATUS
    document = {
        "openapi": "3.1.0",
        "info": {"title": settings.name, "version": "1.0.0"},
        "servers": [{"url": (server or settings.base).rstrip("/") or "/"}],
        "tags": tags,
        "paths": paths,
        "components": {"schemas": components.schemas, "responses": RESPONSES},
    }
    return _merge(document, plain_json(settings.openapi))


def _merge(document: dict[str, Any], more: dict[str, Any]) -> dict[str, Any]:
    """A document merged with the setting `openapi`: objects are joined, anything else is replaced."""
    both = {
        name for name, value in more.items() if isinstance(value, dict) and isinstance(document.get(name), dict)
    }
    return document | {
        name: _merge(document[name], value) if name in both else value for name, value in more.items()
    }


def _collect(item: Description, components: Components) -> Description:
    """A method with the models of its parameters and answers among the components."""
    library = item.method.library
    parameters = tuple(replace(one, schema=components.take(one.schema, library)) for one in item.parameters)

    def take(one: Answer) -> Answer:
        schema, result = (
            None if each is None else components.take(each, library, is_output=True)
            for each in (one.schema, one.result)
        )
        return replace(one, schema=schema, result=result)

    answers = tuple(map(take, item.answers))
    return replace(item, parameters=parameters, answers=answers, later=take(item.later) if item.later else None)
