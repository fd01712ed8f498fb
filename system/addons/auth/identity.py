"""The user of a request: by the Authorization header (API key, or name and password), else by the session."""

from __future__ import annotations

from typing import Any

from flask import g, has_request_context, request, session
from werkzeug.exceptions import Forbidden
from werkzeug.local import LocalProxy

from system.core.tasks.payload import USER

from . import passwords
from .attempts import Auth, auth_of_app
from .store import KEY_PREFIX, Store, User

SESSION = "koa_user"


class Anonymous:
    """The current user when nobody is logged in. It is false in a condition."""

    id = None
    name = ""
    roles: frozenset[str] = frozenset()
    scopes: tuple[str, ...] = ()
    is_authenticated = is_active = False
    is_anonymous = True

    def get_id(self) -> None:
        return None

    def has_role(self, *roles: str) -> bool:
        return False

    def __bool__(self) -> bool:
        return False


ANONYMOUS = Anonymous()


def identify() -> User | Anonymous:
    """The user of this request, looked up once.

    Raises TooManyRequests after too many attempts, Forbidden for a key whose scopes exclude this method.
    """
    if not has_request_context():
        return ANONYMOUS
    found = _user_of_request()
    if found.scopes and not is_in_scope(found.scopes):
        auth_of_app().note_refusal("out of scope", found.name)
        raise Forbidden("This API key is not valid for this address.")
    return found


def _user_of_request() -> User | Anonymous:
    if "koa_user" not in g:
        g.koa_user = _look_up() or ANONYMOUS
        if g.koa_user:
            request.environ[USER] = g.koa_user.name
    found: User | Anonymous = g.koa_user
    return found


def may_use(place: str) -> bool:
    """Whether the API key of this request allows a method; True if no key was sent."""
    scopes = _user_of_request().scopes
    return not scopes or any(_is_below(place, scope) for scope in scopes)


current_user: Any = LocalProxy(identify)


def _look_up() -> User | None:
    auth = auth_of_app()
    if USER in request.environ:
        user = auth.store.find(request.environ[USER])
    elif "HTTP_AUTHORIZATION" in request.environ:
        user = _by_header(auth)
    else:
        user = _by_session(auth.store)
    return user if user is not None and user.is_active else None


def _by_session(store: Store) -> User | None:
    kept = session.get(SESSION)
    if not isinstance(kept, list) or len(kept) != 2:
        return None
    user = store.by_id(kept[0])
    return user if user is not None and user.epoch == kept[1] else None


def _by_header(auth: Auth) -> User | None:
    sent = request.authorization
    if sent is None:
        return None
    if sent.type == "bearer":
        return _check_key(auth, sent.token or "", None)
    name, password = sent.username or "", sent.password or ""
    if password.startswith(KEY_PREFIX):
        return _check_key(auth, password, name)
    return check_password(name, password, "") if sent.type == "basic" else None


def _check_key(auth: Auth, key: str, name: str | None) -> User | None:
    """The user of a key; with a name, only if it is the user's."""
    user = auth.store.by_key(key)
    named = user if name is None else auth.store.find(name)
    if user is None or not user.is_active or named is None or named.id != user.id:
        auth.refuse_secret("key refused", name or "", key)
        return None
    return user


def is_in_scope(scopes: tuple[str, ...]) -> bool:
    """Whether the method of this request is below one of the scopes; without scopes, every method is.

    The place of the method in the catalogue decides, not its URL, because a method has several URLs. Pages about
    the catalogue show the places below a scope and their parents.
    """
    if not scopes:
        return True
    looked_at = getattr(request, "looked_at", None)
    if looked_at is not None:
        return any(_is_below(looked_at, scope) or _is_below(scope, looked_at) for scope in scopes)
    resolved = getattr(request, "resolved", None)
    place = resolved.endpoint.name if resolved is not None else request.path.strip("/")
    return any(_is_below(place, scope) for scope in scopes)


def _is_below(place: str, scope: str) -> bool:
    return not scope or f"{place}/".startswith(f"{scope}/")


def check_password(name: str, password: str, code: str) -> User | None:
    """The user if the name, the password and (if set up) the one-time code are right, else None.

    An unknown name takes the same time. Raises TooManyRequests after too many attempts.
    """
    auth = auth_of_app()
    user = auth.check_guess("login failed", name, lambda: _find_user(auth.store, name, password, code))
    if user is not None and passwords.is_outdated(user.password):
        auth.store.refresh_hash(user, password)
    return user


def _find_user(store: Store, name: str, password: str, code: str) -> User | None:
    user = store.find(name)
    is_right = passwords.verify(password, user.password if user and user.is_active else "")
    return user if user is not None and is_right and _has_second_factor(store, user, code) else None


def _has_second_factor(store: Store, user: User, code: str) -> bool:
    if not user.otp_secret:
        return True
    from .second_factor import is_right

    return is_right(store, user, code)
