"""The source of the last version of each library that loaded, for processes that start later."""

from __future__ import annotations

import logging
import os
from pathlib import Path

log = logging.getLogger("kernkoa.catalog")


class LastGood:
    """Keeps sources in a folder; keeps nothing where there is none."""

    def __init__(self, folder: Path | None) -> None:
        self._folder = folder

    def keep(self, name: str, source: bytes) -> None:
        """Keep the source of a library under its dotted name."""
        if self._folder is None:
            return
        kept = self._folder / f"{name}.py"
        try:
            if kept.is_file() and kept.read_bytes() == source:
                return
            kept.parent.mkdir(parents=True, exist_ok=True)
            aside = kept.with_name(f".{kept.name}.{os.getpid()}")
            aside.write_bytes(source)
            os.replace(aside, kept)
        except OSError as error:
            log.warning("%s cannot be kept: %s", kept, error)

    def read(self, name: str, since: float) -> bytes | None:
        """The source that any process kept last, where that was after `since`, seconds since the epoch."""
        if self._folder is None:
            return None
        kept = self._folder / f"{name}.py"
        try:
            return kept.read_bytes() if kept.stat().st_mtime > since else None
        except OSError:
            return None
