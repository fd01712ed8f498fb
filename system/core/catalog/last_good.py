"""The source of the last version of each library that loaded, for processes that start later."""

from __future__ import annotations

import logging
import os
from pathlib import Path

from itsdangerous import Signer

log = logging.getLogger("kernkoa.catalog")


class LastGood:
    """Keeps signed sources in a folder; a source without a valid signature is never run.

    The signature is the first line of a file. Without a folder nothing is kept.
    """

    def __init__(self, folder: Path | None = None, key: str = "") -> None:
        self._folder = folder
        self._key = key

    def keep(self, name: str, source: bytes) -> None:
        """Keep the source of a library under its dotted name."""
        if self._folder is None:
            return
        kept = self._folder / f"{name}.py"
        content = b"# " + self._signer(name).get_signature(source) + b"\n" + source
        try:
            if kept.is_file() and kept.read_bytes() == content:
                return
            kept.parent.mkdir(parents=True, exist_ok=True)
            aside = kept.with_name(f".{kept.name}.{os.getpid()}")
            aside.write_bytes(content)
            os.replace(aside, kept)
        except OSError as error:
            log.warning("%s cannot be kept: %s", kept, error)

    def read(self, name: str, since: float) -> bytes | None:
        """The newest source that any process kept after `since`, in seconds since the epoch; else None."""
        if self._folder is None:
            return None
        kept = self._folder / f"{name}.py"
        try:
            content = kept.read_bytes() if kept.stat().st_mtime > since else b""
        except OSError:
            return None
        signature, _, source = content.partition(b"\n")
        if self._signer(name).verify_signature(source, signature.removeprefix(b"# ")):
            return source
        if content:
            log.warning("%s is not used: its signature is not one of this site's secretKey", kept)
        return None

    def holds(self, name: str) -> bool:
        """Whether any process kept a source that is not empty, whatever its signature."""
        try:
            kept = (self._folder / f"{name}.py").read_bytes() if self._folder else b""
        except OSError:
            return False
        return bool(kept.partition(b"\n")[2].strip())

    def _signer(self, name: str) -> Signer:
        return Signer(self._key, salt=f"kernkoa.loaded.{name}")
