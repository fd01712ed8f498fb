"""One live file of the catalogue: read, compiled, executed aside, swapped in only if it ran.

The kernel compiles the source itself: a time-stamped .pyc serves stale code for two edits in one second.
"""

from __future__ import annotations

import ast
import logging
import sys
import threading
import types
from dataclasses import dataclass, field
from importlib.machinery import ModuleSpec
from typing import Any

from ..errors import LibraryError
from .live_file import LiveFile
from .load_error import describe
from .outline import Outline, read_outline
from .policy import LivePolicy

log = logging.getLogger("kernkoa.catalog")

# A library that raised is tried again after this time: what it missed may have come back.
RETRY_SECONDS = 5.0


@dataclass(frozen=True, slots=True, eq=False)
class Version:
    """A library as it ran once. A request in flight keeps the one that it began with."""

    module: types.ModuleType
    outline: Outline
    endpoints: dict[tuple[str, str], Any] = field(default_factory=dict)


class _Loading(threading.local):
    """The libraries that this thread is executing, the innermost last."""

    def __init__(self) -> None:
        self.stack: list[Library] = []


_loading = _Loading()


class Library:
    """A .py file of the catalogue and the last version of it that ran.

    `name` is its dotted name, `place` its path below the folder of its kind (shop/orders), `package` the module of
    its folder.
    """

    __slots__ = (
        "_failed_at",
        "_file",
        "_loading_module",
        "_loading_parts",
        "_parts",
        "due",
        "error",
        "name",
        "package",
        "path",
        "place",
        "policy",
        "version",
    )

    def __init__(self, policy: LivePolicy, package: types.ModuleType, name: str, path: str) -> None:
        self.policy = policy
        self.package = package
        self.name = name
        self.place = "/".join(name.split(".")[2:])
        self.path = path
        self.version: Version | None = None
        self.error: LibraryError | None = None
        self.due = -1.0
        self._file = LiveFile(policy, path)
        self._parts: dict[Library, bytes] = {}  # what it was made of: its own file and those it loaded
        self._loading_parts: dict[Library, bytes] = {}
        self._loading_module: types.ModuleType | None = None
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
        if self.error is not None and (self.version is None or self.policy.development):
            raise self.error.with_traceback(None)  # or it grows with every raise
        if self.version is None:
            raise LibraryError(f"{self.path} needs itself while it is being loaded.", self.path)
        return self.version

    def use(self, now: float) -> types.ModuleType:
        """The module for code that needs it now.

        A library that is being executed was made of it from then on: it is stale when this one changes.
        """
        user = _loading.stack[-1] if _loading.stack else None
        if user is not None:
            now = self.policy.after_every_look()
        try:
            if self in _loading.stack and self._loading_module is not None:
                return self._loading_module
            return self.current(now).module
        finally:
            if user is not None:
                user._note_part(self, now)

    def digest(self, now: float) -> bytes:
        """What identifies the file's content now; empty where it is gone. Reads it only when it changed."""
        return self._file.digest(now, self.version is not None)

    def _refresh(self, now: float) -> None:
        if self._is_stale(now):
            with self.policy.lock:
                if self._loading_module is None and self._is_stale(now):  # no other thread was faster
                    self._load(now)
        self.due = min(self.policy.next_look(now), max(self._file.due, now))

    def _is_stale(self, now: float) -> bool:
        if not self._parts:
            return True
        if any(part.digest(now) != digest for part, digest in self._parts.items()):
            return True
        may_retry = self.error is not None and not isinstance(self.error.__cause__, SyntaxError)
        return may_retry and (self.policy.development or now - self._failed_at > RETRY_SECONDS)

    def _load(self, now: float) -> None:
        self._loading_parts = {}
        try:
            source, self._loading_parts[self] = self._file.read(now)
            self.version, self.error = self._execute(source), None
            self.policy.last_good.keep(self.name, source)
        except (Exception, SystemExit) as error:  # noqa: BLE001 - the user's code may raise anything
            self._fail(describe(error, self.path), now)
        self._parts = self._loading_parts

    def _fail(self, error: LibraryError, now: float) -> None:
        if self.error is None or self.error.detail != error.detail:
            log.error("%s", error.detail, exc_info=None if error.line else error.__cause__)
        self.error, self._failed_at = error, now
        kept = None if self.version or self.policy.development else self.policy.last_good.read(self.name)
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
        self._loading_module = sys.modules[self.name] = module
        _loading.stack.append(self)
        try:
            exec(code, module.__dict__)  # noqa: S102 - a file of the user's own catalogue
        except BaseException:
            self._put_back(previous)
            raise
        finally:
            _loading.stack.pop()
            self._loading_module = None
        return Version(module, read_outline(tree))

    def _new_module(self) -> types.ModuleType:
        module = types.ModuleType(self.name)
        spec = ModuleSpec(self.name, None, origin=self.path)
        vars(module).update(
            __file__=self.path,
            __package__=self.package.__name__,
            __spec__=spec,
            __builtins__=self.policy.builtins,
        )
        return module

    def _put_back(self, previous: types.ModuleType | None) -> None:
        if previous is None:
            sys.modules.pop(self.name, None)
        else:
            sys.modules[self.name] = previous

    def _note_part(self, part: Library, now: float) -> None:
        self._loading_parts[part] = part.digest(now)
        self._loading_parts.update(part._loading_parts if part._loading_module else part._parts)

    def forget(self) -> None:
        """The file is gone: so is its module."""
        if self.version is not None and sys.modules.get(self.name) is self.version.module:
            del sys.modules[self.name]
