"""The static files, and what is refused of them."""

from __future__ import annotations

import os
from typing import Any

import pytest


@pytest.fixture
def client(site: Any) -> Any:
    site.write("images/logo.svg", "<svg xmlns='http://www.w3.org/2000/svg'/>")
    site.write("images/deep/er/pic.txt", "0123456789")
    site.write("images/.htpasswd", "secret")
    site.write("images/.git/config", "secret")
    site.write("pdfs/bill.pdf", "%PDF-1.4")
    (site.root / "config.py").write_text("secret")
    os.symlink(site.root / "config.py", site.root / "images" / "link.txt")
    return site.client()


@pytest.mark.parametrize(
    ("url", "mimetype"),
    [
        ("/images/logo.svg", "image/svg+xml"),
        ("/images?image=logo.svg", "image/svg+xml"),
        ("/images/deep/er/pic.txt", "text/plain"),
        ("/images?image=deep/er/pic.txt", "text/plain"),
        ("/pdfs/bill.pdf", "application/pdf"),
        ("/pdf?pdf=bill.pdf", "application/pdf"),
        ("/pdfs?pdf=bill.pdf", "application/pdf"),
    ],
)
def test_a_file_of_the_folder_is_served_with_its_type(client: Any, url: str, mimetype: str) -> None:
    with client.get(url) as response:
        assert (response.status_code, response.mimetype) == (200, mimetype)


@pytest.mark.parametrize(
    "name",
    "../config.py ..%2fconfig.py %2e%2e/config.py deep/../../config.py /etc/passwd //etc/passwd .htpasswd .git/config "
    "link.txt nothing.png a%00b ..%5cconfig.py . .. deep ".split(" "),
)
def test_nothing_else_is(client: Any, name: str) -> None:
    for url in (f"/images?image={name}", f"/images/{name}", f"/pdf?pdf={name}", f"/pdfs/{name}"):
        response = client.get(url)
        assert response.status_code in (404, 308), url
        assert b"secret" not in response.data


def test_a_request_without_a_name_says_which_parameter_is_missing(client: Any) -> None:
    for url, name in (("/images", "image"), ("/pdf", "pdf"), ("/pdfs", "pdf")):
        response = client.get(url)
        assert (response.status_code, response.get_json()["name"]) == (400, name)


def test_conditional_requests_and_ranges_are_answered(client: Any) -> None:
    url = "/images/deep/er/pic.txt"
    with client.get(url) as first:
        tag = first.headers["ETag"]
    with client.get(url, headers={"If-None-Match": tag}) as again:
        assert again.status_code == 304
    with client.get(url, headers={"Range": "bytes=2-4"}) as part:
        assert (part.status_code, part.text) == (206, "234")
    with client.get(url, headers={"Range": "bytes=0-1,4-5"}) as whole:
        assert whole.status_code == 200


def test_a_file_takes_only_reading_verbs(client: Any) -> None:
    response = client.delete("/images/logo.svg")
    assert response.status_code == 405
    assert "GET" in response.headers["Allow"]


def test_the_health_of_the_process_is_told(client: Any) -> None:
    assert client.get("/_koa/health").get_json()["status"] == "ok"
