"""The request: Flask's, with strict parsing and the attributes that the kernel needs."""

from __future__ import annotations

import ipaddress
import os
import re
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from functools import cached_property
from typing import IO, Any, cast
from urllib.parse import quote, unquote_to_bytes, urlsplit

import flask
from flask import Request
from werkzeug.datastructures import MultiDict
from werkzeug.exceptions import HTTPException, RequestEntityTooLarge
from werkzeug.utils import secure_filename

from ..errors import MalformedBody, TooLarge
from ..settings import LOOPBACK, Network, Settings
from .json_body import check_json, decode_json
from .multipart import StrictParser
from .params import NO_VALUES, Params, QueryParams

# in the environ of a request that the site makes to itself: the text of its JSON body and the value of that
JSON_BODY = "kernkoa.json_body"

_ASCII = "".join(map(chr, range(0x21, 0x7F)))
_ESCAPED = re.compile(rb"%[89a-fA-F]")
_FORMS = ("application/x-www-form-urlencoded", "multipart/form-data")
_FORWARDED = ("HTTP_FORWARDED", "HTTP_X_FORWARDED_FOR", "HTTP_X_FORWARDED_HOST", "HTTP_X_REAL_IP", "HTTP_VIA")
LONGEST_NAME = 200  # of an upload
_THIS_MACHINE = frozenset({"localhost", "127.0.0.1", "::1"})


class KernelRequest(Request):
    """Flask's request, strict about forms.

    Of a request that the catalogue answers: `resolved` is the method, `controller` the instance of its class and
    `hooks` what runs around it, `answer_stream` the pieces of a streamed response until that is final,
    `refused_form` a form whose values were refused, `nonce` that of the page which answers it, if its
    template asked for one. While a page about the catalogue asks the guards of a folder, class or method,
    `looked_at` is that place.
    """

    form_data_parser_class = StrictParser
    resolved: Any = None
    controller: object = None
    hooks: Sequence[Mapping[str, Any]] = ()
    has_body: bool
    answer_stream: Any = None
    looked_at: str | None = None
    refused_form: Any = None
    nonce: str = ""

    @property
    def blueprint(self) -> str | None:
        """The blueprint of the request; None for a method of the catalogue, though its endpoint has dots."""
        return super().blueprint if self.resolved is None else None

    # the temporary files of its uploads, those of a body that cannot be read too
    temporary_files: tuple[IO[bytes], ...] = ()

    def __init__(self, environ: dict[str, Any], *args: Any, **kwargs: Any) -> None:
        query = environ.get("QUERY_STRING", "")
        if not query.isascii():  # bytes that a client did not encode, though RFC 3986 wants it
            environ["QUERY_STRING"] = quote(query.encode("latin-1", "replace"), safe=_ASCII)
        super().__init__(environ, *args, **kwargs)
        self.has_body = has_body(environ)

    def _load_form_data(self) -> None:
        super()._load_form_data()
        for _, file in self.files.items(multi=True):
            file.safe_name = _safe_name(file.filename or "")  # type: ignore[attr-defined]

    def _get_file_stream(self, *args: Any, **kwargs: Any) -> IO[bytes]:
        stream = super()._get_file_stream(*args, **kwargs)
        self.temporary_files = (*self.temporary_files, stream)
        return stream

    def close(self) -> None:
        """Close the temporary files; Werkzeug forgets those of a body that ends too early."""
        super().close()
        for file in self.temporary_files:
            file.close()

    @cached_property
    def settings(self) -> Settings:
        """The settings of the site."""
        return cast(Any, flask.current_app).settings  # type: ignore[no-any-return]

    @property
    def is_local(self) -> bool:
        """Whether a client on this machine asked this machine directly: see `is_local`."""
        return is_local(self.environ)

    @property
    def wants_html(self) -> bool:
        """Whether the client names text/html in Accept, as browsers do; `*/*` alone does not count."""
        if "text/html" not in self.environ.get("HTTP_ACCEPT", "").lower():
            return False
        accept = self.accept_mimetypes
        if "text/html" not in accept.values():
            return False
        return accept["text/html"] >= max(accept["application/problem+json"], accept["application/json"])

    @property
    def looks_like_json(self) -> bool:
        """Whether the body seems to be JSON without the Content-Type that says so."""
        if not self.has_body or self.is_json:
            return False
        with suppress(HTTPException, OSError, ValueError):
            start = (
                next(iter(self.form), "") or ""
                if self.mimetype in _FORMS
                else self.stream.read(64).decode("latin-1")
            )
            return start.lstrip()[:1] in ("{", "[")
        return False

    def params(self, segments: Sequence[str] | None = None) -> Params:
        """The query and the body as Params; `segments` are those of the path, as a rule the method's.

        Raises TooLarge for more than maxParams fields or maxParamsBytes bytes (files count to maxUploadBytes
        instead), MalformedBody for a body that is not what its content type says.
        """
        query: str = self.environ.get("QUERY_STRING", "")
        most = self.settings.maxParams
        if len(query) >= most and query.count("&") >= most:
            raise TooLarge(f"The query has more than {most} parameters. Send fewer of them.")
        if "%" in query:
            _check_text(query.encode("ascii"), "query")
        if segments is None:
            segments = self.resolved.segments if self.resolved else ()
        if not self.has_body:
            return QueryParams(query, segments)
        try:
            return self._read_body(self.args if query else NO_VALUES, segments)
        except RequestEntityTooLarge as error:
            raise TooLarge("The body is larger than this site takes. Send less, or in parts.") from error
        except ValueError as error:
            raise MalformedBody(f"The body is not a valid {self.mimetype}: {error}.") from error

    def limit_body(self) -> None:
        """Limit the body to maxUploadBytes where the method takes files, to maxBodyBytes where not, or its @limit.

        Raises TooLarge where the declared length is beyond that.
        """
        endpoint = self.resolved.endpoint
        own: int = getattr(endpoint.function, "koa_upload_bytes", 0)
        most = own or (self.settings.maxUploadBytes if endpoint.takes_files else self.settings.maxBodyBytes)
        self.max_content_length = most
        if (self.content_length or 0) > most:
            raise TooLarge(
                f"The body has {self.content_length:,} bytes; {endpoint.name} takes {most:,}. "
                'A method that takes more says so: @limit(upload="500MB").'
            )

    def _limit(self, most: int) -> None:
        self.max_content_length = min(most, self.max_content_length or most)

    def _read_body(self, args: MultiDict[str, str], segments: Sequence[str]) -> Params:
        settings = self.settings
        own: int = getattr(self.resolved.endpoint.function, "koa_values", 0) if self.resolved else 0
        most, limits = own or settings.maxParams, (own or settings.maxJsonValues, settings.maxJsonDepth)
        raw, body = self.environ.get(JSON_BODY, (b"", None))
        if raw and len(raw) <= settings.maxParamsBytes:
            check_json(body, raw, *limits)
            return Params(query=args, json_body=body, raw_json=raw, segments=segments)
        if self.is_json:
            self._limit(settings.maxParamsBytes)
            raw = self.get_data(cache=True)
            body = decode_json(raw, *limits)
            return Params(query=args, json_body=body, raw_json=raw, segments=segments)
        if self.mimetype == "application/x-www-form-urlencoded":
            self._limit(settings.maxParamsBytes)
            raw = self.get_data(cache=True)
            _check_text(raw, "form")
            if raw.count(b"&") >= most:
                raise TooLarge(f"The form has more than {most} fields. Send fewer of them.")
        unread = "" if self.mimetype in _FORMS else self.mimetype or "application/octet-stream"
        made = Params(query=args, form=self.form, files=self.files, segments=segments, unread=unread)
        made.json_limits = limits
        return made


# Flask's proxy of the request being answered, with its own type
request = cast(KernelRequest, flask.request)


def _safe_name(name: str) -> str:
    """A name that can be a file's: Werkzeug's secure_filename, no longer than file systems take."""
    stem, suffix = os.path.splitext(secure_filename(name))
    return stem[: LONGEST_NAME - len(suffix)] + suffix if len(suffix) < 20 else (stem + suffix)[:LONGEST_NAME]


def has_body(environ: Mapping[str, Any]) -> bool:
    """Whether a request has a body: RFC 9112, section 6.3."""
    return environ.get("CONTENT_LENGTH", "") not in ("", "0") or bool(environ.get("HTTP_TRANSFER_ENCODING"))


def is_local(environ: Mapping[str, Any]) -> bool:
    """Whether a client on this machine asked this machine directly: only it sees source text and values.

    The Host must name this machine, or else a page of another site, whose name leads here (DNS rebinding), could
    read the answer.
    """
    return comes_from_here(environ) and _host_of(environ) in _THIS_MACHINE


def comes_from_here(environ: Mapping[str, Any]) -> bool:
    """Whether a client on this machine asked, and not through a proxy on this machine.

    No header may say that a proxy forwarded it, nor may it be HTTP/1.0: nginx's proxy_pass speaks that
    where nothing else is configured.
    """
    if any(name in environ for name in _FORWARDED) or environ.get("SERVER_PROTOCOL") == "HTTP/1.0":
        return False
    return comes_from(environ, LOOPBACK)


def _check_text(sent: bytes, part: str) -> None:
    """Raises MalformedBody for a query or form that is not UTF-8: its values would be changed."""
    if not sent.isascii() or _ESCAPED.search(sent):
        try:
            unquote_to_bytes(sent).decode()
        except UnicodeDecodeError as error:
            raise MalformedBody(
                f"The {part} is not UTF-8 text at byte {error.start}. Encode it as UTF-8."
            ) from error


def comes_from(environ: Mapping[str, Any], networks: Iterable[Network]) -> bool:
    """Whether the client's address is in one of these networks."""
    with suppress(ValueError):  # a client of a Unix socket has no address
        address = ipaddress.ip_address(environ.get("REMOTE_ADDR", ""))
        return any(address in network for network in networks)
    return False


def _host_of(environ: Mapping[str, Any]) -> str | None:
    try:
        return urlsplit(f"//{environ.get('HTTP_HOST', '')}").hostname
    except ValueError:
        return None
