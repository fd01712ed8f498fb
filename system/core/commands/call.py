"""`python kernkoa.py call`: send a request to a method from the shell, without a server."""

from __future__ import annotations

import re
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, quote, urlsplit

import click
from flask import Flask
from werkzeug.datastructures import Headers, MultiDict
from werkzeug.test import Client, TestResponse

from ..catalog.tree import Catalog
from ..development.not_found import Explanation, explain
from ..dispatch.routing import match
from ..dispatch.walk import resolve
from ..errors import NotFound
from ..settings import Settings


@dataclass(frozen=True, slots=True)
class Call:
    """A request as it is typed: a path or a URL, words, headers, a verb, a JSON body."""

    target: str
    words: Sequence[str] = ()
    headers: Sequence[str] = ()
    verb: str | None = None
    json: str | None = None

    @property
    def path(self) -> str:
        """The path without scheme, host and query, with the words that are not parameters as further segments."""
        arguments = [quote(word, safe="") for word in self.words if "=" not in word]
        return "/".join([self._split.path.strip("/"), *arguments]).strip("/")

    @property
    def origin(self) -> str:
        """Scheme and host of a URL; empty for a path."""
        return f"{self._split.scheme}://{self._split.netloc}" if self._split.netloc else ""

    @property
    def _split(self) -> Any:
        return urlsplit(self.target if re.match("https?://", self.target) else "/" + self.target.lstrip("/"))

    @property
    def query(self) -> list[tuple[str, Any]]:
        """The parameters of the URL's query."""
        return list(parse_qsl(self._split.query, keep_blank_values=True))

    def values(self) -> MultiDict[str, Any]:
        """The parameters of the words: `name=value`, and `name=@file` as an open file.

        Raises click.ClickException for a file that cannot be read.
        """
        found: MultiDict[str, Any] = MultiDict()
        for word in self.words:
            name, sign, value = word.partition("=")
            if sign:
                found.add(name, _read_value(value))
        return found

    def header_fields(self) -> Headers:
        """Raises click.ClickException for a header that is not `Name: value`."""
        fields = Headers()
        for header in self.headers:
            name, sign, value = header.partition(":")
            if not sign or not name.strip():
                raise click.ClickException(f"{header!r} is not a header. Write -H 'Name: value'.")
            fields.add(name.strip(), value.strip())
        return fields


def _read_value(text: str) -> Any:
    if not text.startswith("@"):
        return text
    if text.startswith("@@"):
        return text[1:]
    path = Path(text[1:])
    try:
        return (path.open("rb"), path.name)
    except OSError as error:
        raise click.ClickException(
            f"{path} cannot be read: {error.strerror}. For a text that begins with @ write @@."
        ) from error


def call_method(app: Flask, settings: Settings, asked: Call) -> TestResponse:
    """The response to a call.

    The default verb is POST with a JSON body or a file, else GET, or the method's first verb if it refuses GET.
    """
    values, headers = asked.values(), asked.header_fields()
    has_file = any(isinstance(value, tuple) for value in values.values())
    path = asked.path.removeprefix(settings.base.strip("/")).strip("/")
    common: dict[str, Any] = {"headers": headers, "base_url": asked.origin or _origin_of(settings)}
    client, url = Client(app), f"{settings.base}/{path}"
    query = MultiDict([*asked.query, *values.items(multi=True)])
    if asked.json is not None:
        common |= {"query_string": query, "data": asked.json, "content_type": "application/json"}
        return client.open(url, method=asked.verb or "POST", **common)
    verb = asked.verb or ("POST" if has_file else "")
    if not verb:
        answer = client.get(url, query_string=query, **common)
        if answer.status_code != 405:
            return answer
        verb = next(name for name in answer.headers["Allow"].split(", ") if name != "OPTIONS")
    if verb in ("GET", "HEAD", "DELETE") and not has_file:
        return client.open(url, method=verb, query_string=query, **common)
    return client.open(url, method=verb, query_string=MultiDict(asked.query), data=values, **common)


def _origin_of(settings: Settings) -> str:
    """A host that the site accepts."""
    split = urlsplit(settings.site_url or "http://localhost")
    return f"{split.scheme}://{split.netloc}"


def show_answer(answer: TestResponse) -> None:
    """Print the body, each chunk as it arrives, and end it with a newline; for a redirect, print its target."""
    if 300 <= answer.status_code < 400 and "Location" in answer.headers:
        click.echo(f"{answer.status} -> {answer.headers['Location']}")
        return
    out, last = sys.stdout.buffer, b""
    for piece in answer.iter_encoded():
        out.write(piece)
        out.flush()
        last = piece or last
    if last and not last.endswith(b"\n") and _is_text(answer):
        click.echo()


def _is_text(answer: TestResponse) -> bool:
    kind = answer.mimetype or ""
    return kind.startswith("text/") or "json" in kind or "xml" in kind


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
