"""How a method wants to be called, read once from its signature."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

from .outline import TASK_PARAMETER

_POSITIONAL = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)


@dataclass(frozen=True, slots=True)
class Signature:
    """`style` is "nothing" for (self), "params" for (self, params), "typed" for any other.

    `positional` is how many left-over segments of the path the method takes, None for any number (*args).
    `params_required` is whether (self, params) has no default: it receives an empty Params then.
    """

    style: Literal["nothing", "params", "typed"]
    positional: int | None
    params_required: bool
    parameters: tuple[inspect.Parameter, ...]


def read_signature(function: Callable[..., Any]) -> Signature:
    """Read the signature of a controller's method, `self` and `celery_instance` left out."""
    every = list(inspect.signature(function).parameters.values())[1:]
    parameters = tuple(parameter for parameter in every if parameter.name != TASK_PARAMETER)
    if not parameters:
        return Signature("nothing", 0, False, parameters)
    if len(parameters) == 1 and parameters[0].name == "params" and parameters[0].kind in _POSITIONAL:
        return Signature("params", 0, parameters[0].default is parameters[0].empty, parameters)
    if any(parameter.kind is parameter.VAR_POSITIONAL for parameter in parameters):
        return Signature("typed", None, False, parameters)
    positional = sum(parameter.kind in _POSITIONAL and parameter.name != "params" for parameter in parameters)
    return Signature("typed", positional, False, parameters)
