"""Views: templates of the site, pages that arrive while they are rendered, error pages that a site replaces."""

from __future__ import annotations

from typing import Any

PAGES = """
    from flask import abort, current_app, render_template, stream_template

    class pages:
        def show(self, params):
            return render_template("hello.html", name=params["name"])

        def stream(self):
            return stream_template("rows.html", rows=self._rows())

        def _rows(self):
            for number in range(3):
                current_app.extensions.setdefault("drawn", []).append(number)
                yield number

        def teapot(self):
            abort(418)

        def broken(self):
            return render_template("nothing.html")
"""


def test_a_value_in_a_page_is_text(site: Any) -> None:
    site.write("pages.py", PAGES)
    site.write("templates/hello.html", "<p>{{ name }}</p>")
    answer = site.client().get("/pages/show?name=<script>'\"%26</script>")
    assert answer.text == "<p>&lt;script&gt;&#39;&#34;&amp;&lt;/script&gt;</p>"


def test_a_page_starts_to_arrive_while_it_is_rendered(site: Any) -> None:
    site.write("pages.py", PAGES)
    site.write("templates/rows.html", "{% for row in rows %}<p>{{ row }}</p>\n{% endfor %}")
    app = site.app()
    pieces = iter(app.test_client().get("/pages/stream").iter_encoded())
    page = b""
    while b"<p>0</p>" not in page:
        page += next(pieces)
    assert app.extensions["drawn"] == [0]
    page += b"".join(pieces)
    assert page.count(b"<p>") == 3


def test_an_edited_template_counts_at_once(site: Any) -> None:
    site.write("pages.py", PAGES)
    site.write("templates/hello.html", "one")
    client = site.client()
    assert client.get("/pages/show?name=x").text == "one"
    site.write("templates/hello.html", "two, longer")
    assert client.get("/pages/show?name=x").text == "two, longer"


def test_a_site_replaces_the_error_page(site: Any, browser_headers: dict[str, str]) -> None:
    site.write("pages.py", PAGES)
    client = site.client()
    assert "ours" not in client.get("/pages/teapot", headers=browser_headers).text
    site.write("templates/kernkoa/error.html", "ours: {{ problem.status }} {{ problem.title }}")
    client = site.client()
    answer = client.get("/pages/teapot", headers=browser_headers)
    assert answer.status_code == 418
    assert answer.text == "ours: 418 I'm a teapot" or answer.text == "ours: 418 I&#39;m a teapot"
    assert client.get("/nowhere", headers=browser_headers).text == "ours: 404 Not Found"


def test_a_missing_template_is_a_500(site: Any) -> None:
    site.write("pages.py", PAGES)
    assert site.client().get("/pages/broken").status_code == 500
