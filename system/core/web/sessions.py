"""Flask's signed session cookies, without cost for a request that has none."""

from __future__ import annotations

import math
import time
from datetime import timedelta
from functools import lru_cache
from typing import Any

from flask import Flask, Request, Response, has_request_context, request
from flask.globals import _cv_request
from flask.sessions import SecureCookieSession, SecureCookieSessionInterface, SessionMixin
from itsdangerous import BadData, BadSignature, URLSafeTimedSerializer
from itsdangerous.encoding import base64_decode, bytes_to_int

# a cookie that is not changed is signed again after this part of its life
RENEWAL = 0.1


class Session(SecureCookieSession):
    """A session that lasts `session_timeout` minutes after its last request; Flask's `permanent` can be set."""

    signed_at: float = 0

    @property
    def permanent(self) -> bool:
        """Whether the cookie outlives the browser: yes, unless it is set to False. Flask's default is no."""
        return bool(self.get("_permanent", True))

    @permanent.setter
    def permanent(self, value: bool) -> None:
        self["_permanent"] = bool(value)


class Sessions(SecureCookieSessionInterface):
    """Opens the session of a request from its cookie, and sets the cookie when it was changed or grows old."""

    session_class: type[SecureCookieSession] = Session

    def __init__(self) -> None:
        self._serializer: URLSafeTimedSerializer | None = None
        self._keys: Any = None

    def get_cookie_secure(self, app: Flask) -> bool:
        """`Secure` on every cookie that goes out over https."""
        return bool(app.config["SESSION_COOKIE_SECURE"]) or (has_request_context() and request.is_secure)

    def get_cookie_name(self, app: Flask) -> str:
        """Over https `__Host-` in front where it can be: no other host of the domain can set that cookie."""
        name = super().get_cookie_name(app)
        is_whole = self.get_cookie_path(app) == "/" and self.get_cookie_domain(app) is None
        return f"__Host-{name}" if is_whole and self.get_cookie_secure(app) else name

    def get_signing_serializer(self, app: Flask) -> URLSafeTimedSerializer | None:
        """The signer, made once for the app's keys; None without a key."""
        keys = (app.secret_key, *(app.config["SECRET_KEY_FALLBACKS"] or ()))
        if self._keys != keys:
            self._keys, self._serializer = keys, super().get_signing_serializer(app)
        return self._serializer

    def open_session(self, app: Flask, request: Request) -> SecureCookieSession | None:
        signer = self.get_signing_serializer(app)
        if signer is None:
            return None
        value = "HTTP_COOKIE" in request.environ and request.cookies.get(self.get_cookie_name(app))
        if not value:
            return self.session_class()
        lifetime = int(app.permanent_session_lifetime.total_seconds())
        try:
            data, signed_at = signer.loads(value, max_age=lifetime, return_timestamp=True)
        except BadSignature:
            return self.session_class()
        session = self.session_class(data)
        if isinstance(session, Session):
            session.signed_at = signed_at.timestamp()
        return session

    def should_set_cookie(self, app: Flask, session: SessionMixin) -> bool:
        """Whether the response sets the cookie: Flask's rules for one that was read and has `permanent` set."""
        is_set = session.accessed and "_permanent" in session
        if session.modified or is_set or not isinstance(session, Session):
            return super().should_set_cookie(app, session)
        return time.time() - session.signed_at >= self._renewal(app)

    def is_old(self, app: Flask, cookies: str) -> bool:
        """Whether the session in a Cookie header is to be signed again if nothing reads it."""
        name = app.config["SESSION_COOKIE_NAME"]
        return name in cookies and _age_in(cookies, name) >= self._renewal(app)

    def _renewal(self, app: Flask) -> float:
        """The age in seconds at which an unchanged cookie is signed again; never without REFRESH_EACH_REQUEST."""
        if not app.config["SESSION_REFRESH_EACH_REQUEST"]:
            return math.inf
        lifetime = app.config["PERMANENT_SESSION_LIFETIME"]
        seconds: float = lifetime.total_seconds() if isinstance(lifetime, timedelta) else lifetime
        return seconds * RENEWAL

    def save_session(self, app: Flask, session: SessionMixin | None, response: Response) -> None:
        """Set the cookie if necessary. `session` is None where the request did not open it (short_way.py)."""
        if session is None:
            session = self._open_old(app)
        if session is not None and (session or session.accessed or session.modified):
            super().save_session(app, session, response)

    def _open_old(self, app: Flask) -> SessionMixin | None:
        """The session of a request that did not read it, if its cookie is to be signed again."""
        cookies = _cv_request.get().request.environ.get("HTTP_COOKIE")
        if cookies is None or not self.is_old(app, cookies):
            return None
        return self.open_session(app, request)


def _age_in(cookies: str, name: str) -> float:
    """Seconds since the session cookie in a header was signed, from its own text; minus infinity without a time.

    Read without parsing the header, in linear time: at worst a session is opened and verified needlessly.
    """
    signed_at = math.inf
    for value in cookies.split(name + "=")[1:]:
        parts = value.partition(";")[0].rsplit(".", 2)
        if len(parts) == 3:
            signed_at = min(signed_at, _moment_of(parts[1]))
    return time.time() - signed_at


@lru_cache(1024)
def _moment_of(stamp: str) -> float:
    """The moment of a stamp of itsdangerous, infinity if it is none. Sessions signed in one second share it."""
    try:
        return bytes_to_int(base64_decode(stamp)) if len(stamp) < 12 else math.inf
    except BadData:
        return math.inf
