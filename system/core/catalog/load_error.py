"""An error that names the file and line of a library that failed to load."""

from __future__ import annotations

from collections.abc import Sequence
from traceback import walk_tb

from ..errors import LibraryError

# added where an edit collides with what the version before registered outside of the catalogue
RESTART = (
    "If that is what the version before registered outside of the catalogue, start the site again to load the "
    "edit: python kernkoa.py, in production sh setup.sh reload."
)


class Refused(LibraryError):
    """A library that did not load because a library that shares state with it did not load."""


def describe(error: BaseException, path: str, has_version: bool = False) -> LibraryError:
    """The error of the library at `path`, with the file and the line that its author should look at.

    `has_version`: an earlier version is loaded.
    """
    if isinstance(error, Refused):
        return error
    if isinstance(error, LibraryError):
        detail = f"{path} imports a broken library. {error.detail}"
        return LibraryError(detail, error.path, error.line, error.text, error.__cause__ or error)
    line, text = 0, ""
    if isinstance(error, SyntaxError) and (error.filename or path) == path:
        line, text = error.lineno or 0, (error.text or "").rstrip("\n")
        detail = f"{path}, line {line}: {type(error).__name__}: {error.msg}"
    else:
        line = _line_in(error, path)
        detail = f"{path}, line {line}: {type(error).__name__}: {error}"
    if has_version and "already" in detail:
        detail = f"{detail} {RESTART}"
    return LibraryError(detail, path, line, text, error)


def describe_refusal(error: BaseException, cause: str, paths: Sequence[str]) -> LibraryError:
    """The error of the library at `cause`, whose edit made all of `paths` load together."""
    fault = describe(error, _path_of(error, paths) or cause, has_version=True)
    others = ", ".join(path for path in paths if path != cause)
    why = (
        f" {cause} shares state with {others}. They are loaded together; until each loads, all stay as they were."
    )
    detail = fault.detail + (why if fault.path != cause else "")
    return Refused(detail, fault.path, fault.line, fault.text, fault.__cause__)


def _path_of(error: BaseException, paths: Sequence[str]) -> str:
    """The file among these that was being executed when an error was raised, or that does not compile."""
    if isinstance(error, SyntaxError):
        return error.filename or ""
    codes = [frame.f_code for frame, _ in walk_tb(error.__traceback__)]
    found = [code.co_filename for code in codes if code.co_name == "<module>" and code.co_filename in paths]
    return found[-1] if found else ""


def _line_in(error: BaseException, path: str) -> int:
    lines = [line for frame, line in walk_tb(error.__traceback__) if frame.f_code.co_filename == path]
    return lines[-1] if lines else 0
