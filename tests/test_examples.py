"""The controllers that ship, and the welcome page."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from system.core.app import create_app
from system.core.settings import read_settings
from tests.shipped import needs_shipped_site

ROOT = Path(__file__).resolve().parents[1]
DEEP = "/" + "/".join(f"folder{number}" for number in range(1, 8)) + "/urllibrary/urlclass/urlmethod2"


@pytest.fixture(scope="module")
def client() -> Any:
    needs_shipped_site()
    app = create_app(read_settings(ROOT / "config.py"))
    yield app.test_client()
    app.catalog.close()


@pytest.mark.parametrize(
    ("path", "values", "answer"),
    [
        ("/fasthelloworld/fastHelloClass/fastHelloWorld", {}, "hello world!!."),
        (
            "/fasthelloworld/fastHelloClass/fastHelloWorldWithParameters",
            {"hello": "world", "with": "parameters"},
            "hello = world<br>with = parameters<br>",
        ),
        ("/fasthelloworld/fastHelloClass/fastHelloWorldWithParameters", {}, "Hello World"),
        ("/fasthelloworld/fastHelloClass/fastHelloWorldWithParameters", {"<a>": "&"}, "&lt;a&gt; = &amp;<br>"),
        (
            "/examples/folderexmple/fastHelloClass/fastHelloWorldWithParameters",
            {"hello": "world", "with": "parameters"},
            "hello = world<br>with = parameters<br>",
        ),
        (
            DEEP,
            {f"param{number}": str(number) for number in range(1, 5)},
            "param1 = 1<br>param2 = 2<br>param3 = 3<br>param4 = 4<br>",
        ),
        (DEEP.replace("method2", "method1"), {}, DEEP.replace("method2", "method1").removeprefix("/")),
    ],
)
def test_an_example_answers_by_get_and_by_post(client: Any, path: str, values: Any, answer: str) -> None:
    assert client.get(path, query_string=values).text == answer
    assert client.post(path, data=values).text == answer


def test_the_welcome_page_says_that_it_works_and_every_link_on_it_leads_somewhere(client: Any) -> None:
    page = client.get("/")
    assert page.mimetype == "text/html"
    assert "KernKoa works" in page.text
    assert "http://localhost/" in page.text
    links = re.findall(r'href="([^"]+)"', page.text)
    assert len(links) >= 2
    for link in links:
        assert client.get(link.replace("&amp;", "&")).status_code == 200, link
