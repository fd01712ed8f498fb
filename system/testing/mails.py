"""Mails in tests: recorded, never sent."""

from __future__ import annotations

import smtplib
from email import message_from_bytes, policy
from email.message import EmailMessage
from typing import Any

import pytest


def record_mails(patch: pytest.MonkeyPatch) -> list[EmailMessage]:
    """Make smtplib, and the extensions that use it, add each mail to the returned list instead of sending it."""
    sent: list[EmailMessage] = []

    def send(_self: Any, sender: str, to: Any, text: bytes | str, *_: Any, **__: Any) -> dict[str, Any]:
        data = text.encode() if isinstance(text, str) else text
        message: Any = message_from_bytes(data, policy=policy.default)
        message["X-Envelope-To"] = to if isinstance(to, str) else ", ".join(to)
        sent.append(message)
        return {}

    def start(self: Any, host: str = "", *_: Any, **__: Any) -> None:
        self._host, self.esmtp_features, self.does_esmtp, self.sock = host, {}, True, None
        self.helo_resp = self.ehlo_resp = b""

    patch.setattr(smtplib.SMTP, "__init__", start)
    patch.setattr(smtplib.SMTP, "sendmail", send)
    for name in ("connect", "ehlo", "helo", "ehlo_or_helo_if_needed", "starttls", "login", "quit", "noop", "rset"):
        patch.setattr(smtplib.SMTP, name, lambda *_, **__: (250, b"recorded"))
    return sent
