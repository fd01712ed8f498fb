"""Which style a method has, and what may fill its parameters."""

from __future__ import annotations

import functools
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any, Literal, NamedTuple, NewType, Optional

import pytest
from pydantic import BaseModel
from werkzeug.datastructures import FileStorage

from system.core.dispatch.params import Params
from system.core.dispatch.signature import read_signature, shape_of
from system.core.errors import LibraryError


class Model(BaseModel):
    x: int


class Pair(NamedTuple):
    a: int
    b: int


Number = NewType("Number", int)


def passing(function: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(function)
    def wrapper(*args: Any, **kwargs: Any) -> Any:
        return function(*args, **kwargs)

    return wrapper


class Methods:
    def nothing(self): ...
    def params(self, params): ...
    def params_none(self, params=None): ...
    def params_dict(self, params: dict[str, Any]): ...
    def params_model(self, params: Model): ...
    def other_name(self, p: Params): ...
    def values(self, a: int, b: str = "", *, c: int = 0): ...
    def rest(self, *parts: str): ...
    def task(self, celery_instance=None, params=None): ...
    def typed_task(self, celery_instance, a: int): ...
    def mixed(self, photo: FileStorage, item: Model, tags: list[str], params: Params, id: int): ...

    @passing
    def wrapped(self, a: int): ...

    def broken(self, a: "Nowhere"): ...  # noqa: F821, UP037


@pytest.mark.parametrize(
    ("name", "style", "positional"),
    [
        ("nothing", "nothing", 0),
        ("params", "params", 0),
        ("params_none", "params", 0),
        ("params_dict", "params", 0),
        ("params_model", "typed", 0),
        ("other_name", "typed", 0),
        ("values", "typed", 2),
        ("rest", "typed", None),
        ("task", "params", 0),
        ("typed_task", "typed", 1),
        ("mixed", "typed", 1),
        ("wrapped", "typed", 1),
    ],
)
def test_the_style_and_how_many_segments_it_takes(name: str, style: str, positional: int | None) -> None:
    signature = read_signature(getattr(Methods, name))
    assert (signature.style, signature.positional) == (style, positional)


@pytest.mark.parametrize(
    ("annotation", "shape"),
    [
        (int, "value"),
        (Optional[int], "value"),  # noqa: UP045
        (str | bytes, "value"),
        (Literal["a"], "value"),
        (Number, "value"),
        (list, "list"),
        (list[int] | None, "list"),
        (tuple[int, ...], "list"),
        (frozenset[str], "list"),
        (Annotated[list[int], "x"], "list"),
        (dict, "record"),
        (dict[str, int], "record"),
        (Model, "record"),
        (Model | None, "record"),
        (Pair, "record"),
        (list[Model], "list"),
        (FileStorage, "file"),
        (FileStorage | None, "file"),
        (list[FileStorage], "files"),
    ],
)
def test_the_shape_of_an_annotation(annotation: Any, shape: str) -> None:
    assert shape_of(annotation) == shape


def test_an_annotation_that_names_nothing_is_told_with_its_place() -> None:
    with pytest.raises(LibraryError, match=r"Methods\.broken.*Nowhere") as caught:
        read_signature(Methods.broken)
    assert caught.value.path == str(Path(__file__))
    assert caught.value.line > 0
