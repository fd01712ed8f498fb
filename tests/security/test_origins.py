"""Requests that pages of other sites make: refused where they may change something, unless their origin is trusted."""

from __future__ import annotations

from typing import Any

import pytest

SHOP = """
    from kernkoa import allow

    class Shop:
        def pay(self):
            return "paid"

        @allow("POST", "DELETE", origins="https://partner.example")
        def order(self):
            return "ordered"

        @allow("GET", origins="*")
        def prices(self):
            return {"bread": 2}

        @allow("POST", origins="*")
        def count(self):
            return "counted"

        def fail(self):
            raise LookupError
"""
OWN, OTHER, PARTNER, TRUSTED = (
    "http://localhost",
    "https://evil.example",
    "https://partner.example",
    "https://app.example",
)
PREFLIGHT = {"Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "content-type,x-own"}


@pytest.fixture
def client(site: Any) -> Any:
    site.write("shop.py", SHOP)
    return site.app(origins=[TRUSTED]).test_client(use_cookies=False)


ADMITTED = [
    {},  # no browser
    {"Sec-Fetch-Site": "same-origin"},
    {"Sec-Fetch-Site": "none"},
    {"Sec-Fetch-Site": "same-origin", "Origin": OTHER},  # what the browser says of itself counts first
    {"Origin": OWN},
    {"Origin": TRUSTED},
    {"Origin": TRUSTED, "Sec-Fetch-Site": "cross-site"},
]
REFUSED = [
    {"Sec-Fetch-Site": "cross-site"},
    {"Sec-Fetch-Site": "same-site"},
    {"Sec-Fetch-Site": "SAME-ORIGIN"},
    {"Sec-Fetch-Site": "cross-site", "Origin": OWN},
    {"Sec-Fetch-Site": "cross-site", "Origin": "null"},
    {"Origin": OTHER},
    {"Origin": "null"},
    {"Origin": "http://localhost.evil.example"},
    {"Origin": "http://localhost:8080"},
    {"Origin": "http://evil.example/localhost"},
    {"Origin": "http://["},
    {"Origin": "x" * 5000},
    {"Origin": TRUSTED + ".evil.example", "Sec-Fetch-Site": "cross-site"},
    {"Origin": TRUSTED + ":8443"},
    {"Origin": TRUSTED + "/"},
    {"Origin": TRUSTED + "."},
    {"Origin": TRUSTED.upper()},
    {"Origin": TRUSTED.replace("https", "http")},
    {"Origin": f"{TRUSTED} {OTHER}"},
    {"Origin": f"{TRUSTED},{OTHER}"},
    {"Origin": "https://app.example@evil.example"},
    {"Origin": "https://user@app.example"},
    {"Origin": "http://user@localhost"},
    {"Origin": "http://localhost."},
    {"Origin": "http://localhost\\@evil.example"},
    {"Origin": "http://[::1]"},
    {"Origin": "http://127.0.0.1"},
    {"Origin": "http://xn--lcalhost-54a"},
    {"Origin": "app://localhost"},
    {"Origin": "file://localhost"},
    {"Origin": "//localhost"},
    {"Origin": "localhost"},
    {"Origin": "*"},
    {"Sec-Fetch-Site": "same-origin, cross-site"},
    {"Sec-Fetch-Site": "none none"},
    {"Sec-Fetch-Site": "nothing"},
    {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate", "Sec-Fetch-User": "?1"},
    {"Sec-Fetch-Site": "same-site", "Origin": "http://sub.localhost"},
    {"Sec-Fetch-Site": "cross-site", "Authorization": "Bearer x"},
    {"Sec-Fetch-Site": "cross-site", "X-Requested-With": "XMLHttpRequest", "X-HTTP-Method-Override": "GET"},
]


@pytest.mark.parametrize("headers", ADMITTED, ids=str)
def test_a_request_of_the_own_pages_of_programs_and_of_trusted_origins_passes(client: Any, headers: Any) -> None:
    assert client.post("/shop/pay", headers=headers).text == "paid"


def test_a_request_with_an_empty_host_is_of_no_site(client: Any) -> None:
    assert client.post("/shop/pay", headers={"Origin": "null", "Host": ""}).status_code == 421


@pytest.mark.parametrize("headers", REFUSED, ids=lambda headers: str(headers)[:60])
@pytest.mark.parametrize("path", ["/shop/pay", "/shop/order", "/status/x/cancel"])
def test_an_unsafe_request_of_another_sites_page_is_refused(client: Any, headers: Any, path: str) -> None:
    response = client.post(path, headers=headers)
    assert response.status_code == 403
    assert response.get_json()["title"] == "Forbidden"
    assert "Access-Control-Allow-Origin" not in response.headers
    assert client.get("/shop/pay", headers=headers).status_code == 200


def test_a_method_trusts_origins_of_its_own(client: Any) -> None:
    headers = {"Origin": PARTNER, "Sec-Fetch-Site": "cross-site"}
    assert client.post("/shop/order", headers=headers).text == "ordered"
    assert client.post("/shop/pay", headers=headers).status_code == 403


def test_every_origin_is_trusted_only_without_what_a_browser_adds_by_itself(client: Any) -> None:
    headers = {"Origin": OTHER, "Sec-Fetch-Site": "cross-site"}
    assert client.post("/shop/count", headers=headers).text == "counted"
    for more in ({"Cookie": "kernkoa_session=x"}, {"Authorization": "Basic YTpi"}):
        assert client.post("/shop/count", headers=headers | more).status_code == 403
    assert client.post("/shop/count", headers=headers | {"Authorization": "Bearer x"}).status_code == 200


@pytest.mark.parametrize(
    ("verb", "path", "status"),
    [
        ("GET", "/shop/pay", 200),
        ("OPTIONS", "/shop/pay", 204),
        ("DELETE", "/shop/pay", 405),
        ("GET", "/shop/nothing/here", 404),
        ("GET", "/shop/fail", 500),
        ("GET", "/_koa/health", 200),
        ("POST", "/shop/order", 200),
    ],
)
def test_a_trusted_origin_reads_every_answer_errors_too(client: Any, verb: str, path: str, status: int) -> None:
    response = client.open(path, method=verb, headers={"Origin": TRUSTED})
    assert response.status_code == status
    assert response.headers["Access-Control-Allow-Origin"] == TRUSTED
    assert response.headers["Access-Control-Allow-Credentials"] == "true"
    assert "Origin" in response.headers["Vary"]
    foreign = client.open(path, method=verb, headers={"Origin": OTHER})
    assert "Access-Control-Allow-Origin" not in foreign.headers
    assert "Origin" in foreign.headers["Vary"]


def test_a_preflight_says_which_verbs_and_headers_may_come(client: Any) -> None:
    response = client.options("/shop/order", headers=PREFLIGHT | {"Origin": PARTNER})
    assert response.headers["Access-Control-Allow-Methods"] == "DELETE, OPTIONS, POST"
    assert response.headers["Access-Control-Allow-Headers"] == "content-type,x-own"
    assert response.headers["Access-Control-Max-Age"] == "600"
    assert "Access-Control-Allow-Methods" not in client.options("/shop/order", headers=PREFLIGHT).headers
    foreign = client.options("/shop/order", headers=PREFLIGHT | {"Origin": OTHER})
    assert not [name for name, _ in foreign.headers if name.startswith("Access-Control")]


def test_every_origin_may_read_but_not_with_credentials(client: Any) -> None:
    response = client.get("/shop/prices", headers={"Origin": OTHER})
    assert response.headers["Access-Control-Allow-Origin"] == "*"
    assert "Access-Control-Allow-Credentials" not in response.headers


def test_a_site_that_trusts_nobody_sends_no_cors_headers(site: Any) -> None:
    site.write("shop.py", SHOP)
    response = site.client().get("/shop/pay", headers={"Origin": OTHER})
    assert not [name for name, _ in response.headers if name.startswith("Access-Control") or name == "Vary"]


def test_the_public_url_is_the_own_host_behind_a_proxy_that_hides_it(site: Any) -> None:
    site.write("shop.py", SHOP)
    client = site.client(url="https://shop.example/")
    assert client.post("/shop/pay", headers={"Origin": "https://shop.example"}).status_code == 200


@pytest.mark.parametrize("origins", ["shop.example", "https://a/b", "", ["ftp://x"], "https://"])
def test_an_origin_is_scheme_and_host(site: Any, origins: Any) -> None:
    from system.core.dispatch.decorators import allow
    from system.core.settings import Settings

    with pytest.raises(TypeError, match="write scheme and host"):
        allow("POST", origins=origins)
    with pytest.raises(ValueError, match="origins"):
        Settings(path=site.root, origins=origins if isinstance(origins, list) else [origins])
