"""url_for with methods of the catalogue."""

from __future__ import annotations

from typing import Any

import pytest
from flask import url_for
from werkzeug.routing import BuildError

ORDERS = """
    class Orders:
        def index(self): return "all"
        def show(self, number: int, unit: str = "m"): return "one"
        def find(self, params=None): return "found"
"""


@pytest.mark.parametrize(
    ("endpoint", "values", "url"),
    [
        ("shop.orders.Orders.show", {"number": 3}, "/shop/orders/Orders/show/3"),
        (
            "shop.orders.Orders.show",
            {"number": 3, "unit": "cm", "page": 2},
            "/shop/orders/Orders/show/3/cm?page=2",
        ),
        ("shop.orders.Orders.show", {"unit": "cm"}, "/shop/orders/Orders/show?unit=cm"),
        ("shop/orders/show", {"number": 3}, "/shop/orders/show/3"),
        ("shop/orders/show/3", {"unit": "cm"}, "/shop/orders/show/3/cm"),
        ("/shop/orders", {}, "/shop/orders"),
        ("shop/orders/find", {"q": "a b", "_anchor": "top"}, "/shop/orders/find?q=a+b#top"),
        ("shop/orders/show", {"number": "a/b"}, "/shop/orders/show?number=a/b"),
        ("shop/orders/show", {"number": "é?"}, "/shop/orders/show/%C3%A9%3F"),
        ("shop/orders", {"_external": True}, "http://localhost/shop/orders"),
    ],
)
def test_a_method_has_a_url(site: Any, endpoint: str, values: dict[str, Any], url: str) -> None:
    site.write("shop/orders.py", ORDERS)
    with site.app().test_request_context("/"):
        assert url_for(endpoint, **values) == url


@pytest.mark.parametrize(
    "endpoint", ["shop.orders.Orders.none", "none", "", "shop/none", "a..b", "shop.orders.Orders.index.x"]
)
def test_a_name_that_leads_nowhere_is_an_error(site: Any, endpoint: str) -> None:
    site.write("shop/orders.py", ORDERS)
    with site.app().test_request_context("/"), pytest.raises(BuildError):
        url_for(endpoint)
