"""Makes docs/reference.md from the code: python docs/reference.py. tests/test_docs.py checks that it is up to date."""

from __future__ import annotations

import inspect
import re
import sys
import types
import typing
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

import click

import system.core.dispatch.decorators as decorators
from system.core.catalog.loader import Loader
from system.core.checked import kinds_of
from system.core.commands.cli import main as commands
from system.core.database.connection import Database
from system.core.dispatch.params import Params
from system.core.settings import INTERNAL, SPELLED, Settings
from system.core.tasks.progress import Reporter
from system.core.tasks.submission import Tasks

PARTS: dict[str, tuple[str, Any, tuple[str, ...]]] = {
    "Params": (
        "`params` of a method: a dict of what the client sent. See [parameters](parameters.md#params).",
        Params,
        (),
    ),
    "load": (
        "Instances and objects of the catalogue's files, as they are now. See [models](models-and-views.md).",
        Loader,
        (),
    ),
    "dbs[name]": ("A database of the settings. See [databases](databases.md).", Database, ()),
    "exeTask": ("Starts a task. See [tasks](tasks.md).", Tasks, ("exeTask",)),
    "celery_instance": (
        "What a task method reports with. See [tasks](tasks.md#in-the-worker).",
        Reporter,
        ("progress", "update_state", "retry"),
    ),
}
DECORATORS = ("allow", "background", "cron", "every", "expose", "queue", "retry")


def make() -> str:
    """The page, as Markdown."""
    lines = [
        "# Reference",
        "",
        "Made from the code by `python docs/reference.py`: change the docstrings there, not this page.",
    ]
    for title, (intro, owner, names) in PARTS.items():
        lines += ["", f"## {title}", "", intro, "", *_members(owner, names)]
    lines += ["", "## Decorators", "", *(_entry(name, getattr(decorators, name)) for name in DECORATORS)]
    lines += ["", "## Settings", "", "See [settings](settings.md) for what they mean.", "", *_settings()]
    lines += ["", "## Commands", "", "After `python kernkoa.py`. See [commands](commands.md).", "", *_commands()]
    return "\n".join(lines) + "\n"


def _members(owner: type, names: tuple[str, ...]) -> Iterator[str]:
    """The public methods and properties that a class itself defines."""
    for name in names or vars(owner):
        member = inspect.unwrap(vars(owner)[name]) if callable(vars(owner)[name]) else vars(owner)[name]
        if isinstance(member, property):
            member = member.fget
        if not name.startswith("_") and inspect.isfunction(member) and member.__doc__:
            is_property = isinstance(vars(owner)[name], property)
            yield _entry(name, member, is_property)


def _entry(name: str, function: Callable[..., Any], is_property: bool = False) -> str:
    signature = "" if is_property else _signature(function)
    text = " ".join(inspect.cleandoc(function.__doc__ or "").split("\n\n")[0].split())
    return f"- `{name}{signature}`: {text}"


class _Written(str):
    """An annotation as it is written in the source, without quotes."""

    __slots__ = ()
    __repr__ = str.__str__


def _signature(function: Callable[..., Any]) -> str:
    """The parameters, without self and without the return type."""
    found = inspect.signature(function)
    parameters = [
        value.replace(
            annotation=_Written(value.annotation) if isinstance(value.annotation, str) else value.annotation
        )
        for key, value in found.parameters.items()
        if key != "self"
    ]
    text = str(found.replace(parameters=parameters, return_annotation=inspect.Signature.empty))
    return re.sub(r"<class '(\w+)'>", r"\1", text)


def _settings() -> Iterator[str]:
    yield "| setting | variable | type | default |"
    yield "|---|---|---|---|"
    defaults = vars(Settings())
    for field, kind in kinds_of(Settings).items():
        name = SPELLED.get(field, field)
        if name in INTERNAL:
            continue
        shown = "config.py's folder" if name == "path" else f"`{defaults[field]!r}`"
        if name == "libs":
            shown = "the folders of `catalog/`"
        variable = "KERNKOA_" + re.sub(r"(?<=[a-z])(?=[A-Z])", "_", name).upper()
        yield f"| `{name}` | `{variable}` | `{_type(kind)}` | {shown} |"


def _type(kind: Any) -> str:
    """An annotation without its rules."""
    origin, arguments = typing.get_origin(kind), typing.get_args(kind)
    if origin is typing.Annotated:
        return _type(arguments[0])
    if origin in (typing.Union, types.UnionType):
        return " or ".join(map(_type, arguments))
    if origin is typing.Literal:
        return " or ".join(map(repr, arguments))
    if origin is None:
        return "None" if kind is types.NoneType else str(getattr(kind, "__name__", kind))
    name = {Sequence: "list", Mapping: "dict"}[origin]
    return f"{name}[{', '.join(map(_type, arguments))}]"


def _commands() -> Iterator[str]:
    context = click.Context(commands, info_name="python kernkoa.py")
    lazy = {"tasks": commands.get_command(context, "tasks")}
    for name, command in sorted({**commands.commands, **lazy}.items()):
        usage = " ".join(command.collect_usage_pieces(click.Context(command, info_name=name, parent=context)))
        text = " ".join(inspect.cleandoc(command.help or "").split("\n\n")[0].split())
        yield f"- `{name} {usage}`: {text}"
        for option in command.params:
            if isinstance(option, click.Option) and option.help:
                yield f"  - `{', '.join(option.opts)}`: {option.help}"


if __name__ == "__main__":
    (ROOT / "docs" / "reference.md").write_text(make(), encoding="utf-8")
