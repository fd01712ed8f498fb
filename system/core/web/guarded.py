"""The URLs of the kernel that the guard of the catalogue's root protects too."""

from __future__ import annotations

from flask import Response

from ..catalog.tree import Catalog
from ..dispatch.coroutines import finish
from ..dispatch.hooks import folder_hooks
from ..dispatch.request import KernelRequest
from ..dispatch.responses import respond
from ..settings import Settings

GUARDED = frozenset({"images", "pdf", "pdfs", "static", "status"})


class RootGuard:
    """The `before` of catalog/controller/_folder.py, asked for files and for the status of tasks."""

    def __init__(self, catalog: Catalog, settings: Settings) -> None:
        self._catalog = catalog
        self._settings = settings

    def refuse(self, request: KernelRequest) -> Response | None:
        """The response of the guard; None if it admits the request or there is no guard.

        Raises what the guard raises, and FolderClosed where it cannot be read.
        """
        if request.path.split("/", 2)[1] not in GUARDED:
            return None
        root = self._catalog.roots["controller"]
        root.refresh(self._catalog.now())
        before = folder_hooks(root).get("before")
        answer = finish(before(self, request.params(self._settings))) if before else None
        return None if answer is None else respond(answer)
