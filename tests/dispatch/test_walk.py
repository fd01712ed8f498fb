"""Over random trees: the dispatcher, the page that explains a 404, its remedies and the listing agree."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from system.core.catalog.tree import Catalog
from system.core.development.not_found import explain
from system.core.dispatch.walk import Stop, resolve
from system.core.errors import NotFound
from system.core.explorer.listing import Listing
from tests.development.test_not_found import apply
from tests.trees import PATHS, TREES, Tree, answer, reference, write_tree

quick = settings(max_examples=25, deadline=None)


@contextmanager
def catalog_of(tree: Tree, live_seconds: Any = "off") -> Iterator[Catalog]:
    with tempfile.TemporaryDirectory() as folder:
        write_tree(Path(folder), tree)
        catalog = Catalog({"controller": Path(folder)}, live_seconds=live_seconds, development=True)
        try:
            yield catalog
        finally:
            catalog.close()


def stop_of(catalog: Catalog, path: tuple[str, ...]) -> Stop | None:
    try:
        resolve(catalog, path, catalog.now())
    except NotFound as error:
        stop: Stop = error.stop
        return stop
    return None


@quick
@given(tree=TREES)
def test_the_walk_stops_where_the_rule_says_and_the_page_blames_that_segment(tree: Tree) -> None:
    with catalog_of(tree) as catalog:
        for path in PATHS:
            stop = stop_of(catalog, path)
            assert (stop.position if stop else None) == reference(tree, path), path
            if stop is None:
                continue
            steps = explain(stop).steps
            used = [step.segment for step in steps if step.found and step.segment]
            failed = next(step for step in steps if step.kind == "nothing")
            arguments = path[len(used) : stop.position]
            assert (*used, *arguments, *filter(None, [failed.segment])) == path[: stop.position + 1]


@quick
@given(tree=TREES, data=st.data())
def test_no_remedy_changes_the_answer_of_a_url_that_worked(tree: Tree, data: Any) -> None:
    with catalog_of(tree, live_seconds=0) as catalog:
        before = {path: answer(catalog, path) for path in PATHS}
        path = data.draw(st.sampled_from([path for path in PATHS if before[path] is None] or [()]))
        stop = stop_of(catalog, path)
        remedy = explain(stop).remedy if stop else None
        if remedy is None:
            return
        apply(remedy)
        assert answer(catalog, path) is not None, remedy
        changed = {path: answer(catalog, path) for path in PATHS if before[path] not in (None, "422")}
        assert changed == {path: before[path] for path in changed}, remedy


@quick
@given(tree=TREES)
def test_the_listing_has_exactly_the_urls_that_answer(tree: Tree) -> None:
    with catalog_of(tree) as catalog:
        now = catalog.now()
        listed = {method.url: method for library in Listing(catalog).walk(now) for method in library.methods}
        for method in listed.values():
            for url in (method.url, method.short_url):
                found = resolve(catalog, tuple(filter(None, url.split("/"))), now)
                assert found.endpoint.name == method.place
                assert not found.arguments or url.endswith("/".join(("", *found.arguments)))
        found_all = [resolve(catalog, path, now) for path in PATHS if stop_of(catalog, path) is None]
        assert {found.endpoint.name for found in found_all} <= {method.place for method in listed.values()}


@pytest.mark.parametrize("path", ["zz/Shop/nothing", "zz/nothing", "zz/Shop/a/b"])
def test_a_file_beside_an_index_never_hides_a_class_of_it(site: Any, path: str) -> None:
    site.write(
        "zz/index.py",
        """
        class index:
            def hello(self):
                return "hello"

        class Shop:
            def a(self):
                return "a"
        """,
    )
    client = site.client(development=True, flaskDebug=True)
    remedy = explain(stop_of(client.application.catalog, tuple(path.split("/")))).remedy  # type: ignore[arg-type]
    if remedy is not None:
        apply(remedy)
    assert client.get("/zz/Shop/a").text == "a"
    assert client.get("/zz/hello").text == "hello"
