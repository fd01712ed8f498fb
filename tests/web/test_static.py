"""static/: files as in Flask, a hash of the content in their URLs, compressed files, and what a missing one says."""

from __future__ import annotations

import gzip
import os
from typing import Any

import pytest
from flask import url_for

from system.core.web import static

CSS = b"body { color: black }\n" * 20


@pytest.fixture
def site_with_files(site: Any) -> Any:
    for name, content in {
        "site.css": CSS,
        "site.css.gz": gzip.compress(CSS, mtime=0),
        "site.css.br": b"brotli",
        "plain.js": b"go()",
        "deep/er/a b.txt": b"deep",
        ".secret": b"secret",
    }.items():
        file = site.root / "static" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content)
    (site.root / "config.py").write_text("secret")
    os.symlink(site.root / "config.py", site.root / "static" / "link.css")
    return site


def urls(app: Any, *names: str) -> list[str]:
    with app.test_request_context():
        return [url_for("static", filename=name) for name in names]


def test_a_url_carries_the_hash_of_the_content_and_may_be_kept_for_a_year(site_with_files: Any) -> None:
    app = site_with_files.app()
    (url,) = urls(app, "site.css")
    assert url.startswith("/static/site.css?v=")
    client = app.test_client()
    for path, age in (
        (url, "max-age=31536000"),
        ("/static/site.css", "no-cache"),
        ("/static/site.css?v=old", "no-cache"),
    ):
        with client.get(path) as response:
            assert (response.status_code, response.mimetype, response.data) == (200, "text/css", CSS)
            assert age in response.headers["Cache-Control"]


def test_a_changed_file_has_another_url_at_once(site_with_files: Any) -> None:
    app = site_with_files.app()
    before = urls(app, "plain.js")
    (site_with_files.root / "static" / "plain.js").write_bytes(b"stop()")
    after = urls(app, "plain.js")
    assert before != after
    with app.test_client().get(after[0]) as response:
        assert response.data == b"stop()"


def test_the_url_of_a_missing_file_or_of_one_with_a_version_is_left_alone(site_with_files: Any) -> None:
    app = site_with_files.app()
    assert urls(app, "none.css", "a\0b", "deep") == ["/static/none.css", "/static/a%00b", "/static/deep"]
    with app.test_request_context():
        assert url_for("static", filename="site.css", v="2") == "/static/site.css?v=2"


@pytest.mark.parametrize(
    ("accepted", "encoding", "content"),
    [
        ("gzip, br", "br", b"brotli"),
        ("gzip, deflate", "gzip", gzip.compress(CSS, mtime=0)),
        ("br;q=0, gzip", "gzip", gzip.compress(CSS, mtime=0)),
        ("identity", None, CSS),
        ("", None, CSS),
    ],
)
def test_the_compressed_file_beside_one_is_sent_to_those_who_take_it(
    site_with_files: Any, accepted: str, encoding: str | None, content: bytes
) -> None:
    with site_with_files.client().get("/static/site.css", headers={"Accept-Encoding": accepted}) as response:
        assert response.headers.get("Content-Encoding") == encoding
        assert response.mimetype == "text/css"
        assert "Accept-Encoding" in response.vary
        assert len(response.data) == len(content) if encoding == "gzip" else response.data == content


def test_a_file_without_compressed_ones_does_not_vary(site_with_files: Any) -> None:
    with site_with_files.client().get("/static/plain.js", headers={"Accept-Encoding": "gzip"}) as response:
        assert "Vary" not in response.headers
        assert response.data == b"go()"


@pytest.mark.parametrize(
    "name", ["../config.py", "..%2fconfig.py", ".secret", "link.css", "none.css", "a%00b", "deep", ""]
)
def test_nothing_else_is_served(site_with_files: Any, name: str) -> None:
    response = site_with_files.client().get(f"/static/{name}")
    assert response.status_code == 404
    assert b"secret" not in response.data


@pytest.mark.parametrize(
    "path", ["/static/none.css", "/images/none.png", "/none.css", "/shop/site.min.js", "/robots.txt"]
)
def test_a_missing_file_gets_a_remedy_about_files_and_not_about_classes(site_with_files: Any, path: str) -> None:
    response = site_with_files.client(development=True).get(path)
    assert response.status_code == 404
    told = response.get_json()
    assert "file" in told["reason"]
    name = path.removeprefix("/static/").strip("/")
    assert told["remedy"]["path"].endswith(f"/site/{name}" if "images" in path else f"/site/static/{name}")
    assert "class" not in told["remedy"]["code"]


def test_a_url_that_leaves_out_static_is_told_the_right_one(site_with_files: Any) -> None:
    told = site_with_files.client(development=True).get("/site.css").get_json()
    assert told["reason"] == "The file static/site.css has the URL /static/site.css"


def test_a_compressed_file_that_is_a_link_out_of_the_folder_is_not_sent(site_with_files: Any) -> None:
    (site_with_files.root / "static" / "plain.js.gz").symlink_to(site_with_files.root / "config.py")
    client = site_with_files.app().test_client()
    with client.get("/static/plain.js", headers={"Accept-Encoding": "gzip"}) as response:
        assert (response.data, response.headers.get("Content-Encoding")) == (b"go()", None)


def test_a_file_that_becomes_a_link_while_it_is_opened_is_not_sent(
    site_with_files: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = site_with_files.root / "static" / "plain.js"
    send = static.send_from_directory

    def swap_first(*words: Any, **more: Any) -> Any:
        file.unlink()
        file.symlink_to(site_with_files.root / "config.py")
        return send(*words, **more)

    def remove_first(*words: Any, **more: Any) -> Any:
        file.unlink()
        return send(*words, **more)

    client = site_with_files.app().test_client()
    for change in (swap_first, remove_first):
        monkeypatch.setattr(static, "send_from_directory", change)
        assert client.get("/static/plain.js").status_code == 404
        file.unlink(missing_ok=True)
        file.write_bytes(b"go()")
