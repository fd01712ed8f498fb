"""The 404 of a URL that looks like a file: where the file belongs, and how a template links it."""

from __future__ import annotations

import mimetypes

from ..settings import Settings
from .not_found import Explanation
from .remedies import Remedy


def explain_file(path: str, settings: Settings) -> Explanation | None:
    """What to do about the missing file that a URL names; None for a URL that does not end like a file's."""
    kind = mimetypes.guess_type(path)[0]
    if kind is None:
        return None
    first, _, rest = path.strip("/").partition("/")
    folders = {"static": settings.staticPath, "images": settings.imagePath, "pdfs": settings.pdfPath}
    name, folder = (rest, folders[first]) if rest and first in folders else (path.strip("/"), settings.staticPath)
    place = settings.folder(folder) / name
    url = (
        f"/{first}/{name}"
        if rest and first in ("images", "pdfs")
        else f"{{{{ url_for('static', filename='{name}') }}}}"
    )
    remedy = Remedy(str(place), "put the file there; a template links it like this", _link(kind, url))
    is_there = place.is_file() and folder == settings.staticPath and first != "static"
    reason = (
        f"The file {folder}/{name} has the URL /static/{name}" if is_there else f"There is no file {folder}/{name}"
    )
    return Explanation(reason, remedy=remedy, watched=(str(place), str(place.parent)))


def _link(kind: str, url: str) -> str:
    if kind == "text/css":
        return f'<link rel="stylesheet" href="{url}">'
    if "javascript" in kind:
        return f'<script src="{url}" defer></script>'
    if kind.startswith("image/"):
        return f'<img src="{url}" alt="">'
    return f'<a href="{url}">download</a>'
