"""Warns the developer of a method that changed something at a GET."""

from __future__ import annotations

import logging
import threading
import types
import weakref

from ..catalog.execution import Version
from ..catalog.tree import Catalog
from ..catalog.writes import writers_of
from ..dispatch.routing import Endpoint

log = logging.getLogger("kernkoa")

# the library is parsed so long after the answer: the answer after a further edit does not wait for that
PAUSE_SECONDS = 0.5
_looked_at: weakref.WeakSet[types.FunctionType] = weakref.WeakSet()


def warn_of_writer(catalog: Catalog, endpoint: Endpoint) -> None:
    """Log once for each version of a method that it changes something although a GET runs it.

    In a thread, half a second later, and only if the version is still the current one.
    """
    if endpoint.function in _looked_at:
        return
    _looked_at.add(endpoint.function)
    timer = threading.Timer(PAUSE_SECONDS, _warn, (catalog, endpoint, endpoint.library.version))
    timer.daemon = True
    timer.start()


def _warn(catalog: Catalog, endpoint: Endpoint, version: Version | None) -> None:
    if endpoint.library.version is not version:
        return
    place = (endpoint.controller.__name__, endpoint.outline.name)
    for writer in writers_of(catalog, endpoint.library):
        if (writer.controller, writer.method) == place:
            log.warning("%s, line %s: %s", endpoint.library.path, writer.line, writer)
