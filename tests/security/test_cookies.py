"""The session's cookie: its flags over http and https, and keys that are replaced while sessions live."""

from __future__ import annotations

from typing import Any

import pytest

VISIT = """
    from kernkoa import session

    class visit:
        def index(self):
            session["times"] = session.get("times", 0) + 1
            return {"times": session["times"]}
"""
OLD, NEW = "old key " * 4, "new key " * 4


@pytest.mark.parametrize(
    ("settings", "url", "expected", "missing"),
    [
        ({}, "http://localhost", "kernkoa_session=", "Secure"),
        ({}, "https://localhost", "__Host-kernkoa_session=", "Domain"),
        ({"base": "/sub"}, "https://localhost", "kernkoa_session=", "__Host-"),
    ],
)
def test_the_cookie_is_as_strict_as_its_transport_lets_it_be(
    site: Any, settings: Any, url: str, expected: str, missing: str
) -> None:
    site.write("visit.py", VISIT)
    sent = site.client(**settings).get(f"{settings.get('base', '')}/visit", base_url=url).headers["Set-Cookie"]
    assert sent.startswith(expected)
    assert missing not in sent
    assert ("Secure" in sent) is url.startswith("https")
    assert "HttpOnly" in sent
    assert "SameSite=Lax" in sent


def test_a_session_over_https_is_found_again(site: Any) -> None:
    site.write("visit.py", VISIT)
    client = site.client()
    assert [client.get("/visit", base_url="https://localhost").get_json()["times"] for _ in range(3)] == [1, 2, 3]


def test_keys_are_replaced_without_ending_a_session(site: Any) -> None:
    site.write("visit.py", VISIT)
    cookie = site.client(secretKeys=[OLD]).get("/visit").headers["Set-Cookie"].split(";")[0]
    for keys, times in (([NEW, OLD], 2), ([OLD, NEW], 2), ([NEW], 1)):
        client = site.app(secretKeys=keys).test_client(use_cookies=False)
        assert client.get("/visit", headers={"Cookie": cookie}).get_json() == {"times": times}
    signed = site.client(secretKeys=[NEW, OLD]).get("/visit").headers["Set-Cookie"].split(";")[0]
    only_new = site.app(secretKeys=[NEW]).test_client(use_cookies=False)
    assert only_new.get("/visit", headers={"Cookie": signed}).get_json() == {"times": 2}


def test_a_short_key_is_refused_and_not_shown(site: Any) -> None:
    from system.core.errors import SettingsError
    from system.core.settings import read_settings

    (site.root / "config.py").write_text("secretKeys = ['short']\n")
    with pytest.raises(SettingsError) as raised:
        read_settings(site.root / "config.py", {})
    assert "'short'" not in str(raised.value)
