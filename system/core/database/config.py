"""One entry of config.databases, validated."""

from __future__ import annotations

import re
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from ..errors import SettingsError

IN_MEMORY = re.compile(r"(sqlite(\+\w+)?:///?)?(:memory:)?")


class Entry(BaseModel):
    """One database of config.databases: a driver and its server, or a `url`."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    driver: Literal["", "sqlite", "mysql", "mysqldb", "postgresql", "mssql"] = ""
    host: str = ""
    port: int | None = None
    user: str | None = None
    password: str | None = None
    database: str | None = None
    url: Annotated[str, Field(pattern=r"^([\w+]+://.*)?$")] = ""

    @model_validator(mode="after")
    def _names_one_place(self) -> Entry:
        if bool(self.driver) == bool(self.url):
            raise ValueError("give either a driver or a url")
        if self.driver and not self.host:
            raise ValueError("host is missing: the server, or the file of a SQLite database")
        if IN_MEMORY.fullmatch(self.url or self.host):
            raise ValueError("an in-memory database would be a different one in each thread. Name a file")
        return self


def check_entry(name: str, values: dict[str, Any]) -> Entry:
    """The validated entry. Raises SettingsError, which never shows a password."""
    try:
        return Entry.model_validate(values)
    except ValidationError as error:
        faults = "; ".join(_explain(fault) for fault in error.errors())
        raise SettingsError(f"config.py: databases[{name!r}] cannot be used: {faults}") from None


def _explain(fault: Any) -> str:
    where = ".".join(str(part) for part in fault["loc"])
    if not where:
        return str(fault["msg"])
    shown = "…" if where in ("password", "url") else repr(fault["input"])
    return f"{where} = {shown}: {fault['msg']}"
