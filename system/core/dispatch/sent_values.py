"""Where a client sent the value of a parameter: in the JSON body, the form, the query, or as a file."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from .faults import Fault, make_fault
from .json_body import decode_exactly
from .params import Params
from .typed_parameter import Slot, TextRules

MOST_FAULTS = 50
MISSING: Any = object()


@dataclass(slots=True)
class Call:
    """The arguments of one call, as far as they are known, and what is wrong with them.

    `json` is the JSON body; its floats keep their text where a parameter is a Decimal.
    """

    params: Params
    json: Any
    is_large: bool
    args: list[Any] = field(default_factory=list)
    kwargs: dict[str, Any] = field(default_factory=dict)
    faults: list[Fault] = field(default_factory=list)
    more: int = 0

    def add(self, *found: Fault) -> None:
        """Note faults; of many the first are kept and the others counted."""
        kept = found[: MOST_FAULTS - len(self.faults)]
        self.faults += kept
        self.more += len(found) - len(kept)


def text_value(call: Call, name: str, sent: list[Any], rules: TextRules | None) -> Any:
    """The value of the texts of a name by the rules of a parameter or field; MISSING where they are blank."""
    if rules is None:
        return sent if len(sent) > 1 else sent[0]
    if rules.takes_list:
        if rules.holds_records and len(sent) == 1:
            return _json_text(sent[0])
        kept = sent if rules.allows_blank_items else [text for text in sent if text != ""]
        return kept or MISSING
    if len(sent) > 1:
        hint = f"It was sent {len(sent)} times. Send it once."
        call.add(make_fault(name, source_of(call), "one value", sent, hint))
        return MISSING
    if sent[0] == "" and not rules.allows_blank:
        return MISSING
    return _json_text(sent[0]) if rules.holds_records else sent[0]


def _json_text(text: Any) -> Any:
    """The value of JSON text in a form; any other text as it is, for the annotation to refuse."""
    if not isinstance(text, str) or text.lstrip()[:1] not in ("{", "["):
        return text
    try:
        return decode_exactly(text.encode())
    except ValueError:
        return text


def find_named(call: Call, slot: Slot) -> tuple[str, Any]:
    """A parameter by its name: in the JSON body, the form, the query, or the params of a task."""
    params, body = call.params, call.json
    for name in slot.names:
        if isinstance(body, dict) and name in body:
            return "json", body[name]
    for source, values in (("form", params.form), ("query", params.query)):
        for name in slot.names:
            if name in values:
                return _find_text(call, slot, source, values.getlist(name))
    for name in slot.names:
        if name in params:
            return "params", params[name]
    return "", MISSING


def _find_text(call: Call, slot: Slot, source: str, sent: list[str]) -> tuple[str, Any]:
    if len(sent) == 1 and slot.shape != "list":
        return source, (sent[0] if sent[0] != "" or slot.allows_blank else MISSING)
    if slot.shape == "list":
        if slot.holds_records and len(sent) == 1:
            return source, sent[0] or MISSING
        kept = sent if slot.rules.allows_blank_items else [text for text in sent if text != ""]
        return source, kept or MISSING
    hint = f"It was sent {len(sent)} times. Send it once."
    call.add(make_fault(slot.name, source, slot.expected(), sent, hint))
    return "fault", None


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
    call.add(make_fault(slot.name, "file" if sent else source_of(call), slot.expected(), got, hint))
    return "fault", None


def source_of(call: Call) -> str:
    if call.json is not None:
        return "json"
    return "form" if call.params.form or call.params.files else "query"
