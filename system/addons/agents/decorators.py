"""`@tool`: how a method of the catalogue appears to assistants."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

LONGEST_NAME = 64
_NAME = re.compile(rf"[A-Za-z0-9_-]{{1,{LONGEST_NAME}}}")

AnyFunction = TypeVar("AnyFunction", bound=Callable[..., object])


@dataclass(frozen=True, slots=True)
class ToolMark:
    """What `@tool` says of a method; empty texts leave what KernKoa finds itself."""

    name: str = ""
    description: str = ""
    hidden: bool = False


def tool(*, name: str = "", description: str = "", hidden: bool = False) -> Callable[[AnyFunction], AnyFunction]:
    """Name or describe a method for assistants, or hide it from them: `@tool(name="find_order")`.

    `name` has 1 to 64 letters, digits, _ and -. Raises ValueError for another.
    """
    if name and not _NAME.fullmatch(name):
        raise ValueError(f"@tool(name={name!r}): write 1 to {LONGEST_NAME} letters, digits, _ and -")

    def mark(function: AnyFunction) -> AnyFunction:
        function.koa_tool = ToolMark(name, description, hidden)  # type: ignore[attr-defined]
        return function

    return mark
