"""URLs of methods of the catalogue: `url_for("shop/orders/show", number=3)`, `redirect("shop/orders")`."""

from __future__ import annotations

import re
from contextlib import suppress
from datetime import date, time
from enum import Enum
from typing import Any
from urllib.parse import quote, urlencode

import flask
from flask import Response, current_app, has_request_context, request

from ..catalog.tree import Catalog
from ..dispatch.routing import match
from ..dispatch.walk import resolve
from ..errors import LibraryError, NotFound

# what may be the path of a method: not absolute, no query, no scheme
NAME = re.compile(r"[A-Za-z][^?#:]*")


def find_path(catalog: Catalog, name: str) -> str | None:
    """The path of a method, from "shop/orders/show/3" or "shop.orders.Orders.show"; None without one."""
    path = name.strip("/") if "/" in name else name.replace(".", "/")
    with suppress(LibraryError):  # broken now, but its URL is right
        try:
            resolve(catalog, match("/" + path), catalog.now())
        except NotFound:
            return None
    return path


def path_of(location: str) -> str:
    """What may be the path of a method in a location, before its query and fragment; empty without it."""
    found = NAME.match(location)
    return found[0] if found and location[found.end() : found.end() + 1] in ("", "?", "#") else ""


def take_segments(catalog: Catalog, path: str, values: dict[str, Any]) -> str:
    """The segments of a method's `*rest` in `values`, with what stands before it; they are taken from `values`."""
    with suppress(LibraryError, NotFound):
        found = resolve(catalog, match("/" + path), catalog.now())
        names = found.endpoint.outline.segments
        if names and names[-1][0] == "*" and names[-1][1:] in values:
            missing = [name.removeprefix("*") for name in names[len(found.arguments) :] or names[-1:]]
            return "".join(f"/{_as_text(each)}" for name in missing for each in _each(values.pop(name, None)))
    return ""


def make_url(
    root: str, path: str, values: dict[str, Any], is_external: bool, scheme: str | None, anchor: str | None
) -> str:
    """The URL of a path with the values as its query. `root` is the site's public URL, ending in a slash."""
    base = request.script_root if has_request_context() else "/" + root.partition("://")[2].partition("/")[2]
    start = root if is_external else base.rstrip("/") + "/"
    if is_external and scheme:
        start = f"{scheme}://{root.partition('://')[2]}"
    pairs = [(name, _as_text(each)) for name, value in values.items() for each in _each(value)]
    query = "?" + urlencode(pairs, quote_via=quote) if pairs else ""
    return f"{start}{quote(path)}{query}" + (f"#{quote(anchor)}" if anchor else "")


def _each(value: Any) -> list[Any]:
    if isinstance(value, list | tuple | set | frozenset):
        return list(value)
    return [] if value is None else [value]


def _as_text(value: Any) -> str:
    if isinstance(value, Enum):
        return _as_text(value.value)
    if isinstance(value, bool):
        return "true" if value else "false"
    return value.isoformat() if isinstance(value, date | time) else str(value)


def redirect(location: str, code: int = 302, Response: type[Response] | None = None, **values: Any) -> Any:
    """A redirect to a URL, or to a method of the catalogue: `redirect("shop/orders/show", number=3)`.

    Any other `location` is used as it is, as in Flask. Raises UnknownRoute for values without such a method.
    """
    app: Any = current_app
    if values:
        location = app.url_for(location, **values)
    elif (name := path_of(location)) and find_path(app.catalog, name) is not None:
        location = app.url_for(name) + location.removeprefix(name)
    return flask.redirect(location, code, Response)
