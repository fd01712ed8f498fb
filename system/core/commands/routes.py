"""`python kernkoa.py routes`: every URL of the site, and what makes one unreachable. Runs no code of the site."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from ..catalog.folder import Folder
from ..catalog.source import collection_paused
from ..catalog.tree import Catalog
from ..dispatch.routing import kept_names
from ..explorer.listing import ListedLibrary, ListedMethod, Listing
from ..settings import Settings
from ..tasks.schedules import list_schedules


@dataclass(frozen=True, slots=True)
class RouteLine:
    """One method; `place` is its file and line. `verbs` is TASK for a task method."""

    verbs: str
    url: str
    signature: str
    summary: str
    place: str

    def mentions(self, word: str) -> bool:
        return any(word.lower() in text.lower() for text in (self.url, self.summary, self.place, self.verbs))


@collection_paused()
def list_routes(settings: Settings, word: str = "") -> tuple[list[RouteLine], list[str]]:
    """The routes, and the faults of the tree, that contain `word`; all if it is empty."""
    folders: dict[str, Path] = {kind: settings.folder(name) for kind, name in settings.libs.items()}
    catalog = Catalog(folders, live_seconds="off")
    try:
        libraries = list(Listing(catalog, settings.home).walk(catalog.now()))
        schedules = list_schedules(catalog)
        faults = [*_broken(libraries, settings), *_conflicts(catalog.roots["controller"], catalog.now(), settings)]
    finally:
        catalog.close()
    when = {schedule.route: schedule.when for schedule in schedules}
    lines = [
        _line(method, settings, when.get(method.place, "")) for library in libraries for method in library.methods
    ]
    return [line for line in lines if line.mentions(word)], [
        fault for fault in faults if word.lower() in fault.lower()
    ]


def _line(method: ListedMethod, settings: Settings, when: str) -> RouteLine:
    verbs = (
        "TASK" if method.is_task else " ".join(verb for verb in method.verbs if verb not in ("HEAD", "OPTIONS"))
    )
    url = f"{settings.base}{method.url}" if method.url else method.place
    if method.short_url not in ("", method.url):
        url += f" = {settings.base}{method.short_url}"
    summary = f"[{when}] {method.summary}".strip() if when else method.summary
    return RouteLine(
        verbs, url, f"({method.signature})", summary, f"{settings.shorten(method.origin)}:{method.line}"
    )


def _broken(libraries: list[ListedLibrary], settings: Settings) -> Iterator[str]:
    for library in libraries:
        if library.broken is not None:
            place = settings.shorten(library.library.path)
            line = f":{library.broken.line}" if library.broken.line else ""
            yield f"{place}{line}: {library.broken.detail}"


def _conflicts(folder: Folder, now: float, settings: Settings) -> Iterator[str]:
    folder.refresh(now)
    if folder.above is None:
        for name, path in kept_names(folder):
            yield f"{settings.shorten(path)}: not reachable: the name {name} is reserved"
    for name in sorted({*folder.folders} & {*folder.libraries}):
        place = settings.shorten(folder.libraries[name].path)
        yield f"{place}: a folder {name} is beside it: names in the folder take precedence"
    for inner in folder.list_folders(now):
        yield from _conflicts(inner, now, settings)
