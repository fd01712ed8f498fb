"""The scheduled task methods of the catalogue, read from the source of its libraries: nothing is imported."""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import tzinfo
from uuid import NAMESPACE_URL, uuid5

from ..catalog.folder import is_public
from ..catalog.library import Library
from ..catalog.outline import MethodOutline
from ..catalog.source import SourceCache
from ..catalog.tree import Catalog
from ..errors import TaskError
from .cron import Cron, read_cron
from .queues import QUEUE

log = logging.getLogger("kernkoa.schedules")

# receives a fault of a schedule: the file, the line and what is wrong
Report = Callable[[str, int, str], None]

_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400}
_INTERVAL = re.compile(r"(?<!\d)(\d++(?:\.\d++)?)\s*+([smhd])")


@dataclass(frozen=True, slots=True)
class Schedule:
    """A task method and when it is due. `when` is the text of its decorator."""

    route: str
    when: str
    queue: str
    seconds: float  # between two runs; 0 where `when` is a line of crontab

    def describe(self) -> dict[str, str]:
        """What the board and `routes` show."""
        return {"route": self.route, "when": self.when, "queue": self.queue}

    def due_after(self, last: float, zone: tzinfo) -> float:
        """The first moment after `last` at which the method is due; both are seconds since the epoch."""
        return last + self.seconds if self.seconds else _read_line(self.when).due_after(last, zone)


def read_interval(text: str) -> float:
    """Seconds of "30s", "5m", "2h", "1d" or "1h30m". Raises TaskError for anything else."""
    parts = _INTERVAL.findall(text)
    seconds = sum(float(number) * _UNITS[unit] for number, unit in parts)
    if _INTERVAL.sub("", text).strip() or seconds < 1:
        raise TaskError(
            f'@every({text!r}) is not an interval of a second or more. Write "30s", "5m", "2h" or "1d".'
        )
    return seconds


def _read_line(line: str) -> Cron:
    try:
        return read_cron(line)
    except ValueError as error:
        raise TaskError(f"@cron({line!r}) cannot be used: {error}.") from error


_complaints: set[str] = set()


def _complain(path: str, line: int, what: str) -> None:
    """Log a schedule that cannot be used, once: they are read every few seconds."""
    text = f"{path}, line {line}: {what}"
    if text not in _complaints:
        _complaints.add(text)
        log.error("%s", text)


def list_schedules(catalog: Catalog, report: Report = _complain) -> list[Schedule]:
    """Every scheduled method of the catalogue, by route. Invalid schedules are reported and left out."""
    found = (
        schedule
        for library in catalog.libraries("controller", catalog.now())
        for schedule in _in_library(library, catalog.sources, report)
    )
    return sorted(found, key=lambda schedule: schedule.route)


def _in_library(library: Library, sources: SourceCache, report: Report) -> Iterator[Schedule]:
    """The schedules of a library; for a broken file, those it had before. Most files are not parsed."""
    mentions = sources.names(library.path).decorators & {"every", "cron"}
    if not mentions and not sources.has_read(library.path):
        return
    reading = sources.read(library.path)
    outline = reading.outline or reading.before
    for owner in outline.classes.values() if outline else ():
        for method in owner.methods.values():
            if is_public(owner.name) and is_public(method.name):
                yield from _of_method(f"{library.place}/{owner.name}/{method.name}", method, library.path, report)


def _of_method(route: str, method: MethodOutline, path: str, report: Report) -> Iterator[Schedule]:
    queues = [item.values[0] for item in method.decorators if item.name == "queue" and item.values]
    for decorator in method.decorators:
        if decorator.name not in ("every", "cron"):
            continue
        try:
            if not method.is_task:
                raise TaskError("A scheduled method needs a parameter celery_instance.")
            if not decorator.values or len(decorator.values) != 1:
                raise TaskError(f"@{decorator.name} takes one text, written out.")
            text = str(decorator.values[0])
            seconds = read_interval(text) if decorator.name == "every" else 0.0
            if not seconds:
                _read_line(text)
            yield Schedule(route, text, str(queues[0]) if queues else QUEUE, seconds)
        except TaskError as error:
            report(path, method.line, str(error))


def slot_id(route: str, due: float) -> str:
    """The id of a scheduled run: the same for all who would start it, so that it is started once."""
    return str(uuid5(NAMESPACE_URL, f"kernkoa:{route}@{due:.0f}"))
