"""Where a client sent the value of a parameter: in the JSON body, the form, the query, or as a file."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from .faults import Fault, make_fault
from .json_body import decode_exactly, decode_json_text
from .params import Params
from .typed_parameter import Slot, TextRules

MOST_FAULTS = 50
MISSING: Any = object()


@dataclass(slots=True)
class Call:
    """The arguments of one call, as far as they are known, and what is wrong with them.

    `json` is the JSON body; where a parameter is a Decimal, its floats keep their text (`keeps_digits`).
    """

    params: Params
    json: Any
    is_large: bool
    keeps_digits: bool
    args: list[Any] = field(default_factory=list)
    kwargs: dict[str, Any] = field(default_factory=dict)
    faults: list[Fault] = field(default_factory=list)
    more: int = 0
    compared: int = 0  # missing names that were compared with those sent

    def add(self, *found: Fault) -> None:
        """Note faults; of many the first are kept and the others counted."""
        kept = found[: MOST_FAULTS - len(self.faults)]
        self.faults += kept
        self.more += len(found) - len(kept)


def text_value(
    call: Call, name: str, sent: list[Any], rules: TextRules | None, expected: str = "one value"
) -> Any:
    """The value of the texts of a name by the rules of a parameter or field; MISSING where they are blank."""
    if rules is None:
        return sent if len(sent) > 1 else sent[0]
    if rules.takes_list:
        kept = sent if rules.allows_blank_items else [text for text in sent if text != ""]
        return _read_items(call, name, kept) if rules.holds_records and kept else kept or MISSING
    if len(sent) > 1:
        hint = f"It was sent {len(sent)} times. Send it once."
        call.add(make_fault(name, source_of(call), expected, sent, hint))
        return MISSING
    if sent[0] == "" and not rules.allows_blank:
        return MISSING
    return json_of(call, name, sent[0]) if rules.holds_records else sent[0]


def _read_items(call: Call, name: str, sent: list[Any]) -> list[Any]:
    """The items of a list of records or lists: each text is JSON of one of them, or one text of the whole list."""
    items = [json_of(call, name, text) for text in sent]
    return items[0] if len(items) == 1 and isinstance(items[0], list) else items


def json_of(call: Call, name: str, text: Any) -> Any:
    """The value of JSON text in a form or query; other text as it is, for the annotation to refuse."""
    if not isinstance(text, str):
        return text
    value = decode_json_text(text, name, call.params.json_limits)
    return value if value is text or not call.keeps_digits else decode_exactly(text.encode())


def find_named(call: Call, slot: Slot) -> tuple[str, Any]:
    """A parameter by its name: in the JSON body, the form, the query, or the params of a task."""
    params, body = call.params, call.json
    for name in slot.names:
        if isinstance(body, dict) and name in body:
            return "json", body[name]
    if params.sent_once:  # in a query without escapes, which need not be read again
        sent = [dict.get(params, name) for name in slot.names if name in params]
        return _find_text(call, slot, "query", sent[:1]) if sent else ("", MISSING)
    for source, values in (("form", params.form), ("query", params.query)):
        for name in slot.names:
            if name in values:
                return _find_text(call, slot, source, values.getlist(name))
    for name in slot.names:
        if name in params:
            return "params", params[name]
    return "", MISSING


def _find_text(call: Call, slot: Slot, source: str, texts: list[Any]) -> tuple[str, Any]:
    noted = len(call.faults)
    value = text_value(call, slot.name, texts, slot.rules, slot.expected)
    return "fault" if len(call.faults) > noted else source, value


def find_file(call: Call, slot: Slot) -> tuple[str, Any]:
    """An upload; a field in which no file was chosen was not sent."""
    sent = [upload for upload in call.params.files.getlist(slot.name) if upload.filename]
    if slot.shape == "files" and sent:
        return "file", sent
    if len(sent) == 1:
        return "file", sent[0]
    texts = [text for text in call.params.getlist(slot.name) if text != ""]
    if not sent and not texts:
        return "", MISSING
    hint = f"{len(sent)} files were sent. Send one."
    if texts:
        hint = "It was sent as text. Send it as a file, in a body of the type multipart/form-data."
    got = texts[0] if texts else [upload.filename for upload in sent]
    call.add(make_fault(slot.name, "file" if sent else source_of(call), slot.expected, got, hint))
    return "fault", None


def source_of(call: Call) -> str:
    if call.json is not None:
        return "json"
    return "form" if call.params.form or call.params.files else "query"
