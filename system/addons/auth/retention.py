"""How much of the audit log is kept: the settings `authAuditDays` and `authAuditLines`."""

from __future__ import annotations

import time
from typing import Annotated, Any

from sqlalchemy import Connection, delete, func, or_, select

from system.core.checked import Checked, InvalidValues, above, at_most
from system.core.errors import SettingsError

from .tables import audit

# a process trims once for this many lines that it writes. One trim deletes at most ten times as many, so that
# no login waits for a long log
TRIM_EVERY = 1_000
MOST_DELETED = 10 * TRIM_EVERY


class Retention(Checked):
    """For how many days a line of the audit log is kept, and how many of the newest lines."""

    authAuditDays: Annotated[float, above(0), at_most(36_500)] = 365
    authAuditLines: Annotated[int, above(0)] = 1_000_000

    def trim(self, connection: Connection) -> None:
        """Delete the oldest lines that are too old or too many."""
        first = connection.execute(select(func.min(audit.c.id))).scalar() or 0
        newest_first = select(audit.c.id).order_by(audit.c.id.desc())
        last_too_many = connection.execute(newest_first.offset(self.authAuditLines).limit(1)).scalar() or 0
        begin = int(time.time() - self.authAuditDays * 86_400)
        is_over = or_(audit.c.at < begin, audit.c.id <= last_too_many)
        connection.execute(delete(audit).where(audit.c.id < first + MOST_DELETED, is_over))


def read_retention(settings: Any) -> Retention:
    """The retention that config.py sets. Raises SettingsError."""
    given = {name: getattr(settings, name, getattr(Retention, name)) for name in Retention.__annotations__}
    try:
        return Retention(**given)
    except InvalidValues as error:
        raise SettingsError(f"config.py: {error}") from error
