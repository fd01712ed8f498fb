"""What a typed parameter of a live method takes, as pydantic describes it."""

from __future__ import annotations

import logging
from collections.abc import Callable
from decimal import Decimal
from typing import Any, Literal

from pydantic import PydanticUserError, TypeAdapter
from pydantic_core import to_jsonable_python

from ..dispatch.json_schema import Schema
from ..dispatch.parameter import EMPTY
from ..dispatch.schema_generator import Schemas
from ..dispatch.typed_parameter import Slot
from .parameters import Parameter
from .plain_json import plain_json

log = logging.getLogger("kernkoa")


def parameter_of(slot: Slot, place: str) -> Parameter | None:
    """A typed parameter of a live method; None for Params and for **others, which have no name of their own."""
    if slot.shape in ("params", "others"):
        return None
    schema = plain_json(_found(slot, place, _schema_of) | _found(slot, place, _default_of)) or {}
    if slot.shape == "rest":
        items = {key: value for key, value in schema.items() if key != "$defs"} or {"type": "string"}
        definitions = {"$defs": schema["$defs"]} if "$defs" in schema else {}
        listed = {"type": "array", "items": items} | definitions
        return Parameter(slot.name, listed, False, "path", takes_segment=True)
    return Parameter(
        slot.name,
        schema,
        slot.is_required,
        takes_segment=slot.takes_segment,
        is_body=slot.is_body,
        is_record=slot.shape == "record" or slot.holds_records,
    )


def _found(slot: Slot, place: str, find: Callable[[Slot], Schema]) -> Schema:
    """The description of a parameter; {} if there is none, or if code of the site raises."""
    try:
        return find(slot)
    except (PydanticUserError, ValueError, RecursionError):  # pydantic's other errors are ValueErrors
        return {}
    except Exception as error:  # of a validator, of __get_pydantic_json_schema__, of __repr__
        log.error("The parameter %s of %s cannot be described: %s", slot.name, place, error, exc_info=error)
        return {}


def _schema_of(slot: Slot) -> Schema:
    if slot.shape in ("file", "files") or slot.parameter.annotation is EMPTY:
        return slot.schema
    return schema_of(slot.adapter, "validation")


def schema_of(adapter: TypeAdapter[Any], mode: Literal["validation", "serialization"]) -> Schema:
    """The schema of a type, each of its models under `$defs`, that of the type itself too."""
    schemas, shared = TypeAdapter.json_schemas([("it", mode, adapter)], schema_generator=Schemas)
    return dict(schemas["it", mode]) | {key: value for key, value in shared.items() if key == "$defs"}


def _default_of(slot: Slot) -> Schema:
    """The default as JSON; {} without one. Raises for one that the annotation would not take."""
    default = slot.parameter.default
    if default is EMPTY or default is None or slot.shape in ("file", "files"):
        return {}
    slot.convert(default)
    return {"default": float(default) if isinstance(default, Decimal) else to_jsonable_python(default)}
