"""Warns the developer of a method that changed something at a GET."""

from __future__ import annotations

import logging
import types
import weakref

from ..catalog.tree import Catalog
from ..catalog.writes import writers_of
from ..dispatch.routing import Endpoint

log = logging.getLogger("kernkoa")

_looked_at: weakref.WeakSet[types.FunctionType] = weakref.WeakSet()


def warn_of_writer(catalog: Catalog, endpoint: Endpoint) -> None:
    """Log once for each version of a method that it changes something although a GET runs it."""
    if endpoint.function in _looked_at:
        return
    _looked_at.add(endpoint.function)
    place = (endpoint.controller.__name__, endpoint.outline.name)
    for writer in writers_of(catalog, endpoint.library):
        if (writer.controller, writer.method) == place:
            log.warning("%s, line %s: %s", endpoint.library.path, writer.line, writer)
