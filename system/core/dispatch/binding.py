"""Typed parameters: from what the client sent to the values that a signature asks for.

Pydantic converts and checks. All that can be known beforehand is found out once for each version of a method, so
that a request pays for its own values only.
"""

from __future__ import annotations

import difflib
import inspect
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from pydantic import ValidationError

from ..catalog.outline import TASK_PARAMETER
from ..errors import InvalidParameters, UnsupportedMediaType
from .params import Params
from .signature import Signature
from .typed_parameter import Slot

Arguments = tuple[tuple[Any, ...], dict[str, Any]]
Fault = dict[str, Any]

LONGEST_SHOWN = 100
_MISSING: Any = object()
# what **others never takes from a client
_NEVER_SENT = frozenset({"self", TASK_PARAMETER})


@dataclass(slots=True)
class _Call:
    """The arguments of one call, as far as they are known, and what is wrong with them."""

    params: Params
    args: list[Any] = field(default_factory=list)
    kwargs: dict[str, Any] = field(default_factory=dict)
    faults: list[Fault] = field(default_factory=list)


class TypedBinding:
    """Binds the arguments of one typed method; called with the left-over segments and a way to read the params.

    Where a value was sent at several places, the path counts before the body and the body before the query.
    A method with one record (model, dataclass, TypedDict, dict) takes the JSON body, or the fields of a form, for
    it; with several of them each is looked up by its name.

    Raises InvalidParameters with every fault, UnsupportedMediaType for a body that cannot be read; and when it is
    made, LibraryError for an annotation that pydantic cannot use.
    """

    def __init__(self, signature: Signature) -> None:
        self.slots = tuple(Slot(parameter, signature) for parameter in signature.parameters)
        self.whole_body = self._find_whole_body()
        if self.whole_body is not None:
            self.whole_body.is_body = True
        self._names = frozenset(slot.name for slot in self.slots)
        self._takes_any_body = any(slot.shape == "params" for slot in self.slots)
        has_rest = any(slot.shape == "rest" for slot in self.slots)
        for slot in self.slots:
            kind = slot.parameter.kind
            before_rest = has_rest and kind is inspect.Parameter.POSITIONAL_OR_KEYWORD
            slot.by_position = kind is inspect.Parameter.POSITIONAL_ONLY or before_rest or slot.shape == "rest"

    def _find_whole_body(self) -> Slot | None:
        """The parameter that is the JSON body itself: the only record, or else the only list of records."""
        records = [slot for slot in self.slots if slot.shape == "record"]
        candidates = records or [slot for slot in self.slots if slot.shape == "list" and slot.holds_records]
        return candidates[0] if len(candidates) == 1 else None

    def __call__(self, segments: tuple[str, ...], read: Callable[[], Params]) -> Arguments:
        call = _Call(read())
        if not self._takes_any_body:
            self._check_body(call)
        position, count = 0, len(segments)
        for slot in self.slots:
            if slot.takes_segment and position < count:
                _keep(call, slot, "path", segments[position])
                position += 1
            elif slot.shape == "rest":
                for segment in segments[position:]:
                    _keep(call, slot, "path", segment)
            elif slot.shape == "others":
                self._keep_others(call, slot)
            else:
                self._fill(call, slot)
        if call.faults:
            raise InvalidParameters(call.faults)
        return tuple(call.args), call.kwargs

    def _check_body(self, call: _Call) -> None:
        if call.params.unread:
            raise UnsupportedMediaType(
                f"A body of the type {call.params.unread} cannot be read here. "
                "Send application/json, application/x-www-form-urlencoded or multipart/form-data."
            )
        body, whole = call.params.json, self.whole_body
        takes_list = whole is not None and whole.shape == "list"
        if not (body is None or isinstance(body, dict) or (takes_list and isinstance(body, list))):
            expected = "a list or an object" if takes_list else "an object"
            call.faults.append(_fault("body", "json", expected, body, f"Send {expected} as the JSON body."))

    def _fill(self, call: _Call, slot: Slot) -> None:
        """Fill a parameter from what was sent; a field of a form that was left empty was not."""
        source, value = self._find(call, slot)
        if value == "" and source != "json" and not slot.allows_blank:
            value = _MISSING
        if source == "fault":
            return
        if value is not _MISSING:
            _keep(call, slot, source, value)
        elif slot.is_required:
            call.faults.append(self._missing(call.params, slot))
        elif slot.by_position:
            call.args.append(slot.parameter.default)

    def _find(self, call: _Call, slot: Slot) -> tuple[str, Any]:
        """The place where a parameter was sent, and its value; "fault" where it was noted as one."""
        if slot.shape == "params":
            return "params", call.params
        if slot.shape in ("file", "files"):
            return _find_file(call, slot)
        if slot is self.whole_body and (slot.shape == "record" or isinstance(call.params.json, list)):
            return self._find_whole(call.params, slot)
        return _find_named(call, slot)

    def _find_whole(self, params: Params, slot: Slot) -> tuple[str, Any]:
        """The record that the body is: a JSON document, JSON text under its name, or the fields of a form."""
        if params.json is not None:
            return "json", self._without_others(params.json, slot)
        texts = params.getlist(slot.name)
        if texts and isinstance(texts[0], str) and texts[0].lstrip()[:1] in ("{", "["):
            return _source_of(params), texts[0]
        if texts and not isinstance(texts[0], str):
            return "params", texts[0]
        fields = {}
        for name in params:
            if name not in self._names or name in (slot.fields or ()):
                sent = params.getlist(name)
                fields[name] = sent if (slot.fields or {}).get(name) or len(sent) > 1 else sent[0]
        return (_source_of(params), fields) if fields else ("", _MISSING)

    def _without_others(self, body: Any, slot: Slot) -> Any:
        """The body without what belongs to the other parameters, unless the record has a field of the name."""
        if not isinstance(body, dict) or len(self._names) == 1:
            return body
        fields = slot.fields or {}
        return {name: value for name, value in body.items() if name in fields or name not in self._names}

    def _keep_others(self, call: _Call, slot: Slot) -> None:
        for name, value in call.params.items():
            if isinstance(name, str) and name not in self._names and name not in _NEVER_SENT:
                _keep(call, slot, _source_of(call.params), value, name)

    def _missing(self, params: Params, slot: Slot) -> Fault:
        every = [*params, *params.files]  # a part of a multipart body may have no name at all
        sent = [name for name in every if isinstance(name, str) and name not in self._names]
        near = difflib.get_close_matches(slot.name, sent, 1, 0.6)
        hint = (
            f"You sent '{near[0]}'; did you mean '{slot.name}'?" if near else f"Send '{slot.name}'; it is missing."
        )
        return _fault(slot.name, _source_of(params), slot.expected(), None, hint)


def _find_named(call: _Call, slot: Slot) -> tuple[str, Any]:
    params, name = call.params, slot.name
    body = params.json
    if body is not None and isinstance(body, dict) and name in body:
        return "json", body[name]
    for source, values in (("form", params.form), ("query", params.query)):
        if name not in values:
            continue
        sent = values.getlist(name)
        if slot.shape == "list":
            as_json = slot.holds_records and len(sent) == 1
            return source, sent[0] if as_json else [slot.spellings.get(text, text) for text in sent]
        if len(sent) == 1:
            return source, sent[0]
        hint = f"It was sent {len(sent)} times. Send it once."
        call.faults.append(_fault(name, source, slot.expected(), sent, hint))
        return "fault", None
    return ("params", params[name]) if name in params else ("", _MISSING)


def _find_file(call: _Call, slot: Slot) -> tuple[str, Any]:
    """An upload; a field in which no file was chosen was not sent."""
    sent = [upload for upload in call.params.files.getlist(slot.name) if upload.filename]
    if slot.shape == "files" and sent:
        return "file", sent
    if len(sent) == 1:
        return "file", sent[0]
    texts = [text for text in call.params.getlist(slot.name) if text != ""]
    if not sent and not texts:
        return "", _MISSING
    hint = f"{len(sent)} files were sent. Send one."
    if texts:
        hint = "It was sent as text. Send it as a file, in a body of the type multipart/form-data."
    got = texts[0] if texts else [upload.filename for upload in sent]
    call.faults.append(_fault(slot.name, "file" if sent else _source_of(call.params), slot.expected(), got, hint))
    return "fault", None


def _keep(call: _Call, slot: Slot, source: str, value: Any, name: str | None = None) -> None:
    """Convert a value and keep it among the arguments, or note what is wrong with it."""
    try:
        if isinstance(value, str) and source in ("path", "query", "form"):
            value = slot.convert_json(value) if slot.holds_records else slot.convert_text(value)
        elif slot.shape != "params":
            value = slot.convert(value)
    except ValidationError as error:
        call.faults.extend(_faults_of(error, slot, source, name or slot.name))
        return
    if slot.by_position:
        call.args.append(value)
    else:
        call.kwargs[name or slot.name] = value


def _faults_of(error: ValidationError, slot: Slot, source: str, name: str) -> list[Fault]:
    """What pydantic found, under the names that the client knows; of a union's members only the first."""
    found: dict[str, Fault] = {}
    for item in error.errors(include_url=False, include_context=False):
        inside = slot.shape not in ("value", "rest", "others", "file")
        where = [str(part) for part in item["loc"]] if inside else []
        path = ".".join(where if slot.is_body and where else [name, *where])
        asked = item["msg"].removeprefix("Input should be ") if where else slot.expected()
        got = None if item["type"] == "missing" else item["input"]
        found.setdefault(path, _fault(path, source, asked, got, f"{item['msg']}."))
    return list(found.values())


def _source_of(params: Params) -> str:
    if params.json is not None:
        return "json"
    return "form" if params.form or params.files else "query"


def _fault(name: str, source: str, expected: str, got: Any, hint: str) -> Fault:
    return {"name": name, "source": source, "expected": expected, "got": _shorten(got), "hint": hint}


def _shorten(value: Any) -> Any:
    """A value as it is shown back: a long one is cut."""
    if value is None or isinstance(value, bool | int | float):
        return value
    text = value if isinstance(value, str) else repr(value)
    return text if len(text) <= LONGEST_SHOWN else text[:LONGEST_SHOWN] + "…"
