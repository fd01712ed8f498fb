"""What went wrong when a library was loaded, as an error that names its file and line."""

from __future__ import annotations

from ..errors import LibraryError


def describe(error: BaseException, path: str) -> LibraryError:
    """The error of the library at `path`, with the file and the line that its author should look at."""
    if isinstance(error, LibraryError):
        described = LibraryError(f"{path} imports a broken library. {error.detail}", error.path, error.line)
        described.text = error.text
        described.__cause__ = error.__cause__ or error
        return described
    line, text = 0, ""
    if isinstance(error, SyntaxError) and (error.filename or path) == path:
        line, text = error.lineno or 0, (error.text or "").rstrip("\n")
        detail = f"{path}, line {line}: {type(error).__name__}: {error.msg}"
    else:
        line = _line_in(error, path)
        detail = f"{path}, line {line}: {type(error).__name__}: {error}"
    described = LibraryError(detail, path, line, text)
    described.__cause__ = error
    return described


def _line_in(error: BaseException, path: str) -> int:
    line, trace = 0, error.__traceback__
    while trace is not None:
        if trace.tb_frame.f_code.co_filename == path:
            line = trace.tb_lineno
        trace = trace.tb_next
    return line
