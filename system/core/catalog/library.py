"""One live file of the catalogue: read, compiled, executed, and put in place only if it ran.

The kernel compiles the source itself: a time-stamped .pyc serves stale code for two edits in one second.
Libraries that change one another's state when they load (the classes of a SQLAlchemy Base, a registry) are
partners: an edit of one executes all of them again, and they are swapped in together or not at all.
"""

from __future__ import annotations

import logging
import os
import sys
import threading
import time
import types
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from importlib.util import source_from_cache
from typing import Any

from ..errors import LibraryError
from .execution import Compiled, Version, compile_source, execute, new_module, restored
from .live_file import LiveFile
from .load_error import describe, describe_refusal
from .policy import LivePolicy
from .shared_state import State, state_of

log = logging.getLogger("kernkoa.catalog")

# A library that raised is tried again after this time: what it missed may have come back.
RETRY_SECONDS = 5.0
# How often a library is executed again at once because what it had imported changed meanwhile.
MOST_ATTEMPTS = 3

# what a file's content is, and how often it was executed again together with its partners
Identity = tuple[bytes, int]


@dataclass(slots=True, eq=False)
class Load:
    """A library that is being executed: the libraries that it used so far, and their state before.

    `missing` are the names of the catalogue that it did not find, `opened` the source files opened meanwhile.
    """

    library: Library
    module: types.ModuleType | None = None
    parts: dict[Library, Identity] = field(default_factory=dict)
    states: dict[Library, State] = field(default_factory=dict)
    missing: set[str] = field(default_factory=set)
    opened: set[str] = field(default_factory=set)
    version: Version | None = None
    source: bytes | None = None  # None where `compiled` is kept from the same content
    digest: bytes = b""
    compiled: Compiled | None = None

    def note(self, part: Library, now: float) -> None:
        """Remember that a library is used: when that one changes, this one is stale."""
        load = _of_thread.load_of(part)
        used = {**(load.parts if load else part._parts), part: part.identity(now)}
        self.parts = used | self.parts
        version = part._version_here()
        if version is not None and part not in self.states:
            self.states[part] = state_of(version.module, version.outline.imported)

    def note_opened(self) -> None:
        """Remember the libraries whose source was read and run without an import: by runpy, a loader, exec."""
        for path in self.opened:
            part = self.library.policy.find_file(path, _of_thread.moment)
            if part is not None and part not in self.parts:
                self.parts[part] = part.identity(_of_thread.moment)


class _OfThread(threading.local):
    """The loads of this thread, the innermost last, and those of partners that wait to be swapped in together.

    `moment` is that of the outermost load: each file that a load needs is looked at again, once. `loaded` are the
    versions that it made.
    """

    def __init__(self) -> None:
        self.stack: list[Load] = []
        self.loaded: list[Version] = []
        self.moment = 0.0
        self.together: dict[Library, Load | None] = {}

    def load_of(self, library: Library) -> Load | None:
        return next((load for load in self.stack if load.library is library), None)


_of_thread = _OfThread()


def _note_open(event: str, arguments: tuple[Any, ...]) -> None:
    """Note a source file that is opened, or the .pyc that a loader of importlib made of it."""
    if event == "open" and _of_thread.stack:
        path = str(arguments[0])
        if path.endswith(".py"):
            _of_thread.stack[-1].opened.add(path)
        elif path.endswith(".pyc"):
            with suppress(ValueError):
                _of_thread.stack[-1].opened.add(source_from_cache(path))


sys.addaudithook(_note_open)


def moment_of_look(now: float) -> float:
    """The moment for code that looks into a folder: that of the load where a library is being executed."""
    return _of_thread.moment if _of_thread.stack else now


def note_missing(name: str) -> None:
    """Record a name that the library being executed did not find: once it exists, the library is stale."""
    if _of_thread.stack:
        _of_thread.stack[-1].missing.add(name)


@dataclass(slots=True, eq=False, repr=False)
class Library:
    """A .py file of the catalogue and the last version of it that ran.

    `name` is its dotted name, `place` its path below the folder of its kind (shop/orders), `package` the module of
    its folder.
    """

    policy: LivePolicy
    package: types.ModuleType
    name: str
    path: str
    place: str = field(init=False)
    version: Version | None = None
    error: LibraryError | None = None
    due: float = -1.0
    _file: LiveFile = field(init=False)
    _compiled: tuple[bytes, Compiled] | None = None  # of the file with this digest
    _generation: int = 0
    _parts: dict[Library, Identity] = field(default_factory=dict)  # its own file and those that it used
    _missing: set[str] = field(default_factory=set)
    _partners: dict[Library, None] = field(default_factory=dict)
    _failed_at: float = 0.0
    _loaded_at: float = 0.0

    def __post_init__(self) -> None:
        self.place = "/".join(self.name.split(".")[2:])
        self._file = LiveFile(self.policy, self.path, self._prepare)

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
        """The module for code that needs it now. A library that is being executed depends on it from then on."""
        user = _of_thread.stack[-1] if _of_thread.stack else None
        if user is None:
            return self.current(now).module
        try:
            return self._module_for_load(_of_thread.moment)
        finally:
            if user.library is not self:
                user.note(self, _of_thread.moment)

    def _module_for_load(self, now: float) -> types.ModuleType:
        load = _of_thread.load_of(self)
        if load is not None and load.module is not None:
            return load.module
        if self not in _of_thread.together:
            return self.current(now).module
        version = self._load_together(now).version
        assert version is not None  # noqa: S101 - it is made or an error is raised
        return version.module

    def _version_here(self) -> Version | None:
        """The version that this thread works with: the new one where partners are loaded together."""
        if self in _of_thread.together:
            load = _of_thread.together[self]
            return load.version if load else None
        return None if _of_thread.load_of(self) else self.version

    def identity(self, now: float) -> Identity:
        """A text that changes when the library changes. Reads the file only if its stamp changed."""
        return self._file.digest(now, self.version is not None), self._generation

    def _refresh(self, now: float) -> None:
        if self._is_stale(now):
            with self.policy.loading():
                if _of_thread.load_of(self) is None and self._is_stale(now):  # no other thread was faster
                    self._load(now)
                    self._report()
        self.due = min(self.policy.next_look(now), max(self._file.due, now))

    def _is_stale(self, now: float) -> bool:
        if not self._parts or self._has_changed(self._parts, now):
            return True
        if self._missing and any(self.policy.find(name, now) for name in self._missing):
            return True
        may_retry = self.error is not None and not isinstance(self.error.__cause__, SyntaxError)
        return may_retry and (self.policy.development or now - self._failed_at > RETRY_SECONDS)

    def _report(self) -> None:
        """Report the new versions once all are complete: libraries may import one another."""
        if not _of_thread.stack:
            loaded, _of_thread.loaded = _of_thread.loaded, []
            for version in loaded:
                self.policy.report(version)

    @staticmethod
    def _has_changed(parts: dict[Library, Identity], now: float) -> bool:
        return any(part.identity(now) != identity for part, identity in parts.items())

    def _load(self, now: float) -> None:
        """Execute the library, with its partners where it has some; again where what it used changed meanwhile."""
        for attempt in range(MOST_ATTEMPTS):
            if attempt or not _of_thread.stack:
                _of_thread.moment = self.policy.after_every_look()
            load, failure = Load(self), None
            try:
                self._load_once(load, now)
            except (Exception, SystemExit) as error:  # noqa: BLE001 - the user's code may raise anything
                failure = error
            if not self._has_changed(load.parts, _of_thread.moment):
                break
        if failure is not None:
            self._parts, self._missing = load.parts, load.missing
            self._fail(describe(failure, self.path, has_version=self.version is not None))

    def _load_once(self, load: Load, now: float) -> None:
        partners = self._group()
        if len(partners) > 1:
            load_together(partners, load, now)
            return
        try:
            self._execute(load, now)
        except (Exception, SystemExit):
            partners = self._group(load.parts)
            if len(partners) == 1:
                raise
            load_together(partners, load, now)  # it may collide with what a moved or removed file left
        else:
            self._swap_in(load)

    def _execute(self, load: Load, now: float) -> None:
        kept = self._compiled
        if kept is not None and self._runs(kept[0]) and self._file.has_still(kept[0], now):
            load.digest, load.compiled = kept
        else:
            load.source, load.digest = self._file.read(now)
        load.parts[self] = load.digest, self._generation
        self._run(load)
        load.note_opened()

    def _runs(self, digest: bytes) -> bool:
        """Whether the version in place is of the source with this digest."""
        return self.error is None and self in self._parts and self._parts[self][0] == digest

    def _run(self, load: Load) -> None:
        with _executing(load):
            compiled = load.compiled or self._compile(load.source or b"", load.digest)
            load.module = new_module(self.path, self.name, self.policy.builtins)
            load.version = execute(compiled, load.module)

    def _compile(self, source: bytes, digest: bytes) -> Compiled:
        """The compiled source with this digest, kept from the last time if it is the same."""
        kept = self._compiled
        if kept is not None and kept[0] == digest:
            return kept[1]
        compiled = compile_source(source, self.path)
        if digest:
            self._compiled = digest, compiled
        return compiled

    def _prepare(self, source: bytes, digest: bytes) -> None:
        """Compile a source that will most likely be executed. A fault in it is raised only when it is."""
        with suppress(Exception):
            self._compile(source, digest)

    def _load_together(self, now: float) -> Load:
        """The load of this library among its partners, executed where one of them needs it first."""
        load = _of_thread.together[self]
        if load is None:
            load = _of_thread.together[self] = Load(self)
            self._execute(load, now)
        return load

    def _swap_in(self, load: Load) -> None:
        assert load.version is not None  # noqa: S101 - it ran
        self.version, self.error, self._parts, self._missing = load.version, None, load.parts, load.missing
        _of_thread.loaded.append(load.version)
        self._loaded_at = time.time()
        if load.source is not None:
            self.policy.last_good.keep(self.name, load.source)

    def _fail(self, error: LibraryError) -> None:
        if self.error is None or self.error.detail != error.detail:
            log.error("%s", error.detail, exc_info=None if error.line else error.__cause__)
        self.error, self._failed_at = error, self.policy.now()
        kept = None if self.policy.development else self.policy.last_good.read(self.name, self._loaded_at)
        if kept is not None:
            self._restore(kept)

    def _restore(self, source: bytes) -> None:
        load = Load(self, source=source)
        try:
            self._run(load)
            self.version, self._loaded_at = load.version, time.time()
            log.warning("%s: the last version that loaded continues to serve", self.path)
        except (Exception, SystemExit) as error:  # noqa: BLE001 - the user's code may raise anything
            log.warning("%s: its last version does not load either: %s", self.path, error)

    def _group(self, parts: Iterable[Library] = ()) -> list[Library]:
        """This library and its partners, in the order in which they became partners; those of `parts` too.

        What a partner uses and what is itself made of a partner belongs to them.
        """
        group = dict.fromkeys([*(part for part in parts if part._partners), self])
        queue = list(group)
        while queue:
            library = queue.pop(0)
            made_of_partners = [part for part in library._parts if not group.keys().isdisjoint(part._parts.keys())]
            for partner in (*library._partners, *made_of_partners):
                if partner not in group and os.path.exists(partner.path):
                    group[partner] = None
                    queue.append(partner)
        return list(group)

    def forget(self) -> None:
        """Remove the module of a deleted file; its partners drop what it registered at their next check."""
        if self.version is not None and sys.modules.get(self.name) is self.version.module:
            del sys.modules[self.name]
        for partner in self._partners:
            partner._parts, partner.due = {}, -1.0


@contextmanager
def _executing(load: Load) -> Iterator[None]:
    """Keep a load on the thread's stack; at its end, those whose state it changed are its partners."""
    _of_thread.stack.append(load)
    try:
        yield
    finally:
        _of_thread.stack.pop()
        for part, before in load.states.items():
            version = part._version_here()
            after = state_of(version.module, version.outline.imported) if version else before
            if after != before:
                part._partners[load.library] = load.library._partners[part] = None
                for outer in _of_thread.stack:
                    if part in outer.states:
                        outer.states[part] = after


def load_together(libraries: list[Library], load: Load, now: float) -> None:
    """Execute libraries that share state as new modules; all of them are swapped in, or none.

    `load` is that of the library whose edit is the cause. Raises what the libraries raise.
    """
    others, partners = _of_thread.together, {library: library._partners for library in libraries}
    _of_thread.together = {**others, **dict.fromkeys(libraries)}
    _begin_again(libraries, 1, {library: {} for library in libraries})
    try:
        with restored(*(library.name for library in libraries)):
            loads = [library._load_together(now) for library in libraries]
    except BaseException as error:
        _begin_again(libraries, -1, partners)
        load.parts = {library: library.identity(now) for library in libraries}
        if not isinstance(error, Exception | SystemExit):
            raise
        raise describe_refusal(error, load.library.path, [library.path for library in libraries]) from error
    finally:
        _of_thread.together = others
    for done in loads:
        done.library._swap_in(done)
    load.parts = load.library._parts


def _begin_again(libraries: list[Library], step: int, partners: Mapping[Library, dict[Library, None]]) -> None:
    for library in libraries:
        library._generation += step
        library._partners = dict(partners[library])
