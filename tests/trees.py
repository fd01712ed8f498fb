"""Random trees of controllers, and every short path over their names: what property tests of the walk run on."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from hypothesis import strategies as st

from system.core.catalog.tree import Catalog
from system.core.dispatch.calling import run
from system.core.dispatch.params import Params
from system.core.dispatch.walk import resolve
from system.core.errors import InvalidParameters, NotFound

SIGNATURES = ("self", "self, params=None", "self, x", "self, x, y='1'", "self, *rest")
SEGMENTS = ("a", "b", "index", "Shop", "shop")

# a class: its methods by name, each with its signature; a library: its classes by name; a tree: its files by path
Methods = dict[str, str]
Library = dict[str, Methods]
Tree = dict[str, Library]

METHODS = st.dictionaries(st.sampled_from(("a", "b", "index", "Shop")), st.sampled_from(SIGNATURES), max_size=3)
LIBRARIES = st.dictionaries(st.sampled_from(("index", "Shop", "A", "b", "shop")), METHODS, max_size=3)
PLACES = [
    "/".join([*above, name])
    for above in ((), ("a",), ("shop",), ("a", "shop"))
    for name in ("index.py", "shop.py", "a.py", "b.py")
]
TREES = st.dictionaries(st.sampled_from(PLACES), LIBRARIES, min_size=1, max_size=6)
PATHS = [path for length in range(5) for path in itertools.product(SEGMENTS, repeat=length)]


def write_tree(root: Path, tree: Tree) -> None:
    for place, library in tree.items():
        file = root / place
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text("\n\n".join(_write_class(place, name, methods) for name, methods in library.items()))


def _write_class(place: str, name: str, methods: Methods) -> str:
    lines = [f"    def {method}({signature}):\n        return {place + '.' + name + '.' + method!r}"
             for method, signature in methods.items()]  # fmt: skip
    return f"class {name}:\n" + ("\n\n".join(lines) or "    pass") + "\n"


def answer(catalog: Catalog, path: tuple[str, ...]) -> Any:
    """What a path answers; None where it leads to no method, "422" where the method refuses to be called."""
    try:
        resolved = resolve(catalog, path, catalog.now())
    except NotFound:
        return None
    try:
        return run(resolved, resolved.endpoint.controller(), Params), resolved.arguments
    except InvalidParameters:
        return "422"


def reference(tree: Tree, path: tuple[str, ...]) -> int | None:
    """The rule of docs/controllers.md, written once more: the index at which a path fails; None where it works."""
    stops = list(_walk(tree, path, "", 0))
    return None if None in stops else max(stop for stop in stops if stop is not None)


def _walk(tree: Tree, path: tuple[str, ...], folder: str, at: int) -> Iterator[int | None]:
    name = path[at] if at < len(path) else ""
    is_folder = any(place.startswith(f"{folder}{name}/") for place in tree) and bool(name)
    is_file = f"{folder}{name}.py" in tree
    if is_folder:
        yield from _walk(tree, path, f"{folder}{name}/", at + 1)
    if is_file:
        yield _in_library(tree[f"{folder}{name}.py"], name, path, at + 1)
    if is_folder or is_file:
        return
    yield _in_library(tree[f"{folder}index.py"], "index", path, at) if f"{folder}index.py" in tree else at


def _in_library(library: Library, name: str, path: tuple[str, ...], at: int) -> int | None:
    if at < len(path) and path[at] in library:
        return _in_class(library[path[at]], path, at + 1)
    named = [each for each in library if each.lower() == name.lower()]
    default = name if name in named else (named or [each for each in library if each == "index"] or [""])[0]
    return _in_class(library[default], path, at) if default else at


def _in_class(methods: Methods, path: tuple[str, ...], at: int) -> int | None:
    for name, rest in ((path[at] if at < len(path) else "", at + 1), ("index", at)):
        if name in methods:
            most = {"self": 0, "self, params=None": 0, "self, x": 1, "self, x, y='1'": 2}.get(methods[name], 99)
            return rest + most if len(path) - rest > most else None
    return at
