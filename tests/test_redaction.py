"""Secrets do not reach a page, in whatever text they stand; other text stays as it is."""

from __future__ import annotations

import time

import pytest

from system.core.redaction import HIDDEN, is_secret, mask, mask_source, message_of, shown
from system.core.settings import Settings

SETTINGS = Settings(
    secretKey="s3cr3t-of-sessions",
    databases={"maindb": {"driver": "mysql", "host": "h", "password": "of-the-database"}},
    mailPassword="of-the-mail",
)


@pytest.mark.parametrize(
    "text",
    [
        "key is s3cr3t-of-sessions, yes",
        "{'password': 'hidden-value'}",
        '{"api_key": "hidden-value"}',
        "api-token=hidden-value&x=1",
        "Settings(secretKey='hidden-value', name='x')",
        "password = hidden-value",
        "Authorization: hidden-value",
        "redis://me:hidden-value@host:6379/0",
        "cannot reach mysql+pymysql://user:hidden-value@host/db?x=1",
        "of-the-database and of-the-mail",
        "{'db_password': b'hidden-value'}",
    ],
)
def test_a_secret_is_masked(text: str) -> None:
    masked = mask(text, SETTINGS)
    assert HIDDEN in masked
    for secret in ("s3cr3t", "hidden-value", "of-the-database", "of-the-mail"):
        assert secret not in masked


@pytest.mark.parametrize(
    "text",
    [
        "division by zero",
        "{'name': 'Ann', 'count': 3}",
        "expected token 'end of statement block', got 'x'",
        "http://host:5000/path",
        "the password is wrong",
    ],
)
def test_other_text_stays(text: str) -> None:
    assert mask(text, SETTINGS) == text


def test_source_keeps_its_code_and_loses_the_secrets_that_it_spells_out() -> None:
    assert mask_source('    token = read_token("file")', SETTINGS) == '    token = read_token("file")'
    assert mask_source('    password = "abc"', SETTINGS) == f'    password = "{HIDDEN}"'
    assert "of-the-mail" not in mask_source('login("of-the-mail")', SETTINGS)


@pytest.mark.parametrize(
    "name", ["password", "secretKey", "api_key", "Authorization", "Set-Cookie", "access_token"]
)
def test_a_name_that_says_so_is_secret(name: str) -> None:
    assert is_secret(name)
    assert shown(name, "anything", SETTINGS) == HIDDEN


def test_a_value_is_shown_short_and_without_what_it_holds_in_secret() -> None:
    assert len(shown("text", "x" * 1_000_000, SETTINGS)) < 1_000
    assert len(shown("items", list(range(1_000_000)), SETTINGS)) < 1_000
    assert "abcd" not in shown("user", {"name": "Ann", "password": "abcd"}, SETTINGS)
    assert "s3cr3t" not in shown("settings", SETTINGS, SETTINGS)
    assert "of-the-database" not in shown("settings", SETTINGS, SETTINGS)


def test_a_value_that_cannot_be_shown_is_named() -> None:
    class Odd:
        def __repr__(self) -> str:
            raise RuntimeError

        __str__ = __repr__

    assert "Odd instance" in shown("odd", Odd(), SETTINGS)
    assert "Odd instance" in shown("odd", [Odd()], SETTINGS)
    assert message_of(ValueError(Odd())) == "(its __str__ raised RuntimeError)"


@pytest.mark.parametrize(
    "text", ["x" * 1_000_000, "password" * 100_000, "a:" * 500_000, "://" * 300_000, "'" * 10**6]
)
def test_a_long_text_is_cut_and_takes_no_time(text: str) -> None:
    began = time.process_time()
    assert len(mask(text, SETTINGS)) < 250_000
    assert time.process_time() - began < 5


@pytest.mark.parametrize(
    "text",
    ["token" * 4_000, "password " * 2_000, "secret=" * 2_500, "a=" * 9_000, "token" + " " * 19_000, "'" * 19_000,
     "a://b:" * 3_000, "secret='" * 2_400, "/" * 19_000, "x" * 19_000 + "secret"],
)  # fmt: skip
def test_no_text_costs_more_than_linear_time(text: str) -> None:
    start = time.process_time()
    mask(text, Settings())
    mask_source(text, Settings())
    assert time.process_time() - start < 0.2


def test_a_secret_inside_a_value_is_hidden_too() -> None:
    for text in (
        "config={'password': 'x1y2'}",
        "url='token=x1y2'",
        "a=b, secret_key = x1y2",
        'f("api_key": "x1y2")',
    ):
        assert "x1y2" not in mask(text, Settings()), text
