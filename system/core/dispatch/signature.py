"""How a method wants to be called, read once from its signature."""

from __future__ import annotations

import ast
import collections.abc
import dataclasses
import inspect
import sys
import types
import typing
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Literal

from pydantic import AliasChoices, BaseModel, RootModel
from pydantic.fields import Field, FieldInfo, ModelPrivateAttr
from pydantic_core import PydanticUndefined
from typing_extensions import TypeAliasType, is_typeddict
from werkzeug.datastructures import FileStorage

from ..catalog.outline import TASK_PARAMETER
from ..errors import LibraryError
from .params import Params

# value: one text; list: a repeated name; record: a model, dataclass, TypedDict or dict; file, files: uploads;
# params: the Params themselves; rest: *args; others: **kwargs
Shape = Literal["value", "list", "record", "file", "files", "params", "rest", "others"]

EMPTY = inspect.Parameter.empty
_VARIABLE = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)
_BY_NAME = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)
_PLAIN_PARAMS = (EMPTY, Any, dict, collections.abc.Mapping, Params)


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
        """Whether a left-over segment of the path may fill it."""
        return self.shape == "value" and self.kind is not inspect.Parameter.KEYWORD_ONLY


@dataclass(frozen=True, slots=True)
class Signature:
    """`style` is "nothing" for (self), "params" for (self, params), "typed" for any other.

    `positional` is how many left-over segments of the path the method takes, None for any number (*args).
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
        every = list(inspect.signature(function).parameters.values())[1:]
    except NameError as error:  # Python 3.14 evaluates annotations here
        raise unusable(place, str(error)) from error
    plain = _plain_style(written) if _is_opaque(function) else None
    if plain is not None:
        return Signature(*plain, (), place)
    parameters = tuple(_read(item, function, place) for item in every if item.name != TASK_PARAMETER)
    if not parameters:
        return Signature("nothing", 0, False, parameters, place)
    first = parameters[0]
    if len(parameters) == 1 and first.name == "params" and first.shape == "params" and first.kind in _BY_NAME:
        return Signature("params", 0, first.default is EMPTY, parameters, place)
    if any(parameter.shape == "rest" for parameter in parameters):
        return Signature("typed", None, False, parameters, place)
    positional = sum(parameter.takes_segment for parameter in parameters)
    return Signature("typed", positional, False, parameters, place)


def _is_opaque(function: Callable[..., Any]) -> bool:
    kinds = [item.kind for item in inspect.signature(function).parameters.values() if item.name != "self"]
    return bool(kinds) and all(kind in _VARIABLE for kind in kinds)


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
    return _with_field(Parameter(item.name, annotation, item.default, _shape(item, annotation), item.kind), place)


def _with_field(parameter: Parameter, place: tuple[str, str, int]) -> Parameter:
    """A parameter with what a Field() says of it. Raises LibraryError for what a parameter cannot have."""
    default, annotation = parameter.default, parameter.annotation
    if isinstance(default, ModelPrivateAttr | dataclasses.Field):
        raise unusable(place, f"{parameter.name}: {type(default).__name__} is no default of a parameter")
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
    """The annotation with what a Field() checks and tells, without its default and alias."""
    told = Field(
        title=info.title,
        description=info.description,
        examples=info.examples,
        discriminator=info.discriminator,
        json_schema_extra=info.json_schema_extra,
    )
    made: Any = typing.Annotated[(info.annotation, *info.metadata, told)]
    return made


def _names_of(info: FieldInfo, name: str, place: tuple[str, str, int]) -> tuple[str, ...]:
    """The names under which a parameter is sent: its alias, or itself."""
    alias = info.validation_alias or info.alias or name
    names = alias.choices if isinstance(alias, AliasChoices) else [alias]
    if not all(isinstance(item, str) for item in names):
        raise unusable(place, f"{name}: a parameter cannot have an AliasPath; use a model for it")
    return tuple(str(item) for item in names)


def resolve_annotation(annotation: Any, function: Callable[..., Any]) -> Any:
    """An annotation written as text, in whole or in part, against the module that it stands in."""
    inner = inspect.unwrap(function)
    namespace = vars(sys.modules[inner.__module__]) if not hasattr(inner, "__globals__") else inner.__globals__
    holder = types.SimpleNamespace(__annotations__={"it": annotation})
    try:
        return typing.get_type_hints(holder, namespace, include_extras=True)["it"]
    except NameError:
        owner = namespace.get(inner.__qualname__.partition(".")[0])
        inside = dict(vars(owner)) if isinstance(owner, type) else {}
        return typing.get_type_hints(holder, namespace, inside, include_extras=True)["it"]


def unusable(place: tuple[str, str, int], reason: str) -> LibraryError:
    """The error for a parameter that cannot be used; `place` is the method, its file and line."""
    method, path, line = place
    return LibraryError(f"{path}, line {line}: {method} has a parameter that cannot be used. {reason}", path, line)


def _shape(item: inspect.Parameter, annotation: Any) -> Shape:
    if item.kind is item.VAR_POSITIONAL:
        return "rest"
    if item.kind is item.VAR_KEYWORD:
        return "others"
    plain = annotation in _PLAIN_PARAMS or typing.get_origin(annotation) in _PLAIN_PARAMS
    if annotation is Params or (item.name == "params" and plain):
        return "params"
    return shape_of(annotation)


def shape_of(annotation: Any) -> Shape:
    """What a value of an annotation is made of."""
    shapes = {_shape_of_one(member) for member in members(annotation)}
    for shape in ("files", "file", "record", "list"):
        if shape in shapes:
            return typing.cast(Shape, shape)
    return "value"


def members(annotation: Any) -> Iterator[Any]:
    """The members of a union, None left out; of anything else itself, without Annotated and aliases."""
    if isinstance(annotation, TypeAliasType) or type(annotation).__name__ == "TypeAliasType":
        yield from members(annotation.__value__)
    elif isinstance(annotation, typing.NewType):
        yield from members(annotation.__supertype__)
    elif typing.get_origin(annotation) is typing.Annotated:
        yield from members(typing.get_args(annotation)[0])
    elif typing.get_origin(annotation) in (typing.Union, types.UnionType):
        for member in typing.get_args(annotation):
            yield from members(member)
    elif isinstance(annotation, type) and issubclass(annotation, RootModel) and annotation is not RootModel:
        yield from members(annotation.model_fields["root"].annotation)
    elif annotation is not types.NoneType:
        yield annotation


def _shape_of_one(annotation: Any) -> Shape:
    base = typing.get_origin(annotation) or annotation
    if not isinstance(base, type):
        return "value"
    if issubclass(base, FileStorage):
        return "file"
    if is_record_type(base):
        return "record"
    if issubclass(base, collections.abc.Collection) and not issubclass(base, str | bytes | bytearray):
        arguments = [item for argument in typing.get_args(annotation) for item in members(argument)]
        return (
            "files"
            if any(isinstance(item, type) and issubclass(item, FileStorage) for item in arguments)
            else "list"
        )
    return "value"


def is_record_type(base: Any) -> bool:
    """Whether a type is filled name by name: a model, a dataclass, a TypedDict, a named tuple, a dict."""
    if not isinstance(base, type):
        return False
    return (
        issubclass(base, BaseModel | collections.abc.Mapping)
        or dataclasses.is_dataclass(base)
        or is_typeddict(base)
        or (issubclass(base, tuple) and hasattr(base, "_fields"))
    )
