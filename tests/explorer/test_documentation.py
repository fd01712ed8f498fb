"""The documentation in the browser: every page and link answers, in development only, and nothing else is served."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any
from urllib.parse import urljoin

import pytest

from system.core.explorer.markdown import render_page
from tests.shipped import needs_shipped_site

ROOT = Path(__file__).resolve().parents[2]
DOCS = "/_koa/docs/"


@pytest.fixture
def client(site: Any) -> Any:
    needs_shipped_site()
    for name in ("docs", "README.md", "CHANGELOG.md", "kernkoa_nginx.conf", "kernkoa_uwsgi.ini"):
        (site.root / name).symlink_to(ROOT / name)
    (site.root / "system" / "deploy").mkdir(parents=True)
    (site.root / "system" / "deploy" / "container").symlink_to(ROOT / "system" / "deploy" / "container")
    return site.client(development=True)


def test_every_page_and_every_link_to_a_file_or_heading_answers(client: Any) -> None:
    seen, waiting = {}, [DOCS]
    while waiting:
        url = waiting.pop()
        if url in seen:
            continue
        with client.get(url) as answer:
            assert answer.status_code == 200, url
            seen[url] = answer.text if answer.mimetype == "text/html" else ""
        for target in re.findall(r'(?:href|src)="([^"]+)"', seen[url]):
            found = urljoin(url, target).partition("#")[0]
            if found.startswith(DOCS):
                waiting.append(found)
    pages = [url for url in seen if url.endswith(".md")]
    assert len(pages) >= len(list((ROOT / "docs").rglob("*.md")))
    for url, text in seen.items():
        for target in re.findall(r'href="([^"]+)"', text):
            page, _, heading = urljoin(url, target).partition("#")
            assert not heading or page not in seen or f'id="{heading}"' in seen[page], f"{url}: {target}"


@pytest.mark.parametrize(
    "path", ["config.py", "../config.py", "%2e%2e/config.py", "docs", "docs/../config.py", "docs/none.md"]
)
def test_no_other_file_is_served(client: Any, path: str) -> None:
    assert client.get(DOCS + path).status_code == 404


def test_production_has_no_documentation(site: Any) -> None:
    assert site.client().get(DOCS).status_code == 404


@pytest.mark.parametrize(
    ("query", "first"),
    [
        ("print formats", "docs/print-formats.md"),
        ("send mail", "docs/howto/email.md"),
        ("LOGIN", "docs/tutorial/08-a-login.md"),
        ("several machines", "docs/several-machines.md"),
    ],
)
def test_a_search_finds_the_page_and_leads_to_the_heading(client: Any, query: str, first: str) -> None:
    text = client.get(DOCS, query_string={"q": query}).text
    found = re.findall(
        r'<li><a href="/_koa/docs/([^"]+)">', text.partition('class="found"')[2].partition("</main>")[0]
    )
    assert found[0].partition("#")[0] == first
    for link in found:
        path, _, anchor = link.partition("#")
        assert not anchor or f'id="{anchor}"' in client.get(DOCS + path).text, link


def test_a_search_without_a_result_says_so_and_is_shown_as_text(client: Any) -> None:
    text = client.get(DOCS, query_string={"q": "<b>zzqq</b>"}).text
    assert "No sections: try fewer or shorter words" in text
    assert "<b>zzqq" not in text


def test_a_page_leads_to_its_headings_and_to_the_pages_around_it(client: Any) -> None:
    text = client.get(f"{DOCS}docs/tutorial/02-a-database.md").text
    assert 'rel="prev" href="/_koa/docs/docs/tutorial/01-a-first-page.md"' in text
    assert 'rel="next" href="/_koa/docs/docs/tutorial/03-a-form.md"' in text
    assert text.count("<main>") == 1
    assert '<a href="#a-model">A model</a>' in text


def test_html_in_a_page_is_shown_as_text_and_links_cannot_run_scripts() -> None:
    text = render_page("# A\n\n<script>alert(1)</script> [x](javascript:alert(1))")
    assert "<script>" not in text
    assert 'href="javascript' not in text


def test_headings_have_ids_tables_are_well_formed_and_code_can_take_the_focus() -> None:
    text = render_page("## In the worker\n\n| a | |\n|---|---|\n| 1 | 2 |\n\n```sh\nls\n```\n")
    assert '<h2 id="in-the-worker">' in text
    assert text.count("<th>") == text.count("</th>") == 1
    assert text.count("<td>") == text.count("</td>") == 3
    assert '<pre tabindex="0">' in text
