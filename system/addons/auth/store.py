"""Users, keys and the audit log in a database of `dbs`."""

from __future__ import annotations

import hashlib
import hmac
import logging
import secrets
import time
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Row, delete, insert, select, update
from sqlalchemy.exc import IntegrityError, SQLAlchemyError

from system.core.errors import DatabaseError

from .passwords import hash_password
from .retention import TRIM_EVERY, Retention
from .tables import audit, keys, migrate, users

log = logging.getLogger("kernkoa.auth")
KEY_PREFIX = "koa_"


@dataclass(frozen=True, slots=True)
class User:
    """A user, with the attributes of Flask-Login. `scopes` are those of the request's API key."""

    id: int
    name: str
    roles: frozenset[str]
    locked: bool
    epoch: int
    password: str = ""
    otp_secret: str = ""
    scopes: tuple[str, ...] = ()

    is_authenticated = True
    is_anonymous = False

    @property
    def is_active(self) -> bool:
        return not self.locked

    def get_id(self) -> str:
        return str(self.id)

    def has_role(self, *roles: str) -> bool:
        """Whether the user has any of these roles."""
        return not self.roles.isdisjoint(roles)

    def __repr__(self) -> str:
        return f"<User {self.name}>"


@dataclass(frozen=True, slots=True)
class Key:
    """An API key, without its secret."""

    id: str
    label: str
    scopes: tuple[str, ...]
    created: int
    expires: int


class Store:
    """Stores users, keys and the audit log. Every method raises DatabaseUnavailable if the database is away."""

    def __init__(self, database: Any, retention: Retention | None = None) -> None:
        self._database = database
        self._retention = retention or Retention()
        self._is_ready = False
        self._noted = 0

    @contextmanager
    def _begin(self) -> Iterator[Connection]:
        try:
            engine = self._database.engine
            if not self._is_ready:
                migrate(engine)
                self._is_ready = True
            with engine.begin() as connection:
                yield connection
        except SQLAlchemyError as error:
            raise DatabaseError(f"{self._database.name}: {error}") from error

    def add(self, name: str, password: str, roles: Iterable[str] = ()) -> User:
        """Add a user. Raises ValueError if the name is taken or invalid."""
        name = normalize_name(name)
        values = {
            "name": name,
            "password": hash_password(password),
            "roles": _join_words("role", roles, 500),
            "locked": False,
            "epoch": 0,
            "otp_secret": "",
            "otp_step": 0,
            "created": int(time.time()),
        }
        with self._begin() as connection:
            try:
                connection.execute(insert(users).values(values))
            except IntegrityError as error:
                raise ValueError(f"There is already a user {name!r}.") from error
        return self.get(name)

    def find(self, name: str) -> User | None:
        """The user with this name, as it was typed; None if there is none."""
        try:
            name = normalize_name(name)
        except ValueError:
            return None
        user = self._read_user(users.c.name == name)
        # MySQL and MariaDB ignore case and accents: attempts as ánn would not be counted as attempts as ann
        return user if user is not None and user.name == name else None

    def get(self, name: str) -> User:
        """The user with this name. Raises ValueError if there is none."""
        user = self.find(name)
        if user is None:
            raise ValueError(f"There is no user {name!r}. See: python kernkoa.py user list")
        return user

    def by_id(self, user_id: int) -> User | None:
        return self._read_user(users.c.id == user_id)

    def _read_user(self, condition: Any) -> User | None:
        with self._begin() as connection:
            row = connection.execute(select(users).where(condition)).first()
        return None if row is None else _make_user(row)

    def list_users(self) -> list[User]:
        with self._begin() as connection:
            return [_make_user(row) for row in connection.execute(select(users).order_by(users.c.name))]

    def set_password(self, user: User, password: str) -> None:
        """Change a password; every session of the user ends."""
        self._update(user, password=hash_password(password), epoch=users.c.epoch + 1)

    def replace_password(self, user: User, password: str) -> bool:
        """Change a password once; False if the user was locked or the sessions ended since `user` was read."""
        values = {"password": hash_password(password), "epoch": users.c.epoch + 1}
        statement = update(users).where(users.c.id == user.id, users.c.epoch == user.epoch).values(values)
        with self._begin() as connection:
            return connection.execute(statement).rowcount == 1

    def refresh_hash(self, user: User, password: str) -> None:
        """Hash the same password again with the current parameters."""
        self._update(user, password=hash_password(password))

    def set_locked(self, user: User, locked: bool) -> None:
        """Lock a user (sessions and keys stop working too), or unlock the user."""
        self._update(user, locked=locked, epoch=users.c.epoch + 1)

    def set_roles(self, user: User, roles: Iterable[str]) -> None:
        self._update(user, roles=_join_words("role", roles, 500))

    def set_otp_secret(self, user: User, secret: str) -> None:
        """Enable the second factor; an empty secret disables it."""
        self._update(user, otp_secret=secret, otp_step=0)

    def end_sessions(self, user: User) -> None:
        """Log the user out everywhere."""
        self._update(user, epoch=users.c.epoch + 1)

    def use_code(self, user: User, step: int) -> bool:
        """Mark the one-time code of a time step as used; False if it or a later one was already used."""
        statement = update(users).where(users.c.id == user.id, users.c.otp_step < step).values(otp_step=step)
        with self._begin() as connection:
            return connection.execute(statement).rowcount == 1

    def _update(self, user: User, **values: Any) -> None:
        with self._begin() as connection:
            connection.execute(update(users).where(users.c.id == user.id).values(**values))

    def add_key(self, user: User, label: str, scopes: Sequence[str] = (), days: float = 0) -> str:
        """Create an API key and return its text. Show it once: only its hash is stored."""
        key_id, secret = secrets.token_hex(8), secrets.token_urlsafe(32)
        now = int(time.time())
        values = {
            "id": key_id,
            "user_id": user.id,
            "label": label[:100],
            "digest": _digest(secret),
            "scopes": _join_words("scope", [scope.strip("/") for scope in scopes], 1000),
            "created": now,
            "expires": now + int(days * 86_400) if days else 0,
        }
        with self._begin() as connection:
            connection.execute(insert(keys).values(values))
        return f"{KEY_PREFIX}{key_id}_{secret}"

    def by_key(self, text: str) -> User | None:
        """The user of an API key, with the key's scopes; None if the key is wrong or expired."""
        key_id, _, secret = text.removeprefix(KEY_PREFIX).partition("_")
        columns = (*users.c, keys.c.digest, keys.c.scopes, keys.c.expires)
        statement = select(*columns).join(keys, keys.c.user_id == users.c.id).where(keys.c.id == key_id[:16])
        with self._begin() as connection:
            row = connection.execute(statement).first()
        is_right = hmac.compare_digest(_digest(secret), row.digest if row else "0" * 64)
        if row is None or not is_right or (row.expires and row.expires < time.time()):
            return None
        return _make_user(row, tuple(row.scopes.split()))

    def list_keys(self, user: User) -> list[Key]:
        statement = select(keys).where(keys.c.user_id == user.id).order_by(keys.c.created)
        with self._begin() as connection:
            return [
                Key(row.id, row.label, tuple(row.scopes.split()), row.created, row.expires)
                for row in connection.execute(statement)
            ]

    def revoke_key(self, user: User, key_id: str) -> None:
        """Delete an API key. Raises ValueError if the user has no such key."""
        with self._begin() as connection:
            done = connection.execute(delete(keys).where(keys.c.id == key_id, keys.c.user_id == user.id))
        if not done.rowcount:
            raise ValueError(
                f"{user.name} has no key {key_id!r}. See: python kernkoa.py user key {user.name} --list"
            )

    def note(self, event: str, user: str, address: str = "", detail: str = "") -> None:
        """Write a line of the audit log."""
        values = {
            "at": int(time.time()),
            "event": event,
            "user": user[:150],
            "address": address[:64],
            "detail": detail[:300],
        }
        with self._begin() as connection:
            connection.execute(insert(audit).values(values))
        if self._noted % TRIM_EVERY == 0:
            self._trim_audit()
        self._noted += 1

    def _trim_audit(self) -> None:
        """Delete old lines of the audit log. A failure is logged: it must not fail the login that is noted."""
        try:
            with self._begin() as connection:
                self._retention.trim(connection)
        except DatabaseError as error:
            log.warning("The audit log was not trimmed: %s", error)

    def read_audit(self, count: int, user: str = "") -> list[Any]:
        """The latest lines of the audit log, newest first."""
        statement = select(audit).order_by(audit.c.id.desc()).limit(count)
        if user:
            statement = statement.where(audit.c.user == user)
        with self._begin() as connection:
            return list(connection.execute(statement))


def normalize_name(name: str) -> str:
    """The stored form of a name, the same for names that look the same. Raises ValueError for an invalid name."""
    found = fold_name(name)
    if not found or len(found) > 150 or not found.isprintable() or ":" in found:
        raise ValueError(f"{name!r} cannot be a user's name: 1 to 150 printable characters without a colon.")
    return found


def fold_name(name: str) -> str:
    """One form for all names that look the same, including invalid ones."""
    return unicodedata.normalize("NFKC", name).strip().casefold()


def _join_words(kind: str, words: Iterable[str], longest: int) -> str:
    """Join words for storage. An empty scope would allow everything, and "a b" would become two scopes."""
    found = sorted(set(words))
    for word in found:
        if len(word.split()) != 1 or not word.isprintable():
            raise ValueError(f"{word!r} cannot be a {kind}: it needs a name, without spaces.")
    joined = " ".join(found)
    if len(joined) > longest:
        raise ValueError(f"These are {len(joined)} characters of {kind}s; at most {longest} can be stored.")
    return joined


def _digest(secret: str) -> str:
    """SHA-256 is enough: a secret of 256 random bits needs no slow hash."""
    return hashlib.sha256(secret.encode()).hexdigest()


def _make_user(row: Row[Any], scopes: tuple[str, ...] = ()) -> User:
    return User(
        row.id,
        row.name,
        frozenset(row.roles.split()),
        bool(row.locked),
        row.epoch,
        row.password,
        row.otp_secret,
        scopes,
    )
