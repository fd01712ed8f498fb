"""Log lines: a record is one line that nobody's input can break, or with `logFormat = "json"` one JSON object."""

from __future__ import annotations

import json
import logging
import sys
import time
from typing import Any

from flask import has_request_context, request

from .settings import Settings

# what changes the direction of a text (Unicode Standard Annex 9): a line would show its parts in another order
_DIRECTIONS = (0x61C, 0x200E, 0x200F, *range(0x202A, 0x202F), *range(0x2066, 0x206A))
# C0 and C1 control characters and the Unicode line ends: none reaches a terminal or starts a line
ESCAPES = {code: f"\\x{code:02x}" for code in (*range(0x20), *range(0x7F, 0xA0))} | {
    code: f"\\u{code:04x}" for code in (0x2028, 0x2029, *_DIRECTIONS)
}
_LINES = {code: text for code, text in ESCAPES.items() if code != 0x0A}
TEXT = "%(asctime)s %(levelname)s %(name)s: %(message)s"
REQUEST_ID = "kernkoa.request_id"
LONGEST_TRACEBACK = 50_000


def escape(text: str) -> str:
    """A text as part of one line: control characters as \\x0a."""
    return text.translate(ESCAPES)


class OneLine(logging.Filter):
    """Escapes the message of each record of a handler, and indents its traceback: no line looks like a record."""

    def __init__(self, handler: logging.Handler) -> None:
        super().__init__()
        self._handler = handler

    def filter(self, record: logging.LogRecord) -> bool:
        record.msg, record.args = escape(record.getMessage()), None
        if record.exc_info and not record.exc_text:
            formatter = self._handler.formatter or logging.Formatter()
            record.exc_text = indent(formatter.formatException(record.exc_info))
        return True


def indent(text: str) -> str:
    """The lines of a traceback, indented, control characters escaped; of a long one the beginning and the end."""
    if len(text) > LONGEST_TRACEBACK:
        half = LONGEST_TRACEBACK // 2
        text = f"{text[:half]} … ({len(text):,} characters) … {text[-half:]}"
    return "\n".join(f"  {line}" for line in text.translate(_LINES).split("\n"))


class JsonFormatter(logging.Formatter):
    """A record as one JSON object: time, level, logger, message, the request's and the task's ids, a traceback.

    `extra={"koa": {...}}` adds members.
    """

    def format(self, record: logging.LogRecord) -> str:
        members: dict[str, Any] = {
            "time": time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(record.created)) + f".{int(record.msecs):03d}Z",
            "level": record.levelname,
            "logger": record.name,
            "message": record.getMessage(),
        }
        members |= _ids() | getattr(record, "koa", {})
        if record.exc_info:
            members["traceback"] = self.formatException(record.exc_info)
        return json.dumps(members, ensure_ascii=True, default=str)


def _ids() -> dict[str, str]:
    found = {}
    if has_request_context() and REQUEST_ID in request.environ:
        found["request_id"] = request.environ[REQUEST_ID]
    if "celery" in sys.modules:
        from celery import current_task

        if current_task:
            found["task_id"] = current_task.request.id
    return found


def protect(handler: logging.Handler, settings: Settings) -> None:
    """Make a handler write lines that nobody can forge, in the format that logFormat asks for."""
    if settings.logFormat == "json":
        handler.setFormatter(JsonFormatter())
    else:
        handler.addFilter(OneLine(handler))


def protect_worker_log(settings: Settings) -> None:
    """Protect the handlers that Celery's worker and beat set up for themselves."""
    from celery.signals import after_setup_logger, after_setup_task_logger

    def protect_all(logger: logging.Logger, **_: Any) -> None:
        for handler in logger.handlers:
            protect(handler, settings)

    for signal in (after_setup_logger, after_setup_task_logger):
        signal.connect(protect_all, weak=False, dispatch_uid="kernkoa.log")


def set_up_log(settings: Settings) -> None:
    """Write what the kernel and the site log to stderr, unless the development server or another handler does."""
    root = logging.getLogger()
    if not root.handlers and not settings.development:
        handler = logging.StreamHandler()
        handler.setFormatter(logging.Formatter(TEXT))
        protect(handler, settings)
        root.addHandler(handler)
    if settings.logFormat == "json":
        root.setLevel(logging.INFO)
