"""What a method takes: one record of a parameter for its page, its form and its OpenAPI entry."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from ..dispatch.json_schema import Schema, follow

Where = Literal["any", "query", "body", "path"]
TEXT: Schema = {"type": "string"}
FILE: Schema = {"type": "string", "format": "binary"}


@dataclass(frozen=True, slots=True)
class Parameter:
    """A parameter of a method.

    `schema` is JSON Schema, complete in itself (models stand under its `$defs`), with the default where there is
    one. `where` it may be sent. `takes_segment`: a further segment of the path may fill it, in the order of the
    parameters. `is_body`: a JSON body is its value. `is_record`: it is a record or holds some.
    """

    name: str
    schema: Schema
    required: bool
    where: Where = "any"
    takes_segment: bool = False
    is_body: bool = False
    is_record: bool = False

    @property
    def is_file(self) -> bool:
        schema = follow(self.schema, {})
        return schema.get("format") == "binary" or schema.get("items", {}).get("format") == "binary"


def record(description: str, properties: dict[str, Schema]) -> Schema:
    """The schema of an object that has all of these properties."""
    made: Schema = {"type": "object", "properties": properties, "required": [*properties]}
    return made | ({"description": description} if description else {})
