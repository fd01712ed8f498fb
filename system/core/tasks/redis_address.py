"""The address of Redis: the setting redisUrl, read and checked once, in the form that every client of it gets."""

from __future__ import annotations

import hashlib
import os
import re
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, unquote

from ..errors import SettingsError
from ..settings import Settings

SOCKET_NAME = "redis.sock"
LONGEST_SOCKET_PATH = 100  # sockaddr_un holds 108 bytes, macOS 104
REDIS_PORT, SENTINEL_PORT = 6379, 26379

_SCHEMES = {
    "redis": "tcp",
    "valkey": "tcp",
    "rediss": "tls",
    "valkeys": "tls",
    "unix": "socket",
    "redis+socket": "socket",
    "sentinel": "sentinel",
    "redis+sentinel": "sentinel",
    "sentinels": "sentinel tls",
    "rediss+sentinel": "sentinel tls",
}
_HOST = re.compile(r"(\[[0-9A-Fa-f:.]+(?:%[\w.-]+)?\]|[\w.-]*)(?::([0-9]{1,5}))?")
_FILES = ("ssl_ca_certs", "ssl_certfile", "ssl_keyfile")
_TLS = (*_FILES, "ssl_cert_reqs", "ssl_check_hostname", "ssl_password")
_LOGIN = ("username", "password")
_SENTINEL = ("master", "sentinel_username", "sentinel_password")


@dataclass(frozen=True, slots=True)
class Address:
    """A Redis server. `options` are those of redis-py's connections; `shown` is the URL without its passwords.

    With `sentinels` the server is the one that they name for `master`; `sentinel_options` are for talking to them.
    """

    shown: str
    kind: str = "tcp"
    options: Mapping[str, Any] = field(default_factory=dict, repr=False)
    sentinels: tuple[tuple[str, int], ...] = ()
    sentinel_options: Mapping[str, Any] = field(default_factory=dict, repr=False)
    master: str = ""


class ShownAddress(str):
    """An Address among Celery's options, which Celery shows to whoever asks its workers: without its passwords."""

    __slots__ = ("address",)
    address: Address

    def __new__(cls, address: Address) -> ShownAddress:
        made = super().__new__(cls, address.shown)
        made.address = address
        return made


def socket_path(settings: Settings) -> Path:
    """The Unix socket of the embedded server; in the system's temporary folder if the path in var/ is too long."""
    path = settings.var / SOCKET_NAME
    if len(os.fsencode(path)) <= LONGEST_SOCKET_PATH:
        return path
    digest = hashlib.sha256(os.fsencode(settings.var)).hexdigest()[:12]
    return Path(tempfile.gettempdir()) / f"kernkoa-{os.getuid()}-{digest}" / SOCKET_NAME


def read_address(settings: Settings) -> Address:
    """The address of the setting redisUrl, or of the embedded server if it is not set. Raises SettingsError."""
    if not settings.redisUrl:
        path = str(socket_path(settings))
        return Address(f"unix://{path}", "socket", {"path": path, "db": 0})
    return parse_address(settings.redisUrl)


def parse_address(url: str) -> Address:
    """Parse a redisUrl. Raises SettingsError, which shows the URL without its passwords."""
    scheme, separator, rest = url.partition("://")
    kind = _SCHEMES.get(scheme.lower(), "")
    place, _, query = rest.partition("?")
    login, _, where = place.rpartition("@")
    shown = f"{scheme}://{'***@' if login else ''}{where}" if separator else "***"
    try:
        if not separator or not kind:
            raise ValueError(f"it must begin with one of {', '.join(f'{name}://' for name in _SCHEMES)}")
        return _make_address(shown, kind, _read_login(login), where, _read_query(query, kind))
    except ValueError as error:
        if "@" in query:  # all before it may be a password with a question mark
            why = "write ? and @ in a password as %3F and %40"
            raise SettingsError(f"redisUrl = '{scheme}://***' cannot be used: {why}.") from None
        raise SettingsError(f"redisUrl = {shown!r} cannot be used: {error}.") from error


def _read_login(text: str) -> dict[str, str]:
    user, _, password = text.partition(":")
    found = {"username": unquote(user), "password": unquote(password)}
    return {name: value for name, value in found.items() if value}


def _read_query(query: str, kind: str) -> dict[str, Any]:
    known = {"db", "virtual_host", *_LOGIN}
    known |= set(_SENTINEL) if "sentinel" in kind else set()
    known |= set(_TLS) if "tls" in kind else set()
    found: dict[str, Any] = dict(parse_qsl(query, keep_blank_values=True))
    for name in found:
        if name not in known:
            raise ValueError(f"it has the option {name!r}, but takes only: {', '.join(sorted(known))}")
    if "virtual_host" in found:
        found["db"] = found.pop("virtual_host")
    return found | _read_tls(found)


def _read_tls(found: Mapping[str, str]) -> dict[str, Any]:
    read: dict[str, Any] = {}
    for name in _FILES:
        if name in found and not os.path.isfile(found[name]):
            raise ValueError(f"{name} = {found[name]!r} is not a file")
    if "ssl_cert_reqs" in found:
        read["ssl_cert_reqs"] = found["ssl_cert_reqs"].lower().removeprefix("cert_")
        if read["ssl_cert_reqs"] not in ("none", "optional", "required"):
            raise ValueError("ssl_cert_reqs must be none, optional or required")
    if "ssl_check_hostname" in found:
        read["ssl_check_hostname"] = found["ssl_check_hostname"].lower() in ("1", "true", "yes")
    elif read.get("ssl_cert_reqs") == "none":
        read["ssl_check_hostname"] = False
    return read


def _make_address(shown: str, kind: str, login: dict[str, str], where: str, query: dict[str, Any]) -> Address:
    options = {name: value for name, value in query.items() if name not in (*_SENTINEL, "db")} | login
    if kind == "socket":
        if not where.startswith("/"):
            raise ValueError("a Unix socket is written unix:///path/redis.sock, with three slashes")
        if len(os.fsencode(unquote(where))) > LONGEST_SOCKET_PATH:
            raise ValueError(f"the path of a socket has at most {LONGEST_SOCKET_PATH} bytes")
        return Address(shown, kind, {**options, "path": unquote(where), "db": _read_database(query.get("db", ""))})
    places, _, path = where.partition("/")
    options["db"] = _read_database(query.get("db", path))
    hosts = tuple(_read_host(place, kind, "," not in places) for place in places.split(","))
    if "sentinel" not in kind:
        if len(hosts) > 1:
            raise ValueError("several hosts need Sentinel: sentinel://host1,host2/0?master=name")
        return Address(shown, kind, {**options, "host": hosts[0][0], "port": hosts[0][1]})
    asked = {name: query[f"sentinel_{name}"] for name in _LOGIN if f"sentinel_{name}" in query}
    asked |= {name: value for name, value in options.items() if name in _TLS}
    secure = "tls" if "tls" in kind else "tcp"
    return Address(shown, secure, options, hosts, asked, query.get("master") or "mymaster")


def _read_host(text: str, kind: str, is_only: bool) -> tuple[str, int]:
    found = _HOST.fullmatch(text)
    port = int((found and found[2]) or (SENTINEL_PORT if "sentinel" in kind else REDIS_PORT))
    if not found or not 0 < port < 65536 or not (found[1] or is_only):
        raise ValueError(f"{text!r} is not a host or host:port")
    return found[1].strip("[]").replace("%25", "%") or "127.0.0.1", port


def _read_database(text: str) -> int:
    """The number in `3`, `/3` or `3/`: in Celery's addresses it is a path. 0 if there is none."""
    text = text.strip("/") or "0"
    if not (text.isascii() and text.isdecimal() and len(text) < 10):
        raise ValueError(f"{text!r} is not the number of a database")
    return int(text)
