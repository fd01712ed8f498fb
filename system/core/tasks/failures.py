"""What is recorded of a task that failed: type, message and traceback, as text."""

from __future__ import annotations

import traceback
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType

from billiard.exceptions import TimeLimitExceeded
from pydantic_core import to_json

from ..errors import TaskTimeout

CORE = str(Path(__file__).resolve().parents[1])
LONGEST_MESSAGE = 2_000
LONGEST_TRACEBACK = 20_000


class Failure(Exception):
    """A task failed; its arguments are the type, the message and the traceback of what it raised, as text.

    Celery sends what a task raises through a pipe; exceptions of users may fail to be pickled.
    """

    def __str__(self) -> str:
        return f"{self.args[0]}: {self.args[1]}" if len(self.args) > 1 else super().__str__()


def describe_error(error: BaseException) -> Failure:
    """An exception as text that can be stored: shortened, and valid in UTF-8."""
    if isinstance(error, Failure):
        return error
    if isinstance(error, TimeLimitExceeded):
        error = TaskTimeout(
            "The task ran longer than taskSeconds and did not end when it was asked to: it was killed."
        )
    name = type(error).__name__
    return Failure(name, _cut(_text(error), LONGEST_MESSAGE), _cut(_format(error), LONGEST_TRACEBACK))


def encode_failure(error: BaseException) -> bytes:
    """A failure in the form of its record."""
    name, message, trace = describe_error(error).args
    return to_json({"type": name, "message": message, "traceback": trace})


def _text(error: BaseException) -> str:
    try:
        return str(error)
    except BaseException as fault:  # noqa: BLE001 - the site's own __str__
        return f"its __str__ raised {type(fault).__name__}"


def _format(error: BaseException) -> str:
    """The traceback, from the site's first frame on."""
    try:
        frames = site_frames(error.__traceback__)
        return "".join(traceback.format_exception(type(error), error, frames))
    except BaseException as fault:  # noqa: BLE001 - source or values of the site's
        return f"the traceback cannot be shown: {type(fault).__name__}"


def site_frames(found: TracebackType | None) -> TracebackType | None:
    """A traceback from the site's first frame on; all of it where it has none."""
    for step in _steps(found):
        if not step.tb_frame.f_code.co_filename.startswith(CORE):
            return step
    return found


def _steps(found: TracebackType | None) -> Iterator[TracebackType]:
    while found is not None:
        yield found
        found = found.tb_next


def _cut(text: str, most: int) -> str:
    """The beginning and the end of a text that is too long; half surrogates are escaped."""
    if len(text) > most:
        text = f"{text[: most // 2]} … ({len(text):,} characters) … {text[-most // 4 :]}"
    return text.encode("utf-8", "backslashreplace").decode()
