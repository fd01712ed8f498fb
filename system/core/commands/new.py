"""`python kernkoa.py new`: write a starter file for a controller or a model."""

from __future__ import annotations

import keyword
from pathlib import Path
from typing import Literal

import click

from ..catalog.folder import is_name
from ..development.remedies import class_name
from ..dispatch.routing import RESERVED
from ..settings import Settings
from .test import FOLDER

CONTROLLER = '''from kernkoa import *


class {name}:
    """The methods below /{url}."""

    def index(self):
        """Answers /{url}."""
        return "{name} works."

    def show(self, number: int):
        """Answers /{url}/{name}/show/42."""
        return {{"number": number}}
'''
MODEL = '''from kernkoa import *


class {name}:
    """Used in a controller with {load}."""

    def list(self):
        """All of them."""
        return []
'''
TEST = """def test_{name}_answers(client):
    answer = client.get("/{url}")
    assert answer.status_code < 500
"""
Kind = Literal["controller", "model", "test"]


def write_starter(settings: Settings, kind: Kind, name: str) -> tuple[Path, str]:
    """Write the starter file for a name such as shop/orders; returns the file and the path of its URL.

    Raises click.ClickException for an invalid name, and if the file exists.
    """
    parts = name.removesuffix(".py").strip("/").split("/")
    for part in parts:
        _check(part)
    if kind == "controller" and parts[0] in RESERVED:
        raise click.ClickException(f"The name {parts[0]} is reserved by the kernel. Choose another.")
    path = _path_of(settings, kind, parts)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("x", encoding="utf-8") as file:
            file.write(_source(kind, parts))
    except FileExistsError as error:
        taken = Path(error.filename)
        raise click.ClickException(f"{taken} exists already; nothing was written.") from error
    except OSError as error:
        raise click.ClickException(f"{path} cannot be written: {error.strerror}") from error
    return path, "/".join(parts[:-1] if parts[-1] == "index" else parts)


def _path_of(settings: Settings, kind: Kind, parts: list[str]) -> Path:
    if kind == "test":
        return settings.folder(FOLDER).joinpath(*parts[:-1], f"test_{parts[-1]}.py")
    return settings.folder(settings.libs[kind]).joinpath(*parts).with_suffix(".py")


def _check(part: str) -> None:
    if not is_name(part) or part.startswith("_"):
        raise click.ClickException(
            f"{part!r} cannot be part of a URL: use a-z, A-Z, 0-9 and _, and do not begin with a digit or _."
        )
    if keyword.iskeyword(part):
        raise click.ClickException(f"{part!r} is a keyword of Python. Choose another name.")


def _source(kind: str, parts: list[str]) -> str:
    *folders, name = parts
    if kind == "controller":
        return CONTROLLER.format(name=class_name(name), url="/".join(parts))
    if kind == "test":
        return TEST.format(name=name, url="/".join(parts))
    place = f', "{"/".join(folders)}"' if folders else ""
    return MODEL.format(name=name, load=f'load.model("{name}"{place})')
