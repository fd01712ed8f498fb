"""A line of crontab(5), and when it is due: in wall time, over changes of the clocks as Debian's cron does it.

A job of fixed times runs once when the clocks change: at the moment of the change if its time is skipped, and not
again if its time is repeated. A job with a wildcard in its minute or hour runs by the clock as it is: not in a
skipped hour, and in both of a repeated one. A change of three hours or more is a correction: every job runs by the
new time.
"""

from __future__ import annotations

import bisect
import functools
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta, tzinfo

# name, first, last, names of values
_FIELDS = (
    ("minute", 0, 59, ""),
    ("hour", 0, 23, ""),
    ("day of the month", 1, 31, ""),
    ("month", 1, 12, "jan feb mar apr may jun jul aug sep oct nov dec"),
    ("day of the week", 0, 7, "sun mon tue wed thu fri sat"),
)
_PART = re.compile(r"(?P<from>\*|\w+)(?:-(?P<to>\w+))?(?:/(?P<step>\d+))?", re.ASCII)
_DAYS_OF_MONTH = (31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)
# the next day of a line is within so many: 29 February of 2096 is followed by that of 2104
_FARTHEST_DAYS = 8 * 366 + 7
CORRECTION = timedelta(hours=3)


@dataclass(frozen=True, slots=True)
class Cron:
    """A line of crontab. `wild`: its minute or its hour begins with `*`."""

    minutes: tuple[int, ...]
    hours: tuple[int, ...]
    days: frozenset[int]
    months: frozenset[int]
    weekdays: frozenset[int]
    wild: bool
    either_day: bool

    def is_on(self, day: date) -> bool:
        """Whether the line is due on a day. If both days are restricted, one of them is enough: crontab(5)."""
        if day.month not in self.months:
            return False
        by_day, by_weekday = day.day in self.days, day.isoweekday() % 7 in self.weekdays
        return (by_day or by_weekday) if self.either_day else (by_day and by_weekday)

    def due_after(self, moment: float, zone: tzinfo) -> float:
        """The first time after a moment at which the line is due; both are seconds since the epoch."""
        since = datetime.fromtimestamp(moment, UTC)
        # a wall time of the day before may come after one of this day where the clocks change around midnight
        first = since.astimezone(zone).date() - timedelta(days=1)
        for number in range(_FARTHEST_DAYS):
            day = first + timedelta(days=number)
            found = self._due_on(day, since, zone)
            if found:
                # the next day begins before this one ends where the clocks go back just after midnight
                following = self._due_on(day + timedelta(days=1), since, zone)
                return min(found + following).timestamp()
        raise ValueError("it is never due")  # read_cron has refused such a line

    def _due_on(self, day: date, since: datetime, zone: tzinfo) -> tuple[datetime, ...]:
        """The first time of a day after `since`, if there is one."""
        moments = _due_on(self, day, zone) if self.is_on(day) else ()
        next_one = bisect.bisect_right(moments, since)
        return moments[next_one : next_one + 1]


def read_cron(line: str) -> Cron:
    """Read a line: minute, hour, day of the month, month, day of the week. Raises ValueError for anything else."""
    texts = line.lower().split()
    if len(texts) != len(_FIELDS):
        raise ValueError(f'it has {len(texts)} fields and not 5: write "0 2 * * *" for two at night')
    minutes, hours, days, months, weekdays = (
        _read_field(text, *field) for text, field in zip(texts, _FIELDS, strict=True)
    )
    weekdays = frozenset(day % 7 for day in weekdays)
    wild = texts[0].startswith("*") or texts[1].startswith("*")
    either = not (texts[2].startswith("*") or texts[4].startswith("*"))
    if not either and min(days) > max(_DAYS_OF_MONTH[month - 1] for month in months):
        raise ValueError(f"none of its months has a day {min(days)}")
    return Cron(tuple(sorted(minutes)), tuple(sorted(hours)), days, months, weekdays, wild, either)


def _read_field(text: str, name: str, first: int, last: int, names: str) -> frozenset[int]:
    found: set[int] = set()
    for part in text.split(","):
        read = _PART.fullmatch(part)
        if read is None:
            raise ValueError(f"{part!r} is no {name}")
        low, high = first, last
        if read["from"] != "*":
            low = _read_value(read["from"], name, first, last, names)
            high = _read_value(read["to"], name, first, last, names) if read["to"] else low
        if (read["step"] and not read["to"] and read["from"] != "*") or (read["to"] and read["from"] == "*"):
            raise ValueError(f"{part!r} is no {name}: a step follows * or a range, as in */5 or 0-30/5")
        step = int(read["step"] or 1)
        if low > high or not 0 < step <= last:
            raise ValueError(f"{part!r} is no {name}: it is empty")
        found |= set(range(low, high + 1, step))
    return frozenset(found)


def _read_value(text: str, name: str, first: int, last: int, names: str) -> int:
    if text in names.split():
        return names.split().index(text) + first
    if not text.isdecimal() or not first <= int(text) <= last:
        allowed = f" or {names.replace(' ', ', ')}" if names else ""
        raise ValueError(f"{text!r} is no {name}: write {first} to {last}{allowed}")
    return int(text)


@functools.lru_cache(maxsize=256)
def _due_on(line: Cron, day: date, zone: tzinfo) -> tuple[datetime, ...]:
    walls = (
        datetime(day.year, day.month, day.day, hour, minute) for hour in line.hours for minute in line.minutes
    )
    return tuple(sorted(moment for wall in walls for moment in _moments(wall, zone, line.wild)))


def _moments(wall: datetime, zone: tzinfo, wild: bool) -> Iterator[datetime]:
    """The moments at which a job runs whose wall time this is: none, one or two."""
    early, late = (wall.replace(tzinfo=zone, fold=fold).astimezone(UTC) for fold in (0, 1))
    if early == late:
        yield early
    elif early < late:  # the clocks went back: the time is there twice
        yield early
        if wild or late - early >= CORRECTION:
            yield late
    elif not wild and early - late < CORRECTION:  # the clocks went forward: the time is skipped
        yield _find_change(late, early, zone)


def _find_change(before: datetime, after: datetime, zone: tzinfo) -> datetime:
    """The moment between two others at which a zone's offset changes, to the second."""
    offset = before.astimezone(zone).utcoffset()
    low, high = int(before.timestamp()), int(after.timestamp())
    while high - low > 1:
        middle = (low + high) // 2
        same = datetime.fromtimestamp(middle, UTC).astimezone(zone).utcoffset() == offset
        low, high = (middle, high) if same else (low, middle)
    return datetime.fromtimestamp(high, UTC)
