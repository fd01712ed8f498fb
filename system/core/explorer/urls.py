"""Which URLs lead to a method: the dispatcher's walk over the sources instead of the live modules."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from itertools import islice
from typing import NamedTuple

from ..catalog.folder import Folder
from ..catalog.library import Library
from ..catalog.moment import FoundMethod, Moment
from ..catalog.outline import Outline
from ..dispatch.routing import match
from ..dispatch.walk import Walk
from ..errors import LibraryError, NotFound

# how many lists of arguments are tried for a method that its own URL does not lead to
MOST_TRIES = 30


class Landing(NamedTuple):
    """A method as its source shows it: its library, the names of its class and of itself."""

    library: Library
    controller: str
    name: str
    positional: int | None = 0

    def is_same(self, other: Landing | None) -> bool:
        return other is not None and self[:3] == other[:3]


class SourceWalk(Walk[Outline, Landing]):
    """A walk over the sources at one moment. `offered` are the names that it looked up, by position."""

    __slots__ = ("_moment", "offered")

    def __init__(self, segments: tuple[str, ...], moment: Moment) -> None:
        super().__init__(segments)
        self._moment = moment
        self.offered: list[tuple[int, Iterable[str]]] = []

    def contents(self, folder: Folder) -> tuple[Mapping[str, Folder], Mapping[str, Library]]:
        contents = self._moment.contents(folder)
        self.offered += ((self.position, names) for names in contents)
        return contents

    def open(self, library: Library) -> Outline:
        outline = self._moment.read(library).outline
        if outline is None:
            raise LibraryError("", library.path)
        return outline

    def has_class(self, opened: Outline, name: str) -> bool:
        self.offered.append((self.position, opened.classes))
        return name in opened.classes

    def default_class(self, library: Library, opened: Outline) -> str | None:
        return opened.default_class(library.short_name)

    def method(self, library: Library, opened: Outline, controller: str, name: str) -> Landing | None:
        methods = self._moment.methods_of(library, opened.classes[controller])
        self.offered.append((self.position, methods))
        found = methods.get(name)
        if found is None or found.outline.is_task:
            return None
        return Landing(library, controller, name, found.outline.positional)

    def most_arguments(self, method: Landing) -> int | None:
        return method.positional


class Addresses:
    """The addresses of a catalogue at one moment. `home` is the path that / answers, where a setting says so."""

    def __init__(self, moment: Moment, root: Folder, home: str) -> None:
        self._moment = moment
        self._root = root
        self._home = match(home) if home else ()

    def of(self, library: Library, controller: str, found: FoundMethod) -> tuple[str, str]:
        """The whole and the shortest address of a method; empty where nothing leads to it.

        Where only a path with arguments leads to it, they are part of both: /shop/orders/{year}/{month}.
        """
        folders, name = library.place.split("/")[:-1], found.outline.name
        wanted = Landing(library, controller, name)
        whole = (*folders, library.short_name, controller, name)
        forms = tuple(_shorter(whole, len(folders)))
        lands = [segments for segments in forms if self._leads(segments, wanted)]
        if not lands:
            with_arguments = self._with_arguments(forms, wanted, found.outline.segments)
            return with_arguments, with_arguments
        short = () if self._home and self._leads((), wanted) else min(lands, key=len)
        return "/" + "/".join(whole if whole in lands else lands[0]), "/" + "/".join(short)

    def _leads(self, segments: tuple[str, ...], wanted: Landing) -> bool:
        """Whether a path leads to a method with none of its segments as an argument."""
        landing, arguments = self._walk(SourceWalk(segments or self._home, self._moment))
        return wanted.is_same(landing) and not arguments

    def _walk(self, walk: SourceWalk) -> tuple[Landing | None, tuple[str, ...]]:
        try:
            match("/" + "/".join(walk.segments))  # raises NotFound for a reserved name
            return walk.find(self._root)
        except (NotFound, LibraryError):
            return None, ()

    def _with_arguments(self, forms: tuple[tuple[str, ...], ...], wanted: Landing, names: tuple[str, ...]) -> str:
        """The address with the fewest arguments that leads to a method; empty where none does.

        A folder beside the file comes first, and may take what has fewer arguments, or other ones, for itself.
        """
        queue: deque[tuple[tuple[str, ...], tuple[str, ...]]] = deque((form, ()) for form in forms if names)
        for _ in range(MOST_TRIES):
            if not queue:
                break
            form, arguments = queue.popleft()
            walk = SourceWalk(form + arguments, self._moment)
            landing, rest = self._walk(walk)
            if wanted.is_same(landing) and rest == arguments:
                return "/" + "/".join(walk.segments)
            name = names[min(len(arguments), len(names) - 1)]
            if len(arguments) < len(names) or name[0] == "*":
                ahead = (each for at, names in walk.offered if at == len(walk.segments) for each in names)
                values = f"{{{name.lstrip('*')}}}", *islice(ahead, MOST_TRIES)
                queue += ((form, (*arguments, value)) for value in values)
        return ""


def _shorter(whole: tuple[str, ...], folders: int) -> Iterator[tuple[str, ...]]:
    """Every shorter form of a method's URL."""
    above, (library, controller, method) = whole[:folders], whole[folders:]
    for last in ((method,), ()) if method == "index" else ((method,),):
        for middle in ((controller,), ()):
            for first in ((library,), ()) if library == "index" else ((library,),):
                yield (*above, *first, *middle, *last)
