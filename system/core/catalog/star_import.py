"""Imports of a library that a later `from kernkoa import *` replaces."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator

# modules that the star brings under their own names: to import them above it changes nothing
MODULES = frozenset({"json", "os", "sys", "time"})
# modules whose names the star brings unchanged
SOURCES = frozenset({"flask", "kernkoa", "datetime"})


def find_replaced(tree: ast.Module, face: Iterable[str]) -> Iterator[tuple[int, str, int]]:
    """Line and name of each import above the star that it replaces, and the star's line.

    `import datetime` is one: the star brings the class datetime. `face` are the names that the star brings.
    """
    imported: list[ast.Import | ast.ImportFrom] = []
    for node in tree.body:
        if isinstance(node, ast.ImportFrom) and node.module == "kernkoa" and node.names[0].name == "*":
            for line, name in _names_of(imported):
                if name in face:
                    yield line, name, node.lineno
        elif isinstance(node, ast.Import | ast.ImportFrom):
            imported.append(node)


def _names_of(imported: list[ast.Import | ast.ImportFrom]) -> Iterator[tuple[int, str]]:
    """The names that are not the same as those of the star."""
    for node in imported:
        for alias in node.names:
            name = alias.asname or alias.name.partition(".")[0]
            known = MODULES if isinstance(node, ast.Import) else {alias.name} if node.module in SOURCES else ()
            if name != alias.name or name not in known:
                yield node.lineno, name
