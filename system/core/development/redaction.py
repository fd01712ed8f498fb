"""Values as text for a page that explains: short, and without the site's secrets."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from reprlib import Repr
from typing import Any

from ..settings import Settings

HIDDEN = "••••••"
_WORDS = r"secret|passw|pwd|token|api_?key|private_?key|authori[sz]ation|cookie|credential|session_?id"
_SECRET_NAME = re.compile(_WORDS, re.IGNORECASE)
# name='value', "name": "value", name=value: the value of such a name in the text of anything
_SECRET_PAIR = re.compile(
    rf"(?P<name>(?<!\w)['\"]?\w*?(?:{_WORDS})\w*['\"]?\s*[:=]\s*)(?P<value>b?'[^'\n]*'?|b?\"[^\"\n]*\"?|[^\s,;)}}\]'\"]+)",
    re.IGNORECASE,
)
# the same in source, where only a text that is written out is a secret
_SECRET_TEXT = re.compile(
    rf"(?P<name>(?<!\w)['\"]?\w*?(?:{_WORDS})\w*['\"]?\s*[:=]\s*)(?P<value>[rbfu]*'[^'\n]+'|[rbfu]*\"[^\"\n]+\")",
    re.IGNORECASE,
)
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
    for secret in _secrets_of(settings):
        text = text.replace(secret, HIDDEN)
    text = _URL_PASSWORD.sub(rf"\g<before>{HIDDEN}", text)
    return _SECRET_PAIR.sub(lambda found: found["name"] + HIDDEN, text)


def mask_source(text: str, settings: Settings) -> str:
    """A line of source without the secrets that it spells out; code like `token = read()` stays."""
    for secret in _secrets_of(settings):
        text = text.replace(secret, HIDDEN)
    text = _URL_PASSWORD.sub(rf"\g<before>{HIDDEN}", text)
    return _SECRET_TEXT.sub(lambda found: f'{found["name"]}"{HIDDEN}"', text)


def _secrets_of(settings: Settings) -> Iterator[str]:
    values: list[Any] = [settings.secretKey]
    values += [database.get("password") for database in settings.databases.values()]
    values += [value for name, value in (settings.model_extra or {}).items() if is_secret(name)]
    for value in values:
        if isinstance(value, str) and len(value) >= _SHORTEST_SECRET:
            yield value


def message_of(error: BaseException) -> str:
    """What an exception says, also where its own __str__ raises."""
    try:
        return error.msg if isinstance(error, SyntaxError) else str(error)
    except Exception as fault:  # noqa: BLE001 - the user's __str__ may raise anything
        return f"(its __str__ raised {type(fault).__name__})"


class _Short(Repr):
    def __init__(self) -> None:
        super().__init__()
        self.maxstring = self.maxother = 300
        self.maxdict = self.maxlist = self.maxtuple = self.maxset = 12
        self.maxlevel = 3


def shown(name: str, value: Any, settings: Settings) -> str:
    """A value as a page may show it beside its name."""
    if is_secret(name):
        return HIDDEN
    try:
        text = _Short().repr(value)
    except Exception as error:  # noqa: BLE001 - the user's __repr__ may raise anything
        return f"<{type(value).__name__}: it cannot be shown: {type(error).__name__}>"
    return mask(text, settings)


def shown_items(items: Mapping[str, Any], settings: Settings) -> list[tuple[str, str]]:
    """The pairs of a mapping as a page may show them."""
    return [(str(name), shown(str(name), value, settings)) for name, value in items.items()]
