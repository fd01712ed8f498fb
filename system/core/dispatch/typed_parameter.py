"""What one typed parameter takes, found out once: its pydantic adapter, its spellings, its fields."""

from __future__ import annotations

import typing
from collections.abc import Callable, Iterable, Mapping
from enum import Enum
from typing import Any

from pydantic import ConfigDict, PydanticUserError, TypeAdapter
from pydantic.errors import PydanticInvalidForJsonSchema

from .json_schema import Schema, Schemas, in_words
from .signature import (
    EMPTY,
    Parameter,
    Shape,
    Signature,
    is_record_type,
    members,
    shape_of,
    unusable_annotation,
)

_VALUES = ConfigDict(allow_inf_nan=False)
_FILES = ConfigDict(arbitrary_types_allowed=True)


class Slot:
    """A parameter of a typed method and how it is filled.

    `convert` makes its value of one that a JSON body holds, `convert_text` of a text of the path, the query or a
    form, `convert_json` of JSON text. `fields` are the names that a record takes, each with whether a repeated
    name fills it; None for what is no record, or one of any names.
    """

    __slots__ = (
        "adapter", "allows_blank", "by_position", "convert", "convert_json", "convert_text", "fields",
        "holds_records", "is_body", "is_required", "name", "parameter", "shape", "spellings", "takes_segment",
    )  # fmt: skip

    def __init__(self, parameter: Parameter, signature: Signature) -> None:
        free = parameter.annotation is EMPTY or parameter.shape == "params"
        annotation = Any if free else parameter.annotation
        self.parameter = parameter
        self.name = parameter.name
        self.shape: Shape = parameter.shape
        self.is_required = parameter.is_required
        self.takes_segment = parameter.takes_segment
        self.by_position = False
        self.is_body = False  # whether a JSON body is its value, and not an object that has it by its name
        self.adapter = _make_adapter(annotation, self.shape, signature, self.name)
        validator = self.adapter.validator
        self.convert: Callable[[Any], Any] = validator.validate_python
        self.convert_json: Callable[[Any], Any] = validator.validate_json
        self.convert_text: Callable[[Any], Any] = validator.validate_strings
        self.spellings = _spellings(annotation)
        self.allows_blank = any(_is_textual(member) for member in members(annotation))
        self.fields = _fields(annotation) if self.shape == "record" else None
        self.holds_records = self.shape == "record" or _has_records(annotation)
        if parameter.annotation is EMPTY or self.spellings:
            self.convert_text = self._convert_spelled

    def _convert_spelled(self, text: str) -> Any:
        """A text as the member of a Literal or an Enum that is written so."""
        return self.convert(self.spellings.get(text, text))

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

    def expected(self) -> str:
        """What it takes, for people."""
        return in_words(self.schema())


def _make_adapter(annotation: Any, shape: Shape, signature: Signature, name: str) -> TypeAdapter[Any]:
    config = _FILES if shape in ("file", "files") else _VALUES
    try:
        try:
            return TypeAdapter(annotation, config=config)
        except PydanticUserError as error:
            if error.code != "type-adapter-config-unused":  # models have a configuration of their own
                raise
            return TypeAdapter(annotation)
    except Exception as error:
        raise unusable_annotation(signature, name, error) from error


def _spellings(annotation: Any) -> dict[str, Any]:
    """How the members of a Literal or an Enum are written in a URL or a form, where they are no text."""
    found: dict[str, Any] = {}
    for member in members(annotation):
        choices: Iterable[Any] = ()
        if typing.get_origin(member) is typing.Literal:
            choices = typing.get_args(member)
        elif isinstance(member, type) and issubclass(member, Enum):
            choices = [choice.value for choice in member]
        elif typing.get_origin(member) not in (None, dict):
            choices = [value for inner in typing.get_args(member) for value in _spellings(inner).values()]
        found.update({_spell(choice): choice for choice in choices if not isinstance(choice, str)})
    return found


def _spell(choice: object) -> str:
    return str(choice).lower() if isinstance(choice, bool) else str(choice)


def _is_textual(member: Any) -> bool:
    """Whether an empty text is a value, not an empty field."""
    if member is Any or member is object:
        return True
    return isinstance(member, type) and issubclass(member, str | bytes) and not issubclass(member, Enum)


def _has_records(annotation: Any) -> bool:
    inner = [argument for member in members(annotation) for argument in typing.get_args(member)]
    return any(shape_of(argument) == "record" for argument in inner if argument is not ...)


def _fields(annotation: Any) -> Mapping[str, bool] | None:
    found: dict[str, bool] = {}
    for member in members(annotation):
        base = typing.get_origin(member) or member
        if not is_record_type(base):
            continue
        infos = getattr(base, "model_fields", None)
        if infos is not None:
            hints = {info.alias or name: info.annotation for name, info in infos.items()}
        else:
            hints = _hints(base)
        found.update({name: shape_of(hint) == "list" for name, hint in hints.items()})
    return found or None


def _hints(base: Any) -> dict[str, Any]:
    try:
        return typing.get_type_hints(base)
    except (NameError, TypeError):
        return {}
