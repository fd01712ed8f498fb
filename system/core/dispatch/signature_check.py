"""Reports methods and models that cannot be used when their library loads, not at their first request.

Most annotations are known to be usable at a glance; only the others are given to pydantic.
"""

from __future__ import annotations

import builtins
import datetime
import decimal
import logging
import types
import typing
import uuid
from collections.abc import Iterator
from enum import Enum
from typing import Any

from ..catalog.execution import Version
from ..catalog.folder import is_public
from ..catalog.outline import TASK_PARAMETER, MethodOutline
from ..errors import LibraryError
from .params import Params

log = logging.getLogger("kernkoa.catalog")

_KNOWN: frozenset[Any] = frozenset(
    {
        *(None, types.NoneType, Any, str, int, float, bool, bytes, list, dict, set, tuple, frozenset, Params),
        *(decimal.Decimal, uuid.UUID, datetime.date, datetime.datetime, datetime.time, datetime.timedelta),
    }
)
_CONTAINERS = (list, dict, set, frozenset, tuple, typing.Union, types.UnionType)


def report_unusable(version: Version) -> None:
    """Log the methods and the models of a library that cannot be used: a call that needs one is a 500."""
    for line, fault in find_wrong_fields(version):
        log.error("%s, line %d: %s", version.module.__file__, line, fault)
    for method, function in _methods(version):
        if _is_known(function):
            continue
        from .binding import TypedBinding  # here: they import pydantic, which most libraries do without
        from .signature import read_signature

        try:
            signature = read_signature(function, method.signature)
            if signature.style == "typed":
                TypedBinding(signature)
        except LibraryError as error:
            log.error("%s", error.detail)


def find_wrong_fields(version: Version) -> Iterator[tuple[int, str]]:
    """The fields of a library's models with a constraint that their type cannot have: line of the class, fault."""
    for kind, schema in _models(version):
        from .value_rules import find_wrong_constraints

        outline = version.outline.classes.get(kind.__name__)
        for owner, place, reason in find_wrong_constraints(schema):
            if owner is kind:
                yield outline.line if outline else 0, f"{place} cannot be used: {reason}"


def _models(version: Version) -> Iterator[tuple[type, Any]]:
    """The models and pydantic's dataclasses that a library defines, each with its core schema."""
    for kind in [*vars(version.module).values()]:
        # not isinstance: it would ask a lazy value such as kernkoa's celery what it is, which imports Celery
        if issubclass(type(kind), type) and kind.__module__ == version.module.__name__:
            schema = vars(kind).get("__pydantic_core_schema__")
            if schema is not None:
                yield kind, schema


def _methods(version: Version) -> Iterator[tuple[MethodOutline, types.FunctionType]]:
    """The functions that a URL or exeTask may name."""
    for name in filter(is_public, version.outline.classes):
        for method in version.outline.classes[name].methods.values():
            function = getattr(vars(version.module).get(name), "__dict__", {}).get(method.name)
            if isinstance(function, types.FunctionType) and (method.is_task or not method.hidden):
                yield method, function


def _is_known(function: types.FunctionType) -> bool:
    """Whether nothing in a signature needs a closer look: plain types, complete models, plain defaults."""
    defaults = (*(function.__defaults__ or ()), *(function.__kwdefaults__ or {}).values())
    if any(type(default).__module__.startswith(("pydantic", "dataclasses")) for default in defaults):
        return False
    annotations = function.__annotations__.items()
    return all(
        name in ("return", TASK_PARAMETER) or _is_usable(_named(annotation, function))
        for name, annotation in annotations
    )


def _named(annotation: Any, function: types.FunctionType) -> Any:
    """What an annotation written as a single name means."""
    if not isinstance(annotation, str) or not annotation.isidentifier():
        return annotation
    return function.__globals__.get(annotation, vars(builtins).get(annotation, annotation))


def _is_usable(annotation: Any) -> bool:
    if isinstance(annotation, type) and not typing.get_args(annotation):
        is_model = getattr(annotation, "__pydantic_complete__", False) is True
        return annotation in _KNOWN or is_model or issubclass(annotation, Enum)
    if typing.get_origin(annotation) is typing.Literal:
        return True
    if typing.get_origin(annotation) in _CONTAINERS:
        return all(item is ... or _is_usable(item) for item in typing.get_args(annotation))
    return annotation is Any or annotation is None
