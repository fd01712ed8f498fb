"""An exception for the author of the site: own frames first, with source and values."""

from __future__ import annotations

import itertools
import linecache
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from traceback import walk_tb
from types import FrameType, ModuleType
from typing import Any
from urllib.parse import quote

from jinja2 import TemplateSyntaxError
from jinja2.defaults import DEFAULT_NAMESPACE

from ..errors import LibraryError
from ..redaction import mask, mask_source, message_of, shown_items
from ..settings import Settings

CORE = Path(__file__).resolve().parents[1]
MOST_FRAMES = 60
MOST_CAUSES = 5
MOST_LOCALS = 40
LINES_AROUND = 4
LONGEST_LINE = 300
_LINKS = {
    "vscode": "vscode://file{path}:{line}",
    "pycharm": "pycharm://open?file={path}&line={line}",
    "sublime": "subl://open?url=file://{path}&line={line}",
    "emacs": "emacs://open?url=file://{path}&line={line}",
    "vim": "mvim://open?url=file://{path}&line={line}",
}
# what Flask puts into every template beside Jinja's own
_GIVEN_TO_TEMPLATES = frozenset(
    {*DEFAULT_NAMESPACE, "config", "request", "session", "g", "url_for", "get_flashed_messages"}
)


def link_to(settings: Settings, path: str, line: int) -> str:
    """The URL that opens a file at a line in the editor of the settings; empty where they name none."""
    pattern = _LINKS.get(settings.editor, "")
    return pattern.format(path=quote(path), line=max(line, 1))


@dataclass(frozen=True, slots=True)
class SourceLine:
    """A line of a file; `caret` is the column that a syntax error points at, counted from 1, or 0."""

    number: int
    text: str
    is_faulty: bool
    caret: int = 0


@dataclass(frozen=True, slots=True)
class Frame:
    """One call. `origin` is "site" for the user's code, "template", "kernel" or "library"."""

    path: str
    line: int
    function: str
    origin: str
    source: tuple[SourceLine, ...] = ()
    values: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Trace:
    """An exception with its frames, the innermost last, and how it came of the one before it."""

    type: str
    message: str
    frames: tuple[Frame, ...]
    relation: str = ""

    @property
    def own(self) -> tuple[Frame, ...]:
        """The frames of the site's own code, the innermost first: where the author should look."""
        return tuple(frame for frame in reversed(self.frames) if frame.origin in ("site", "template"))

    @property
    def others(self) -> tuple[Frame, ...]:
        return tuple(frame for frame in self.frames if frame.origin not in ("site", "template"))


def read_traces(error: BaseException, settings: Settings) -> tuple[Trace, ...]:
    """The traces of an exception and of those that it came of, the one that was raised last first."""
    traces = []
    for other, relation in itertools.islice(_chain(error), MOST_CAUSES):
        if isinstance(other, LibraryError) and other.__cause__ is not None:
            continue  # it reports its cause, which has the frames
        traces.append(_read_trace(other, relation, settings))
    return tuple(traces)


def _chain(error: BaseException) -> Iterator[tuple[BaseException, str]]:
    current: BaseException | None = error
    relation, seen = "", set()
    while current is not None and id(current) not in seen:
        seen.add(id(current))
        yield current, relation
        if current.__cause__ is not None:
            current, relation = current.__cause__, "Caused by"
        else:
            current = None if current.__suppress_context__ else current.__context__
            relation = "Raised while handling"


def _read_trace(error: BaseException, relation: str, settings: Settings) -> Trace:
    frames = [_read_frame(frame, line, settings) for frame, line in walk_tb(error.__traceback__)]
    if isinstance(error, SyntaxError | TemplateSyntaxError) and error.filename:
        path, line = error.filename, error.lineno or 0
        if not frames or (frames[-1].path, frames[-1].line) != (path, line):
            source = read_source(path, line, settings, getattr(error, "offset", 0) or 0)
            frames.append(Frame(path, line, "", origin_of(path, settings), source))
    kept = frames if len(frames) <= MOST_FRAMES else [*frames[: MOST_FRAMES // 2], *frames[-MOST_FRAMES // 2 :]]
    return Trace(type(error).__qualname__, mask(message_of(error), settings), tuple(kept), relation)


def _read_frame(frame: FrameType, line: int, settings: Settings) -> Frame:
    path = frame.f_code.co_filename
    origin = origin_of(path, settings)
    if origin not in ("site", "template"):
        return Frame(path, line, frame.f_code.co_qualname, origin)
    passed_over = _GIVEN_TO_TEMPLATES if origin == "template" else frozenset()
    values = dict(itertools.islice(_named(frame.f_locals, passed_over), MOST_LOCALS))
    source = read_source(path, line, settings)
    function = "" if origin == "template" else frame.f_code.co_qualname
    return Frame(path, line, function, origin, source, tuple(shown_items(values, settings)))


def _named(values: dict[str, Any], passed_over: frozenset[str]) -> Iterator[tuple[str, Any]]:
    """The values to show: without modules, private names of modules and globals of every template."""
    for name, value in list(values.items()):
        if not name.startswith("__") and not isinstance(value, ModuleType) and name not in passed_over:
            yield name, value


def origin_of(path: str, settings: Settings) -> str:
    """Whose code a file is: the site's, one of its templates, the kernel's or a library's."""
    file = Path(path)
    if file.is_relative_to(CORE):
        return "kernel"
    if file.is_relative_to(settings.folder(settings.templatePath)):
        return "template"
    folders = [settings.folder(name) for name in settings.libs.values()]
    if any(file.is_relative_to(folder) for folder in folders):
        return "site"
    is_beside = file.is_relative_to(settings.path) and "site-packages" not in file.parts
    return "site" if is_beside and file.name != "kernkoa.py" else "library"


def read_source(path: str, line: int, settings: Settings, caret: int = 0) -> tuple[SourceLine, ...]:
    """The lines of a file around one of them, as the file is now."""
    linecache.checkcache(path)
    lines = linecache.getlines(path)
    first = max(line - LINES_AROUND, 1)
    return tuple(
        SourceLine(number, _shorten(lines[number - 1], settings), number == line, caret if number == line else 0)
        for number in range(first, min(line + LINES_AROUND, len(lines)) + 1)
    )


def _shorten(line: str, settings: Settings) -> str:
    return mask_source(line.rstrip("\n").expandtabs(4)[:LONGEST_LINE], settings)
