"""`python kernkoa.py call`: send a request to a method from the shell, without a server."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from urllib.parse import quote

import click
from flask import Flask
from werkzeug.datastructures import MultiDict
from werkzeug.test import Client, TestResponse

from ..catalog.tree import Catalog
from ..development.not_found import Explanation, explain
from ..dispatch.routing import match
from ..dispatch.walk import resolve
from ..errors import NotFound
from ..settings import Settings


def call_method(
    app: Flask, settings: Settings, path: str, words: Sequence[str], verb: str | None, body: str | None
) -> TestResponse:
    """The response to a request. Words with `=` are parameters, others further segments of the path.

    The default verb is POST with a JSON body, else GET, or the method's first verb if it refuses GET.
    """
    pairs = (word.partition("=") for word in words if "=" in word)
    values: MultiDict[str, str] = MultiDict((name, value) for name, _, value in pairs)
    arguments = [quote(word, safe="") for word in words if "=" not in word]
    url = "/".join([f"{settings.base}/{path.strip('/')}".rstrip("/"), *arguments])
    client = Client(app)
    if body is not None:
        return client.open(
            url, method=verb or "POST", query_string=values, data=body, content_type="application/json"
        )
    if verb is None:
        answer = client.get(url, query_string=values)
        if answer.status_code != 405:
            return answer
        verb = next(name for name in answer.headers["Allow"].split(", ") if name != "OPTIONS")
    if verb in ("GET", "HEAD", "DELETE"):
        return client.open(url, method=verb, query_string=values)
    return client.open(url, method=verb, data=values)


def show_answer(answer: TestResponse) -> None:
    """Print the body, each chunk as it arrives."""
    out = sys.stdout.buffer
    for piece in answer.iter_encoded():
        out.write(piece)
        out.flush()
    if sys.stdout.isatty():
        click.echo()


def show_why(catalog: Catalog, path: str) -> None:
    """Print why a path matches no method, and near matches."""
    try:
        resolve(catalog, match("/" + path.strip("/")), catalog.now())
        return
    except NotFound as error:
        explanation = explain(error.stop) if error.stop else Explanation(error.reason)
    click.echo(f"{explanation.reason}.", err=True)
    for choice in explanation.near or explanation.choices:
        click.echo(f"  {'/'.join(choice.segments)}{choice.signature}  {choice.summary}".rstrip(), err=True)
