"""Where a path leads and which paths lead to a method, read from the source as routing.resolve finds it."""

from __future__ import annotations

from collections.abc import Iterator

from ..catalog.folder import Folder, is_public
from ..catalog.library import Library
from ..catalog.outline import ClassOutline
from ..dispatch.routing import MAX_PATH, RESERVED, match
from .moment import Moment

# library, class, method, and how many segments are left over
_Landing = tuple[Library, str, str, int]


class Addresses:
    """The addresses of a catalogue at one moment. `home` is the path that / answers, where a setting says so."""

    def __init__(self, moment: Moment, root: Folder, home: str) -> None:
        self._moment = moment
        self._root = root
        self._home = home

    def of(self, library: Library, controller: str, method: str) -> tuple[str, str]:
        """The whole and the shortest address of a method; empty where nothing leads to it."""
        folders = library.place.split("/")[:-1]
        wanted = (library, controller, method)
        whole = (*folders, library.short_name, controller, method)
        lands = [segments for segments in _shorter(whole, len(folders)) if self.find(segments) == wanted]
        if not lands:
            return "", ""
        short = min(lands, key=len)
        if self._home and self.find(()) == wanted:
            short = ()
        return "/" + "/".join(whole if whole in lands else lands[0]), "/" + "/".join(short)

    def find(self, segments: tuple[str, ...]) -> tuple[Library, str, str] | None:
        """The method that a path leads to when none of its segments is left over, as routing.resolve finds it."""
        if not segments and self._home:
            segments = match(self._home).segments
        if (segments and segments[0] in RESERVED) or sum(map(len, segments)) + len(segments) > MAX_PATH:
            return None
        found = self._in_folder(self._root, segments, 0)
        return found[:3] if found and not found[3] else None

    def _in_folder(self, folder: Folder, segments: tuple[str, ...], at: int) -> _Landing | None:
        folders, libraries = self._moment.contents(folder)
        name = _name_at(segments, at)
        if name in folders:
            found = self._in_folder(folders[name], segments, at + 1)
            if found or name not in libraries:
                return found
        library = libraries.get(name)
        if library is not None:
            return self._in_library(library, segments, at + 1)
        library = libraries.get("index")
        return self._in_library(library, segments, at) if library else None

    def _in_library(self, library: Library, segments: tuple[str, ...], at: int) -> _Landing | None:
        outline = self._moment.read(library).outline
        if outline is None:  # the dispatcher answers with its error
            return library, "", "", 0
        name = _name_at(segments, at)
        if name in outline.classes:
            return self._in_class(library, outline.classes[name], segments, at + 1)
        default = outline.default_class(library.short_name)
        return self._in_class(library, outline.classes[default], segments, at) if default else None

    def _in_class(
        self, library: Library, outline: ClassOutline, segments: tuple[str, ...], at: int
    ) -> _Landing | None:
        methods = self._moment.methods_of(library, outline)
        for name, rest in ((_name_at(segments, at), at + 1), ("index", at)):
            found = methods.get(name)
            if found is not None and not found.outline.is_task:
                left = len(segments) - rest
                most = found.outline.positional
                return (library, outline.name, name, left) if most is None or left <= most else None
        return None


def _name_at(segments: tuple[str, ...], at: int) -> str:
    return segments[at] if at < len(segments) and is_public(segments[at]) else ""


def _shorter(whole: tuple[str, ...], folders: int) -> Iterator[tuple[str, ...]]:
    """Every shorter form of a method's URL."""
    above, (library, controller, method) = whole[:folders], whole[folders:]
    for last in ((method,), ()) if method == "index" else ((method,),):
        for middle in ((controller,), ()):
            for first in ((library,), ()) if library == "index" else ((library,),):
                yield (*above, *first, *middle, *last)
