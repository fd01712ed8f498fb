"""How a method wants to be called, read once from its signature."""

from __future__ import annotations

import ast
import collections.abc
import dataclasses
import inspect
import sys
import types
import typing
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

from ..catalog.outline import TASK_PARAMETER
from .parameter import EMPTY, Parameter, Shape, shape_of, unusable
from .params import Params

_VARIABLE = {inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD}
_BY_NAME = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)
_PLAIN_PARAMS = (EMPTY, Any, dict, collections.abc.Mapping, Params)

# what a method is called with: by position, by name
Arguments = tuple[tuple[Any, ...], dict[str, Any]]


@dataclass(frozen=True, slots=True)
class Signature:
    """`style` is "nothing" for (self), "params" for (self, params), "typed" for any other.

    `positional` is how many remaining segments of the path the method accepts, None for any number (*args).
    `params_required` is whether (self, params) has no default: it receives an empty Params then.
    `place` says whose signature it is, for messages: the method's name, its file and its line.
    """

    style: Literal["nothing", "params", "typed"]
    positional: int | None
    params_required: bool
    parameters: tuple[Parameter, ...]
    place: tuple[str, str, int] = ("", "", 0)


def read_signature(function: Callable[..., Any], written: str = "") -> Signature:
    """Read the signature of a controller's method, `self` and `celery_instance` left out.

    `written` are its parameters in the source ("self, params=None"): they count where a decorator that does not
    use functools.wraps left nothing but *args and **kwargs to see.

    Raises LibraryError, with the file and the line, for an annotation that names nothing.
    """
    code = inspect.unwrap(function).__code__
    place = (function.__qualname__, code.co_filename, code.co_firstlineno)
    try:
        every = list(inspect.signature(function).parameters.values())
    except NameError as error:  # Python 3.14 evaluates annotations here
        raise unusable(place, str(error)) from error
    kinds = {item.kind for item in every if item.name != "self"}
    plain = _plain_style(written) if kinds and kinds <= _VARIABLE else None
    if plain is not None:
        return Signature(*plain, (), place)
    parameters = tuple(_read(item, function, place) for item in every[1:] if item.name != TASK_PARAMETER)
    if not parameters:
        return Signature("nothing", 0, False, parameters, place)
    first = parameters[0]
    if len(parameters) == 1 and first.name == "params" and first.shape == "params" and first.kind in _BY_NAME:
        return Signature("params", 0, first.default is EMPTY, parameters, place)
    if any(parameter.shape == "rest" for parameter in parameters):
        return Signature("typed", None, False, parameters, place)
    positional = sum(parameter.takes_segment for parameter in parameters)
    return Signature("typed", positional, False, parameters, place)


def _plain_style(written: str) -> tuple[Literal["nothing", "params"], int, bool] | None:
    """The style of (self) and (self, params) as written in the source; None for any other."""
    (node,) = ast.parse(f"def written({written}): ...").body
    arguments = typing.cast(ast.FunctionDef, node).args
    if arguments.vararg or arguments.kwarg or arguments.kwonlyargs or not written:
        return None
    every = [*arguments.posonlyargs, *arguments.args][1:]
    names = [item.arg for item in every if item.arg != TASK_PARAMETER]
    if names not in ([], ["params"]):
        return None
    return ("params", 0, not arguments.defaults) if names else ("nothing", 0, False)


def _read(item: inspect.Parameter, function: Callable[..., Any], place: tuple[str, str, int]) -> Parameter:
    annotation = item.annotation
    if annotation is not EMPTY:
        try:
            annotation = resolve_annotation(annotation, function)
        except Exception as error:
            text = annotation if isinstance(annotation, str) else repr(annotation)
            raise unusable(place, f"{item.name}: {text}: {type(error).__name__}: {error}") from error
    found = Parameter(item.name, annotation, item.default, _shape(item, annotation), item.kind)
    if "pydantic.fields" not in sys.modules and not isinstance(item.default, dataclasses.Field):
        return found  # it holds nothing of pydantic's
    from .field import read_field

    return read_field(found, place)


def resolve_annotation(annotation: Any, function: Callable[..., Any]) -> Any:
    """Resolve an annotation that is text, in whole or in part, in the module that contains it."""
    inner = inspect.unwrap(function)
    namespace = vars(sys.modules[inner.__module__]) if not hasattr(inner, "__globals__") else inner.__globals__
    holder = types.SimpleNamespace(__annotations__={"it": annotation})
    try:
        return typing.get_type_hints(holder, namespace, include_extras=True)["it"]
    except NameError:
        owner = namespace.get(inner.__qualname__.partition(".")[0])
        inside = dict(vars(owner)) if isinstance(owner, type) else {}
        return typing.get_type_hints(holder, namespace, inside, include_extras=True)["it"]


def _shape(item: inspect.Parameter, annotation: Any) -> Shape:
    if item.kind is item.VAR_POSITIONAL:
        return "rest"
    if item.kind is item.VAR_KEYWORD:
        return "others"
    plain = annotation in _PLAIN_PARAMS or typing.get_origin(annotation) in _PLAIN_PARAMS
    if annotation is Params or (item.name == "params" and plain):
        return "params"
    return shape_of(annotation)
