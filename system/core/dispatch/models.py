"""Checks for pydantic models without importing pydantic, which costs an untyped site 3 MB and 40 ms.

A value, a default or an annotation of pydantic exists only where the site has imported it.
"""

from __future__ import annotations

import dataclasses
import sys
from typing import Any


def is_model(kind: Any) -> bool:
    """Whether a type is a pydantic model."""
    return _is_a(kind, "pydantic.main", "BaseModel")


def is_record(value: Any) -> bool:
    """Whether a value is an instance of a pydantic model, or a dataclass or one of its instances."""
    return is_model(type(value)) or dataclasses.is_dataclass(value)


def is_root_model(kind: Any) -> bool:
    """Whether a type is a pydantic model of one value."""
    return _is_a(kind, "pydantic.root_model", "RootModel")


def _is_a(kind: Any, module: str, name: str) -> bool:
    base: Any = getattr(sys.modules.get(module), name, None)
    return base is not None and isinstance(kind, type) and issubclass(kind, base) and kind is not base
