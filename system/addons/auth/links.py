"""Links to set a new password: signed, valid for one hour, and usable once."""

from __future__ import annotations

import hashlib
import logging
import threading
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from typing import Any

from flask import Flask, current_app
from itsdangerous import BadData, URLSafeTimedSerializer

from system.core.errors import SettingsError

from .attempts import auth_of_app
from .store import User

PAGE = "/_koa/password"
SECONDS = 3600
RETRY_SECONDS = (5.0, 60.0, 300.0)

log = logging.getLogger("kernkoa.auth")


def make_link(user: User, root: str) -> str:
    """A link to set a new password; `root` is the site's URL, ending in a slash."""
    token = _signer().dumps([user.id, user.epoch])
    return f"{root}{PAGE.lstrip('/')}?token={token}"


def user_of(token: str) -> User | None:
    """The user of a link; None if it is forged or expired, or if the user's sessions were ended since."""
    try:
        user_id, epoch = _signer().loads(token, max_age=SECONDS)
    except BadData:
        return None
    user = auth_of_app().store.by_id(user_id)
    return user if user is not None and user.is_active and user.epoch == epoch else None


def _signer() -> URLSafeTimedSerializer:
    keys = [*(current_app.config["SECRET_KEY_FALLBACKS"] or ()), current_app.secret_key]
    options = {"key_derivation": "hmac", "digest_method": hashlib.sha256}
    return URLSafeTimedSerializer(keys, salt="kernkoa-password-link", signer_kwargs=options)


def find_mailer(settings: Any) -> tuple[str, str | None] | None:
    """The model of `authMail`, as arguments of load.model; None if it is not set. Raises SettingsError."""
    place = getattr(settings, "authMail", "")
    if not place:
        return None
    folder, _, name = str(place).rpartition("/")
    if not name:
        raise SettingsError(f'config.py: authMail = {place!r} names no model. Write authMail = "mail/mailer"')
    return name, folder or None


def mail_link(name: str, address: str, root: str) -> None:
    """Mail a link in a thread, so that the request takes the same time for an unknown name."""
    app = current_app._get_current_object()  # type: ignore[attr-defined]
    _threads().submit(_begin, app, name, address, root)


@cache
def _threads() -> ThreadPoolExecutor:
    """Created in the process that uses it; before the process exits, waiting mails are sent."""
    return ThreadPoolExecutor(2, "auth-mail")


def _begin(app: Flask, name: str, address: str, root: str) -> None:
    with app.app_context():
        try:
            auth_of_app().store.note("link asked", name, address)
        except Exception:
            log.exception("Not in the audit log: a link for a new password was asked for %r.", name)
    _mail(app, name, root, RETRY_SECONDS)


def _mail(app: Flask, name: str, root: str, waits: tuple[float, ...]) -> None:
    """Mail the link. After a failure a daemon thread tries again, which does not delay the exit of the process."""
    with app.app_context():
        try:
            _mail_if_known(app, name, root)
        except Exception:
            following = (
                f"tried again in {waits[0]:g} seconds" if waits else "not tried again: the user can ask again"
            )
            log.exception("The mail with a link for a new password to %r was not sent. It is %s.", name, following)
            if waits:
                timer = threading.Timer(waits[0], lambda: _threads().submit(_mail, app, name, root, waits[1:]))
                timer.daemon = True
                timer.start()


def _mail_if_known(app: Any, name: str, root: str) -> None:
    user, mailer = auth_of_app().store.find(name), find_mailer(app.settings)
    if user is not None and user.is_active and mailer is not None:
        app.load.model(*mailer).password_link(user.name, make_link(user, root))
