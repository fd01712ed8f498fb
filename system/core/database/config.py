"""One entry of config.databases, checked."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Annotated, Any, Literal

from ..checked import Checked, InvalidValues, kinds_of, matches
from ..errors import SettingsError

IN_MEMORY = re.compile(r"(sqlite(\+\w+)?:///?)?(:memory:)?")


class Entry(Checked):
    """One database of config.databases: a driver and its server, or a `url`."""

    driver: Literal["", "sqlite", "mysql", "mysqldb", "postgresql", "mssql"] = ""
    host: str = ""
    port: int | None = None
    user: str | None = None
    password: str | None = None
    database: str | None = None
    url: Annotated[str, matches(r"([\w+]+://.*)?", "a URL such as postgresql://user:password@host/database")] = ""


def check_entry(name: str, values: Mapping[str, Any]) -> Entry:
    """The checked entry. Raises SettingsError, which never shows a password."""
    try:
        entry = Entry(**values)
        faults = list(_find_faults(entry))
    except InvalidValues as error:
        faults = [_explain(*fault) for fault in error.faults]
    if faults:
        raise SettingsError(f"config.py: databases[{name!r}] cannot be used: {'; '.join(faults)}")
    return entry


def _explain(place: tuple[str, ...], value: Any, expected: str) -> str:
    shown = "…" if place[0] in ("password", "url") else repr(value)
    return f"{'.'.join(place)} = {shown}: expected {expected}"


def _find_faults(entry: Entry) -> Iterator[str]:
    for name in vars(entry):
        if name not in kinds_of(Entry):
            yield f"{name} is not known; known are {', '.join(kinds_of(Entry))}"
    if bool(entry.driver) == bool(entry.url):
        yield "give either a driver or a url"
    elif entry.driver and not entry.host:
        yield "host is missing: the server, or the file of a SQLite database"
    elif IN_MEMORY.fullmatch(entry.url or entry.host):
        yield "an in-memory database would be a different one in each thread. Name a file"
