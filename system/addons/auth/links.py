"""Links to set a new password: signed, valid for one hour, and usable once."""

from __future__ import annotations

import hashlib
from functools import partial
from typing import Any

from flask import current_app
from itsdangerous import BadData, URLSafeTimedSerializer

from system.core.errors import SettingsError

from .attempts import auth_of_app
from .outbox import outbox
from .store import User

PAGE = "/_koa/password"
SECONDS = 3600


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
    """Mail a link after the response, which so takes the same time for an unknown name."""
    auth_of_app().store.note("link asked", name, address)
    app = current_app._get_current_object()  # type: ignore[attr-defined]
    title = f"The mail with a link for a new password to {name!r}"
    outbox().add(title, partial(_mail, app, name, root))


def _mail(app: Any, name: str, root: str) -> None:
    """Mail the link if there is such a user."""
    with app.app_context():
        user, mailer = auth_of_app().store.find(name), find_mailer(app.settings)
        if user is not None and user.is_active and mailer is not None:
            app.load.model(*mailer).password_link(user.name, make_link(user, root))
