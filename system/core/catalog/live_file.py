"""One file that people edit while it is in use: whether it changed, and its whole content."""

from __future__ import annotations

import hashlib
import time
from pathlib import Path

from .policy import SETTLED_SECONDS, LivePolicy
from .source import Stamp, stamp_of

# A file younger than this when it was read may have changed again with the same stamp: the clock of a file
# system ticks every few milliseconds, some network ones every second or two.
RACY_NS = 2_000_000_000
# A file is read when it has been quiet for this long, so that a half-written one is not taken for whole.
QUIET_SECONDS = 0.01
LONGEST_WAIT_SECONDS = 0.5


class LiveFile:
    """A file, looked at as often as the policy says and read only when its stamp changed."""

    __slots__ = ("_digest", "_is_racy", "_stamp", "due", "path", "policy")

    def __init__(self, policy: LivePolicy, path: str) -> None:
        self.policy = policy
        self.path = path
        self.due = -1.0
        self._stamp: Stamp | None = None
        self._digest = b""
        self._is_racy = False

    def digest(self, now: float, has_version: bool) -> bytes:
        """What identifies the content now; empty where the file is gone.

        `has_version` says that a version before can serve while the file is still being written.
        """
        if now < self.due:
            return self._digest
        self.due = self.policy.next_look(now)
        stamp = stamp_of(self.path)
        if stamp == self._stamp and not self._is_racy:
            return self._digest
        if has_version and self._may_settle(stamp, now):
            self.due = now + SETTLED_SECONDS
            return self._digest
        try:
            self.read(now)
        except OSError:
            self._stamp, self._digest = None, b""
        return self._digest

    def _may_settle(self, stamp: Stamp, now: float) -> bool:
        """Whether the file is still being written, perhaps; never where every file is to be looked at again."""
        return self.policy.may_wait and now <= time.monotonic() and 0 <= _age_ns(stamp) < SETTLED_SECONDS * 1e9

    def read(self, now: float) -> tuple[bytes, bytes]:
        """The content, once it has been quiet for a moment, and its digest. Raises OSError."""
        self.due = self.policy.next_look(now)
        deadline = time.monotonic() + LONGEST_WAIT_SECONDS
        while True:
            before = stamp_of(self.path)
            age = _age_ns(before)
            if 0 <= age < QUIET_SECONDS * 1e9 and time.monotonic() < deadline:
                time.sleep(QUIET_SECONDS - age / 1e9)
                continue
            content = Path(self.path).read_bytes()
            after = stamp_of(self.path)
            if after == before or time.monotonic() >= deadline:
                self._stamp = after
                self._is_racy = 0 <= _age_ns(after) < RACY_NS
                self._digest = identify(content)
                return content, self._digest


def _age_ns(stamp: Stamp) -> int:
    """How long ago a file changed; negative for a clock that is behind."""
    return time.time_ns() - max(stamp.modified_ns, stamp.changed_ns)


def identify(content: bytes) -> bytes:
    """A short digest of a content."""
    return hashlib.blake2b(content, digest_size=16).digest()
