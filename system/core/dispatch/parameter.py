"""A parameter of a method, and what a value of its annotation is made of."""

from __future__ import annotations

import collections.abc
import dataclasses
import inspect
import types
import typing
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import Enum
from typing import Any, Literal

from typing_extensions import TypeAliasType, is_typeddict
from werkzeug.datastructures import FileStorage

from ..errors import LibraryError
from .models import is_model, is_root_model

# value: one text; list: a repeated name; record: a model, dataclass, TypedDict or dict; file, files: uploads;
# params: the Params themselves; rest: *args; others: **kwargs
Shape = Literal["value", "list", "record", "file", "files", "params", "rest", "others"]

EMPTY = inspect.Parameter.empty


@dataclass(frozen=True, slots=True)
class Parameter:
    """A parameter of a method. `annotation` is resolved, EMPTY without one; so is `default`.

    Of pydantic's Field(), as default or in Annotated, are its default or default `factory`, and the `names` under
    which it is sent (its alias). `is_field` is whether there is one: Python does not know its default then.
    """

    name: str
    annotation: Any
    default: Any
    shape: Shape
    kind: Any  # of inspect.Parameter
    factory: Callable[[], Any] | None = None
    names: tuple[str, ...] = ()
    is_field: bool = False
    validates_default: bool = False

    @property
    def is_required(self) -> bool:
        has_default = self.default is not EMPTY or self.factory is not None
        return not has_default and self.shape not in ("params", "rest", "others")

    @property
    def takes_segment(self) -> bool:
        """Whether a remaining segment of the path may fill it."""
        return self.shape == "value" and self.kind is not inspect.Parameter.KEYWORD_ONLY


def unusable(place: tuple[str, str, int], reason: str) -> LibraryError:
    """The error for a parameter that cannot be used; `place` is the method, its file and line."""
    method, path, line = place
    return LibraryError(f"{path}, line {line}: {method} has a parameter that cannot be used. {reason}", path, line)


def shape_of(annotation: Any) -> Shape:
    """What a value of an annotation is made of."""
    shapes = {_shape_of_one(member) for member in members(annotation)}
    order: tuple[Shape, ...] = ("files", "file", "record", "list")
    return next((shape for shape in order if shape in shapes), "value")


def members(annotation: Any) -> Iterator[Any]:
    """The members of a union, None left out; of anything else itself, without Annotated and aliases.

    Pydantic's Json[dict[str, int]] is text for its sender: Json.
    """
    if isinstance(annotation, TypeAliasType) or type(annotation).__name__ == "TypeAliasType":
        yield from members(annotation.__value__)
    elif isinstance(annotation, typing.NewType):
        yield from members(annotation.__supertype__)
    elif typing.get_origin(annotation) is typing.Annotated:
        inner, *marks = typing.get_args(annotation)
        json_text = next((type(mark) for mark in marks if _is_json_text(mark)), None)
        yield from members(inner) if json_text is None else (json_text,)
    elif typing.get_origin(annotation) in (typing.Union, types.UnionType):
        for member in typing.get_args(annotation):
            yield from members(member)
    elif is_root_model(annotation):
        yield from members(annotation.model_fields["root"].annotation)
    elif annotation is not types.NoneType:
        yield annotation


def _is_json_text(mark: object) -> bool:
    """Whether a mark in Annotated is pydantic's Json, which is not imported for that."""
    return (type(mark).__module__, type(mark).__name__) == ("pydantic.types", "Json")


def _shape_of_one(annotation: Any) -> Shape:
    base = typing.get_origin(annotation) or annotation
    if not isinstance(base, type):
        return "value"
    if issubclass(base, FileStorage):
        return "file"
    if is_record_type(base):
        return "record"
    is_collection = issubclass(base, collections.abc.Collection) or base is collections.abc.Iterable
    if is_collection and not issubclass(base, str | bytes | bytearray | Enum):
        arguments = [item for argument in typing.get_args(annotation) for item in members(argument)]
        holds_files = any(isinstance(item, type) and issubclass(item, FileStorage) for item in arguments)
        return "files" if holds_files else "list"
    return "value"


def is_record_type(base: Any) -> bool:
    """Whether a type is filled name by name: a model, a dataclass, a TypedDict, a named tuple, a dict."""
    if not isinstance(base, type):
        return False
    return (
        is_model(base)
        or issubclass(base, collections.abc.Mapping)
        or dataclasses.is_dataclass(base)
        or is_typeddict(base)
        or (issubclass(base, tuple) and hasattr(base, "_fields"))
    )
