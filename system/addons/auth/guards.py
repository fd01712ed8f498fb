"""Guards: set as `before` in `_folder.py` or in a class, or used as a decorator."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any
from urllib.parse import quote

from flask import Response, current_app, redirect
from werkzeug.datastructures import WWWAuthenticate
from werkzeug.exceptions import Forbidden, Unauthorized

from system.core.dispatch.request import request
from system.core.dispatch.responses import no_store

from .attempts import auth_of_app
from .identity import identify

LOGIN = "/_koa/login"
# nginx answers 502 to a longer Location than its buffer holds; a path is up to three times as long when quoted
LONGEST_PATH = 800


class Guard:
    """Admits logged-in users who have one of its roles; without roles, every logged-in user.

    Use it as the `before` hook of a folder or a class, or as a decorator of a class or a method.
    """

    def __init__(self, roles: Iterable[str] = ()) -> None:
        self.roles = tuple(roles)

    def __call__(self, *arguments: Any) -> Any:
        return self._decorate(arguments[0]) if len(arguments) == 1 else self.check()

    def check(self) -> Response | None:
        """Returns None for an admitted user; a browser is redirected to the login page.

        Raises Unauthorized (401) for a program without a valid login, Forbidden (403) if the role is missing.
        """
        user = identify()
        if not user:
            return challenge()
        if self.roles and not user.has_role(*self.roles):
            auth_of_app().note_refusal("refused", user.name)
            raise Forbidden(f"This needs the role {' or '.join(self.roles)}, which {user.name} does not have.")
        return None

    def _decorate(self, target: Any) -> Any:
        if isinstance(target, type):
            inner = getattr(target, "before", None)
            target.before = self if inner is None else _Chain(self, inner)  # type: ignore[attr-defined]
        elif callable(target):
            target.koa_before = (self, *getattr(target, "koa_before", ()))
        else:
            raise TypeError('@require stands on a class or a method: write @require(role="staff")')
        return target


class _Chain:
    """Runs a guard before the existing hook of a class."""

    def __init__(self, guard: Guard, hook: Any) -> None:
        self._guard, self._hook = guard, hook

    def __call__(self, controller: Any, params: Any) -> Any:
        refusal = self._guard.check()
        return self._hook(controller, params) if refusal is None else refusal


login = Guard()


def require(role: str | Iterable[str] = ()) -> Guard:
    """A guard for users with a role, or with any of several roles: `require(role="staff")`."""
    return Guard((role,) if isinstance(role, str) else role)


def challenge() -> Response:
    """Redirect a browser to the login page, and back after the login. Raises Unauthorized for a program."""
    if request.wants_html:
        asked = request.script_root + (request.full_path if request.query_string else request.path)
        is_kept = request.method in ("GET", "HEAD") and len(asked) <= LONGEST_PATH
        wanted = f"?next={quote(asked)}" if is_kept else ""
        return no_store(redirect(f"{request.script_root}{LOGIN}{wanted}", 303, Response=Response))  # type: ignore[arg-type]
    raise Unauthorized("Log in, or send an API key: Authorization: Bearer koa_…", www_authenticate=_schemes())


def _schemes() -> list[WWWAuthenticate]:
    """RFC 9110, section 11.6.1. A page's scripts get no Basic challenge: it opens a password dialog."""
    realm: dict[str, str | None] = {"realm": current_app.name}
    schemes = [WWWAuthenticate("bearer", realm)]
    if "HTTP_SEC_FETCH_MODE" not in request.environ:
        schemes.append(WWWAuthenticate("basic", realm))
    return schemes
