"""What the client sent, as one mapping."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NoReturn
from urllib.parse import quote

from flask import Request
from werkzeug.datastructures import FileStorage, ImmutableMultiDict, MultiDict
from werkzeug.exceptions import RequestEntityTooLarge
from werkzeug.formparser import FormDataParser

from ..errors import MalformedBody, MissingParameter, TooLarge

_NO_VALUES: ImmutableMultiDict[str, str] = ImmutableMultiDict()
_ASCII = "".join(map(chr, range(0x21, 0x7F)))
_NO_FILES: ImmutableMultiDict[str, FileStorage] = ImmutableMultiDict()
_FORMS = ("application/x-www-form-urlencoded", "multipart/form-data")


class Params(dict[str, Any]):
    """The values of the query and of the body (form, multipart or JSON object); the body wins.

    Of a repeated name it holds the first value, `getlist` all of them; `files` are the uploads. A missing name
    answers 400 and names it. As in KernKoa before: `params["get"]` is the query, `params["post"]` the form,
    `params["data"]` the JSON body, `params["urlpath"]` the segments of the path; these four are never among the
    items, and a value that a client sends under such a name is reached through `getlist` or `params["get"]`.
    """

    __slots__ = ("_json", "_urlpath", "files", "form", "query", "unread")

    def __init__(
        self,
        values: Mapping[str, Any] | None = None,
        *,
        query: MultiDict[str, str] = _NO_VALUES,
        form: MultiDict[str, str] = _NO_VALUES,
        files: MultiDict[str, FileStorage] = _NO_FILES,
        json_body: Any = None,
        urlpath: Sequence[str] = (),
        unread: str = "",
    ) -> None:
        super().__init__(values or {})
        for source in (query, form, json_body if isinstance(json_body, dict) else None):
            if source:
                self.update({name: source[name] for name in source if name not in _VIEWS})
        self.query = query
        self.form = form
        self.files = files
        self._json = json_body
        self._urlpath = urlpath
        self.unread = unread  # the type of a body that none of the above was read from

    def __missing__(self, name: str) -> Any:
        view = _VIEWS.get(name)
        if view is None:
            raise MissingParameter(name)
        return view(self)

    def get(self, name: str, default: Any = None) -> Any:
        """The value of a name, or `default` where the client did not send it."""
        if name in self:
            return self[name]
        return _VIEWS[name](self) if name in _VIEWS else default

    def getlist(self, name: str) -> list[Any]:
        """All values of a name, in the order they were sent; those of the body where it has any."""
        if isinstance(self._json, dict) and name in self._json:
            value = self._json[name]
            return value if isinstance(value, list) else [value]
        sent = self.form.getlist(name) or self.query.getlist(name)
        return sent or ([self[name]] if name in self else [])

    @property
    def json(self) -> Any:
        """The JSON body, whatever it is; None without one."""
        return self._json


_VIEWS: dict[str, Callable[[Params], Any]] = {
    "get": lambda params: params.query.to_dict(),
    "post": lambda params: params.form.to_dict(),
    "data": lambda params: params.json,
    "urlpath": lambda params: list(params._urlpath),
}


class _StrictParser(FormDataParser):
    """Raises for a form that cannot be parsed, where Werkzeug would go on without its fields."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **{**kwargs, "silent": False})


class KernelRequest(Request):
    """Flask's request, strict about forms; `resolved` is the method that answers it, once that is found."""

    form_data_parser_class = _StrictParser
    resolved: Any = None

    def __init__(self, environ: dict[str, Any], *args: Any, **kwargs: Any) -> None:
        query = environ.get("QUERY_STRING", "")
        if not query.isascii():  # bytes that a client did not encode, though RFC 3986 wants it
            environ["QUERY_STRING"] = quote(query.encode("latin-1", "replace"), safe=_ASCII)
        super().__init__(environ, *args, **kwargs)


def read_params(request: Request, urlpath: Sequence[str], most: int, most_bytes: int) -> Params:
    """Read what a request carries.

    `most` is how many values it may have, `most_bytes` how long a body without files may be. Raises TooLarge
    beyond them, MalformedBody for a body that is not what its content type says.
    """
    query = request.query_string
    if query.count(b"&") >= most:
        raise TooLarge(f"The query has more than {most} parameters. Send fewer of them.")
    args: MultiDict[str, str] = request.args if query else _NO_VALUES
    if not has_body(request):
        return Params(query=args, urlpath=urlpath)
    try:
        if request.is_json:
            request.max_content_length = most_bytes
            return Params(query=args, json_body=_decode(request.get_data(cache=True)), urlpath=urlpath)
        if request.mimetype == "application/x-www-form-urlencoded":
            request.max_content_length = most_bytes
            if request.get_data(cache=True).count(b"&") >= most:
                raise TooLarge(f"The form has more than {most} fields. Send fewer of them.")
        unread = "" if request.mimetype in _FORMS else request.mimetype or "application/octet-stream"
        return Params(query=args, form=request.form, files=request.files, urlpath=urlpath, unread=unread)
    except RequestEntityTooLarge as error:
        raise TooLarge("The body is larger than this site takes. Send less, or in parts.") from error
    except ValueError as error:
        raise MalformedBody(f"The body is not a valid {request.mimetype}: {error}.") from error


def has_body(request: Request) -> bool:
    """Whether a request carries a body: RFC 9112, section 6.3."""
    environ = request.environ
    return environ.get("CONTENT_LENGTH", "") not in ("", "0") or "HTTP_TRANSFER_ENCODING" in environ


def _decode(body: bytes) -> Any:
    if not body.strip():
        return None
    try:
        return _DECODER.decode(body.decode("utf-8-sig"))
    except RecursionError as error:
        raise MalformedBody("The JSON body is nested too deeply.") from error


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is no JSON number")


_DECODER = json.JSONDecoder(parse_constant=_refuse_constant)
