"""The outlines of files that are not imported: each is read when it is asked for, and again when it changed."""

from __future__ import annotations

import ast
import os
from collections import OrderedDict
from dataclasses import dataclass
from pathlib import Path

from .library import Library
from .outline import Outline, read_outline
from .tree import Folder, is_name

# how many files' outlines are remembered
MOST_REMEMBERED = 4096

Stamp = tuple[int, int, int]


@dataclass(frozen=True, slots=True)
class Broken:
    """Why a file cannot be read: the message, and the line that it is about (0 where unknown)."""

    detail: str
    line: int = 0
    text: str = ""


@dataclass(frozen=True, slots=True)
class Reading:
    """A file as it was when its time stamp, size and inode were these."""

    stamp: Stamp
    outline: Outline | None
    broken: Broken | None = None


class Readings:
    """What was read of the files of a catalogue; of many, the newest are remembered."""

    def __init__(self) -> None:
        self._readings: OrderedDict[str, Reading] = OrderedDict()
        self._checked: OrderedDict[str, tuple[Stamp, bool]] = OrderedDict()

    def read(self, library: Library) -> Reading:
        """A file's outline, or why it has none."""
        stamp = _stamp(library.path)
        known = self._readings.get(library.path)
        if known is None or known.stamp != stamp:
            known = _read(library.path, stamp)
            self._readings[library.path] = known
            if len(self._readings) > MOST_REMEMBERED:
                self._readings.popitem(last=False)
        return known

    def is_broken(self, library: Library) -> bool:
        """Whether a file does not compile; found out once for each state of it."""
        stamp = _stamp(library.path)
        known = self._checked.get(library.path)
        if known is None or known[0] != stamp:
            known = stamp, parse(library.path) is None
            self._checked[library.path] = known
            if len(self._checked) > MOST_REMEMBERED:
                self._checked.popitem(last=False)
        return known[1]


def libraries_in(folder: Folder, now: float) -> list[Library]:
    """The libraries of a folder that a URL may name, by name."""
    folder.refresh(now)
    return [library for name, library in sorted(folder.libraries.items()) if is_public(name)]


def folders_in(folder: Folder, now: float) -> list[Folder]:
    """The folders of a folder that a URL may name, by name."""
    folder.refresh(now)
    return [inner for name, inner in sorted(folder.folders.items()) if is_public(name)]


def is_public(name: str) -> bool:
    """Whether a segment of a URL may be this name."""
    return is_name(name) and not name.startswith("_")


def _stamp(path: str) -> Stamp:
    """What changes with a file; zeros where it is gone."""
    try:
        status = os.stat(path)
    except OSError:
        return 0, 0, 0
    return status.st_mtime_ns, status.st_size, status.st_ino


def _read(path: str, stamp: Stamp) -> Reading:
    try:
        return Reading(stamp, read_outline(ast.parse(Path(path).read_bytes(), path)))
    except SyntaxError as error:
        text = (error.text or "").rstrip("\n")
        return Reading(stamp, None, Broken(f"{type(error).__name__}: {error.msg}", error.lineno or 0, text))
    except (OSError, ValueError, RecursionError) as error:
        return Reading(stamp, None, Broken(f"{type(error).__name__}: {error}"))


def parse(path: str) -> ast.Module | None:
    """The syntax tree of a file; None where it does not compile."""
    try:
        return ast.parse(Path(path).read_bytes(), path)
    except (OSError, ValueError, SyntaxError, RecursionError):
        return None
