"""The URLs of the kernel that the guard of the catalogue's root protects too."""

from __future__ import annotations

from flask import Response

from ..catalog.tree import Catalog
from ..dispatch.calling import ask_hooks
from ..dispatch.hooks import folder_hooks
from ..dispatch.request import KernelRequest
from ..settings import Settings

GUARDED = frozenset({"images", "pdf", "pdfs", "static", "status"})


def ask_root_guard(request: KernelRequest, catalog: Catalog, settings: Settings) -> Response | None:
    """The response of the `before` of catalog/controller/_folder.py to a request for a file or a task's status.

    None if it admits the request or there is no guard. Raises what the guard raises, and FolderClosed where it
    cannot be read.
    """
    if request.path.split("/", 2)[1] not in GUARDED:
        return None
    root = catalog.roots["controller"]
    root.refresh(catalog.now())
    hooks = folder_hooks(root)
    return ask_hooks(object(), [hooks], request.params(settings)) if "before" in hooks else None
