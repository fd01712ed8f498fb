"""Time-based one-time codes (RFC 6238) with pyotp."""

from __future__ import annotations

import time
from typing import Any

from system.core.errors import SettingsError

from .store import Store, User

STEP_SECONDS = 30


def _pyotp() -> Any:
    try:
        import pyotp
    except ImportError as error:
        raise SettingsError("A second factor needs pyotp. Install it: venv3/bin/pip install pyotp") from error
    return pyotp


def make_secret() -> str:
    """A new secret for an authenticator app."""
    return str(_pyotp().random_base32())


def make_uri(secret: str, name: str, site: str) -> str:
    """The otpauth:// URL for an authenticator app, usually shown as a QR code."""
    return str(_pyotp().TOTP(secret).provisioning_uri(name=name, issuer_name=site))


def is_right(store: Store, user: User, code: str) -> bool:
    """Whether a code fits the current, previous or next time step (RFC 6238, section 6); each works once."""
    totp = _pyotp().TOTP(user.otp_secret)
    now = int(time.time())
    for at in (now, now - STEP_SECONDS, now + STEP_SECONDS):
        if totp.verify(code.replace(" ", ""), for_time=at):
            return store.use_code(user, at // STEP_SECONDS)
    return False
