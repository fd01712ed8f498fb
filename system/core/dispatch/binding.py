"""Typed parameters: from what the client sent to the values that a signature asks for.

Pydantic converts and checks. All that can be known beforehand is found out once for each version of a method, so
that a request pays for its own values only.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Collection
from itertools import chain, islice
from typing import Any, NoReturn

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from ..catalog.outline import TASK_PARAMETER
from ..errors import InvalidParameters, UnsupportedMediaType
from ..spelling import is_typo
from .faults import Fault, make_fault
from .json_body import decode_exactly
from .params import Params
from .sent_values import MISSING, MOST_FAULTS, Call, find_file, find_named, json_of, source_of, text_value
from .signature import Signature
from .typed_parameter import Slot

# so many missing names are compared with so many names sent: somebody with more of them misspelled none
MOST_COMPARED, MOST_LOOKED_AT = 5, 10

# a JSON body of more bytes is checked up to the first wrong item of each list
LARGE_BODY = 20_000
# and so is one with more faults
MOST_READ = 500
# faults of a name that the schema of a record does not have, and what is expected there
_AT_ITS_NAME = {
    "extra_forbidden": "nothing, as there is no such field",
    "unexpected_keyword_argument": "nothing, as there is no such field",
    "missing": "a value",
    "missing_argument": "a value",
}
# what **others never takes from a client
_NEVER_SENT = frozenset({"self", TASK_PARAMETER})


class TypedBinding:
    """Calls one typed method with what a client sent: the remaining segments, and the params.

    Where a value was sent at several places, the path takes precedence over the body and the body over the query.
    A method with one record (model, dataclass, TypedDict, dict) takes the JSON body, or the fields of a form, for
    it; with several of them each is looked up by its name. A JSON list fits the only parameter that is a list.

    Raises InvalidParameters with the faults, UnsupportedMediaType for a body that cannot be read; and when it is
    made, LibraryError for an annotation that pydantic cannot use.
    """

    def __init__(self, signature: Signature) -> None:
        self.slots = tuple(Slot(parameter, signature) for parameter in signature.parameters)
        self.whole_record = self._find_only("record")
        self.whole_list = self._find_only("list")
        whole = self.whole_record or (
            self.whole_list if self.whole_list and self.whole_list.holds_records else None
        )
        if whole is not None:
            whole.is_body = True
        self._names = frozenset(name for slot in self.slots for name in slot.names)
        self._never_sent = _NEVER_SENT | {slot.parameter.name for slot in self.slots}
        self._takes_any_body = any(slot.shape == "params" for slot in self.slots)
        self._has_decimals = any(slot.has_decimals for slot in self.slots)
        has_rest = any(slot.shape == "rest" for slot in self.slots)
        for slot in self.slots:
            kind = slot.parameter.kind
            before_rest = has_rest and kind is inspect.Parameter.POSITIONAL_OR_KEYWORD
            slot.by_position = kind is inspect.Parameter.POSITIONAL_ONLY or before_rest or slot.shape == "rest"
        self._are_plain = all(
            slot.shape == "value" and not slot.holds_records and not slot.by_position and len(slot.names) == 1
            for slot in self.slots
        )

    def _find_only(self, shape: str) -> Slot | None:
        found = [slot for slot in self.slots if slot.shape == shape]
        return found[0] if len(found) == 1 else None

    def __call__(
        self,
        function: Callable[..., Any],
        controller: object,
        segments: tuple[str, ...],
        read: Callable[[], Params],
    ) -> Any:
        params = read()
        kwargs = self._bind_query(params) if self._are_plain and params.sent_once and not segments else None
        if kwargs is not None:
            return function(controller, **kwargs)
        call = self._bind(segments, params)
        return function(controller, *call.args, **call.kwargs)

    def _bind(self, segments: tuple[str, ...], params: Params) -> Call:
        raw = params.raw_json
        body = decode_exactly(raw) if raw and self._has_decimals else params.json
        call = Call(params, body, len(raw) > LARGE_BODY, self._has_decimals)
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
            raise InvalidParameters(call.faults, call.more)
        return call

    def _bind_query(self, params: Params) -> dict[str, Any] | None:
        """The arguments of plain parameters, each sent once in a query; None where there is more to find out."""
        kwargs: dict[str, Any] = {}
        refused: list[tuple[Slot, ValidationError]] = []
        for slot in self.slots:
            text = dict.get(params, slot.name, MISSING)
            if text is not MISSING and text:
                try:
                    kwargs[slot.parameter.name] = slot.convert_text(text)
                except ValidationError as error:
                    refused.append((slot, error))
            elif text is not MISSING or slot.is_required or slot.is_copied:
                return None
        return self._refuse(params, refused) if refused else kwargs

    def _refuse(self, params: Params, refused: list[tuple[Slot, ValidationError]]) -> NoReturn:
        call = Call(params, None, False, False)
        for slot, error in refused:
            _note(call, error, slot, "query", slot.name)
        raise InvalidParameters(call.faults, call.more)

    def _check_body(self, call: Call) -> None:
        if call.params.unread:
            raise UnsupportedMediaType(
                f"A body of the type {call.params.unread} cannot be read here. "
                "Send application/json, application/x-www-form-urlencoded or multipart/form-data."
            )
        body, whole = call.json, self.whole_list
        takes_list = isinstance(body, list) and whole is not None
        if not (body is None or isinstance(body, dict) or takes_list):
            expected = "a list or an object" if whole is not None else "an object"
            call.add(make_fault("body", "json", expected, body, f"Send {expected} as the JSON body."))

    def _fill(self, call: Call, slot: Slot) -> None:
        """Fill a parameter from what was sent, else with its default."""
        source, value = self._find(call, slot)
        if source == "fault":
            return
        if value is not MISSING:
            _keep(call, slot, source, value)
        elif not slot.is_required:
            _keep_default(call, slot)
        elif slot.shape == "record":
            self._keep_empty(call, slot)
        else:
            call.add(self._missing(call, slot))

    def _keep_empty(self, call: Call, slot: Slot) -> None:
        """A record of which nothing was sent: its fields may all have defaults."""
        try:
            _put(call, slot, slot.convert({}))
        except ValidationError as error:
            if slot is self.whole_record:
                _note(call, error, slot, source_of(call), slot.name)
            else:
                call.add(self._missing(call, slot))

    def _find(self, call: Call, slot: Slot) -> tuple[str, Any]:
        """The place where a parameter was sent, and its value; "fault" where it was noted as one."""
        if slot.shape == "params":
            return "params", call.params
        if slot.shape in ("file", "files"):
            return find_file(call, slot)
        if isinstance(call.json, list):
            return ("json", call.json) if slot is self.whole_list else ("", MISSING)
        return self._find_whole(call, slot) if slot is self.whole_record else find_named(call, slot)

    def _find_whole(self, call: Call, slot: Slot) -> tuple[str, Any]:
        """The record that the body is: a JSON document, JSON text under its name, or the fields of a form."""
        if call.json is not None:
            return "json", self._without_others(call.json, slot)
        params = call.params
        texts = params.getlist(slot.name)
        value = json_of(call, slot.name, texts[0]) if texts else ""
        if not isinstance(value, str):
            return source_of(call) if isinstance(texts[0], str) else "params", value
        source, fields = self._find_fields(call, slot)
        return (source_of(call), value) if fields is MISSING and value else (source, fields)

    def _find_fields(self, call: Call, slot: Slot) -> tuple[str, Any]:
        """A record of the fields of a form or the query, each by the rules of a parameter."""
        fields, known = {}, slot.fields or {}
        for name in call.params:
            if name in self._names and name not in known:
                continue
            value = text_value(call, name, call.params.getlist(name), known.get(name))
            if value is not MISSING:
                fields[name] = value
        if call.faults:
            return "fault", None
        return (source_of(call), fields) if fields else ("", MISSING)

    def _without_others(self, body: Any, slot: Slot) -> Any:
        """The body without what belongs to the other parameters, unless the record has a field of the name."""
        if not isinstance(body, dict) or len(self._names) == 1:
            return body
        fields = slot.fields or {}
        return {name: value for name, value in body.items() if name in fields or name not in self._names}

    def _keep_others(self, call: Call, slot: Slot) -> None:
        for name, value in call.params.items():
            if isinstance(name, str) and name not in self._names and name not in self._never_sent:
                _keep(call, slot, source_of(call), value, name)

    def _missing(self, call: Call, slot: Slot) -> Fault:
        hint = _missing_hint(call, slot.name, self._names)
        return make_fault(slot.name, source_of(call), slot.expected, None, hint)


def _missing_hint(call: Call, name: str, known: Collection[str]) -> str:
    """A hint for a missing name: perhaps a similar, unknown name was sent."""
    call.compared += 1
    if call.compared <= MOST_COMPARED:
        every = chain(call.params, call.params.files)  # a part of a multipart body may have no name at all
        unknown = (sent for sent in every if isinstance(sent, str) and sent not in known)
        for sent in islice(unknown, MOST_LOOKED_AT):
            if is_typo(sent, name):
                return f"You sent '{sent}'; did you mean '{name}'?"
    return f"Send '{name}'; it is missing."


def _keep(call: Call, slot: Slot, source: str, value: Any, name: str = "") -> None:
    """Convert a value and add it to the arguments, or note its fault."""
    try:
        if isinstance(value, str) and source in ("path", "query", "form"):
            value = slot.convert_text(value)
        elif slot.shape != "params":
            value = (slot.convert_fast if call.is_large and slot.shape in ("list", "record") else slot.convert)(
                value
            )
    except ValidationError as error:
        _note(call, _first_faults(call, error, slot, value), slot, source, name or slot.name)
        return
    _put(call, slot, value, name)


def _first_faults(call: Call, error: ValidationError, slot: Slot, value: Any) -> ValidationError:
    """The error; of one with very many faults only the first of each list, and the others are counted."""
    if error.error_count() <= MOST_READ or slot.shape not in ("list", "record"):
        return error
    try:
        slot.convert_fast(value)
    except ValidationError as first:
        call.more += error.error_count() - first.error_count()
        return first
    return error


def _put(call: Call, slot: Slot, value: Any, name: str = "") -> None:
    if slot.by_position:
        call.args.append(value)
    else:
        call.kwargs[name or slot.parameter.name] = value


def _keep_default(call: Call, slot: Slot) -> None:
    """Pass the default explicitly where Python would not pass it, or would share it between calls."""
    if slot.by_position or slot.is_copied:
        _put(call, slot, slot.make_default())


# a validator of the site explains these itself
_OWN_WORDS = ("value_error", "assertion_error")


def _note(call: Call, error: ValidationError, slot: Slot, source: str, name: str) -> None:
    """Note what pydantic found, under the client's names; of a union's members only the first."""
    found: dict[str, Fault] = {}
    has_places = slot.shape not in ("value", "rest", "others", "file")
    items = iter(error.errors(include_url=False, include_context=False))
    for item in items:
        path, expected = _place(call, slot, name, item) if has_places else (name, slot.expected)
        if path not in found:
            found[path] = _explain(call, slot, path, source, expected, item)
            if len(found) == MOST_FAULTS:
                break
    call.add(*found.values())
    call.more += len(list(items))


def _place(call: Call, slot: Slot, name: str, item: ErrorDetails) -> tuple[str, str]:
    """The path to a wrong value, and what is expected there."""
    where, expected = slot.place(item["loc"])
    if item["type"] in _AT_ITS_NAME and where[-1:] != [str(item["loc"][-1])]:
        where, expected = [*where, str(item["loc"][-1])], _AT_ITS_NAME[item["type"]]
    is_whole = slot.is_body and (slot.shape == "record" or isinstance(call.json, list))
    return ".".join(where if is_whole and where else [name, *where]), expected


def _explain(call: Call, slot: Slot, path: str, source: str, expected: str, item: ErrorDetails) -> Fault:
    if item["type"] in ("missing", "missing_argument"):
        return make_fault(path, source, expected, None, _missing_hint(call, path, slot.fields or ()))
    fault = make_fault(path, source, expected, item["input"], f"{item['msg'].removeprefix('Value error, ')}.")
    return fault | {"message": fault["hint"]} if item["type"] in _OWN_WORDS else fault
