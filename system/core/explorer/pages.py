"""The pages at /_koa/: the catalogue to read, with a form for each method.

Only the page of a typed method and the OpenAPI document load libraries; all others read the source.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from itertools import groupby
from pathlib import Path
from typing import Any

from flask import Flask, Response, render_template, send_from_directory

from ..catalog.folder import Folder, is_public
from ..catalog.library import Library
from ..catalog.tree import Catalog
from ..dispatch.request import request
from ..dispatch.responses import no_store
from ..errors import NotFound
from ..settings import Settings
from .access import Visitor
from .descriptions import Descriptions
from .forms import make_form
from .listing import ListedLibrary, ListedMethod, Listing
from .openapi import Documents
from .search import Finder, Found

ASSETS = Path(__file__).parents[1] / "assets"
PAGE_LENGTH = 100
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; media-src blob:; "
    "connect-src 'self'; frame-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)


@dataclass(slots=True)
class Node:
    """An entry of the tree. `kind` is folder, library, broken, method or task."""

    name: str
    kind: str
    place: str
    is_open: bool = False
    is_here: bool = False
    children: list[Node] = field(default_factory=list)
    hidden: int = 0


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


def is_shown(settings: Settings) -> bool:
    """Whether the pages are there: in development unless `explorer` is False, elsewhere only if it is True."""
    return settings.development if settings.explorer is None else settings.explorer


def add_explorer(app: Flask, catalog: Catalog, settings: Settings) -> None:
    """Add the pages, if the settings say so."""
    if not is_shown(settings):
        return
    explorer = Explorer(catalog, settings)
    app.add_url_rule("/_koa/", "explorer", explorer.show, defaults={"path": ""})
    app.add_url_rule("/_koa/at/<path:path>", "explorer", explorer.show)
    app.add_url_rule("/_koa/find", "explorer_find", explorer.find)
    app.add_url_rule("/_koa/openapi.json", "openapi", explorer.document)
    app.add_url_rule("/_koa/assets/<name>", "explorer_asset", lambda name: send_from_directory(ASSETS, name))


class Explorer:
    """The views of the pages."""

    def __init__(self, catalog: Catalog, settings: Settings) -> None:
        self._catalog = catalog
        self._settings = settings
        self._listing = Listing(catalog, settings.home)
        self._descriptions = Descriptions(self._listing)
        self._documents = Documents(self._listing, self._descriptions, settings)
        self._finder = Finder(self._listing)

    def show(self, path: str) -> Response:
        """The page of a place: a folder, a library or a method.

        Raises NotFound for what is not listed; answers what the hook does that does not let the visitor in.
        """
        visitor, now = Visitor(self._catalog, self._settings), self._catalog.now()
        place = self._find_place(path, now)
        refusal = visitor.response(place.folders)
        if refusal is not None:
            return refusal
        query = request.args.get("q", "")
        page: dict[str, Any] = {
            "place": place,
            "query": query,
            "found": self._found(query, visitor, now) if query else None,
            "tree": self._tree(place, visitor, now),
        }
        if place.library is None:
            return self._render("folder", self._folder_page(place, visitor, now) | page)
        listed = self._guarded(place.library, visitor, now)
        if place.method:
            return self._render("method", self._method_page(place, listed, now) | page)
        return self._render("library", self._library_page(listed) | page)

    def find(self) -> Response:
        """What a query finds, as a piece of a page."""
        visitor, now = Visitor(self._catalog, self._settings), self._catalog.now()
        refusal = visitor.response((self._catalog.roots["controller"],))
        if refusal is not None:
            return refusal
        query = request.args.get("q", "")
        return self._render("found", {"found": self._found(query, visitor, now), "query": query})

    def document(self) -> Response:
        """The same as an OpenAPI document."""
        visitor = Visitor(self._catalog, self._settings)
        refusal = visitor.response((self._catalog.roots["controller"],))
        if refusal is not None:
            return refusal

        document = self._documents.encode(
            request.script_root, visitor.admits, visitor.show if visitor.is_guarded else None
        )
        return Response(document, mimetype="application/json")

    def _render(self, name: str, values: dict[str, Any]) -> Response:
        values |= {"site": self._settings.name, "own": self._settings.development and request.is_local}
        response = Response(render_template(f"kernkoa/explorer_{name}.html", **values))
        response.headers["Content-Security-Policy"] = POLICY
        response.headers["X-Content-Type-Options"] = "nosniff"
        response.headers["Referrer-Policy"] = "same-origin"
        return no_store(response)

    def _file(self, path: str) -> str:
        """A file as it is called from the site's own folder."""
        return os.path.relpath(path, self._settings.path)

    def _find_place(self, path: str, now: float) -> Place:
        """The place of a path: folders, then a library, then a class and a method of it."""
        names = tuple(path.strip("/").split("/")) if path.strip("/") else ()
        root = self._catalog.roots["controller"]
        found = self._descend(root, names, 0, (root,), now)
        if found is None:
            raise NotFound("there is no such folder, library or method")
        return found

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
        return place if not rest or self._method_at(place, now) else None

    def _method_at(self, place: Place, now: float) -> ListedMethod | None:
        listed = self._listing.list_library(place.library, now) if place.library else None
        return listed.find(place.controller, place.method) if listed else None

    def _guarded(self, library: Library, visitor: Visitor, now: float) -> ListedLibrary:
        return visitor.show(self._listing.list_library(library, now))

    def _folder_page(self, place: Place, visitor: Visitor, now: float) -> dict[str, Any]:
        entries, part = _part(self._entries(place.folders[-1], place.names, visitor, now))
        return part | {"entries": self._mark_broken(entries, place.folders[-1])}

    def _library_page(self, listed: ListedLibrary) -> dict[str, Any]:
        methods, part = _part(list(listed.methods))
        classes = [
            (listed.classes[name], list(group))
            for name, group in groupby(methods, lambda method: method.controller)
        ]
        return part | {"library": listed, "classes": classes, "file": self._file(listed.library.path)}

    def _method_page(self, place: Place, listed: ListedLibrary, now: float) -> dict[str, Any]:
        method = listed.find(place.controller, place.method)
        if method is None:
            raise NotFound("a guard keeps this method")
        described = self._descriptions.of(listed, method, now)
        base = request.script_root
        segments = [f"{{{item.name}}}" for item in described.parameters if item.takes_segment]
        return {
            "method": method,
            "fault": described.fault,
            "file": self._file(method.origin),
            "form": make_form(described.parameters, method.verbs, described.source.is_open),
            "url": base + method.short_url,
            "whole_url": base + method.url,
            "path_form": "/".join([(base + method.short_url).rstrip("/"), *segments]) if segments else "",
        }

    def _found(self, query: str, visitor: Visitor, now: float) -> list[Found]:
        found = self._finder.find(query, now, visitor.admits)
        if not visitor.is_guarded:
            return found
        return [item for item in found if isinstance(item, ListedLibrary) or self._admits(item, visitor, now)]

    def _admits(self, method: ListedMethod, visitor: Visitor, now: float) -> bool:
        library = self._find_place(method.place, now).library
        return library is not None and bool(
            self._guarded(library, visitor, now).find(method.controller, method.name)
        )

    def _tree(self, place: Place, visitor: Visitor, now: float) -> list[Node]:
        """The way to a place, and beside each step its neighbours."""
        return self._level(place, 0, visitor, now)

    def _level(self, place: Place, depth: int, visitor: Visitor, now: float) -> list[Node]:
        names = place.names[:depth]
        entries = self._entries(place.folders[depth], names, visitor, now)
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
        self._mark_broken(nodes, place.folders[depth])
        if len(entries) > len(nodes):
            nodes[-1].hidden = len(entries) - len(nodes)
        return nodes

    def _entries(self, folder: Folder, names: tuple[str, ...], visitor: Visitor, now: float) -> list[Node]:
        """The folders and the libraries of a folder; no file is read for them."""
        above = "/".join(names) + "/" if names else ""
        folders = [
            Node(name, "folder", above + name)
            for name in (inner.name.rpartition(".")[2] for inner in folder.list_folders(now))
            if visitor.admits(folder.folders[name])
        ]
        libraries = [
            Node(library.short_name, "library", above + library.short_name)
            for library in folder.list_libraries(now)
        ]
        return sorted([*folders, *libraries], key=lambda node: (node.name.lower(), node.kind))

    def _mark_broken(self, nodes: list[Node], folder: Folder) -> list[Node]:
        """Look at the files that are shown, and at no other."""
        for node in nodes:
            library = folder.libraries.get(node.name) if node.kind == "library" else None
            if library is not None and self._catalog.sources.is_broken(library.path):
                node.kind = "broken"
        return nodes

    def _methods(self, place: Place, visitor: Visitor, now: float) -> list[Node]:
        if place.library is None:
            return []
        methods = list(self._guarded(place.library, visitor, now).methods)
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


def _part(every: list[Any]) -> tuple[list[Any], dict[str, Any]]:
    """The part of a long list that a page shows, and what its links to the other parts need."""
    start = max(0, request.args.get("from", 0, type=int))
    following = start + PAGE_LENGTH if start + PAGE_LENGTH < len(every) else None
    last = min(start + PAGE_LENGTH, len(every))
    before = max(0, start - PAGE_LENGTH)
    part = {"start": start, "last": last, "before": before, "following": following, "total": len(every)}
    return every[start : start + PAGE_LENGTH], part
