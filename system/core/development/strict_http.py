"""Makes the development server as strict about HTTP as nginx and gunicorn are: RFC 9112.

Python's parser takes what others refuse or read in another way: a request would mean one thing on the author's
machine and another in production.
"""

from __future__ import annotations

import io
import re
from email.errors import HeaderDefect, MissingHeaderBodySeparatorDefect
from email.message import Message
from http import HTTPStatus
from typing import Any, BinaryIO, cast
from urllib.parse import quote

from werkzeug.serving import DechunkedInput, WSGIRequestHandler

_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_REQUEST_LINE = re.compile(r"[A-Z]+ (/|https?://)[^\0-\x20\x7f]* HTTP/1\.[01]")
_CONTROLS = re.compile(rb"[\0-\x08\x0a-\x1f\x7f]")
_CHUNK = re.compile(rb"([0-9a-fA-F]{1,15})[ \t]*(;[^\r\n]*)?\r?\n")
_ASCII = "".join(map(chr, range(0x21, 0x7F)))
LONGEST_LINE = 1_000
MOST_TRAILERS = 100


class StrictHandler(WSGIRequestHandler):
    """Werkzeug's handler, which refuses headers that could be read in two ways."""

    def parse_request(self) -> bool:
        stream = self.rfile
        self.rfile = lines = HeaderLines(stream)
        try:
            if not super().parse_request():
                return False
        finally:
            self.rfile = stream
        fault = self._fault_of_line(lines) or find_fault(self.headers, self.request_version)
        if fault:
            self.close_connection = True
            self.send_error(*fault)
            return False
        self.path = quote(self.path.encode("latin-1"), safe=_ASCII)  # bytes that the client did not encode
        return True

    def _fault_of_line(self, lines: HeaderLines) -> tuple[HTTPStatus, str] | None:
        if not _REQUEST_LINE.fullmatch(self.requestline):
            return HTTPStatus.BAD_REQUEST, "The request line is malformed"
        return (HTTPStatus.BAD_REQUEST, "A header is malformed") if lines.have_controls else None

    def make_environ(self) -> dict[str, Any]:
        environ = super().make_environ()
        if isinstance(environ["wsgi.input"], DechunkedInput):
            environ["wsgi.input"] = Chunks(cast(BinaryIO, self.rfile))
        return environ


class HeaderLines(io.BufferedIOBase):
    """The header of a request as it is sent: for Python's parser a carriage return alone ends a line."""

    def __init__(self, stream: io.BufferedIOBase) -> None:
        self._stream = stream
        self.have_controls = False

    def readline(self, size: int | None = -1, /) -> bytes:
        line = self._stream.readline(-1 if size is None else size)
        self.have_controls |= _CONTROLS.search(line.removesuffix(b"\n").removesuffix(b"\r")) is not None
        return line


class Chunks(DechunkedInput):
    """A chunked body, with the extensions and trailers that RFC 9112, section 7.1 allows."""

    def read_chunk_len(self) -> int:
        found = _CHUNK.fullmatch(self._rfile.readline(LONGEST_LINE))
        if found is None:
            raise OSError("Invalid chunk header")
        length = int(found[1], 16)
        if not length:
            self._skip_trailers()
        return length

    def _skip_trailers(self) -> None:
        """Read on to the empty line at the end, which the caller reads."""
        for _ in range(MOST_TRAILERS):
            if self._rfile.peek(1)[:1] in (b"\r", b"\n", b""):  # type: ignore[attr-defined]
                return
            self._rfile.readline(LONGEST_LINE)
        raise OSError("Too many trailers")


def find_fault(headers: Message, version: str) -> tuple[HTTPStatus, str] | None:
    """The status and the reason to refuse the headers of a request; None where they have one meaning."""
    lengths, codings = headers.get_all("Content-Length", []), headers.get_all("Transfer-Encoding", [])
    are_numbers = all(length.isascii() and length.isdigit() for length in lengths)
    faults = {
        "A header is malformed": _has_defects(headers) or any(map(_is_malformed, headers.items())),
        "A request needs exactly one Host header": len(headers.get_all("Host", [])) != 1 and version != "HTTP/1.0",
        "Content-Length is not one number": len(lengths) > 1 or not are_numbers,
        "Content-Length and Transfer-Encoding contradict each other": bool(lengths and codings),
        "HTTP/1.0 has no Transfer-Encoding": bool(codings) and version == "HTTP/1.0",
    }
    for reason, is_true in faults.items():
        if is_true:
            return HTTPStatus.BAD_REQUEST, reason
    if codings and [coding.strip(" \t").lower() for coding in codings] != ["chunked"]:
        return HTTPStatus.NOT_IMPLEMENTED, "The only supported Transfer-Encoding is chunked"
    return None


def _has_defects(headers: Message) -> bool:
    """Whether the parser left a line out; what it says of a multipart body, which it has not seen, is not that."""
    return any(isinstance(defect, MissingHeaderBodySeparatorDefect | HeaderDefect) for defect in headers.defects)


def _is_malformed(header: tuple[str, str]) -> bool:
    name, value = header
    return not _NAME.fullmatch(name) or any(sign in value for sign in "\r\n\0")
