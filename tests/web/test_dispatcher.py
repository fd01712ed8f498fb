"""What Flask, its extensions and a site's own handlers see of a request that the catalogue answers."""

from __future__ import annotations

from typing import Any

import pytest
from flask import request

ORDERS = """
    from kernkoa import *

    def marked(function):
        function.mark = "seen"
        return function

    class Orders:
        def index(self): return "all"
        @marked
        def show(self, number: int, unit: str = "m"): return str(number)
        def fail(self): return 1 / 0
        def refuse(self): abort(409)
        @allow("POST")
        def add(self): return "added"
        def rest(self, *names): return "/".join(names)

    class Hooked:
        def before(self, params):
            if "stop" in params: return "stopped"
            if "denied" in params: abort(403)
        def after(self, response):
            response.headers["X-After"] = f"{type(self).__name__} {response.status_code}"
        def index(self): return "here"
        def fail(self): return 1 / 0
        def missing(self, params): return params["name"]
        def stream(self):
            yield "a"
            yield "b"

    class Unmade:
        def __init__(self): abort(403)
        def after(self, response): response.headers["X-After"] = "no"
        def index(self): return "here"

    class Broken:
        def after(self, response): raise ValueError("after")
        def index(self): return "here"
"""


@pytest.fixture
def app(site: Any) -> Any:
    site.write("shop/orders.py", ORDERS)
    return site.app()


@pytest.mark.parametrize(
    ("path", "endpoint", "rule", "arguments"),
    [
        ("/shop/orders", "shop.orders.Orders.index", "/shop/orders/Orders/index", {}),
        ("/shop/orders/", "shop.orders.Orders.index", "/shop/orders/Orders/index", {}),
        (
            "/shop/orders/show/7",
            "shop.orders.Orders.show",
            "/shop/orders/Orders/show/<number>/<unit>",
            {"number": "7"},
        ),
        ("/shop/orders/Orders/show/x/m", "shop.orders.Orders.show", None, {"number": "x", "unit": "m"}),
        ("/shop/orders/Hooked", "shop.orders.Hooked.index", "/shop/orders/Hooked/index", {}),
        ("/shop/orders/add", "shop.orders.Orders.add", "/shop/orders/Orders/add", {}),
    ],
)
def test_a_request_names_its_method_before_it_runs(
    app: Any, path: str, endpoint: str, rule: str | None, arguments: dict[str, str]
) -> None:
    seen: list[Any] = []
    app.before_request(lambda: seen.extend([request.endpoint, str(request.url_rule), request.view_args]))
    app.test_client().get(path)
    assert seen[0] == endpoint
    assert rule is None or seen[1] == rule
    assert seen[2] == arguments


def test_the_rule_of_a_request_has_its_verbs_and_arguments(app: Any) -> None:
    with app.test_request_context("/shop/orders/show/7"):
        assert request.url_rule is not None
        assert {"GET", "HEAD", "POST", "OPTIONS"} == request.url_rule.methods
        assert request.url_rule.arguments == {"number", "unit"}
        assert request.blueprint is None
        assert request.blueprints == []


def test_a_path_that_leads_nowhere_has_no_endpoint(app: Any) -> None:
    with app.test_request_context("/shop/nothing"):
        assert (request.endpoint, request.view_args) == (None, None)
        assert request.routing_exception is not None


def test_a_broken_library_is_no_endpoint_and_before_request_runs_still(site: Any) -> None:
    site.write("lib.py", "class Lib(\n")
    app = site.app()
    app.before_request(lambda: "closed" if request.endpoint is None else None)
    assert app.test_client().get("/lib").text == "closed"


def test_view_functions_know_the_methods_of_the_catalogue(app: Any) -> None:
    views = app.view_functions
    assert views.get("shop.orders.Orders.show").mark == "seen"
    assert views["shop.orders.Orders.show"].__name__ == "show"
    for wrong in (
        "shop.orders.Orders.none",
        "shop.orders.Orders",
        "shop.orders.Orders.before",
        "",
        "a..b",
        "static2",
    ):
        assert views.get(wrong) is None
        assert views.get(wrong, 3) == 3
        with pytest.raises(KeyError):
            views[wrong]


def test_an_extension_may_call_the_view_function_of_the_request(app: Any) -> None:
    views = app.view_functions
    app.before_request(lambda: views[request.endpoint](**request.view_args))
    client = app.test_client()
    assert client.get("/shop/orders/show/3").text == "3"
    assert client.get("/shop/orders/Hooked/fail").status_code == 500
    app.before_request_funcs = {None: [lambda: views["shop.orders.Orders.show"](number=4)]}
    assert client.get("/shop/orders/Hooked").status_code == 500, "not the method of this request"


def test_each_rule_of_the_url_map_has_a_view_function_and_verbs(app: Any) -> None:
    for rule in app.url_map.iter_rules():
        assert callable(app.view_functions[rule.endpoint]), rule
        assert rule.methods, rule


@pytest.mark.parametrize(
    ("verb", "path", "status", "after"),
    [
        ("GET", "/shop/orders/Hooked", 200, "Hooked 200"),
        ("HEAD", "/shop/orders/Hooked", 200, "Hooked 200"),
        ("GET", "/shop/orders/Hooked?stop=1", 200, "Hooked 200"),
        ("GET", "/shop/orders/Hooked?denied=1", 403, "Hooked 403"),
        ("GET", "/shop/orders/Hooked/fail", 500, "Hooked 500"),
        ("GET", "/shop/orders/Hooked/missing", 400, "Hooked 400"),
        ("GET", "/shop/orders/Hooked/stream", 200, "Hooked 200"),
        ("OPTIONS", "/shop/orders/Hooked", 204, "Hooked 204"),
        ("DELETE", "/shop/orders/Hooked", 405, "Hooked 405"),
        ("GET", "/shop/orders/Unmade", 403, None),
        ("GET", "/shop/orders/Hooked/none", 404, None),
        ("GET", "/shop/orders/Broken", 500, None),
        ("OPTIONS", "/shop/orders/Broken", 500, None),
    ],
)
def test_after_hooks_see_every_response_of_their_class(
    app: Any, verb: str, path: str, status: int, after: str | None
) -> None:
    response = app.test_client().open(path, method=verb)
    assert (response.status_code, response.headers.get("X-After")) == (status, after)


def test_after_hooks_of_a_folder_see_errors_and_run_before_those_of_the_app(app: Any, site: Any) -> None:
    site.write("shop/_folder.py", "def after(self, response):\n    response.headers.add('X-Order', 'folder')\n")
    order: list[list[str]] = []

    @app.after_request
    def note(response: Any) -> Any:
        order.append(response.headers.getlist("X-Order"))
        return response

    for path, status in (("/shop/orders", 200), ("/shop/orders/fail", 500), ("/shop/orders/refuse", 409)):
        assert app.test_client().get(path).status_code == status
    assert order == [["folder"]] * 3


@pytest.mark.parametrize(
    ("status", "verb", "path", "sent"),
    [
        (404, "GET", "/nothing", {}),
        (405, "PUT", "/shop/orders", {}),
        (422, "GET", "/shop/orders/show/x", {}),
        (400, "GET", "/shop/orders/Hooked/missing", {}),
        (400, "POST", "/shop/orders/Hooked/missing", {"data": "{", "content_type": "application/json"}),
        (413, "POST", "/shop/orders/Hooked/missing", {"data": {"a": "x" * 9000}}),
        (409, "GET", "/shop/orders/refuse", {}),
    ],
)
def test_an_error_handler_of_a_status_gets_the_kernels_errors(
    site: Any, status: int, verb: str, path: str, sent: dict[str, Any]
) -> None:
    site.write("shop/orders.py", ORDERS)
    app = site.app(maxParamsBytes=5000)
    app.register_error_handler(status, lambda error: (f"{error.code}: {error.description}", error.code))
    response = app.test_client().open(path, method=verb, **sent)
    assert response.status_code == status
    assert response.text.startswith(f"{status}: ")
    assert len(response.text) > 10
