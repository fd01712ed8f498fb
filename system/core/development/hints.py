"""A hint for each of the most frequent errors: one sentence that says what to do."""

from __future__ import annotations

import builtins
import errno
import re
import sys
from bdb import BdbQuit
from collections.abc import Callable, Mapping
from traceback import walk_tb
from types import FrameType

from flask import current_app
from jinja2 import TemplateNotFound, UndefinedError

from ..catalog.source import parse
from ..catalog.star_import import find_replaced
from ..dispatch.request import request
from ..dispatch.responses import ANSWERS
from ..errors import AnswerError, BrokerUnavailable, DatabaseError, DatabaseUnavailable, LibraryError
from ..redaction import message_of
from ..settings import Settings
from ..spelling import did_you_mean


def find_hint(error: BaseException) -> str:
    """What to do about an error; empty if no rule applies."""
    if isinstance(error, LibraryError) and error.__cause__ is not None:
        error = error.__cause__
    return next((hint for rule in _RULES if (hint := rule(error))), "")


def _self_forgotten(error: BaseException) -> str:
    resolved = getattr(request, "resolved", None)
    if resolved is None or not isinstance(error, AttributeError | TypeError | NameError | AnswerError):
        return ""
    function = resolved.endpoint.function
    names = function.__code__.co_varnames[: function.__code__.co_argcount]
    frame = _frame_of(error)
    is_returned = f"is of type {resolved.endpoint.controller.__name__}" in message_of(error)
    is_inside = frame is not None and frame.f_code is function.__code__
    if names and names[0] != "self" and (is_inside or is_returned):
        rest = ", ".join(names)
        return (
            f"The first parameter of {function.__name__} is {names[0]}, and it receives the controller itself. "
            f"Write def {function.__name__}(self, {rest})."
        )
    if isinstance(error, TypeError) and re.search(
        r"takes (\d+) positional arguments? but (\d+) w", message_of(error)
    ):
        return "A method gets its object as the first argument: is self missing in its def?"
    return ""


def _template_missing(error: BaseException) -> str:
    if not isinstance(error, TemplateNotFound) or not error.name:
        return ""
    known = current_app.jinja_env.list_templates()
    near = did_you_mean(str(error.name), [name for name in known if not name.startswith("kernkoa/")])
    return f"There is no {error.name} in the template folder.{near}"


def _template_value_missing(error: BaseException) -> str:
    found = re.fullmatch(r"'(\w+)' is undefined", message_of(error))
    if not isinstance(error, UndefinedError) or found is None:
        return ""
    near = did_you_mean(found[1], _template_names(error))
    return f"The template uses {found[1]}, which is not passed to it: render_template(…, {found[1]}=…).{near}"


def _redis_away(error: BaseException) -> str:
    module = type(error).__module__.partition(".")[0]
    if isinstance(error, BrokerUnavailable) or (module in ("redis", "kombu") and _is_refused(error)):
        return (
            "Redis does not answer. Start it (redis-server), correct redisUrl in config.py, or leave redisUrl "
            "empty: then the development server starts its own."
        )
    return ""


def _database_away(error: BaseException) -> str:
    if isinstance(error, DatabaseUnavailable):
        return "The database does not answer. Is it running, and are its host, port and user in config.py right?"
    said = message_of(error) if isinstance(error, DatabaseError) else ""
    if re.search(r"no such table|Table '.*' doesn't exist|relation \".*\" does not exist", said):
        return "A table is missing. Create it first; dbs[…].checkTable(name) says whether it exists."
    return ""


def _port_taken(error: BaseException) -> str:
    if isinstance(error, OSError) and error.errno == errno.EADDRINUSE:
        return "Another program listens on that port: stop it, or use another port."
    return ""


def _unsupported_answer(error: BaseException) -> str:
    return f"A method returns {ANSWERS}." if isinstance(error, AnswerError) else ""


def _name_unknown(error: BaseException) -> str:
    if not isinstance(error, NameError) or not error.name:
        return ""
    face = sys.modules.get("kernkoa")
    if error.name in getattr(face, "__all__", ()):
        return f"{error.name} needs the line: from kernkoa import *"
    frame = _frame_of(error)
    known = [*frame.f_locals, *frame.f_globals, *vars(builtins)] if frame else []
    if error.name in ("dbs", "exeTask", "config", "load", "render_template", "request", "json"):
        return f"{error.name} needs the line: from kernkoa import *"
    return did_you_mean(error.name, [*known, *getattr(face, "__all__", ())]).strip()


def _attribute_unknown(error: BaseException) -> str:
    if not isinstance(error, AttributeError) or not error.name:
        return ""
    if error.obj is None:
        return f"The value before .{error.name} is None: check what set it or returned it."
    if isinstance(error.obj, Settings):
        return f"config.py sets no {error.name}: write a line {error.name} = … there."
    if isinstance(error.obj, Mapping):
        return f"A value of a dict is read with brackets: [{error.name!r}] in place of .{error.name}"
    known = [*dir(type(error.obj)), *getattr(error.obj, "__dict__", ())]
    return did_you_mean(error.name, [name for name in known if not name.startswith("_")]).strip()


def _module_missing(error: BaseException) -> str:
    if not isinstance(error, ModuleNotFoundError) or not error.name:
        return ""
    top = error.name.partition(".")[0]
    if top in ("catalog", "system"):
        return "A file of the catalogue is imported by its path: from catalog.model.shop.stock import stock"
    return f"Is {top} installed in this environment? {sys.executable} -m pip install {top}"


def _import_unknown(error: BaseException) -> str:
    found = re.match(r"cannot import name '(\w+)'", message_of(error))
    if type(error) is not ImportError or found is None:
        return ""
    return did_you_mean(found[1], dir(sys.modules.get(error.name or "", object))).strip()


def _not_utf_8(error: BaseException) -> str:
    if isinstance(error, SyntaxError) and re.search("codec can't decode|null bytes", message_of(error)):
        return (
            "Save the file in the encoding UTF-8; editors have it in the menu of the file or in the status line."
        )
    return ""


def _terminal_missing(error: BaseException) -> str:
    if isinstance(error, EOFError) and "reading a line" in message_of(error):
        return "No one can type into the server. Take the value as a parameter: def show(self, name: str), ?name=…"
    if isinstance(error, BdbQuit):
        return f"The debugger needs a terminal. Stop there with: python kernkoa.py call {request.path.strip('/')}"
    return ""


def _indented_wrong(error: BaseException) -> str:
    if isinstance(error, TabError):
        return "The lines mix tabs and spaces: use four spaces for each level."
    return ""


def _replaced_by_star(error: BaseException) -> str:
    frame = _frame_of(error)
    if frame is None or not isinstance(error, AttributeError | TypeError | ValueError):
        return ""
    code, face = frame.f_code, getattr(sys.modules.get("kernkoa"), "__all__", ())
    tree = parse(code.co_filename) if frame.f_globals.get("__file__") == code.co_filename else None
    used = {*code.co_names, *code.co_varnames}
    for line, name, star in find_replaced(tree, face) if tree else ():
        if name in used:
            return (
                f"from kernkoa import * in line {star} replaces the {name} of line {line}. "
                f"Write the import of line {line} below line {star}."
            )
    return ""


_RULES: tuple[Callable[[BaseException], str], ...] = (
    _self_forgotten,
    _replaced_by_star,
    _template_missing,
    _template_value_missing,
    _redis_away,
    _database_away,
    _port_taken,
    _unsupported_answer,
    _name_unknown,
    _attribute_unknown,
    _module_missing,
    _import_unknown,
    _not_utf_8,
    _terminal_missing,
    _indented_wrong,
)


def _template_names(error: BaseException) -> list[str]:
    """The names that the innermost template of an error can use."""
    frames = [frame for frame, _ in walk_tb(error.__traceback__) if "__jinja_exception__" in frame.f_globals]
    return list(frames[-1].f_locals) if frames else []


def _is_refused(error: BaseException) -> bool:
    return type(error).__name__ in ("ConnectionError", "OperationalError", "TimeoutError", "BusyLoadingError")


def _frame_of(error: BaseException) -> FrameType | None:
    """The innermost frame of an error."""
    frames = [frame for frame, _ in walk_tb(error.__traceback__)]
    return frames[-1] if frames else None
