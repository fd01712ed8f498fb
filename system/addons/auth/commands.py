"""`python kernkoa.py user …`"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import click
from flask import current_app
from flask.cli import AppGroup

from . import passwords
from .attempts import auth_of_app
from .links import make_link
from .scopes import check_scopes
from .store import Store, User

users = AppGroup("user", help="Users, their roles, API keys and the audit log.")


@contextmanager
def _store() -> Iterator[Store]:
    """Yields the store; a ValueError becomes a one-line message."""
    try:
        yield auth_of_app().store
    except ValueError as error:
        raise click.ClickException(str(error)) from error


def _ask_password() -> str:
    found: str = click.prompt("Password", hide_input=sys.stdin.isatty(), confirmation_prompt=True, err=True)
    return passwords.check_password(found)


def _with_user(act: Callable[[Store, User], Any], name: str, event: str) -> None:
    with _store() as store:
        user = store.get(name)
        act(store, user)
        store.note(event, user.name, "command line")


@users.command("add")
@click.argument("name")
@click.option("--role", "roles", multiple=True, help="A role; may be repeated.")
def add(name: str, roles: tuple[str, ...]) -> None:
    """Add a user; asks for the password."""
    with _store() as store:
        user = store.add(name, _ask_password(), roles)
        store.note("user added", user.name, "command line", " ".join(roles))
    click.echo(f"{user.name} is added.")


@users.command("list")
def list_users() -> None:
    """List the users with their roles."""
    with _store() as store:
        for user in store.list_users():
            marks = ["locked"] * user.locked + ["second factor"] * bool(user.otp_secret)
            click.echo("  ".join(filter(None, [user.name, " ".join(sorted(user.roles)), ", ".join(marks)])))


@users.command("roles")
@click.argument("name")
@click.argument("roles", nargs=-1)
def set_roles(name: str, roles: tuple[str, ...]) -> None:
    """Set the roles of a user; none takes all away."""
    _with_user(lambda store, user: store.set_roles(user, roles), name, "roles set")


@users.command("lock")
@click.argument("name")
@click.option("--undo", is_flag=True, help="Let the user in again.")
def lock(name: str, undo: bool) -> None:
    """Lock a user out: sessions end, keys stop working."""
    _with_user(lambda store, user: store.set_locked(user, not undo), name, "unlocked" if undo else "locked")


@users.command("passwd")
@click.argument("name")
def passwd(name: str) -> None:
    """Set a new password; every session of the user ends."""
    _with_user(lambda store, user: store.set_password(user, _ask_password()), name, "password set")


@users.command("link")
@click.argument("name")
def link(name: str) -> None:
    """Print a link with which a user sets a new password: once, within an hour."""
    with _store() as store:
        user = store.get(name)
        if user.locked:
            raise ValueError(f"{user.name} is locked. First: python kernkoa.py user lock {user.name} --undo")
        click.echo(make_link(user, current_app.settings.url))  # type: ignore[attr-defined]
        store.note("link made", user.name, "command line")


@users.command("logout")
@click.argument("name")
def logout(name: str) -> None:
    """End every session of a user."""
    _with_user(lambda store, user: store.end_sessions(user), name, "sessions ended")


@users.command("otp")
@click.argument("name")
@click.option("--off", is_flag=True, help="Switch it off.")
def otp(name: str, off: bool) -> None:
    """Set up a second factor; prints the address for an authenticator app."""
    from .second_factor import make_secret, make_uri

    if off:
        _with_user(lambda store, user: store.set_otp_secret(user, ""), name, "second factor off")
        return
    secret = make_secret()
    with _store() as store:
        uri = make_uri(secret, store.get(name).name, current_app.name)
    _with_user(lambda store, user: store.set_otp_secret(user, secret), name, "second factor on")
    click.echo(uri)


@users.command("key")
@click.argument("name")
@click.option("--label", default="", help="What the key is for.")
@click.option(
    "--scope", "scopes", multiple=True, help="A folder, library, class or method: shop/orders. Else all."
)
@click.option("--days", type=click.FloatRange(min=0), default=0, help="How long it is valid; 0 is for ever.")
@click.option("--list", "listed", is_flag=True, help="List the user's keys.")
@click.option("--revoke", metavar="ID", default="", help="Revoke a key.")
def key(name: str, label: str, scopes: tuple[str, ...], days: float, listed: bool, revoke: str) -> None:
    """Make an API key, which is shown once; list or revoke keys."""
    with _store() as store:
        user = store.get(name)
        if listed:
            for item in store.list_keys(user):
                ends = f"until {_date(item.expires)}" if item.expires else ""
                click.echo("  ".join(filter(None, [item.id, item.label, " ".join(item.scopes), ends])))
        elif revoke:
            store.revoke_key(user, revoke)
            store.note("key revoked", user.name, "command line", revoke)
        else:
            check_scopes(scopes)
            made = store.add_key(user, label, scopes, days)
            store.note("key made", user.name, "command line", made.split("_")[1])
            click.echo(made)


@users.command("audit")
@click.argument("name", default="")
@click.option("--count", type=click.IntRange(1, 100_000), default=50, help="How many of the newest lines.")
def audit(name: str, count: int) -> None:
    """Print the audit log, the newest line last: when, what, who, from where."""
    with _store() as store:
        for line in reversed(store.read_audit(count, name)):
            words = (_date(line.at), line.event, line.user, line.address, line.detail)
            click.echo("\t".join(_printable(word) for word in words))


def _date(seconds: int) -> str:
    return time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(seconds))


def _printable(text: str) -> str:
    """Names in failed logins come from clients: control characters are escaped for the terminal."""
    return "".join(letter if letter.isprintable() else f"\\x{ord(letter):02x}" for letter in text)
