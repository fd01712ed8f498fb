"""The tables of the addon, and the migrations of older databases."""

from __future__ import annotations

import random
import time
from collections.abc import Callable

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Connection,
    Engine,
    ForeignKey,
    Integer,
    MetaData,
    String,
    Table,
    Unicode,
    select,
)
from sqlalchemy.exc import SQLAlchemyError

metadata = MetaData()

users = Table(
    "koa_users",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("name", Unicode(150), nullable=False, unique=True),
    Column("password", String(255), nullable=False),  # an Argon2 hash, RFC 9106
    Column("roles", Unicode(500), nullable=False),  # separated by spaces
    Column("locked", Boolean, nullable=False),
    Column("epoch", Integer, nullable=False),  # sessions with another number are invalid
    Column("otp_secret", String(64), nullable=False),  # empty without a second factor
    Column("otp_step", BigInteger, nullable=False),  # time step of the last accepted code: each works once
    Column("created", BigInteger, nullable=False),  # seconds since 1970
)

keys = Table(
    "koa_keys",
    metadata,
    Column("id", String(16), primary_key=True),
    Column("user_id", Integer, ForeignKey("koa_users.id"), nullable=False, index=True),
    Column("label", Unicode(100), nullable=False),
    Column("digest", String(64), nullable=False),  # SHA-256 of the secret half
    Column("scopes", Unicode(1000), nullable=False),  # path prefixes in the catalogue, separated by spaces
    Column("created", BigInteger, nullable=False),
    Column("expires", BigInteger, nullable=False),  # 0: never
)

audit = Table(
    "koa_audit",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("at", BigInteger, nullable=False, index=True),
    Column("event", String(40), nullable=False),
    Column("user", Unicode(150), nullable=False),
    Column("address", String(64), nullable=False),
    Column("detail", Unicode(300), nullable=False),
)

version = Table("koa_auth_version", MetaData(), Column("version", Integer, nullable=False))

# step n migrates the tables from version n to version n + 1
STEPS: tuple[Callable[[Connection], None], ...] = (metadata.create_all,)
ATTEMPTS = 6
PAUSE_SECONDS = 0.1


def migrate(engine: Engine) -> None:
    """Create the tables, or bring them up to date; safe when several processes start at once."""
    for attempt in range(ATTEMPTS):
        with engine.connect() as connection:  # an unreachable database fails here at once
            try:
                with connection.begin():
                    _migrate(connection)
                return
            except SQLAlchemyError:  # another process was faster: try again
                if attempt == ATTEMPTS - 1:
                    raise
        time.sleep(random.uniform(0.5, 1) * PAUSE_SECONDS * 2**attempt)  # noqa: S311 - jitter


def _migrate(connection: Connection) -> None:
    version.create(connection, checkfirst=True)
    found = connection.execute(select(version.c.version)).scalar()
    if found is None:
        connection.execute(version.insert().values(version=0))
    for step in STEPS[found or 0 :]:
        step(connection)
    if found != len(STEPS):
        connection.execute(version.update().values(version=len(STEPS)))
