"""Parameters that are written with a `Field()` of pydantic."""

from __future__ import annotations

import dataclasses
import typing
from collections.abc import Callable
from typing import Any

from pydantic import AliasChoices
from pydantic.fields import Field, FieldInfo, ModelPrivateAttr
from pydantic_core import PydanticUndefined

from .parameter import EMPTY, Parameter, unusable


def read_field(parameter: Parameter, place: tuple[str, str, int]) -> Parameter:
    """Apply the Field() of a parameter. Raises LibraryError for a Field that a parameter cannot have."""
    default, annotation = parameter.default, parameter.annotation
    if isinstance(default, ModelPrivateAttr | dataclasses.Field):
        raise unusable(place, f"{parameter.name}: {type(default).__name__} is not a default of a parameter")
    is_field = isinstance(default, FieldInfo)
    written = [item for item in typing.get_args(annotation)[1:] if isinstance(item, FieldInfo)]
    if not is_field and not (typing.get_origin(annotation) is typing.Annotated and written):
        return parameter
    annotation = Any if annotation is EMPTY else annotation
    info = (
        FieldInfo.from_annotated_attribute(annotation, default)
        if is_field
        else FieldInfo.from_annotation(annotation)
    )
    if info.default_factory is not None and info.default_factory_takes_validated_data:
        raise unusable(place, f"{parameter.name}: the default_factory of a parameter takes no argument")
    own = info.default if parameter.default is EMPTY or is_field else parameter.default
    return dataclasses.replace(
        parameter,
        annotation=_checked(info),
        default=EMPTY if own is PydanticUndefined else own,
        factory=typing.cast("Callable[[], Any] | None", info.default_factory),
        names=_names_of(info, parameter.name, place),
        is_field=True,
        validates_default=bool(info.validate_default),
    )


def _checked(info: FieldInfo) -> Any:
    """The annotation with the checks and the description of a Field(), without its default and alias."""
    described = Field(
        title=info.title,
        description=info.description,
        examples=info.examples,
        discriminator=info.discriminator,
        json_schema_extra=info.json_schema_extra,
    )
    made: Any = typing.Annotated[(info.annotation, *info.metadata, described)]
    return made


def _names_of(info: FieldInfo, name: str, place: tuple[str, str, int]) -> tuple[str, ...]:
    """The names under which a parameter is sent: its alias, or itself."""
    alias = info.validation_alias or info.alias or name
    names = alias.choices if isinstance(alias, AliasChoices) else [alias]
    if not all(isinstance(item, str) for item in names):
        raise unusable(place, f"{name}: a parameter cannot have an AliasPath; use a model for it")
    return tuple(str(item) for item in names)
