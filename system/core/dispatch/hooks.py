"""The hooks around a method: `before` and `after` of its folders, its class and the method itself."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..catalog.folder import Folder
from .routing import Endpoint

# the functions by name: "before", "after"
Hooks = Mapping[str, Any]

_NAMES = ("before", "after")


def read_hooks(endpoint: Endpoint) -> list[Hooks]:
    """The hooks of an endpoint: those of its folders, outermost first, of its class, then of the method."""
    if endpoint.own_hooks is None:
        guards = ({"before": guard} for guard in getattr(endpoint.function, "koa_before", ()))
        endpoint.own_hooks = list(filter(None, (class_hooks(endpoint.controller), *guards)))
    own: list[Hooks] = endpoint.own_hooks
    for folder in endpoint.folders:
        if folder.is_guarded:
            return [*(hooks for folder in endpoint.folders if (hooks := folder_hooks(folder))), *own]
    return own


def folder_hooks(folder: Folder) -> Hooks:
    """The functions of a folder's _folder.py; empty without that file.

    Raises FolderClosed for one that cannot be read.
    """
    guard = folder.guard()
    return vars(guard) if guard is not None else {}


def class_hooks(controller: type) -> Hooks:
    """The hooks of a class, inherited ones too; empty where it has none."""
    return {name: getattr(controller, name) for name in _NAMES if hasattr(controller, name)}
