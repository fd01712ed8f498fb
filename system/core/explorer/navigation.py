"""The current place in the catalogue, and the tree at the side of its pages."""

from __future__ import annotations

from dataclasses import dataclass, field

from flask import current_app, url_for

from ..catalog.folder import Folder, is_public
from ..catalog.library import Library
from ..dispatch.request import request
from ..errors import NotFound
from .access import Visitor
from .listing import ListedMethod, Listing

# how many entries of a folder, or methods of a library, a page shows at once
PAGE_LENGTH = 100
PAGES = {
    "explorer": "Explorer",
    "task_board": "Tasks",
    "documentation": "Documentation",
    "agents.page": "Connect an assistant",
    "openapi": "OpenAPI",
}


@dataclass(slots=True)
class Node:
    """An entry of the tree. `kind` is folder, library, broken, method or task.

    Of a library on its folder's page `summary` is the first line of its docstring, `methods` how many it has; of a
    folder `libraries` how many files are in it and in the folders in it.
    """

    name: str
    kind: str
    place: str
    item: Folder | Library | None = None
    is_open: bool = False
    is_here: bool = False
    children: list[Node] = field(default_factory=list)
    hidden: int = 0
    summary: str = ""
    methods: int = 0
    libraries: int = 0


@dataclass(slots=True)
class Place:
    """A place of the catalogue: the folders on the way to it, and what it is."""

    names: tuple[str, ...]
    folders: tuple[Folder, ...]
    library: Library | None = None
    controller: str = ""
    method: str = ""

    @property
    def path(self) -> str:
        return "/".join(self.names)


def list_pages() -> list[tuple[str, str]]:
    """The title and URL of the home page and of the other pages for developers that this site has."""
    others = {*PAGES} & {*current_app.view_functions} - {request.endpoint}
    return [("Home page", f"{request.script_root}/")] + [
        (title, url_for(name)) for name, title in PAGES.items() if name in others
    ]


class Navigation:
    """Finds places, and what is beside them."""

    def __init__(self, listing: Listing) -> None:
        self._listing = listing
        self._root = listing.catalog.roots["controller"]

    def find_place(self, path: str, now: float) -> Place:
        """The place of a path: folders, then a library, then a class and a method of it."""
        names = tuple(path.strip("/").split("/")) if path.strip("/") else ()
        found = self._descend(self._root, names, 0, (self._root,), now)
        if found is None:
            raise NotFound("There is no such folder, library or method")
        return found

    def find_method(self, place: Place, visitor: Visitor, now: float) -> ListedMethod | None:
        """The method of a place; None where there is none that the visitor may see."""
        if place.library is None or not visitor.admits(*place.folders):
            return None
        listed = visitor.show(self._listing.list_library(place.library, now))
        return listed.find(place.controller, place.method)

    def _descend(
        self, folder: Folder, names: tuple[str, ...], at: int, folders: tuple[Folder, ...], now: float
    ) -> Place | None:
        if at == len(names):
            return Place(names, folders)
        name = names[at]
        folder.refresh(now)
        if not is_public(name):
            return None
        if name in folder.folders:
            inner = folder.folders[name]
            found = self._descend(inner, names, at + 1, (*folders, inner), now)
            if found is not None:
                return found
        library = folder.libraries.get(name)
        rest = names[at + 1 :]
        if library is None or len(rest) not in (0, 2):
            return None
        place = Place(names, folders, library, *rest)
        is_there = not rest or self._listing.list_library(library, now).find(*rest) is not None
        return place if is_there else None

    def tree(self, place: Place, visitor: Visitor, now: float) -> list[Node]:
        """The way to a place, and beside each step its neighbours."""
        return self._level(place, 0, visitor, now)

    def _level(self, place: Place, depth: int, visitor: Visitor, now: float) -> list[Node]:
        names = place.names[:depth]
        entries = self.entries(place.folders[depth], names, visitor, now)
        wanted = place.names[depth] if depth < len(place.names) else ""
        is_folder = depth + 1 < len(place.folders)
        nodes: list[Node] = []
        for position, node in enumerate(entries):
            node.is_open = node.name == wanted and (node.kind == "folder") is is_folder
            if position >= PAGE_LENGTH and not node.is_open:
                continue
            node.is_here = node.is_open and depth + 1 == len(place.names)
            if node.is_open and is_folder:
                node.children = self._level(place, depth + 1, visitor, now)
            elif node.is_open and place.library:
                node.children = self._methods(place, visitor, now)
            nodes.append(node)
        self._mark_broken(nodes)
        if len(entries) > len(nodes):
            nodes[-1].hidden = len(entries) - len(nodes)
        return nodes

    def entries(self, folder: Folder, names: tuple[str, ...], visitor: Visitor, now: float) -> list[Node]:
        """The folders and the libraries of a folder; no file is read for them."""
        above = "/".join(names) + "/" if names else ""
        folders = [inner for inner in folder.list_folders(now) if visitor.admits(inner)]
        nodes: list[Node] = []
        for kind, items in (("folder", folders), ("library", folder.list_libraries(now))):
            for item in items:
                name = item.name.rpartition(".")[2]
                nodes.append(Node(name, kind, above + name, item))
        return sorted(nodes, key=lambda node: (node.name.lower(), node.kind))

    def _mark_broken(self, nodes: list[Node]) -> None:
        """Mark the broken files among those that are shown; no other file is read."""
        for node in nodes:
            if isinstance(node.item, Library) and self._listing.catalog.sources.is_broken(node.item.path):
                node.kind = "broken"

    def describe(self, nodes: list[Node], visitor: Visitor, now: float) -> None:
        """Add to the entries of a folder what they are about; only the files that are shown are read."""
        for node in nodes:
            if isinstance(node.item, Folder):
                inner = self._listing.catalog.libraries("controller", now, visitor.admits, node.item)
                node.libraries = sum(1 for _ in inner)
            elif node.item is not None:
                listed = visitor.show(self._listing.list_library(node.item, now))
                node.kind = "broken" if listed.broken else node.kind
                node.summary = listed.summary
                node.methods = sum(len(item.methods) for item in listed.classes.values())

    def _methods(self, place: Place, visitor: Visitor, now: float) -> list[Node]:
        if place.library is None:
            return []
        methods = list(visitor.show(self._listing.list_library(place.library, now)).methods)
        here = (place.controller, place.method)
        nodes = [
            Node(
                f"{method.controller}.{method.name}",
                "task" if method.is_task else "method",
                method.place,
                is_here=(method.controller, method.name) == here,
            )
            for position, method in enumerate(methods)
            if position < PAGE_LENGTH or (method.controller, method.name) == here
        ]
        if len(methods) > len(nodes):
            nodes[-1].hidden = len(methods) - len(nodes)
        return nodes
