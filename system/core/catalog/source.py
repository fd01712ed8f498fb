"""Files of the catalogue read without importing them: parsed on demand, and again when they changed."""

from __future__ import annotations

import ast
import gc
import os
import re
import sys
from collections import OrderedDict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.util import decode_source
from pathlib import Path
from typing import Generic, NamedTuple, TypeVar

from .outline import Outline, read_outline

# how many bytes of source the remembered outlines stand for, and how many files' names are remembered
MOST_BYTES = 32_000_000
MOST_NAMES = 50_000
LARGE_BYTES = 100_000

_DEFINED = re.compile(rb"^[ \t]*(?:async[ \t]+)?(?:def|class)[ \t]+(\w+)", re.MULTILINE)
_DECORATED = re.compile(rb"^[ \t]*@[ \t]*(?:\w+\.)*(\w+)", re.MULTILINE)

Value = TypeVar("Value")


class Stamp(NamedTuple):
    """What changes when a file does; all zero for a file that is not there."""

    modified_ns: int = 0
    changed_ns: int = 0
    size: int = 0
    inode: int = 0


def stamp_of(path: str) -> Stamp:
    """The stamp of a file at this moment."""
    try:
        status = os.stat(path)
    except OSError:
        return Stamp()
    return Stamp(status.st_mtime_ns, status.st_ctime_ns, status.st_size, status.st_ino)


@contextmanager
def collection_paused() -> Iterator[None]:
    """Keep the garbage collector from what is made at once, is large and has no cycles, such as a syntax tree."""
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()


@dataclass(frozen=True, slots=True)
class Broken:
    """Why a file cannot be read: the message, and its line (0 where unknown) with that line's text."""

    detail: str
    line: int = 0
    text: str = ""


@dataclass(frozen=True, slots=True)
class Reading:
    """The outline of a file, or why it has none; `before` is then the outline of the last state that had one."""

    outline: Outline | None
    broken: Broken | None = None
    before: Outline | None = None


@dataclass(frozen=True, slots=True)
class Names:
    """The names that a file defines, in lower case, and those of its decorators."""

    defined: tuple[str, ...] = ()
    decorators: frozenset[str] = frozenset()


class SourceCache:
    """Outlines and names of source files, each read once for every state of its file.

    Bounded: of many files the newest are remembered.
    """

    def __init__(self) -> None:
        self._readings = Remembered(read_file, MOST_BYTES, lambda stamp: stamp.size)
        self._names = Remembered(_read_names, MOST_NAMES)
        self._broken: Remembered[bool] = Remembered(lambda path, _: parse(path) is None, MOST_NAMES)

    def read(self, path: str) -> Reading:
        """The outline of a file."""
        return self._readings.get(path)

    def has_read(self, path: str) -> bool:
        """Whether an outline of a file is remembered, be it of a state before."""
        return path in self._readings

    def names(self, path: str) -> Names:
        """The names in a file, found without parsing it."""
        return self._names.get(path)

    def is_broken(self, path: str) -> bool:
        """Whether a file does not compile. Its outline is not kept, but that of a large file, which costs more."""
        if self.has_read(path) or stamp_of(path).size > LARGE_BYTES:
            return self.read(path).outline is None
        return self._broken.get(path)


class Remembered(Generic[Value]):
    """One value for each file and stamp, up to a total weight.

    `make` gets the path of a file and the value of its state before, `weigh` its stamp.
    """

    def __init__(
        self,
        make: Callable[[str, Value | None], Value],
        most: int,
        weigh: Callable[[Stamp], int] = lambda stamp: 1,
    ) -> None:
        self._make, self._most, self._weigh = make, most, weigh
        self._weight = 0
        self._values: OrderedDict[str, tuple[Stamp, Value, int]] = OrderedDict()

    def __contains__(self, path: str) -> bool:
        return path in self._values

    def get(self, path: str) -> Value:
        """The value of a file as it is now."""
        stamp = stamp_of(path)
        known = self._values.get(path)
        if known is not None and known[0] == stamp:
            return known[1]
        value, weight = self._make(path, known[1] if known else None), self._weigh(stamp)
        former = self._values.pop(path, None)
        self._values[path] = stamp, value, weight
        self._weight += weight - (former[2] if former else 0)
        while self._weight > self._most and len(self._values) > 1:
            self._weight -= self._values.popitem(last=False)[1][2]
        return value


def read_file(path: str, former: Reading | None = None) -> Reading:
    """The outline of a file as it is now; `former` is what was read of it before."""
    before = (former.outline or former.before) if former else None
    try:
        with collection_paused():
            return Reading(read_outline(ast.parse(Path(path).read_bytes(), path)))
    except SyntaxError as error:
        text = (error.text or "").rstrip("\n")
        return Reading(None, Broken(f"{type(error).__name__}: {error.msg}", error.lineno or 0, text), before)
    except (OSError, ValueError, RecursionError) as error:
        return Reading(None, Broken(f"{type(error).__name__}: {error}"), before)


def _read_names(path: str, former: Names | None) -> Names:
    try:
        source = Path(path).read_bytes()
    except OSError:
        return Names()
    defined = (name.decode("utf-8", "replace").lower() for name in dict.fromkeys(_DEFINED.findall(source)))
    decorators = frozenset(name.decode("utf-8", "replace") for name in _DECORATED.findall(source))
    return Names(tuple(map(sys.intern, defined)), decorators)


def parse(path: str) -> ast.Module | None:
    """The syntax tree of a file; None where it does not compile."""
    try:
        with collection_paused():
            return ast.parse(Path(path).read_bytes(), path)
    except (OSError, ValueError, SyntaxError, RecursionError):
        return None


def read_lines(path: str) -> list[str]:
    """The lines of a file as Python counts them; none where it cannot be read."""
    try:
        return decode_source(Path(path).read_bytes()).split("\n")
    except (OSError, ValueError, SyntaxError):
        return []
