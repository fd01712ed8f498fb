"""Passwords: Argon2id (RFC 9106) with the parameters that argon2-cffi recommends."""

from __future__ import annotations

import unicodedata
from functools import cache

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

SHORTEST, LONGEST = 10, 256

_hasher = PasswordHasher()


def check_password(password: str) -> str:
    """Returns a valid new password. Raises ValueError with the reason if it is not valid."""
    if not SHORTEST <= len(password) <= LONGEST:
        raise ValueError(f"A password has {SHORTEST} to {LONGEST} characters; this one has {len(password)}.")
    return password


def hash_password(password: str) -> str:
    """The hash to store."""
    return _hasher.hash(_normalize(password))


def verify(password: str, stored: str) -> bool:
    """Whether a password has this hash. Without a hash (`""`) it takes the same time and returns False."""
    if len(password) > LONGEST:
        return False
    try:
        return _hasher.verify(stored or _decoy(), _normalize(password)) and bool(stored)
    except (VerificationError, InvalidHashError):
        return False


def is_outdated(stored: str) -> bool:
    """Whether a hash was made with parameters other than the current ones."""
    return _hasher.check_needs_rehash(stored)


@cache
def _decoy() -> str:
    return _hasher.hash("no user has this hash")


def _normalize(password: str) -> str:
    """One form for characters that keyboards compose differently: NIST SP 800-63B, section 3.1.1.2."""
    return unicodedata.normalize("NFKC", password)
