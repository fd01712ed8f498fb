"""Routes and endpoints: the text of a path, and the classes and methods that a path may name.

`match` is pure: text in, a route out. Text of a URL is only ever looked up in the catalogue's index, never joined
onto a path, imported or passed to getattr.
"""

from __future__ import annotations

import inspect
import types
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from ..catalog.execution import Version
from ..catalog.folder import Folder
from ..catalog.library import Library
from ..catalog.outline import HOOKS, TASK_PARAMETER, ClassOutline, MethodOutline
from ..errors import NotFound, RequestError
from .signature import Signature, read_signature

MAX_PATH = 8192
MAX_SEGMENTS = 100
# the first segments that the kernel reserves, and what each answers
RESERVED = {
    "status": "answers the status of a task: /status/<id>",
    "images": "answers the files of the folder imagePath",
    "pdf": "answers a file of the folder pdfPath: /pdf?pdf=<path>",
    "pdfs": "answers the files of the folder pdfPath",
    "static": "answers the files of the folder static",
    "favicon.ico": "answers favicon.ico of the folder imagePath",
    "_koa": "answers the kernel's own pages: the explorer is at /_koa/, the tasks at /_koa/tasks",
}


@dataclass(slots=True)
class Endpoint:
    """A method that answers routes, and how it is called. Made once for each version of its library."""

    library: Library
    controller: type
    function: types.FunctionType
    outline: MethodOutline
    verbs: frozenset[str]
    signature: Signature
    folders: tuple[Folder, ...]
    origins: tuple[str, ...] = ()  # of its @allow
    binding: Any = field(default=None)
    rule: Any = field(default=None)
    own_hooks: Any = field(default=None)

    @property
    def name(self) -> str:
        """library/Class/method, with the folders before it: shop/orders/Orders/show."""
        return f"{self.library.place}/{self.controller.__name__}/{self.outline.name}"

    @property
    def takes_files(self) -> bool:
        """Whether its signature asks for files, or the code of an untyped method uses the name `files`."""
        if any(parameter.shape in ("file", "files") for parameter in self.signature.parameters):
            return True
        return self.signature.style != "typed" and "files" in inspect.unwrap(self.function).__code__.co_names


def kept_names(root: Folder) -> Iterator[tuple[str, str]]:
    """The folders and libraries of the root that no URL reaches, as their name is reserved: name and path."""
    for name in sorted({*RESERVED} & {*root.folders, *root.libraries}):
        yield name, (root.folders.get(name) or root.libraries[name]).path


# RFC 3986, section 5.2.4: clients resolve these before they send a path
_DOTS = frozenset({"", ".", ".."})


def match(path: str) -> tuple[str, ...]:
    """The segments of a decoded path such as /shop/orders/Orders/show/42; one slash at its end is ignored.

    Raises NotFound for a path that no method can have: too long, an empty segment, dots, a NUL, a reserved name.
    """
    if "\ufffd" in path:  # Werkzeug's character for bytes that are not UTF-8
        raise RequestError("The path is not UTF-8 text. Encode it as UTF-8.")
    if len(path) > MAX_PATH or "\0" in path:
        raise NotFound("The path is too long or has a NUL in it")
    inner = path.removeprefix("/").removesuffix("/")
    if not inner:
        if len(path) > 1:
            raise NotFound("The path has an empty segment")
        return ()
    segments = tuple(inner.split("/"))
    if not _DOTS.isdisjoint(segments) or len(segments) > MAX_SEGMENTS:
        raise NotFound("The path has an empty segment, one of dots, or too many of them")
    if segments[0] in RESERVED:
        raise NotFound(f"Nothing has this address: /{segments[0]} {RESERVED[segments[0]]}")
    return segments


def find_class(version: Version, name: str) -> tuple[type, ClassOutline] | None:
    """A class written at the top level of the library's own file, by name."""
    outline = version.outline.classes.get(name)
    controller = vars(version.module).get(name)
    if outline is None or not isinstance(controller, type) or controller.__module__ != version.module.__name__:
        return None
    return controller, outline


def find_method(
    version: Version, controller: type, outline: ClassOutline, name: str
) -> tuple[Any, MethodOutline] | None:
    """A plain function in the class's own body, or an inherited one that is exposed where it is written."""
    own = outline.methods.get(name)
    if own is not None:
        function = vars(controller).get(name)
        reachable = isinstance(function, types.FunctionType) and (own.is_task or not own.hidden)
        return (function, own) if reachable else None
    if name in vars(controller):
        return None
    return next(_exposed(version, controller, name), None)


def _exposed(version: Version, controller: type, name: str) -> Iterator[tuple[Any, MethodOutline]]:
    for base in controller.__mro__[1:]:
        function = vars(base).get(name)
        if function is None:
            continue
        if isinstance(function, types.FunctionType) and getattr(function, "koa_exposed", False):
            outline = _outline_of(function, name)
            if not outline.hidden:
                yield function, outline
        return


def _outline_of(function: types.FunctionType, name: str) -> MethodOutline:
    """The outline of an inherited method: it is written in another class, perhaps in another file."""
    doc = inspect.getdoc(function) or ""
    signature = inspect.signature(function)
    return MethodOutline(
        name=name,
        line=function.__code__.co_firstlineno,
        doc=doc,
        signature=", ".join(map(str, signature.parameters.values())),
        decorators=(),
        is_task=TASK_PARAMETER in signature.parameters,
        hidden="is a hook" if name in HOOKS else "",
    )


def make_endpoint(
    library: Library, version: Version, name: str, method: str, folders: tuple[Folder, ...]
) -> Endpoint | None:
    """The endpoint of a method; None where the class has no such method that a URL may name."""
    found = find_class(version, name) if method else None
    if found is None:
        return None
    controller, class_outline = found
    reached = find_method(version, controller, class_outline, method)
    if reached is None:
        return None
    function, outline = reached
    verbs = getattr(function, "koa_verbs", None) or frozenset(outline.verbs or library.policy.plain_verbs)
    signature = read_signature(function, outline.signature)
    origins = getattr(function, "koa_origins", ())
    return Endpoint(library, controller, function, outline, complete_verbs(verbs), signature, folders, origins)


def complete_verbs(verbs: frozenset[str]) -> frozenset[str]:
    """The verbs that a method answers which is allowed these.

    RFC 9110, sections 9.3.2 and 9.3.7: HEAD goes with GET, OPTIONS is always answered.
    """
    return verbs | {"OPTIONS"} | ({"HEAD"} if "GET" in verbs else frozenset())
