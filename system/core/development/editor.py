"""Links that open the editor at a line."""

from __future__ import annotations

from urllib.parse import quote

from ..settings import Settings

_LINKS = {
    "vscode": "vscode://file{path}:{line}",
    "pycharm": "pycharm://open?file={path}&line={line}",
    "sublime": "subl://open?url=file://{path}&line={line}",
    "emacs": "emacs://open?url=file://{path}&line={line}",
    "vim": "mvim://open?url=file://{path}&line={line}",
}


def link_to(settings: Settings, path: str, line: int) -> str:
    """The URL that opens a file at a line in the editor of the settings; empty where they name none."""
    pattern = _LINKS.get(settings.editor, "")
    return pattern.format(path=quote(path), line=max(line, 1))
