"""What one typed parameter takes, found out once: its validators, its names, its fields."""

from __future__ import annotations

import copy
import typing
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import Enum
from functools import cached_property
from typing import Any

from pydantic import ConfigDict, PydanticUserError, TypeAdapter
from pydantic.errors import PydanticInvalidForJsonSchema

from .json_schema import Schema, in_words, step
from .parameter import EMPTY, Parameter, Shape, is_record_type, members, shape_of, unusable
from .schema_generator import Schemas
from .signature import Signature
from .value_rules import check_constraints, make_validator

_FILES = ConfigDict(arbitrary_types_allowed=True)
MOST_STEPS = 1_000


@dataclass(frozen=True, slots=True)
class TextRules:
    """How the texts of a query or a form fill a parameter or a field of a record.

    `takes_list`: a repeated name fills it; `holds_records`: text may be JSON; `allows_blank`: empty text is a
    value, else it is treated as not sent; `allows_blank_items`: the same for the items of a list.
    """

    takes_list: bool
    holds_records: bool
    allows_blank: bool
    allows_blank_items: bool


def text_rules_of(annotation: Any) -> TextRules:
    """The rules of an annotation."""
    shape = shape_of(annotation)
    items = [item for member in members(annotation) for item in typing.get_args(member) if item is not ...]
    return TextRules(
        takes_list=shape == "list",
        holds_records=shape == "record" or any(shape_of(item) in ("record", "list") for item in items),
        allows_blank=any(_is_textual(member) for member in members(annotation)),
        allows_blank_items=not items or any(_is_textual(member) for item in items for member in members(item)),
    )


def _is_textual(member: Any) -> bool:
    """Whether an empty text is a value itself, and not a field that was left empty."""
    if member is Any or member is object or isinstance(member, typing.TypeVar):
        return True
    if typing.get_origin(member) is typing.Literal:
        return "" in typing.get_args(member)
    if isinstance(member, type) and issubclass(member, Enum):
        return any(choice.value == "" for choice in member)
    return isinstance(member, type) and issubclass(member, str | bytes)


class Slot:
    """A parameter of a typed method and how it is filled.

    `convert` makes its value of one that a JSON body holds, `convert_text` of a text of the path, the query or a
    form. `names` are those under which it is sent, `fields` the rules of the names
    that a record takes; None for what is not a record, or one of any names.
    """

    def __init__(self, parameter: Parameter, signature: Signature) -> None:
        is_free = parameter.annotation is EMPTY or parameter.shape == "params"
        annotation = Any if is_free else parameter.annotation
        self.parameter = parameter
        self.names = parameter.names or (parameter.name,)
        self.name = self.names[0]
        self.shape: Shape = parameter.shape
        self.is_required = parameter.is_required
        self.takes_segment = parameter.takes_segment
        self.by_position = False
        self.is_body = False  # whether a JSON body is its value, and not an object that has it by its name
        self.rules = text_rules_of(annotation)
        self.holds_records = self.rules.holds_records
        self.fields = _fields_of(annotation) if self.shape == "record" else None
        self.adapter = _make_adapter(annotation, self.shape, signature, self.name)
        validator = self.adapter.validator if self.shape in ("file", "files") else make_validator(self.adapter)
        self.convert: Callable[[Any], Any] = validator.validate_python
        self.convert_text: Callable[[Any], Any] = (
            validator.validate_python if is_free else validator.validate_strings
        )
        self.has_decimals = "'decimal'" in repr(self.adapter.core_schema)
        self.is_copied = _is_copied(parameter)
        self._words: dict[int, str] = {}
        self._steps: dict[tuple[int, int | str], Mapping[str, Any] | None] = {}

    @cached_property
    def convert_fast(self) -> Callable[[Any], Any]:
        """`convert` for a large value: it stops at the first wrong item of a list."""
        convert: Callable[[Any], Any] = make_validator(self.adapter, fail_fast=True).validate_python
        return convert

    def make_default(self) -> Any:
        """The default value, a new one for each call where it can be changed."""
        made = self.parameter.factory() if self.parameter.factory else copy.deepcopy(self.parameter.default)
        return self.convert(made) if self.parameter.validates_default else made

    @cached_property
    def schema(self) -> Schema:
        """JSON Schema of the values that it takes; {} where there is none."""
        if self.shape == "file":
            return {"type": "string", "format": "binary"}
        if self.shape == "files":
            return {"type": "array", "items": {"type": "string", "format": "binary"}}
        if self.parameter.annotation is EMPTY:
            return {"type": "string"}
        try:
            return self.adapter.json_schema(schema_generator=Schemas)
        except (PydanticUserError, PydanticInvalidForJsonSchema):
            return {}

    @cached_property
    def expected(self) -> str:
        """What it takes, for people."""
        return in_words(self.schema)

    def place(self, location: tuple[int | str, ...]) -> tuple[list[str], str]:
        """A location that pydantic names, as the client knows it, and what is expected there, for people."""
        path: list[str] = []
        schema: Mapping[str, Any] = self.schema
        for part in location:
            inner = self._step(schema, part)
            if inner is not None:
                schema = inner
                path.append(str(part))
        return path, self._in_words(schema) if path else self.expected

    def _step(self, schema: Mapping[str, Any], part: int | str) -> Mapping[str, Any] | None:
        """The schema inside a part of self.schema, which is remembered."""
        key = id(schema), part
        if key not in self._steps:
            if len(self._steps) >= MOST_STEPS:  # clients choose the names
                self._steps.clear()
            self._steps[key] = step(schema, part, self.schema.get("$defs", {}))
        return self._steps[key]

    def _in_words(self, schema: Mapping[str, Any]) -> str:
        if id(schema) not in self._words:  # a part of self.schema, so there are as many as that has
            self._words[id(schema)] = in_words(schema, self.schema.get("$defs", {}))
        return self._words[id(schema)]


def _is_copied(parameter: Parameter) -> bool:
    """Whether a default has to be passed at each call: it can be changed, or the function's own is a Field()."""
    if parameter.is_field:
        return True
    try:
        return copy.deepcopy(parameter.default) is not parameter.default
    except Exception:  # noqa: BLE001 - what cannot be copied, such as a lock, is shared as in any Python function
        return False


def _make_adapter(annotation: Any, shape: Shape, signature: Signature, name: str) -> TypeAdapter[Any]:
    try:
        adapter = TypeAdapter(annotation, config=_FILES if shape in ("file", "files") else None)
        check_constraints(adapter.core_schema)
    except Exception as error:
        raise unusable(signature.place, f"{name}: {str(error).partition(chr(10))[0]}") from error
    return adapter


def _fields_of(annotation: Any) -> Mapping[str, TextRules] | None:
    """The fields of a record by the names under which they are sent."""
    found: dict[str, TextRules] = {}
    for member in members(annotation):
        base = typing.get_origin(member) or member
        if is_record_type(base):
            found.update({name: text_rules_of(hint) for name, hint in _hints_of(base)})
    return found or None


def _hints_of(base: Any) -> list[tuple[str, Any]]:
    infos = getattr(base, "model_fields", None) or getattr(base, "__pydantic_fields__", None)
    if infos is not None:
        by_name = base.model_config if hasattr(base, "model_config") else {}
        is_by_name = by_name.get("populate_by_name") or by_name.get("validate_by_name")
        return [
            (sent, typing.Annotated[(info.annotation, *info.metadata)] if info.metadata else info.annotation)
            for name, info in infos.items()
            for sent in (*_aliases_of(info), *([name] if is_by_name else [])) or (name,)
        ]
    try:
        return list(typing.get_type_hints(base, include_extras=True).items())
    except (NameError, TypeError):
        return []


def _aliases_of(info: Any) -> tuple[str, ...]:
    """The names under which a field is sent; of a path of names the first."""
    alias = info.validation_alias or info.alias
    choices = getattr(alias, "choices", [alias] if alias else [])
    return tuple(str(getattr(choice, "path", [choice])[0]) for choice in choices)
