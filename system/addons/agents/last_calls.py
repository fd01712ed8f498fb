"""The newest calls of tools, of all processes of a site: small files under var/ that are mapped into memory."""

from __future__ import annotations

import mmap
import os
import struct
import time
from collections.abc import Iterator
from contextlib import suppress
from itertools import chain
from pathlib import Path
from typing import NamedTuple

MOST_CALLS = 50
MOST_FILES = 64


# the fields of a LastCall
_RECORD = struct.Struct("<d64sd?")


class LastCall(NamedTuple):
    """A call of a tool: when it ended (seconds since 1970), which, how long it took, and whether it failed."""

    when: float
    tool: str
    milliseconds: float
    failed: bool

    @property
    def ended(self) -> str:
        """When it ended, in the time of the server."""
        return time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(self.when))


class LastCalls:
    """Keeps the calls in a ring of records; writing to one costs no system call."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._ring: mmap.mmap | None = None
        self._count = 0
        os.register_at_fork(after_in_child=self._forget)

    def _forget(self) -> None:
        """A forked process has its own file."""
        self._ring = None

    def add(self, tool: str, milliseconds: float, failed: bool) -> None:
        """Keep a call that has just ended. Errors of the disk (full, read-only) are ignored."""
        with suppress(OSError):
            if self._ring is None:
                self._ring = self._open()
            start = self._count % MOST_CALLS * _RECORD.size
            _RECORD.pack_into(self._ring, start, time.time(), tool.encode(), milliseconds, failed)
            self._count += 1

    def _open(self) -> mmap.mmap:
        self._folder.mkdir(parents=True, exist_ok=True)
        for old in self._files()[MOST_FILES:]:
            old.unlink(missing_ok=True)
        with (self._folder / str(os.getpid())).open("w+b") as file:
            file.truncate(MOST_CALLS * _RECORD.size)
            return mmap.mmap(file.fileno(), 0)

    def _files(self) -> list[Path]:
        """The files of all processes, the newest first."""
        found = [file for file in self._folder.glob("*") if file.name.isdecimal()]
        return sorted(found, key=lambda file: -file.stat().st_mtime)

    def newest(self) -> list[LastCall]:
        """The last calls of all processes, newest first."""
        calls: list[LastCall] = []
        with suppress(OSError):
            calls = list(chain.from_iterable(map(_read, self._files())))
        return sorted(calls, reverse=True)[:MOST_CALLS]


def _read(file: Path) -> Iterator[LastCall]:
    content = file.read_bytes()
    whole = content[: len(content) // _RECORD.size * _RECORD.size]
    for when, tool, milliseconds, failed in _RECORD.iter_unpack(whole):
        if when:  # else it was never written
            yield LastCall(when, tool.rstrip(b"\0").decode("ascii", "replace"), milliseconds, failed)
