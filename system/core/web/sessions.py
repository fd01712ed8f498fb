"""Flask's signed cookies, at no cost for a request that has none."""

from __future__ import annotations

from typing import Any

from flask import Flask, Request, Response
from flask.sessions import SecureCookieSession, SecureCookieSessionInterface, SessionMixin
from itsdangerous import URLSafeTimedSerializer


class Session(SecureCookieSession):
    """Lasts session_timeout minutes from the last request that came with it."""

    permanent = True


class Sessions(SecureCookieSessionInterface):
    """The session of a request: opened from its cookie, saved where the request had or made one."""

    session_class = Session

    def __init__(self) -> None:
        self._serializer: URLSafeTimedSerializer | None = None
        self._key: Any = None

    def get_signing_serializer(self, app: Flask) -> URLSafeTimedSerializer | None:
        """The signer, made once for a key."""
        if self._serializer is None or self._key != app.secret_key:
            self._key = app.secret_key
            self._serializer = super().get_signing_serializer(app)
        return self._serializer

    def open_session(self, app: Flask, request: Request) -> SecureCookieSession | None:
        if "HTTP_COOKIE" not in request.environ:
            return self.session_class()
        return super().open_session(app, request)

    def save_session(self, app: Flask, session: SessionMixin, response: Response) -> None:
        if session or session.accessed or session.modified:
            super().save_session(app, session, response)
