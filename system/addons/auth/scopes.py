"""The scopes of API keys: places of the catalogue."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from flask import current_app

from system.core.explorer.listing import Listing
from system.core.spelling import did_you_mean


def check_scopes(scopes: Iterable[str]) -> None:
    """Raises ValueError for a scope that names nothing: its key would admit nowhere."""
    app: Any = current_app
    rules = {rule.rule.split("/")[1] for rule in app.url_map.iter_rules()}  # images, _koa, the site's own
    places = set(_places(app.catalog))
    for scope in (scope.strip("/") for scope in scopes):
        if scope and scope not in places and scope.partition("/")[0] not in rules:
            near = did_you_mean(scope, sorted(places))
            raise ValueError(
                f"The catalogue has no folder, library, class or method {scope!r}: a key with this scope would "
                f"admit nowhere.{near} See: python kernkoa.py routes"
            )


def _places(catalog: Any) -> Iterator[str]:
    """shop, shop/orders, shop/orders/Orders and shop/orders/Orders/show, of the whole catalogue."""
    for library in Listing(catalog).walk(catalog.now()):
        for place in (library.name, *(method.place for method in library.methods)):
            words = place.split("/")
            yield from ("/".join(words[: count + 1]) for count in range(len(words)))
