"""The Host header: a site answers for its own names, in development for those of this machine."""

from __future__ import annotations

import socket
from typing import Any

import pytest
from flask import request

LINK = """
    from kernkoa import *

    class link:
        def index(self):
            return current_app.settings.url
"""


def ask(client: Any, host: str | None, path: str = "/link") -> Any:
    return client.get(path, headers={} if host is None else {"Host": host})


@pytest.mark.parametrize("host", ["shop.example", "SHOP.example", "shop.example:8443", "a.b.cafe.example"])
def test_the_sites_own_names_are_answered(site: Any, host: str) -> None:
    site.write("link.py", LINK)
    assert ask(site.client(hosts=["shop.example", ".cafe.example"]), host).status_code == 200


@pytest.mark.parametrize(
    "host",
    [
        "evil.example",
        "shop.example.evil.example",
        "evilshop.example",
        "shop.example@evil.example",
        "shop.example/evil",
        "shop.example:80:80",
        "shop.example evil",
        "shop.example#",
        "shop.example:",
        "shop.example:443@evil.example",
        "shop.example,evil.example",
        "shop.example%00.evil.example",
        "user:pass@shop.example",
        ".shop.example",
        "-shop.example",
        "sub.shop.example",
        "shop..example",
        "xn--shop-0ra.example",
        "shop\u3002example".encode().decode("latin-1"),
        "[::1]",
        "[::ffff:127.0.0.1]",
        "2130706433",
        "0x7f.1",
        "localhost",
        "127.0.0.1",
        "",
        "x" * 5000,
    ],
)
def test_any_other_is_misdirected(site: Any, host: str) -> None:
    site.write("link.py", LINK)
    response = ask(site.client(hosts=["shop.example"]), host)
    assert response.status_code == 421
    assert response.get_json()["title"] == "Misdirected Request"


@pytest.mark.parametrize(
    "host", ["a b", "a/b", "a#b", "a?b", "<a>", "a\\b", "[::1", "::1", "a:b", ".", ":80", "ä"]
)
def test_a_malformed_host_is_refused_whatever_the_setting(site: Any, host: str) -> None:
    site.write("link.py", LINK)
    assert ask(site.client(), host.encode().decode("latin-1")).status_code == 421


def test_without_the_setting_every_well_formed_host_is_answered_in_production(site: Any) -> None:
    site.write("link.py", LINK)
    for host in ("any.example", "any.example:81", "192.0.2.1", "[2001:db8::1]:80"):
        assert ask(site.client(), host).text == f"http://{host.removesuffix(':80')}/"


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("localhost:5000", 200),
        ("127.0.0.1:5000", 200),
        ("[::1]:5000", 200),
        ("shop.localhost", 200),
        ("192.168.1.20:5000", 200),  # a telephone in the same network: no name, no DNS rebinding
        (socket.gethostname(), 200),
        ("box.lan", 200),
        ("tunnel.example", 200),
        ("rebound.evil.example", 421),
        ("localhost.evil.example", 421),
        ("2130706433", 421),  # an address that only some programs read
        ("127.1", 421),
        ("0x7f000001", 421),
        ("127.0.0.1.evil.example", 421),
        ("[::1%25lo]", 421),
        ("localhost.", 200),
    ],
)
def test_in_development_it_is_this_machines_names(site: Any, host: str, status: int) -> None:
    site.write("link.py", LINK)
    client = site.client(development=True, host="box.lan", hosts=["tunnel.example"])
    for path in ("/link", "/_koa/", "/_koa/openapi.json"):
        assert ask(client, host, path).status_code == status, path


def test_a_load_balancer_may_ask_for_health_by_address(site: Any) -> None:
    assert ask(site.client(hosts=["shop.example"]), "10.0.0.7:8080", "/_koa/health").status_code == 200


def test_what_is_remembered_of_hosts_is_bounded(site: Any) -> None:
    app = site.app()
    client = app.test_client()
    for number in range(1200):
        ask(client, f"h{number}.example", "/_koa/health")
    assert len(app.hosts.known) == 1000


@pytest.mark.parametrize("text", ["a.example,b.example", "a.example b.example", '["a.example", "b.example"]'])
def test_the_environment_may_list_hosts_with_commas(site: Any, text: str) -> None:
    from system.core.settings import read_settings

    assert read_settings(site.root / "config.py", {"KERNKOA_HOSTS": text}).hosts == ["a.example", "b.example"]


def test_no_code_of_a_site_or_an_extension_sees_a_host_that_is_not_its_own(site: Any) -> None:
    site.write("link.py", LINK)
    app = site.app(hosts=["shop.example"])
    seen: list[str] = []
    app.before_request_funcs.setdefault(None, []).append(lambda: seen.append(request.host))
    app.after_request_funcs.setdefault(None, []).append(lambda response: response)
    client = app.test_client()
    assert [ask(client, host).status_code for host in ("shop.example", "evil.example")] == [200, 421]
    assert seen == ["shop.example"]


def test_flasks_own_setting_holds_as_well(site: Any) -> None:
    site.write("link.py", LINK)
    app = site.app(hosts=["shop.example", "cafe.example"])
    app.config["TRUSTED_HOSTS"] = ["shop.example"]
    client = app.test_client()
    assert [ask(client, f"{name}.example").status_code for name in ("shop", "cafe", "evil")] == [200, 400, 421]
