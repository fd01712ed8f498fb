"""Charts of the task board as lines of an SVG: queue lengths, ended tasks, durations."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from ..tasks.counts import Minute
from ..tasks.description import show_seconds

WIDTH, HEIGHT = 300, 60
# the periods that the board shows: words, minutes, minutes per point
PERIODS = {"hour": ("the last hour", 60, 1), "day": ("the last day", 1440, 15)}


@dataclass(frozen=True, slots=True)
class Line:
    """A line of a chart: its name, its last and its largest value in words, the points of its SVG path."""

    name: str
    last: str
    most: str
    points: str


@dataclass(frozen=True, slots=True)
class Chart:
    """A chart. `top` is the value at its upper edge, `begins` the time at its left edge."""

    title: str
    top: str
    begins: str
    lines: tuple[Line, ...]

    @property
    def summary(self) -> str:
        """The chart in words, for those who do not see it."""
        told = (f"{line.name}: now {line.last}, at most {line.most}" for line in self.lines)
        return f"{self.title}. {'; '.join(told)}."


def make_charts(counted: Sequence[Minute], step: int) -> list[Chart]:
    """The charts of a period, of which each point counts `step` minutes."""
    waiting = [float(sum(each.most.values())) for each in counted]
    left = float(sum(counted[-1].waiting.values()))
    done = [each.ended["SUCCESS"] / step for each in counted]
    failed = [each.ended["FAILURE"] / step for each in counted]
    median, slow = ([each.seconds(share) for each in counted] for share in (0.5, 0.95))
    begins = time.strftime("%H:%M", time.localtime(time.time() - len(counted) * step * 60))
    return [
        _make_chart("Waiting tasks", begins, {"waiting": waiting}, _number, left),
        _make_chart("Ended tasks per minute", begins, {"done": done, "failed": failed}, _number),
        _make_chart("Duration", begins, {"median": median, "95 % within": slow}, show_seconds),
    ]


def _make_chart(
    title: str,
    begins: str,
    series: dict[str, list[float]],
    show: Callable[[float], str],
    last: float | None = None,
) -> Chart:
    """A chart; its last value in words is `last`, where the last point is something else."""
    top = max(max(values) for values in series.values())
    lines = (
        Line(name, show(values[-1] if last is None else last), show(max(values)), _draw(values, top))
        for name, values in series.items()
    )
    return Chart(title, show(top), begins, tuple(lines))


def _draw(values: list[float], top: float) -> str:
    """The points of a polyline; a value is as high as its share of `top`."""
    step = WIDTH / max(1, len(values) - 1)
    return " ".join(
        f"{at * step:.1f},{HEIGHT * (1 - value / top) if top else HEIGHT:.1f}" for at, value in enumerate(values)
    )


def _number(value: float) -> str:
    return f"{value:,.0f}" if value >= 10 or value == int(value) else f"{value:.1f}"
