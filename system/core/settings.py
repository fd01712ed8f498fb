"""The settings: config.py and the environment, read once, validated, frozen."""

from __future__ import annotations

import ipaddress
import json
import os
import re
import runpy
import secrets
import types
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal, get_origin

from flask import has_request_context, request

from .checked import Checked, InvalidValues, above, at_least, at_most, kinds_of, longer_than, matches
from .errors import SettingsError
from .spelling import near_names

Network = ipaddress.IPv4Network | ipaddress.IPv6Network
LOOPBACK = (ipaddress.IPv4Network("127.0.0.0/8"), ipaddress.IPv6Network("::1/128"))
Kind = Literal["controller", "model", "print", "language", "addon"]
Seconds = Annotated[float, at_least(0)]
Bytes = Annotated[int, above(0)]
Role = Annotated[str, matches(r"[A-Za-z][A-Za-z0-9_.-]*", "a name of letters, digits, _, . and -")]
_LOGIN = re.compile(r"(://|')[^']*@")
_URL = r"([A-Za-z][A-Za-z+]*://\S*)?"

# set to the process id of the development server's supervisor
DEVELOPMENT = "KERNKOA_DEVELOPMENT"

PREFIX = "KERNKOA_"  # of environment variables
# fields of Settings that no setting sets
INTERNAL = ("development", "warnings")
# attributes whose name in config.py is another: settings.url is complete where config.py has none
SPELLED = {"site_url": "url"}

DEFAULT_LIBS: Mapping[Kind, str] = {
    "controller": "catalog/controller",
    "model": "catalog/model",
    "print": "catalog/print",
    "language": "catalog/language",
    "addon": "system/addons",
}


class Settings(Checked):
    """The settings, under their names in config.py. Folders are relative to `path`.

    Any other name that config.py sets is an attribute too.
    """

    name: Annotated[str, matches(r"[A-Za-z0-9][A-Za-z0-9_.-]*", "a name of letters, digits, _, . and -")] = (
        "kernkoa"
    )
    base: Annotated[str, matches(r"(/[A-Za-z0-9_.~-]+)*", "a path such as /shop")] = ""
    path: Path = Path()
    site_url: Annotated[str, matches(r"(https?://[^\s?#]+)?", "a URL such as https://shop.example/")] = ""
    home: str = ""
    secretKey: str = ""
    secretKeys: Sequence[Annotated[str, longer_than(15)]] = ()
    session_timeout: Annotated[int, above(0)] = 720

    databases: Mapping[str, Mapping[str, Any]] = {"maindb": {"driver": "sqlite", "host": "var/main.db"}}
    defaultDatabase: str = "maindb"

    libs: Mapping[Kind, str] = DEFAULT_LIBS
    templatePath: str = "templates"
    pdfPath: str = "pdfs"
    imagePath: str = "images"
    staticPath: str = "static"
    varPath: str = "var"

    addons: Sequence[Annotated[str, matches(r"[A-Za-z][A-Za-z0-9_]*", "the name of an addon, such as auth")]] = ()

    hosts: Sequence[
        Annotated[
            str,
            matches(
                r"\.?[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+)*|[0-9a-fA-F:.]+",
                "a host such as shop.example or .shop.example",
            ),
        ]
    ] = ()
    origins: Sequence[
        Annotated[str, matches(r"(\*|https?://[^\s/?#]+)", "an origin such as https://shop.example, or *")]
    ] = ()
    proxies: Sequence[Network] = ()
    monitors: Sequence[Network] = LOOPBACK
    monitorKey: Annotated[str, matches(r"(\S{16,})?", "at least 16 characters without spaces")] = ""
    headers: Mapping[str, str] = {}
    hstsSeconds: Annotated[int, at_least(0)] = 0
    strictVerbs: bool = False
    logFormat: Literal["text", "json"] = "text"

    host: str = "127.0.0.1"
    port: Annotated[int, at_least(0), at_most(65535)] = 5000
    flaskDebug: bool = True
    editor: Literal["", "vscode", "pycharm", "vim", "emacs", "sublime"] = "vscode"
    explorer: bool | Role | None = None
    openapi: Mapping[str, Any] = {}
    liveSeconds: Seconds | Literal["off"] = 1

    maxUploadBytes: Bytes = 75_000_000
    maxBodyBytes: Bytes = 1_000_000
    maxParamsBytes: Bytes = 5_000_000
    maxParams: Bytes = 1_000
    maxJsonValues: Bytes = 100_000
    maxJsonDepth: Annotated[int, at_least(1), at_most(150)] = 100

    redisUrl: Annotated[str, matches(_URL, "a URL such as redis://127.0.0.1:6379/0")] = ""
    brokerUrl: Annotated[str, matches(_URL, "a URL such as redis://127.0.0.1:6379/0")] = ""
    queues: Sequence[Annotated[str, matches(r"[A-Za-z0-9_-]+", "a name of letters, digits, _ and -")]] = ()
    taskSeconds: Seconds = 3_600
    leaseSeconds: Annotated[float, at_least(1)] = 30
    resultDays: Annotated[float, above(0)] = 7
    maxTaskBytes: Bytes = 1_000_000
    maxResultBytes: Bytes = 1_000_000
    maxQueued: Annotated[int, at_least(0)] = 100_000
    tasksPerChild: Annotated[int, above(0)] = 1_000
    taskMemoryBytes: Bytes = 512_000_000
    respondAsync: bool = False
    timezone: str = ""

    # not settings of config.py: whether this process is the development server, and names that look misspelled
    development: bool = False
    warnings: Sequence[str] = ()

    def __init__(self, **values: Any) -> None:
        """Raises InvalidValues."""
        if "url" in values:
            values["site_url"] = values.pop("url")
        if isinstance(values.get("libs"), Mapping):
            values["libs"] = {**DEFAULT_LIBS, **values["libs"]}
        super().__init__(**values)

    @property
    def url(self) -> str:
        """The site's public URL, ending in a slash; taken from the request if config.py does not set it."""
        if self.site_url:
            return self.site_url.rstrip("/") + "/"
        if has_request_context():
            return request.url_root
        return f"http://{self.host}:{self.port}{self.base}/"

    def folder(self, name: str) -> Path:
        """The path of a folder given relative to `path`."""
        return self.path / name

    def shorten(self, path: str) -> str:
        """The path of a file as it is written in the site's folder; that of another file whole."""
        return path.removeprefix(f"{self.path}{os.sep}")

    @property
    def var(self) -> Path:
        """The kernel's own files: the secret key, the embedded Redis, copies of loaded libraries."""
        return self.folder(self.varPath)


def setting_names() -> list[str]:
    """The names of all settings, as config.py spells them."""
    return [SPELLED.get(name, name) for name in kinds_of(Settings) if name not in INTERNAL]


def read_settings(config_file: Path, environ: Mapping[str, str] = os.environ) -> Settings:
    """Read config.py, apply the environment, validate.

    Raises SettingsError that lists every invalid setting with its value and what is expected.
    """
    values = {"path": config_file.parent, **_run_config(config_file)}
    origins = dict.fromkeys(values, config_file.name)
    for name, variable in _variables(values).items():
        if variable in environ:
            values[name] = _parse_variable(name, environ[variable])
            origins[name] = variable
    values["path"] = (config_file.parent / values["path"]).resolve()
    values["development"] = is_development(environ)
    values["warnings"] = tuple(_misspelled(values, environ))
    try:
        settings = Settings(**values)
    except InvalidValues as error:
        raise SettingsError(_explain(error, origins)) from error
    _check_databases(settings)
    return settings


def _misspelled(values: Mapping[str, Any], environ: Mapping[str, str]) -> Iterator[str]:
    """A sentence for each name of config.py or the environment that looks like a misspelled setting.

    A name that begins with that of an addon is one of its settings: authDatabase.
    """
    fields = setting_names()
    addons = values.get("addons")
    own = tuple(map(str, addons)) if isinstance(addons, list | tuple) else ()
    for name in values:
        near = near_names(name, fields, 1, 0.8)
        if near and name not in fields and name not in INTERNAL and not name.startswith(own):
            yield f"config.py: {name} is not a setting. Did you mean {near[0]}?"
    known = {variable.removeprefix(PREFIX) for variable in _variables(values).values()}
    for name in sorted(name.removeprefix(PREFIX) for name in environ if name.startswith(PREFIX)):
        near = near_names(name, sorted(known), 1, 0.8)
        if near and name not in known:
            yield f"The environment variable {PREFIX}{name} is not a setting. Did you mean {PREFIX}{near[0]}?"


def is_development(environ: Mapping[str, str] = os.environ) -> bool:
    """Whether this process is the development server. The variable must hold the parent's process id, so that
    neither a service's environment nor a program that a controller starts can enable it."""
    return environ.get(DEVELOPMENT) == str(os.getppid())


def _run_config(config_file: Path) -> dict[str, Any]:
    if not config_file.is_file():
        return {}
    try:
        found = runpy.run_path(str(config_file))
    except SyntaxError as error:
        text = (error.text or "").strip()
        if error.lineno is None:  # UTF-16, or zeros of a disk that was full
            raise SettingsError(f"{config_file} is not UTF-8 text. Save it in this encoding.") from error
        raise SettingsError(f"{config_file}, line {error.lineno}: {error.msg}: {text}") from error
    except Exception as error:
        raise SettingsError(f"{config_file} raised {type(error).__name__}: {error}") from error
    return {name: value for name, value in found.items() if _is_setting(name, value)}


def _is_setting(name: str, value: object) -> bool:
    made_elsewhere = isinstance(value, types.ModuleType | types.FunctionType | type)
    return not name.startswith("_") and name not in INTERNAL and not made_elsewhere


def _variables(values: Mapping[str, Any]) -> dict[str, str]:
    """The environment variable of each setting: secretKey is KERNKOA_SECRET_KEY."""
    fields = setting_names()
    names = dict.fromkeys([*fields, *values])
    return {name: PREFIX + re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name).upper() for name in names}


def _parse_variable(name: str, text: str) -> Any:
    """The value of an environment variable: JSON for a mapping or a list, which may be written with commas too."""
    kind = get_origin(kinds_of(Settings).get(name))
    if kind not in (Sequence, Mapping):
        return text
    if kind is Sequence and not text.lstrip().startswith("["):
        return text.replace(",", " ").split()
    try:
        return json.loads(text)
    except ValueError as error:
        raise SettingsError(f"{name} = {text!r} from the environment is not JSON: {error}") from error


def _explain(error: InvalidValues, origins: Mapping[str, str]) -> str:
    lines = []
    for place, value, expected in error.faults:
        name = SPELLED.get(place[0], place[0])
        where = ".".join((name, *place[1:]))
        shown = "…" if "key" in name.lower() else _LOGIN.sub(r"\1***@", repr(value))
        lines.append(f"{origins.get(name, 'default')}: {where} = {shown} cannot be used: expected {expected}")
    return "\n".join(dict.fromkeys(lines))


def _check_databases(settings: Settings) -> None:
    if settings.databases and settings.defaultDatabase not in settings.databases:
        known = ", ".join(sorted(settings.databases))
        raise SettingsError(
            f"config.py: defaultDatabase = {settings.defaultDatabase!r} is not one of the databases: {known}"
        )


def obtain_secret_key(settings: Settings) -> str:
    """The key that signs sessions: the setting, or one generated once in var/secret_key (mode 0600).

    Raises SettingsError if the file cannot be written or other users can read it.
    """
    if settings.secretKey:
        return settings.secretKey
    file = settings.var / "secret_key"
    try:
        if not file.exists():
            _make_secret_key(file)
        if file.stat().st_mode & 0o077:
            raise SettingsError(f"{file} can be read by other users. Run: chmod 600 {file}")
        return file.read_text(encoding="ascii").strip()
    except OSError as error:
        raise SettingsError(
            f"The secret key {file} cannot be written or read ({error.strerror}). "
            "Set KERNKOA_SECRET_KEY, or give this user write permission there."
        ) from error


def make_key() -> str:
    """A new secret key: 256 random bits as 64 hexadecimal digits."""
    return secrets.token_hex(32)


def _make_secret_key(file: Path) -> None:
    """Write a temporary file and link it into place, so that processes that start together agree on one key."""
    file.parent.mkdir(parents=True, exist_ok=True)
    aside = file.with_name(f".secret_key.{os.getpid()}.{secrets.token_hex(4)}")
    descriptor = os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(descriptor, "w", encoding="ascii") as stream:
            stream.write(make_key() + "\n")
        os.link(aside, file)
    except FileExistsError:
        pass  # another process was first: use its key
    finally:
        aside.unlink()
