"""The pages for a forgotten password: request a link, then set a new password with it."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, Response, current_app, render_template, request

from system.core.dispatch.responses import no_store
from system.core.web.hosts import trusted_hosts

from . import passwords
from .attempts import auth_of_app
from .links import PAGE, SECONDS, find_mailer, mail_link, user_of
from .store import User

blueprint = Blueprint("auth_links", __name__)

FORGOT = "/_koa/forgot"


@blueprint.get(FORGOT)
def show_forgot() -> Any:
    return _forgot_page()


@blueprint.post(FORGOT)
def ask_for_link() -> Any:
    """Responds the same whether or not the user exists."""
    if not _is_mailing():
        return _forgot_page()
    auth, name, address = auth_of_app(), request.form.get("name", ""), request.remote_addr or ""
    auth.count(auth.link_throttle, name, "link asked", name)
    mail_link(name, address, _settings().url)
    return _forgot_page(is_asked=True)


def _forgot_page(is_asked: bool = False) -> str:
    minutes = SECONDS // 60
    return render_template("auth/forgot.html", is_mailing=_is_mailing(), is_asked=is_asked, minutes=minutes)


def _is_mailing() -> bool:
    """Whether the site mails links and its host name is set; else the link would use the client's Host header."""
    settings = _settings()
    return find_mailer(settings) is not None and bool(settings.site_url or trusted_hosts(settings))


def _settings() -> Any:
    return current_app.settings  # type: ignore[attr-defined]


@blueprint.after_request
def hide_token(response: Response) -> Response:
    """The token is in the page's URL, so other requests must not send that URL as their Referer."""
    response.headers["Referrer-Policy"] = "strict-origin"
    return no_store(response)


@blueprint.get(PAGE)
def show_password() -> Any:
    token = request.args.get("token", "")
    return _password_page(200, token) if _user_of(token) else _ended_page()


@blueprint.post(PAGE)
def set_password() -> Any:
    token, auth, address = request.form.get("token", ""), auth_of_app(), request.remote_addr or ""
    user = _user_of(token)
    if user is None:
        return _ended_page()
    try:
        password = passwords.check_password(request.form.get("new", ""))
    except ValueError as error:
        return _password_page(422, token, str(error))
    auth.throttle.forget(user.name, address)
    if not auth.store.replace_password(user, password):
        return _ended_page()
    auth.store.note("password set by link", user.name, address)
    return render_template("auth/password.html", is_set=True)


def _user_of(token: str) -> User | None:
    user = user_of(token)
    if user is None:
        auth_of_app().refuse_secret("link refused", "", token)
    return user


def _password_page(status: int, token: str, fault: str = "") -> tuple[str, int]:
    return render_template("auth/password.html", token=token, fault=fault), status


def _ended_page() -> tuple[str, int]:
    return render_template("auth/password.html", is_ended=True), 410
