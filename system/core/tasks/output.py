"""What a task prints: each line is a line of the worker's log, with the task's route and id."""

from __future__ import annotations

import contextvars
import io
import logging
import sys
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, TextIO

from .records import Record

log = logging.getLogger("kernkoa.print")

# so many of the last lines are kept in the record, each cut
LINES_KEPT = 50
LONGEST_LINE = 500
# a longer line is logged in parts
LONGEST_LOGGED = 10_000


@dataclass(slots=True)
class _Printed:
    """What a task prints: the lines that its record keeps, and of each stream the beginning of the next line."""

    record: Record
    kept: deque[str]
    unfinished: dict[TaskOutput, str] = field(default_factory=dict)

    def add(self, stream: TaskOutput, text: str) -> None:
        """Log the lines that `text` ends, and long ones in parts."""
        *lines, rest = (self.unfinished.get(stream, "") + text).split("\n")
        for line in lines:
            self._log(_last_state(line))
        # a progress bar writes its line again and again
        rest = f"{_last_state(rest)}\r" if rest.endswith("\r") else _last_state(rest)
        if len(rest) > LONGEST_LOGGED:
            self._log(rest)
            rest = ""
        self.unfinished[stream] = rest

    def _log(self, line: str) -> None:
        """What a handler of the site's prints meanwhile goes to the stream: logged again, it would never end."""
        line = line.encode("utf-8", "backslashreplace").decode()
        token = _printing.set(None)
        try:
            for start in range(0, len(line) or 1, LONGEST_LOGGED):
                part = line[start : start + LONGEST_LOGGED]
                log.info("%s[%s] %s", self.record["route"], self.record["task_id"], part)
        finally:
            _printing.reset(token)
        self.kept.append(line[:LONGEST_LINE])


_printing: contextvars.ContextVar[_Printed | None] = contextvars.ContextVar("printing", default=None)


def _last_state(line: str) -> str:
    """A line as a terminal shows it: after a carriage return it is written anew."""
    return line.rstrip("\r").rpartition("\r")[2]


class TaskOutput(io.TextIOBase):
    """Replaces stdout or stderr: logs what a task prints, passes on everything else."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)

    def write(self, text: str) -> int:
        printed = _printing.get()
        if printed is None:
            return self._stream.write(text)
        printed.add(self, text)
        return len(text)

    def flush(self) -> None:
        self._stream.flush()

    def close(self) -> None:
        """Nothing: the stream is the worker's."""

    def fileno(self) -> int:
        return self._stream.fileno()

    def isatty(self) -> bool:
        return self._stream.isatty()

    def writable(self) -> bool:
        return True

    @property
    def encoding(self) -> str:  # type: ignore[override]
        return self._stream.encoding

    @property
    def errors(self) -> str | None:  # type: ignore[override]
        return self._stream.errors


def capture_output() -> None:
    """Put a TaskOutput in the place of sys.stdout and sys.stderr: once in each process of a worker."""
    log.setLevel(logging.INFO)
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if stream is not None and not isinstance(stream, TaskOutput):
            setattr(sys, name, TaskOutput(stream))


@contextmanager
def output_of(record: Record) -> Iterator[None]:
    """Log what is printed within as output of this task; record["log"] has the last lines."""
    printed = _Printed(record, deque(maxlen=LINES_KEPT))
    record["log"] = printed.kept
    token = _printing.set(printed)
    try:
        yield
    finally:
        for stream, rest in printed.unfinished.items():
            if rest:
                printed.add(stream, "\n")
        _printing.reset(token)
