"""The documentation in the browser, /_koa/docs/: README.md and docs/ of the site's folder, in development only."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from flask import Flask, Response, current_app, render_template, request, send_from_directory

from ..errors import NotFound
from ..settings import Settings
from .documentation_search import find, plain, sections_of
from .markdown import render_page

if TYPE_CHECKING:
    from collections.abc import Sequence

# the files that pages link to; a path of a request is only looked up among them
FILES = (
    "README.md",
    "CHANGELOG.md",
    "docs/**/*.md",
    "docs/**/*.svg",
    "docs/**/*.png",
    "kernkoa_*",
    "system/deploy/container/*",
)
GROUPS = (("Tutorial", "docs/tutorial/"), ("How-to pages", "docs/howto/"), ("Chapters", "docs/"))


LONGEST_QUERY = 200


class Link(NamedTuple):
    """An entry of the table of contents."""

    path: str
    title: str


def add_documentation(app: Flask, settings: Settings) -> None:
    """Add the pages to the development server."""
    if settings.development:
        pages = Documentation(settings.path)
        app.add_url_rule("/_koa/docs/", "documentation", pages.show, defaults={"path": "README.md"})
        app.add_url_rule("/_koa/docs/<path:path>", "documentation", pages.show)


class Documentation:
    """The pages of a folder."""

    def __init__(self, root: Path) -> None:
        self._root = root

    def show(self, path: str) -> Response | str:
        """A page, or a file that a page links to. Raises NotFound for any other path."""
        known = self._find_files()
        if path not in known:
            raise NotFound
        if not path.endswith(".md"):
            is_image = path.endswith((".svg", ".png"))
            return send_from_directory(self._root, path, mimetype=None if is_image else "text/plain")
        query = request.args.get("q", "")[:LONGEST_QUERY]
        page = self._search(known, query) if query.strip() else self._page(path, known)
        return render_template(
            "kernkoa/documentation.html",
            path=path,
            query=query,
            groups=self._contents(known),
            view_functions=current_app.view_functions,
            **page,
        )

    def _read(self, path: str) -> str:
        return (self._root / path).read_text(encoding="utf-8")

    def _page(self, path: str, known: Sequence[str]) -> dict[str, object]:
        """What the template shows of a page: its text, its headings, and the pages before and after it."""
        source = self._read(path)
        links = [link for _, group in self._contents(known) for link in group]
        places = [number for number, link in enumerate(links) if link.path == path]
        at = places[0] if places else -1
        return {
            "title": _title_of(source),
            "text": render_page(source),
            "headings": [(section.heading, section.anchor) for section in sections_of(path, source)][1:],
            "before": links[at - 1] if at > 0 else None,
            "after": links[at + 1] if at + 1 < len(links) else None,
            "found": None,
        }

    def _search(self, known: Sequence[str], query: str) -> dict[str, object]:
        """What the template shows of a search."""
        pages = (path for path in known if path.endswith(".md") and path != "CHANGELOG.md")
        sections = (section for path in pages for section in sections_of(path, self._read(path)))
        return {"title": f"Search: {query}", "headings": [], "found": find(sections, query)}

    def _find_files(self) -> list[str]:
        return sorted(
            {file.relative_to(self._root).as_posix() for name in FILES for file in self._root.glob(name)}
        )

    def _contents(self, known: Sequence[str]) -> list[tuple[str, list[Link]]]:
        """The titles of all pages by group; each page is in the first group that it fits."""
        groups: dict[str, list[Link]] = {name: [] for name, _ in GROUPS}
        for path in known:
            if path.endswith(".md") and path.startswith("docs/"):
                group = next(name for name, start in GROUPS if path.startswith(start))
                groups[group].append(Link(path, _title_of(self._read(path))))
        return [*groups.items()]


def _title_of(source: str) -> str:
    return plain(source.partition("\n")[0].lstrip("# "))
