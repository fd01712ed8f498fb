"""The time zone of a site: that of the setting, or of the machine."""

from __future__ import annotations

import io
import os
from collections.abc import Mapping
from pathlib import Path
from zoneinfo import TZPATH, ZoneInfo, ZoneInfoNotFoundError

from ..errors import SettingsError

LOCALTIME = Path("/etc/localtime")


def find_zone(name: str, environ: Mapping[str, str] = os.environ, localtime: Path = LOCALTIME) -> ZoneInfo:
    """The zone of the setting `timezone`; without one that of TZ or of /etc/localtime. Raises SettingsError."""
    if name:
        return _named(name, f"timezone = {name!r} in config.py")
    text = environ.get("TZ", "").removeprefix(":")
    if text:
        path = Path(text)
        return _read(path) if path.is_absolute() else _named(text, f"TZ={text}")
    return _read(localtime) if localtime.exists() else ZoneInfo("UTC")


def _named(name: str, origin: str) -> ZoneInfo:
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        pass
    if any(letter.isdigit() for letter in name):
        try:
            return _from_rule(name)
        except ValueError:
            pass
    raise SettingsError(f'{origin} is not a time zone. Write one such as "Europe/Berlin".')


def _from_rule(rule: str) -> ZoneInfo:
    """A zone from the rule of a POSIX TZ variable, such as CET-1CEST,M3.5.0,M10.5.0/3: RFC 8536, section 3.3."""
    header = b"TZif2" + bytes(15) + bytes(4 * 4) + bytes((0, 0, 0, 1, 0, 0, 0, 4))
    block = bytes(6) + b"UTC\0"
    return ZoneInfo.from_file(io.BytesIO(header + block + header + block + f"\n{rule}\n".encode()), rule)


def _read(file: Path) -> ZoneInfo:
    """The zone of a file; by name if it is a link into the system's zones."""
    resolved = file.resolve()
    for folder in TZPATH:
        if resolved.is_relative_to(Path(folder).resolve()):
            return ZoneInfo(str(resolved.relative_to(Path(folder).resolve())))
    try:
        with resolved.open("rb") as stream:
            return ZoneInfo.from_file(stream, str(file))
    except (OSError, ValueError) as error:
        raise SettingsError(f"The machine's time zone {file} cannot be read ({error}): set timezone.") from error
