"""Values as text for a page that explains: short, and without the site's secrets."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from reprlib import Repr
from typing import Any

from .checked import kinds_of
from .settings import Settings

HIDDEN = "••••••"
_WORDS = r"secret|passw|pwd|token|api_?key|private_?key|authori[sz]ation|cookie|credential|session_?id"
_SECRET_NAME = re.compile(_WORDS, re.IGNORECASE)
# name=, name: and "name": in the text of anything. Possessive (++): a long text without a sign costs linear time
_NAME = re.compile(r"(?<!\w)['\"]?+(\w++)['\"]?+\s*+[:=]\s*+")
_VALUE = re.compile(r"b?'[^'\n]*'?|b?\"[^\"\n]*\"?|[^\s,;)}\]'\"]+")
# in source only a text that is written out is a secret
_WRITTEN_VALUE = re.compile(r"[rbfu]*'[^'\n]+'|[rbfu]*\"[^\"\n]+\"", re.IGNORECASE)
_URL_PASSWORD = re.compile(
    r"(?P<before>(?<![a-z0-9+.-])[a-z][a-z0-9+.-]*://[^\s:/@]*:)[^\s/@]+(?=@)", re.IGNORECASE
)
_SHORTEST_SECRET = 4
LONGEST_TEXT = 20_000


def is_secret(name: str) -> bool:
    """Whether a name says that its value is not for showing: secretKey, password, api_key, Authorization."""
    return _SECRET_NAME.search(name) is not None


def mask(text: str, settings: Settings) -> str:
    """The text without the secrets of the settings, passwords in URLs, and values whose name gives them away."""
    if len(text) > LONGEST_TEXT:
        text = text[:LONGEST_TEXT] + " …"
    return _hide(text, settings, _VALUE, HIDDEN)


def mask_source(text: str, settings: Settings) -> str:
    """A line of source without the secrets that it spells out; code like `token = read()` stays."""
    return _hide(text, settings, _WRITTEN_VALUE, f'"{HIDDEN}"')


def _hide(text: str, settings: Settings, value: re.Pattern[str], shown: str) -> str:
    """The text without known secrets, and with `shown` for each value whose name says that it is one."""
    for secret in _secrets_of(settings):
        text = text.replace(secret, HIDDEN)
    text = _URL_PASSWORD.sub(rf"\g<before>{HIDDEN}", text)
    pieces, at = [], 0
    for name in _NAME.finditer(text):
        found = value.match(text, name.end()) if name.start() >= at and is_secret(name[1]) else None
        if found:
            pieces += [text[at : name.end()], shown]
            at = found.end()
    return "".join([*pieces, text[at:]])


def _secrets_of(settings: Settings) -> Iterator[str]:
    values: list[Any] = [settings.secretKey]
    values += [database.get("password") for database in settings.databases.values()]
    values += [
        value for name, value in vars(settings).items() if is_secret(name) and name not in kinds_of(Settings)
    ]
    for value in values:
        if isinstance(value, str) and len(value) >= _SHORTEST_SECRET:
            yield value


def message_of(error: BaseException) -> str:
    """The message of an exception, also where its own __str__ raises."""
    try:
        return error.msg if isinstance(error, SyntaxError) else str(error)
    except Exception as fault:  # noqa: BLE001 - the user's __str__ may raise anything
        return f"(its __str__ raised {type(fault).__name__})"


def without_secrets(value: Any) -> Any:
    """A value of JSON in which what stands under the name of a secret is hidden, at any depth."""
    if isinstance(value, Mapping):
        return {
            str(name): HIDDEN if is_secret(str(name)) else without_secrets(inner) for name, inner in value.items()
        }
    return [without_secrets(inner) for inner in value] if isinstance(value, list | tuple) else value


_short = Repr()
_short.maxstring = _short.maxother = 300
_short.maxdict = _short.maxlist = _short.maxtuple = _short.maxset = 12
_short.maxlevel = 3


def shown(name: str, value: Any, settings: Settings) -> str:
    """A value as a page may show it beside its name."""
    if is_secret(name):
        return HIDDEN
    try:
        text = _short.repr(value)
    except Exception as error:  # noqa: BLE001 - the user's __repr__ may raise anything
        return f"<{type(value).__name__}: it cannot be shown: {type(error).__name__}>"
    return mask(text, settings)


def shown_items(items: Mapping[str, Any], settings: Settings) -> list[tuple[str, str]]:
    """The pairs of a mapping as a page may show them."""
    return [(str(name), shown(str(name), value, settings)) for name, value in items.items()]
