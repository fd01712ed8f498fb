"""url_for with methods of the catalogue: url_for("shop.orders.Orders.show", number=3), url_for("shop/orders")."""

from __future__ import annotations

import re
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from flask import url_for

from ..catalog.tree import Catalog
from ..dispatch.routing import Route
from ..dispatch.walk import resolve
from ..errors import LibraryError, NotFound


def make_url_builder(catalog: Catalog) -> Callable[[Exception, str, dict[str, Any]], str]:
    """A function for app.url_build_error_handlers: the URL of a method where no rule of Flask has the name."""

    def build(error: Exception, endpoint: str, values: dict[str, Any]) -> str:
        segments = re.split(r"[./]", endpoint.strip("/"))
        with suppress(NotFound, LibraryError):
            resolved = resolve(catalog, Route(tuple(segments)), catalog.now())
            names = [
                parameter.name for parameter in resolved.endpoint.signature.parameters if parameter.takes_segment
            ]
            for name in names[len(resolved.arguments) :]:
                text = str(values.get(name, ""))
                if not text or "/" in text:
                    break
                segments.append(text)
                del values[name]
            return url_for("dispatch", path="/".join(segments), **values)
        raise error

    return build
