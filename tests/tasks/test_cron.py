"""@cron against what Debian's cron does: minute by minute through a year, in zones whose clocks change in odd ways."""

from __future__ import annotations

import functools
from datetime import datetime, timedelta
from pathlib import Path
from zoneinfo import TZPATH, ZoneInfo

import pytest

from system.core.errors import SettingsError
from system.core.settings import Settings
from system.core.tasks.cron import read_cron
from system.core.tasks.zones import find_zone

# zone, year: an hour, half an hour, two hours, at midnight, in winter, a day left out, a minute after midnight, none
PLACES = [
    ("Europe/Berlin", 2026),
    ("America/New_York", 2026),
    ("Australia/Lord_Howe", 2026),
    ("Antarctica/Troll", 2026),
    ("America/Havana", 2026),
    ("Europe/Dublin", 2026),
    ("Africa/Casablanca", 2026),
    ("Africa/Cairo", 2026),
    ("Pacific/Apia", 2011),
    ("America/St_Johns", 2008),
    ("America/Asuncion", 2023),
    ("Asia/Kolkata", 2026),
]
LINES = [
    "30 9 * * 1-5",
    "30 2 * * *",
    "0 0 * * *",
    "0 3 1 * *",
    "*/15 * * * *",
    "* 2 * * *",
    "5 * * * *",
    "10,40 1-3 * * sun",
    "0 12 13 * fri",
    "15 0 */2 * mon",
    "* 0,23 28-31 * sat,sun",
]


@functools.cache
def windows(name: str, year: int) -> list[tuple[int, int]]:
    """Two days before and after each change of the clocks, in seconds since the epoch; all of 2026 in Berlin."""
    zone = ZoneInfo(name)
    start = int(datetime(year, 1, 1, tzinfo=zone).timestamp())
    hours = range(start, start + 366 * 86_400, 3_600)
    if name == "Europe/Berlin":
        return [(start, hours.stop)]
    offsets = {hour: datetime.fromtimestamp(hour, zone).utcoffset() for hour in hours}
    changes = [hour for hour in hours[1:] if offsets[hour] != offsets[hour - 3_600]] or [start]
    return [(hour - 2 * 86_400, hour + 2 * 86_400) for hour in changes]


@functools.cache
def minutes(name: str, start: int, stop: int) -> list[tuple[int, datetime, bool]]:
    """Each minute: seconds since the epoch, wall time, whether cron sees this wall time for the first time."""
    zone = ZoneInfo(name)
    found, latest = [], datetime(1, 1, 1)
    for second in range(start, stop, 60):
        wall = datetime.fromtimestamp(second, zone).replace(tzinfo=None, fold=0)
        back = latest - wall >= timedelta(hours=3)  # a correction: cron starts anew at the new time
        found.append((second, wall, wall > latest or back))
        latest = wall if back else max(latest, wall)
    return found


def run_cron(line: str, name: str, start: int, stop: int) -> list[int]:
    """What cron would do, in the words of Debian's cron(8) and crontab(5), one minute after the other."""
    texts = line.split()
    wild = texts[0][0] == "*" or texts[1][0] == "*"
    runs, previous = [], None
    one, many = timedelta(minutes=1), timedelta(hours=3, minutes=1)
    for second, wall, first_time in minutes(name, start, stop):
        due = (wild or first_time) and matches(line, wall)
        if not wild and previous is not None and one < wall - previous < many:
            skipped = int((wall - previous).total_seconds()) // 60
            due = due or any(matches(line, previous + timedelta(minutes=step)) for step in range(1, skipped))
        if due:
            runs.append(second)
        previous = wall
    return runs


NAMES = "sun mon tue wed thu fri sat".split()


@functools.cache
def allowed(text: str, low: int, high: int) -> frozenset[int]:
    values: set[int] = set()
    for part in text.split(","):
        span, _, step = part.partition("/")
        first, _, last = span.partition("-")
        ends = (low, high) if span == "*" else (number(first), number(last or first))
        values |= set(range(ends[0], ends[1] + 1, int(step or 1)))
    return frozenset(values)


def number(text: str) -> int:
    return NAMES.index(text) if text in NAMES else int(text)


@functools.cache
def split(line: str) -> list[str]:
    return line.split()


def matches(line: str, wall: datetime) -> bool:
    minute, hour, day, month, weekday = split(line)
    if wall.minute not in allowed(minute, 0, 59) or wall.hour not in allowed(hour, 0, 23):
        return False
    by_day = wall.day in allowed(day, 1, 31)
    by_weekday = wall.isoweekday() % 7 in allowed(weekday, 0, 7)
    either = day[0] != "*" and weekday[0] != "*"
    return wall.month in allowed(month, 1, 12) and ((by_day or by_weekday) if either else (by_day and by_weekday))


@pytest.mark.parametrize(("name", "year"), PLACES)
def test_a_line_is_due_when_cron_would_run_it(name: str, year: int) -> None:
    zone = ZoneInfo(name)
    for start, stop in windows(name, year):
        for text in LINES:
            line, expected = read_cron(text), run_cron(text, name, start, stop)
            found, moment = [], line.due_after(start - 1, zone)
            while moment < stop:
                found.append(moment)
                moment = line.due_after(moment, zone)
            assert found == expected, text


@pytest.mark.parametrize(
    ("line", "last", "due"),
    [
        ("0 2 * * *", "2026-01-05T01:30", "2026-01-05T02:00"),
        ("0 2 * * *", "2026-01-05T02:00", "2026-01-06T02:00"),
        ("30 8 * * 7", "2026-01-06T00:00", "2026-01-11T08:30"),
        ("0 0 29 feb *", "2026-01-01T00:00", "2028-02-29T00:00"),
        ("0 0 13 * 5", "2026-01-14T00:00", "2026-01-16T00:00"),
    ],
)
def test_the_next_time_of_a_line(line: str, last: str, due: str) -> None:
    zone = ZoneInfo("Europe/Berlin")
    moment = datetime.fromisoformat(last).replace(tzinfo=zone).timestamp()
    found = datetime.fromtimestamp(read_cron(line).due_after(moment, zone), zone)
    assert found.replace(tzinfo=None) == datetime.fromisoformat(due)


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ("", "0 fields and not 5"),
        ("* * * *", "4 fields"),
        ("* * * * * *", "6 fields"),
        ("x * * * *", "'x' is no minute: write 0 to 59"),
        ("0 25 * * *", "'25' is no hour: write 0 to 23"),
        ("0 0 0 * *", "'0' is no day of the month"),
        ("0 0 * jam *", "or jan, feb"),
        ("0 0 * * fri-mon", "it is empty"),
        ("*/0 * * * *", "it is empty"),
        ("5/15 * * * *", "a step follows \\* or a range"),
        ("0 0 30 2 *", "none of its months has a day 30"),
        ("0 0 31 4,6 *", "none of its months has a day 31"),
        ("²  0 * * *", "is no minute"),
    ],
)
def test_what_is_no_line_is_told(line: str, why: str) -> None:
    with pytest.raises(ValueError, match=why):
        read_cron(line)


def test_the_zone_of_the_machine(tmp_path: Path) -> None:
    copy = tmp_path / "localtime"
    copy.write_bytes(
        next(file for folder in TZPATH if (file := Path(folder, "Europe/Paris")).exists()).read_bytes()
    )
    summer = datetime(2026, 7, 1, 12)
    for zone in (
        find_zone("Europe/Paris"),
        find_zone("", {"TZ": "Europe/Paris"}),
        find_zone("", {"TZ": f":{copy}"}),
        find_zone("", {"TZ": "CET-1CEST,M3.5.0,M10.5.0/3"}),
        find_zone("", {}, copy),
    ):
        assert summer.replace(tzinfo=zone).utcoffset() == timedelta(hours=2)
        assert summer.replace(month=1, tzinfo=zone).utcoffset() == timedelta(hours=1)
    assert find_zone("", {}, tmp_path / "nothing").key == "UTC"


@pytest.mark.parametrize("name", ["Europe/Berln", "../etc/passwd", "Mars"])
def test_an_unknown_zone_is_refused_at_start(name: str, tmp_path: Path) -> None:
    from system.core.app import create_app

    with pytest.raises(SettingsError, match="is not a time zone"):
        create_app(Settings(path=tmp_path, timezone=name))
