"""What the client sent, as one mapping."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from werkzeug.datastructures import FileStorage, ImmutableMultiDict, MultiDict

from ..errors import MissingParameter

NO_VALUES: ImmutableMultiDict[str, str] = ImmutableMultiDict()
_NO_FILES: ImmutableMultiDict[str, FileStorage] = ImmutableMultiDict()
Pairs = Sequence[tuple[str, str]]
# a query is short
_QUERY_LIMITS = (sys.maxsize, 200)


class Params(dict[str, Any]):
    """The values of the query and of the body (form, multipart or JSON object); the body takes precedence.

    For a repeated name it holds the first value, `getlist` returns all of them; `files` are the uploads. Reading a
    missing name raises MissingParameter, a 400 that names it. `params["get"]` is the query, `params["post"]` the
    form, `params["data"]` the JSON body, `params["urlpath"]` the path as text ("shop/orders/42"). These four are
    never among the items; a value that a client sends under such a name is in `getlist` or `params["get"]`.
    """

    __slots__ = ("_query", "files", "form", "json", "json_limits", "pairs", "raw_json", "segments", "unread")

    def __init__(
        self,
        values: Mapping[str, Any] | None = None,
        *,
        query: MultiDict[str, str] = NO_VALUES,
        form: MultiDict[str, str] = NO_VALUES,
        files: MultiDict[str, FileStorage] = _NO_FILES,
        json_body: Any = None,
        raw_json: bytes = b"",
        segments: Sequence[str] = (),
        unread: str = "",
    ) -> None:
        super().__init__(values or {})
        for source in (query, form, json_body if isinstance(json_body, dict) else None):
            if source:
                self.update({name: source[name] for name in source if name not in _VIEWS})
        self._query = query
        self.pairs: Pairs | None = None  # the names and values of the query, where the client sent nothing else
        self.form = form
        self.files = files
        self.json = json_body  # whatever it is; None without one
        self.raw_json = raw_json  # the text of the JSON body
        self.segments = segments
        self.json_limits = _QUERY_LIMITS  # the most values and levels of JSON text in a field
        self.unread = unread  # the type of a body that none of the above was read from

    @classmethod
    def of_query(cls, pairs: Pairs, segments: Sequence[str]) -> Params:
        """The params of a request without a body, in half the time of the constructor."""
        made = cls.__new__(cls)
        made.update(pairs)
        if len(made) < len(pairs) or not _VIEWS.keys().isdisjoint(made):
            made._keep_first(pairs)
        made.pairs, made.segments = pairs, segments
        made._query, made.form, made.files = NO_VALUES, NO_VALUES, _NO_FILES
        made.json, made.raw_json, made.json_limits, made.unread = None, b"", _QUERY_LIMITS, ""
        return made

    def _keep_first(self, pairs: Pairs) -> None:
        """Keep the first value of each name."""
        self.clear()
        for name, value in pairs:
            if name not in _VIEWS:
                self.setdefault(name, value)

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
        if isinstance(self.json, dict) and name in self.json:
            value = self.json[name]
            return value if isinstance(value, list) else [value]
        sent = self.form.getlist(name) or self.query.getlist(name)
        return sent or ([self[name]] if name in self else [])

    @property
    def query(self) -> MultiDict[str, str]:
        """The values of the query, as Flask's request.args has them."""
        if self.pairs and self._query is NO_VALUES:
            self._query = ImmutableMultiDict(self.pairs)
        return self._query


_VIEWS: dict[str, Callable[[Params], Any]] = {
    "get": lambda params: params.query.to_dict(),
    "post": lambda params: params.form.to_dict(),
    "data": lambda params: params.json,
    "urlpath": lambda params: "/".join(params.segments),
}
