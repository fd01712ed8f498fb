"""What a task prints: each line is a line of the worker's log, with the task's route and id."""

from __future__ import annotations

import contextvars
import io
import logging
import sys
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, TextIO

from .records import Record

log = logging.getLogger("kernkoa.print")

# so many of the last lines are kept in the record, each cut
LINES_KEPT = 50
LONGEST_LINE = 500
_printing: contextvars.ContextVar[tuple[Record, deque[str]] | None] = contextvars.ContextVar(
    "printing", default=None
)


class TaskOutput(io.TextIOBase):
    """Replaces stdout or stderr: logs what a task prints, passes on everything else."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._rest = ""

    def write(self, text: str) -> int:
        printing = _printing.get()
        if printing is None:
            return self._stream.write(text)
        record, kept = printing
        *lines, self._rest = (self._rest + text).split("\n")
        for line in lines:
            log.info("%s[%s] %s", record["route"], record["task_id"], line)
            kept.append(line[:LONGEST_LINE])
        return len(text)

    def flush(self) -> None:
        self._stream.flush()

    def end_line(self) -> None:
        """Log what was printed without a newline at its end."""
        if self._rest:
            self.write("\n")

    def fileno(self) -> int:
        return self._stream.fileno()

    def isatty(self) -> bool:
        return self._stream.isatty()

    def writable(self) -> bool:
        return True

    @property
    def buffer(self) -> Any:
        return self._stream.buffer

    @property
    def encoding(self) -> str:  # type: ignore[override]
        return self._stream.encoding


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
    kept: deque[str] = deque(maxlen=LINES_KEPT)
    record["log"] = kept
    token = _printing.set((record, kept))
    try:
        yield
    finally:
        for stream in (sys.stdout, sys.stderr):
            if isinstance(stream, TaskOutput):
                stream.end_line()
        _printing.reset(token)
