"""One file that people edit while it is in use: whether it changed, and its whole content."""

from __future__ import annotations

import errno
import fcntl
import hashlib
import os
import signal
import stat
import time
from collections.abc import Callable
from dataclasses import dataclass

from .policy import SETTLED_SECONDS, LivePolicy
from .source import Stamp, stamp_of

# A file younger than this when it was read may have changed again with the same stamp: the clock of a file
# system ticks every few milliseconds, some network ones every second or two.
RACY_NS = 2_000_000_000
# A file is read when it has been quiet for this long, so that a half-written one is not taken for whole:
# the second where its content looks unfinished.
QUIET_SECONDS = 0.01
UNFINISHED_SECONDS = 0.5
SMALL_BYTES = 200  # a file this small may well lose half of its content in one edit
# An empty file, and one that a process has open for writing, keeps the version before for this long: the
# content comes with the next write.
EMPTY_SECONDS = 2.0


@dataclass(slots=True, eq=False)
class LiveFile:
    """A file, looked at as often as the policy says and read only when its stamp changed.

    `prepare` is called with the content and digest of a file that changed this moment, before the pause that shows
    whether it is whole: nearly always it is, and the pause is used.
    """

    policy: LivePolicy
    path: str
    prepare: Callable[[bytes, bytes], None] = lambda content, digest: None
    due: float = -1.0
    _looked_at: float = -1.0
    _stamp: Stamp | None = None
    _digest: bytes = b""
    _is_racy: bool = False
    _size: int = 0
    _ends_with_newline: bool = False

    def digest(self, now: float, has_version: bool) -> bytes:
        """A digest of the content; empty if the file does not exist.

        `has_version`: an earlier version can serve while the file is still being written.
        """
        if now < self.due or now == self._looked_at:
            return self._digest
        self.due, self._looked_at = self.policy.next_look(now), now
        stamp = stamp_of(self.path)
        if stamp == self._stamp and not self._is_racy:
            return self._digest
        try:
            if has_version and self._is_for_later(stamp, now):
                self._stamp, self.due = None, min(self.due, now + SETTLED_SECONDS)
            else:
                self.read(now)
        except OSError:
            self._stamp, self._digest = None, b""
        return self._digest

    def _is_for_later(self, stamp: Stamp, now: float) -> bool:
        """Whether the file may still be being written, while an earlier version can serve.

        Where every file is to be looked at again, only one that is empty or open for writing is left for later.
        """
        age = age_of(stamp)
        may_wait = not self.policy.development and self.policy.live_seconds > 0 and now <= time.monotonic()
        if age >= EMPTY_SECONDS or (may_wait and age < SETTLED_SECONDS):
            return age < EMPTY_SECONDS
        content, is_open = _read(self.path)
        if is_open or not content.strip():
            return True
        return may_wait and age < UNFINISHED_SECONDS and self._looks_unfinished(content)

    def has_still(self, digest: bytes, now: float) -> bool:
        """Whether the content surely is that of a digest, by the stamp of the file."""
        if digest != self._digest or self._is_racy or stamp_of(self.path) != self._stamp:
            return False
        self.due, self._looked_at = self.policy.next_look(now), now
        return True

    def read(self, now: float) -> tuple[bytes, bytes]:
        """The content, after a moment without changes, and its digest. Raises OSError."""
        self.due, self._looked_at = self.policy.next_look(now), now
        if age_of(stamp_of(self.path)) < QUIET_SECONDS:
            content, _ = _read(self.path)
            self.prepare(content, digest_of(content))
        began = time.monotonic()
        while True:
            waited, before = time.monotonic() - began, stamp_of(self.path)
            age = age_of(before)
            if age < QUIET_SECONDS and waited < UNFINISHED_SECONDS:
                time.sleep(QUIET_SECONDS - age)
                continue
            content, is_open = _read(self.path)
            after = stamp_of(self.path)
            may_change = age_of(after) < UNFINISHED_SECONDS and self._looks_unfinished(content)
            is_complete = after == before and not may_change and not is_open
            if is_complete or waited >= (EMPTY_SECONDS if is_open else UNFINISHED_SECONDS):
                return content, self._note(content, after)
            time.sleep(QUIET_SECONDS)

    def _looks_unfinished(self, content: bytes) -> bool:
        """Whether a content is empty, shorter than half of the one before, or lost the line end at its end."""
        is_shrunk = self._size >= SMALL_BYTES and len(content) < self._size / 2
        return is_shrunk or not content.strip() or (self._ends_with_newline and not content.endswith(b"\n"))

    def _note(self, content: bytes, stamp: Stamp) -> bytes:
        self._stamp = stamp
        self._is_racy = age_of(stamp) < RACY_NS / 1e9
        self._size, self._ends_with_newline = len(content), content.endswith(b"\n")
        self._digest = digest_of(content)
        return self._digest


def digest_of(content: bytes) -> bytes:
    """A short text that tells one content from another."""
    return hashlib.blake2b(content, digest_size=16).digest()


def _read(path: str) -> tuple[bytes, bool]:
    """The content of a regular file, and whether a process has it open for writing. Raises OSError.

    A pipe would block, so it is refused.
    """
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise OSError(errno.EINVAL, "is not a regular file", path)
        with open(descriptor, "rb", closefd=False) as stream:
            return stream.read(), _is_open_for_writing(descriptor)
    finally:
        os.close(descriptor)


def _is_open_for_writing(descriptor: int) -> bool:
    """Whether a process has a file open for writing: Linux gives no read lease of it then, see fcntl(2).

    False if this is unknown: on other systems, on some file systems, and for files of other users.
    """
    if not hasattr(fcntl, "F_SETLEASE"):
        return False
    try:
        fcntl.fcntl(descriptor, fcntl.F_SETSIG, signal.SIGURG)  # ignored; a SIGIO would end us
        fcntl.fcntl(descriptor, fcntl.F_SETLEASE, fcntl.F_RDLCK)
    except OSError as error:
        return error.errno == errno.EAGAIN
    fcntl.fcntl(descriptor, fcntl.F_SETLEASE, fcntl.F_UNLCK)
    return False


def age_of(stamp: Stamp) -> float:
    """The seconds since a file changed; infinite for a time stamp in the future."""
    age = time.time_ns() - max(stamp.modified_ns, stamp.changed_ns)
    return age / 1e9 if age >= 0 else float("inf")


def was_just_emptied(path: str) -> bool:
    """Whether a file is empty and young: its content may come with the next write."""
    stamp = stamp_of(path)
    return not stamp.size and time.time_ns() - stamp.modified_ns < EMPTY_SECONDS * 1e9
