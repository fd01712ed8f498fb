"""From a method's return value to a response that HTTP can carry."""

from __future__ import annotations

import inspect
import logging
import re
from collections.abc import AsyncIterator, Iterator, Mapping
from enum import Enum
from itertools import chain
from typing import Any, Generic, Literal, TypeVar, get_args, get_origin

from flask import Response, current_app, has_request_context, redirect
from flask.globals import app_ctx, request_ctx
from werkzeug.urls import iri_to_uri

from ..errors import AnswerError
from .coroutines import iterate
from .json_text import ENCODING_ERRORS, FaultFinder, encode_any, encode_json
from .lean_response import LeanResponse
from .models import is_record
from .request import KernelRequest, request
from .signature import resolve_annotation

log = logging.getLogger("kernkoa")

PROBLEM_TYPE = "application/problem+json"
ANSWERS = "str, bytes, dict, list, a dataclass, a pydantic model, a generator, None, (body, status) or a Response"
_STATUS = re.compile(r"[2-5]\d\d( [\x20-\x7e]*)?")
# RFC 9110, section 5.5: a field value has no control characters; WSGI (PEP 3333) holds it in latin-1
_UNSENDABLE = re.compile(r"[^\t\x20-\x7e\x80-\xff]")
_URLS = frozenset({"location", "content-location"})
_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_END: Any = object()
_TEXT = (str, bytes, bytearray)
Result = TypeVar("Result")


class Task(dict[str, str], Generic[Result]):
    """What exeTask returns: a dict with the `id` of a task and the `url` of its status.

    Programs get it as JSON, a browser is led to the status page (303). `-> Task[Report]` tells the OpenAPI
    document what the task will return.
    """


def respond(value: Any) -> Response:
    """The response that a method's return value means.

    str is HTML, bytes a download, None is 204, a generator streams, a tuple is (body, status), (body, headers) or
    (body, status, headers), a Flask Response is itself. All else is JSON: dict, list, numbers, dates, Decimal,
    UUID, Enum, sets, named tuples, dataclasses and pydantic models.

    Raises AnswerError, which names the method and the place in the value, for what cannot be sent.
    """
    if type(value) is str or (isinstance(value, str) and not isinstance(value, Enum)):
        return _text(value)
    if type(value) in (dict, list):
        return _json_of(value)
    if isinstance(value, Response):
        pieces = value.response
        if isinstance(pieces, Iterator) and not value.direct_passthrough and pieces is not request.answer_stream:
            value.response = _keep_open(pieces, pieces)  # not that which an `after` hook returns again
        return value
    if value is None:
        return Response(status=204)
    if isinstance(value, bytes | bytearray | memoryview):
        return _download(bytes(value))
    if isinstance(value, tuple) and not hasattr(value, "_fields"):
        return _respond_tuple(value)
    if isinstance(value, Iterator):
        return _stream(value)
    if isinstance(value, AsyncIterator):
        return _stream(iterate(value))
    if isinstance(value, Task) and has_request_context() and request.wants_html:
        return _lead_on(value["url"])
    if isinstance(value, type) or (callable(value) and not is_record(value)):
        return _run_application(value)
    return _json_of(value)


def _run_application(value: Any) -> Response:
    """The response of a WSGI application. Raises AnswerError for a method or class that was not called."""
    if not _is_application(value):
        name = getattr(value, "__name__", type(value).__name__)
        raise _refuse(f"{name} itself", f" Call it: {name}(…).")
    return current_app.make_response(value)


def _is_application(value: Any) -> bool:
    """Whether a callable takes the two arguments of WSGI (PEP 3333)."""
    try:
        inspect.signature(value).bind({}, None)
    except TypeError:
        return False
    except ValueError:  # a builtin without a signature
        return True
    return not is_record(value)


def _lead_on(url: str) -> Response:
    response = redirect(url, 303, Response=Response)
    response.vary.add("Accept")
    return response  # type: ignore[return-value]


def _text(value: str) -> Response:
    try:
        return LeanResponse(value.encode(), "text/html; charset=utf-8")
    except UnicodeEncodeError as error:
        raise _refuse(f"text that UTF-8 cannot hold at character {error.start}: {value[error.start]!r}") from error


def _json_of(value: Any) -> Response:
    try:
        return json_response(value)
    except ENCODING_ERRORS as error:
        fault = FaultFinder().find(value, "value")
        raise _refuse(f"a value that is not JSON: {fault or error}") from (None if fault else error)


def json_response(value: Any, status: int = 200, mimetype: str = "application/json") -> Response:
    """A response with a value as its JSON body; an error document (problem+json) shows any value."""
    if status == 200 and mimetype == "application/json":
        return LeanResponse(encode_json(value), mimetype)
    encode = encode_any if mimetype == PROBLEM_TYPE else encode_json
    return Response(encode(value), status, mimetype=mimetype)


def no_store(response: Response) -> Response:
    """Keep browsers and proxies from storing a response: RFC 9111, section 5.2.2.5."""
    response.headers["Cache-Control"] = "no-store"
    return response


def check_sendable(response: Response) -> None:
    """Raises AnswerError for a response that HTTP cannot carry, and removes the header."""
    if not 200 <= response.status_code <= 599:
        raise _refuse(f"the status {response.status}, which is none of HTTP: use 200 to 599")
    if "Content-Length" in response.headers and response.is_sequence:
        _check_length(response)
    for name, value in response.headers:
        if name.lower() in _URLS and value.isprintable():
            _check_url(response, name, value)
        elif not (value.isascii() and value.isprintable() and _TOKEN.fullmatch(name)):
            _check_header(response, name, value)


def _check_length(response: Response) -> None:
    """RFC 9110, section 8.6: a client would wait for what is missing, or take the rest for the next response."""
    length, wanted = response.calculate_content_length(), response.headers["Content-Length"]
    has_body = request.method != "HEAD" and response.status_code not in (204, 304)
    if has_body and str(length) != wanted:
        del response.headers["Content-Length"]
        raise _refuse(f"the header Content-Length: {wanted} with a body of {length} bytes", " Leave it out.")


def _check_url(response: Response, name: str, value: str) -> None:
    """Werkzeug encodes it when the response goes out, where an error would be no answer at all."""
    try:
        iri_to_uri(value)
    except ValueError as error:
        response.headers.remove(name)
        raise _refuse(f"the header {name}: {value!r}, which is no URL ({error})") from error


def _check_header(response: Response, name: str, value: str) -> None:
    if _UNSENDABLE.search(value) or not _TOKEN.fullmatch(name):
        response.headers.remove(name)
        raise _refuse(f"the header {name}: {value!r}, which has characters that latin-1 does not have")


def _respond_tuple(value: tuple[Any, ...]) -> Response:
    """A tuple as in Flask: (body, status), (body, headers) or (body, status, headers)."""
    status: Any = None
    headers: Any = None
    if len(value) == 3:
        _, status, headers = value
    elif len(value) == 2 and isinstance(value[1], Mapping | list | tuple):
        headers = value[1]
    elif len(value) == 2:
        status = value[1]
    if len(value) not in (2, 3) or not (_is_status(status) and isinstance(headers, Mapping | list | tuple | None)):
        raise _refuse(
            f"the tuple {value!r:.100}, which is no (body, status), (body, headers) or (body, status, headers)",
            " Return list(…) for a list in JSON.",
        )
    body = respond(value[0])
    if isinstance(value[0], Task) and body.status_code == 303:
        return body
    made: Any = tuple(item for item in (body, status, headers) if item is not None)
    return current_app.make_response(made)


def _is_status(status: Any) -> bool:
    if status is None:
        return True
    if isinstance(status, bool) or not isinstance(status, int | str):
        return False
    text = str(int(status)) if isinstance(status, int) else status
    return _STATUS.fullmatch(text) is not None


def _download(content: bytes) -> Response:
    response = Response(content, mimetype="application/octet-stream")
    response.headers["Content-Disposition"] = "attachment"
    response.headers["X-Content-Type-Options"] = "nosniff"
    return response


def _stream(values: Iterator[Any]) -> Response:
    """A streamed response. Its first piece is made before the headers are sent: an early failure is a 500.

    Text and bytes are sent as they are, other values as JSON, one a line (application/jsonl). What a generator
    returns before its first piece is the answer.
    """
    try:
        first = next(values)
    except StopIteration as end:
        if end.value is not None:
            return respond(end.value)
        first = _END
    is_lines = _promises_lines() if first is _END else not isinstance(first, _TEXT) or isinstance(first, Enum)
    encode = _encode_line if is_lines else _encode_piece
    pieces = iter(()) if first is _END else chain([encode(first)], map(encode, values))
    response = Response(_keep_open(pieces, values), mimetype="application/jsonl" if is_lines else None)
    response.headers["X-Accel-Buffering"] = "no"  # nginx: pass each piece on as it comes
    return response


def _promises_lines() -> bool:
    """Whether the annotation of the method promises a stream of records, which an empty stream does not show."""
    resolved = getattr(request, "resolved", None) if has_request_context() else None
    function = resolved.endpoint.function if resolved is not None else _stream
    try:
        inside = get_args(resolve_annotation(function.__annotations__.get("return"), function))
    except Exception:  # noqa: BLE001 - the method runs without its annotation too
        return False
    kind = get_origin(inside[0]) or inside[0] if inside else str
    return not (kind is Literal or (isinstance(kind, type) and issubclass(kind, _TEXT)))


def _keep_open(pieces: Iterator[Any], source: Iterator[Any]) -> Iterator[Any]:
    """The pieces of a stream. The request's contexts stay open until the last was made or the client has left.

    Flask's stream_with_context opens them again after the request was torn down: its transaction and connections
    would be gone. A failure is logged with its method, and rolls back. `enter_stream` enters the contexts, once
    the response is final: one that an error replaces must not leave them entered.
    """
    name = answering()
    contexts: Any = (app_ctx, request_ctx)
    app, sent = (context._get_current_object() for context in contexts)

    def run() -> Iterator[Any]:
        count = 0
        with app, sent:
            try:
                yield b""  # the contexts are entered before the request leaves them
                for piece in pieces:
                    yield piece
                    count += 1
            except (Exception, SystemExit) as error:
                log.error("%s failed in its stream, after %d pieces: %s", name, count, error, exc_info=error)
                raise AnswerError(f"{name} failed in its stream, after {count} pieces.") from error
            finally:
                getattr(source, "close", lambda: None)()

    request.answer_stream = running = run()
    return running


def enter_stream(request: KernelRequest, response: Response) -> None:
    """Enter the contexts of a request's stream, if its final response is one."""
    if response.is_streamed:
        next(request.answer_stream)
    request.answer_stream = None


def _encode_line(value: Any) -> bytes:
    try:
        return encode_json(value) + b"\n"
    except ENCODING_ERRORS as error:
        raise _refuse(
            f"a stream with a piece that is not JSON: {FaultFinder().find(value, 'piece') or error}"
        ) from error


def _encode_piece(value: Any) -> bytes:
    try:
        return value.encode() if isinstance(value, str) else bytes(memoryview(value))
    except (UnicodeEncodeError, TypeError) as error:
        raise _refuse(f"a stream of text with the piece {value!r:.80}, which cannot be sent as text") from error


def _refuse(what: str, advice: str = "") -> AnswerError:
    return AnswerError(f"{answering()} returned {what}.{advice}")


def answering() -> str:
    """The name of the method that answers the request, for messages."""
    resolved = getattr(request, "resolved", None) if has_request_context() else None
    return resolved.endpoint.name if resolved is not None else "The method"
