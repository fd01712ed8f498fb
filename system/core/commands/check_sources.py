"""Names in a library that do not exist: templates, models, tasks, URLs, forms, queues; lost imports."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator
from typing import Any

from jinja2 import TemplateNotFound

from ..catalog.library import Library
from ..catalog.source import parse
from ..catalog.star_import import find_replaced
from ..catalog.tree import PACKAGES
from ..dispatch.routing import match
from ..dispatch.walk import resolve
from ..errors import LibraryError, LoadError, NotFound
from ..tasks.queues import QUEUE
from ..web.application import KernKoa
from ..web.forms import find_form
from ..web.urls import NAME, find_path

Fault = tuple[int, str]
NO_QUEUE = "there is no queue {}: add it to queues in config.py"


def check_source(app: KernKoa, library: Library, face: frozenset[str]) -> Iterator[Fault]:
    """Line and description of each fault. `face` are the names of `from kernkoa import *`."""
    tree = parse(library.path)
    if tree is None:
        return
    for line, name, star in find_replaced(tree, face):
        yield line, f"from kernkoa import * in line {star} replaces {name}: import it below that line"
    if not any(isinstance(node, ast.ImportFrom) and node.module == "kernkoa" for node in tree.body):
        return  # its load, redirect and so on are not kernkoa's
    calls = _Calls(app, library)
    for owner, node in _nodes(tree):
        if isinstance(node, ast.Call):
            what = calls.check(node, owner)
            if what:
                yield node.lineno, what


def _nodes(tree: ast.Module) -> Iterator[tuple[str, ast.AST]]:
    """Every node, with the name of the class of the top level that it is in."""
    for node in tree.body:
        owner = node.name if isinstance(node, ast.ClassDef) else ""
        for inner in ast.walk(node):
            yield owner, inner


class _Calls:
    """Checks the calls of kernkoa's functions that have constants as arguments."""

    def __init__(self, app: KernKoa, library: Library) -> None:
        self._app = app
        self._library = library

    def check(self, node: ast.Call, owner: str) -> str:
        """What is wrong with a call in the class `owner`; empty if nothing is."""
        function = node.func
        if isinstance(function, ast.Attribute) and getattr(function.value, "id", "") == "load":
            return self._load(function.attr, node)
        name = function.id if isinstance(function, ast.Name) else ""
        if name == "exeTask":
            return self._task(node, owner)
        if name == "allow":
            return self._form(node, owner)
        return self._named(name, node) if name in _NAMED else ""

    def _named(self, function: str, node: ast.Call) -> str:
        name = _text(node.args[0]) if node.args else None
        has_values = any(item.arg not in ("code", "Response", "location", None) for item in node.keywords)
        if name is None or (function == "redirect" and not has_values):  # else the argument is a URL
            return ""
        exists, fault = _NAMED[function]
        return "" if exists(self._app, name) else fault.format(name)

    def _load(self, kind: str, node: ast.Call) -> str:
        place: Any = [_text(argument) for argument in node.args[:2]]
        folder = [_text(keyword.value) for keyword in node.keywords if keyword.arg == "folder"]
        kind = "print" if kind == "printFormat" else kind
        if not place or None in (*place, *folder) or kind not in PACKAGES:
            return ""
        try:
            if kind == "addon":
                self._app.load.addon(*place)
            else:
                self._app.load.find(kind, *place, *folder)
        except LoadError as error:
            return error.detail
        except (LibraryError, TypeError):  # reported where it is
            return ""
        return ""

    def _task(self, node: ast.Call, owner: str) -> str:
        name = _text(node.args[1]) if len(node.args) > 1 else None
        is_own = name and "/" not in name and getattr(node.args[0], "id", "") == "self"
        path = f"{self._library.place}/{owner}/{name}" if is_own else name
        wrong = next((_text(item.value) for item in node.keywords if item.arg == "queue"), None)
        if wrong is not None and not _has_queue(self._app, wrong):
            return NO_QUEUE.format(wrong)
        if path is None or "/" not in path:
            return ""
        try:
            route = match("/" + path.strip("/"))
            found = resolve(self._app.catalog, route, self._app.catalog.now(), tasks=True)
        except NotFound as error:
            return f"exeTask finds no task method {name}: {error.reason}"
        except LibraryError:
            return ""
        is_task = found.endpoint.outline.is_task and not found.arguments
        reason = "a task method has a parameter celery_instance"
        return "" if is_task else f"exeTask finds no task method {name}: {reason}"

    def _form(self, node: ast.Call, owner: str) -> str:
        name = next((_text(keyword.value) for keyword in node.keywords if keyword.arg == "form"), None)
        if not name:
            return ""
        try:
            find_form(self._app.catalog, f"{self._library.place}/{owner}", name)
        except NotFound as error:
            return f"@allow finds no method {name} that shows the form: {error.reason}"
        except LibraryError:
            return ""
        return ""


def has_url(app: KernKoa, name: str) -> bool:
    """Whether url_for can build the URL of an endpoint or path."""
    is_endpoint = name in app.view_functions or name in ("static", "dispatch") or name.startswith(".")
    return is_endpoint or (
        NAME.fullmatch(name.lstrip("/")) is not None and find_path(app.catalog, name) is not None
    )


def has_template(app: KernKoa, name: str) -> bool:
    """Whether there is a file of this name among the templates."""
    try:
        template_source(app, name)
    except TemplateNotFound:
        return False
    except UnicodeDecodeError:
        return True
    return True


def template_source(app: KernKoa, name: str) -> str:
    """The text of a template. Raises TemplateNotFound, and UnicodeDecodeError for a file that is not text."""
    loader: Any = app.jinja_env.loader
    return str(loader.get_source(app.jinja_env, name)[0])


def _has_queue(app: KernKoa, name: str) -> bool:
    return name in (QUEUE, *app.settings.queues)


# the functions whose first argument is a name: whether it exists, and the fault if it does not
_NAMED: dict[str, tuple[Callable[[KernKoa, str], bool], str]] = {
    "render_template": (has_template, "there is no template {}"),
    "stream_template": (has_template, "there is no template {}"),
    "url_for": (has_url, "url_for finds no method {}"),
    "redirect": (has_url, "redirect finds no method {}"),
    "queue": (_has_queue, NO_QUEUE),
}


def _text(node: ast.expr) -> str | None:
    return node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else None
