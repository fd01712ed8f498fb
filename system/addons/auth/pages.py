"""The pages for login, logout and the account. A site can replace them with its own templates/auth/."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, redirect, render_template, request, session

from system.core.dispatch.responses import no_store

from . import passwords
from .attempts import auth_of_app
from .guards import LOGIN, LONGEST_PATH, challenge
from .identity import SESSION, check_password, current_user
from .store import User

blueprint = Blueprint("auth", __name__, template_folder="templates")

blueprint.after_request(no_store)


@blueprint.get(LOGIN)
def show_login() -> Any:
    return _login_page(200)


@blueprint.post(LOGIN)
def log_in() -> Any:
    form = request.form
    user = check_password(form.get("name", ""), form.get("password", ""), form.get("code", ""))
    if user is None:
        return _login_page(401, "The name, the password or the code is wrong.")
    _start_session(user)
    _note("login", user)
    return redirect(local_path(form.get("next", "")), 303)


def _login_page(status: int, fault: str = "") -> tuple[str, int]:
    wanted = request.values.get("next", "")
    values = {"fault": fault, "next": wanted, "name": request.form.get("name", "")}
    return render_template("auth/login.html", **values), status


@blueprint.post("/_koa/logout")
def log_out() -> Any:
    if current_user:
        _note("logout", current_user)
    session.clear()
    return redirect(f"{request.script_root}{LOGIN}", 303)


@blueprint.get("/_koa/account")
def show_account() -> Any:
    return _account_page(200) if current_user else challenge()


@blueprint.post("/_koa/account/password")
def change_password() -> Any:
    if not current_user:
        return challenge()
    auth, user, form = auth_of_app(), current_user._get_current_object(), request.form
    old = form.get("old", "")
    if not auth.check_guess("wrong old password", user.name, lambda: passwords.verify(old, user.password)):
        return _account_page(422, "The old password is wrong.")
    try:
        password = passwords.check_password(form.get("new", ""))
    except ValueError as error:
        return _account_page(422, str(error))
    auth.store.set_password(user, password)
    _note("password changed", user)
    _start_session(auth.store.get(user.name))
    return _account_page(200, said="The password is changed. Every other session has ended.")


@blueprint.post("/_koa/account/end")
def log_out_everywhere() -> Any:
    if not current_user:
        return challenge()
    auth_of_app().store.end_sessions(current_user)
    _note("logout everywhere", current_user)
    session.clear()
    return redirect(f"{request.script_root}{LOGIN}", 303)


def _account_page(status: int, fault: str = "", said: str = "") -> tuple[str, int]:
    keys = auth_of_app().store.list_keys(current_user)
    return render_template("auth/account.html", fault=fault, said=said, keys=keys), status


def _start_session(user: User) -> None:
    """Start a new session; nothing from before the login is kept."""
    session.clear()
    session[SESSION] = [user.id, user.epoch]


def _note(event: str, user: Any) -> None:
    auth_of_app().store.note(event, user.name, request.remote_addr or "")


def local_path(wanted: str) -> str:
    """The path to return to after the login; the site's root if it would leave the site.

    Browsers read `\\` as `/` and drop tabs and line ends, so the path must contain none of them.
    """
    root = f"{request.script_root}/"
    is_plain = wanted.isprintable() and "\\" not in wanted and len(wanted) <= LONGEST_PATH
    is_local = is_plain and wanted.startswith(root) and not wanted.startswith("//")
    return wanted if is_local else root
