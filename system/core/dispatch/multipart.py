"""Strict forms: an unreadable part is a ValueError, where Werkzeug replaces or drops it."""

from __future__ import annotations

import codecs
from typing import IO, Any

from werkzeug.datastructures import Headers, MultiDict
from werkzeug.formparser import FormDataParser, MultiPartParser
from werkzeug.http import parse_options_header
from werkzeug.sansio.multipart import File

_STRICT = "kernkoa-utf-8"
_REPLACED = "\ufffd"


def _find_codec(name: str) -> codecs.CodecInfo | None:
    """UTF-8 that raises where Werkzeug's parser asks it to replace what it cannot decode."""
    if name.replace("_", "-") != _STRICT:
        return None
    return codecs.CodecInfo(codecs.utf_8_encode, lambda data, errors="": codecs.utf_8_decode(data, "strict", True))


codecs.register(_find_codec)


class _StrictMultiPartParser(MultiPartParser):
    """Raises ValueError for a field, a name or a file name that is not UTF-8 text."""

    def get_part_charset(self, headers: Headers) -> str:
        _check_names(headers)
        charset = super().get_part_charset(headers)
        return charset if charset == "iso-8859-1" else _STRICT

    def start_file_streaming(self, event: File, total_content_length: int | None) -> IO[bytes]:
        _check_names(event.headers)
        return super().start_file_streaming(event, total_content_length)


class StrictParser(FormDataParser):
    """Raises ValueError for a form that cannot be parsed; Werkzeug's parser drops its fields silently."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **{**kwargs, "silent": False})

    def _parse_multipart(
        self, stream: IO[bytes], mimetype: str, content_length: int | None, options: dict[str, str]
    ) -> tuple[IO[bytes], MultiDict[str, str], MultiDict[str, Any]]:
        boundary = options.get("boundary", "").encode("ascii")
        if not boundary:
            raise ValueError("its Content-Type has no boundary")
        parser = _StrictMultiPartParser(
            self.stream_factory, self.max_form_memory_size, self.cls, max_form_parts=self.max_form_parts
        )
        return stream, *parser.parse(stream, boundary, content_length)


def _check_names(headers: Headers) -> None:
    """Raises ValueError for `filename*=UTF-8''%ff` (RFC 8187), whose bytes Werkzeug replaces."""
    written = headers.get("Content-Disposition", "")
    if "*" not in written or _REPLACED in written or "%ef%bf%bd" in written.lower():
        return
    if any(_REPLACED in value for value in parse_options_header(written)[1].values()):
        raise ValueError("the name of a part is not UTF-8 text")
