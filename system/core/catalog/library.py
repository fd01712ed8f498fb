"""One live file of the catalogue: read, compiled, executed aside, swapped in only if it ran.

The kernel compiles the source itself: a time-stamped .pyc serves stale code for two edits in one second.
"""

from __future__ import annotations

import ast
import hashlib
import logging
import os
import sys
import time
import types
from dataclasses import dataclass, field
from importlib.machinery import ModuleSpec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import LibraryError
from .outline import Outline, read_outline

if TYPE_CHECKING:
    from .tree import Catalog, Folder

log = logging.getLogger("kernkoa.catalog")

# A file younger than this when it was read may have changed again with the same time stamp and size
# (the clock of a file system ticks every few milliseconds, some network ones every second or two).
RACY_NS = 2_000_000_000
# A file is read when it has been quiet for this long, so that a half-written one is not taken for whole:
# the first where the request waits for it, the second where the version before serves meanwhile.
QUIET_SECONDS = 0.01
SETTLED_SECONDS = 0.1
LONGEST_WAIT_SECONDS = 0.5
# A library that raised is tried again after this time: what it missed may have come back.
RETRY_SECONDS = 5.0

Signature = tuple[int, int, int]


@dataclass(frozen=True, slots=True, eq=False)
class Version:
    """A library as it ran once. A request in flight keeps the one that it began with."""

    module: types.ModuleType
    outline: Outline
    endpoints: dict[tuple[str, str], Any] = field(default_factory=dict)


class Library:
    """A .py file of the catalogue and the last version of it that ran."""

    __slots__ = (
        "_digest",
        "_failed_at",
        "_loading_parts",
        "_parts",
        "_racy",
        "_read_due",
        "_signature",
        "catalog",
        "due",
        "error",
        "folder",
        "loading",
        "name",
        "path",
        "version",
    )

    def __init__(self, catalog: Catalog, folder: Folder, name: str, path: str) -> None:
        self.catalog = catalog
        self.folder = folder
        self.name = name
        self.path = path
        self.version: Version | None = None
        self.error: LibraryError | None = None
        self.loading: types.ModuleType | None = None
        self.due = -1.0
        self._parts: dict[Library, bytes] = {}  # what it was made of: its own file and those it imports
        self._loading_parts: dict[Library, bytes] = {}
        self._read_due = -1.0
        self._signature: Signature | None = None
        self._digest = b""
        self._racy = False
        self._failed_at = 0.0

    @property
    def short_name(self) -> str:
        return self.name.rpartition(".")[2]

    def current(self, now: float) -> Version:
        """The version to serve at this moment.

        Raises LibraryError where no version ever ran, and in development wherever the file is broken.
        """
        if now >= self.due:
            self._refresh(now)
        if self.error is not None and (self.version is None or self.catalog.development):
            raise self.error.with_traceback(None)  # or it grows with every raise
        assert self.version is not None  # noqa: S101 - _refresh leaves a version or an error
        return self.version

    def digest(self, now: float) -> bytes:
        """What identifies the file's content now; empty where it is gone. Reads it only when it changed."""
        if now < self._read_due:
            return self._digest
        self._read_due = self.catalog.next_check(now)
        try:
            status = os.stat(self.path)
            signature = (status.st_mtime_ns, status.st_size, status.st_ino)
            if signature == self._signature and not self._racy:
                return self._digest
            if self._may_settle(status.st_mtime_ns):
                self._read_due = now + SETTLED_SECONDS
                return self._digest
            self._digest = _identify(self._read())
        except OSError:
            self._signature, self._digest = None, b""
        return self._digest

    def _may_settle(self, mtime_ns: int) -> bool:
        """Whether the file is still being written, perhaps, and the version before can serve meanwhile."""
        age = time.time_ns() - mtime_ns
        return self.version is not None and self.catalog.may_wait and 0 <= age < SETTLED_SECONDS * 1e9

    def _read(self) -> bytes:
        """The source, once it has been quiet for a moment."""
        deadline = time.monotonic() + LONGEST_WAIT_SECONDS
        while True:
            before = os.stat(self.path)
            age = time.time_ns() - before.st_mtime_ns
            if 0 <= age < QUIET_SECONDS * 1e9 and time.monotonic() < deadline:
                time.sleep(QUIET_SECONDS - age / 1e9)
                continue
            source = Path(self.path).read_bytes()
            after = os.stat(self.path)
            signature = (after.st_mtime_ns, after.st_size, after.st_ino)
            unchanged = signature == (before.st_mtime_ns, before.st_size, before.st_ino)
            if unchanged or time.monotonic() >= deadline:
                self._signature = signature
                self._racy = 0 <= time.time_ns() - after.st_mtime_ns < RACY_NS
                return source

    def _refresh(self, now: float) -> None:
        if self._is_stale(now):
            with self.catalog.lock:
                if self.loading is None and self._is_stale(now):  # no other thread was faster
                    self._load(now)
        self.due = min(self.catalog.next_check(now), max(self._read_due, now))

    def _is_stale(self, now: float) -> bool:
        if not self._parts:
            return True
        if any(part.digest(now) != digest for part, digest in self._parts.items()):
            return True
        may_retry = self.error is not None and not isinstance(self.error.__cause__, SyntaxError)
        return may_retry and (self.catalog.development or now - self._failed_at > RETRY_SECONDS)

    def _load(self, now: float) -> None:
        self._loading_parts = {}
        try:
            source = self._read()
            self._digest = self._loading_parts[self] = _identify(source)
            self.version, self.error = self._execute(source), None
            self.catalog.keep(self, source)
        except (Exception, SystemExit) as error:  # noqa: BLE001 - the user's code may raise anything
            self._fail(_describe(error, self.path), now)
        self._parts = self._loading_parts

    def _fail(self, error: LibraryError, now: float) -> None:
        if self.error is None or self.error.detail != error.detail:
            log.error("%s", error.detail, exc_info=None if error.line else error.__cause__)
        self.error, self._failed_at = error, now
        kept = None if self.version or self.catalog.development else self.catalog.kept(self)
        if kept is not None:
            self._restore(kept)

    def _restore(self, source: bytes) -> None:
        try:
            self.version = self._execute(source)
            log.warning("%s: the last version that loaded goes on serving", self.path)
        except (Exception, SystemExit) as error:  # noqa: BLE001 - the user's code may raise anything
            log.warning("%s: its last version does not load either: %s", self.path, error)

    def _execute(self, source: bytes) -> Version:
        """Run the source as a new module, in sys.modules meanwhile: dataclasses and pydantic look there."""
        tree = ast.parse(source, self.path)
        code = compile(tree, self.path, "exec", dont_inherit=True)
        module = self._new_module()
        previous = sys.modules.get(self.name)
        self.loading = sys.modules[self.name] = module
        try:
            exec(code, module.__dict__)  # noqa: S102 - a file of the user's own catalogue
        except BaseException:
            self._put_back(previous)
            raise
        finally:
            self.loading = None
        setattr(self.folder.module, self.short_name, module)
        return Version(module, read_outline(tree))

    def _new_module(self) -> types.ModuleType:
        module = types.ModuleType(self.name)
        spec = ModuleSpec(self.name, None, origin=self.path)
        vars(module).update(
            __file__=self.path,
            __package__=self.folder.module.__name__,
            __spec__=spec,
            __builtins__=self.catalog.builtins,
        )
        return module

    def _put_back(self, previous: types.ModuleType | None) -> None:
        if previous is None:
            sys.modules.pop(self.name, None)
        else:
            sys.modules[self.name] = previous

    def note_import(self, part: Library, now: float) -> None:
        """Remember, while this library loads, that it imports another: it is stale when that one changes."""
        if self.loading is not None:
            self._loading_parts[part] = part.digest(now)
            self._loading_parts.update(part._loading_parts if part.loading else part._parts)

    def forget(self) -> None:
        """The file is gone: so is its module."""
        if self.version is not None and sys.modules.get(self.name) is self.version.module:
            del sys.modules[self.name]


def _identify(source: bytes) -> bytes:
    return hashlib.blake2b(source, digest_size=16).digest()


def _describe(error: BaseException, path: str) -> LibraryError:
    """What went wrong in a library, with the file and the line that its author should look at."""
    if isinstance(error, LibraryError):
        described = LibraryError(f"{path} imports a broken library. {error.detail}", error.path, error.line)
        described.text = error.text
        described.__cause__ = error.__cause__ or error
        return described
    line, text = 0, ""
    if isinstance(error, SyntaxError) and (error.filename or path) == path:
        line, text = error.lineno or 0, (error.text or "").rstrip("\n")
        detail = f"{path}, line {line}: {type(error).__name__}: {error.msg}"
    else:
        line = _line_in(error, path)
        detail = f"{path}, line {line}: {type(error).__name__}: {error}"
    described = LibraryError(detail, path, line, text)
    described.__cause__ = error
    return described


def _line_in(error: BaseException, path: str) -> int:
    line, trace = 0, error.__traceback__
    while trace is not None:
        if trace.tb_frame.f_code.co_filename == path:
            line = trace.tb_lineno
        trace = trace.tb_next
    return line
