"""Attempts to get in: each is counted before it is checked, and in the audit log if it is refused."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from flask import current_app, request

from .store import Store
from .throttle import Throttle, TooManyAttempts

Found = TypeVar("Found")


@dataclass(frozen=True, slots=True)
class Auth:
    """The addon's parts in one app."""

    store: Store
    throttle: Throttle
    link_throttle: Throttle
    secret_throttle: Throttle  # for API keys and links

    def check_guess(self, event: str, name: str, check: Callable[[], Found]) -> Found:
        """Check what a client could guess. Raises TooManyRequests over the limits of the name and the address."""
        address = request.remote_addr or ""
        self.count(self.throttle, name, event, name)
        found = check()
        if found:
            self.throttle.passed(name, address)
        else:
            self.store.note(event, name, address)
        return found

    def refuse_secret(self, event: str, name: str, secret: str) -> None:
        """Note a wrong API key or link. Right ones are not counted: nobody guesses one.

        Raises TooManyRequests over the limits of the secret and the address.
        """
        self.count(self.secret_throttle, secret, event, name)
        self.store.note(event, name, request.remote_addr or "")

    def count(self, throttle: Throttle, counted: str, event: str, name: str) -> None:
        """Count an attempt. Raises TooManyRequests over a limit; the first time this is noted."""
        address = request.remote_addr or ""
        try:
            throttle.enter(counted, address)
        except TooManyAttempts as error:
            if error.is_first:
                self.store.note("too many attempts", name, address, event)
            raise

    def note_refusal(self, event: str, name: str) -> None:
        """Note that a known user may not enter. The explorer's look at what it may list is no attempt."""
        if getattr(request, "looked_at", None) is None:
            self.store.note(event, name, request.remote_addr or "", request.path)


def auth_of_app() -> Auth:
    found: Auth = current_app.extensions["auth"]
    return found
