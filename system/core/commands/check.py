"""`python kernkoa.py check`: find what would fail at request time."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from flask import Flask
from jinja2 import Environment, TemplateError, TemplateNotFound, TemplateSyntaxError, meta

from ..catalog.library import Library
from ..catalog.tree import Catalog
from ..dispatch.routing import kept_names
from ..errors import LibraryError
from ..settings import Settings


@dataclass(frozen=True, slots=True, order=True)
class Finding:
    """One fault: the file, the line (0 for the whole file) and a description."""

    path: str
    line: int
    what: str

    def __str__(self) -> str:
        return f"{self.path}:{self.line}: {self.what}" if self.line else f"{self.path}: {self.what}"


def check_site(app: Flask, catalog: Catalog, settings: Settings) -> list[Finding]:
    """Load every library and compile every template; returns all faults, sorted by file."""
    with _quiet():
        findings = {*_check_libraries(catalog), *_check_names(catalog)}
    own = settings.folder(settings.templatePath)
    for name in app.jinja_env.list_templates():
        if (own / name).is_file():
            findings |= {Finding(str(own / name), line, what) for line, what in _faults_of(app.jinja_env, name)}
    return sorted(findings)


@contextmanager
def _quiet() -> Iterator[None]:
    """Silence the catalogue's log: the findings report the same errors."""
    logger = logging.getLogger("kernkoa.catalog")
    before, logger.disabled = logger.disabled, True
    try:
        yield
    finally:
        logger.disabled = before


def _check_libraries(catalog: Catalog) -> Iterator[Finding]:
    for kind in catalog.roots:
        for library in catalog.libraries(kind, catalog.now(), hidden=True):
            error = _error_of(library)
            if error is not None:
                said = error.detail.rpartition(f"{error.path}, line {error.line}: ")[2]
                yield Finding(error.path or library.path, error.line, said)
            elif kind == "controller":
                yield from _check_methods(library)


def _error_of(library: Library) -> LibraryError | None:
    """The error of the file as it is on disk, even if an older version still serves."""
    try:
        library.current(library.policy.now())
    except LibraryError as error:
        return error
    return library.error


def _check_methods(library: Library) -> Iterator[Finding]:
    assert library.version is not None  # noqa: S101 - it has loaded
    for controller in library.version.outline.classes.values():
        for method in controller.methods.values():
            if "self" in method.hidden or "async" in method.hidden:
                yield Finding(library.path, method.line, f"{controller.name}.{method.name} {method.hidden}")


def _check_names(catalog: Catalog) -> Iterator[Finding]:
    root = catalog.roots["controller"]
    for name, path in kept_names(root):
        yield Finding(path, 0, f"not reachable: the name {name} is reserved")


def _faults_of(environment: Environment, name: str) -> Iterator[tuple[int, str]]:
    """Line and description of each fault of a template: syntax errors and missing templates."""
    try:
        source = environment.loader.get_source(environment, name)[0] if environment.loader else ""
        tree = environment.parse(source, name)
        environment.compile(tree, name)
    except UnicodeDecodeError:
        return  # a binary file in the template folder
    except TemplateSyntaxError as error:
        yield error.lineno, f"{type(error).__name__}: {error.message}"
        return
    except TemplateError as error:
        yield 0, f"{type(error).__name__}: {error}"
        return
    for needed in meta.find_referenced_templates(tree):
        if needed is not None and not _is_there(environment, needed):
            line = next((number for number, text in enumerate(source.splitlines(), 1) if needed in text), 0)
            yield line, f"there is no template {needed}"


def _is_there(environment: Environment, name: str) -> bool:
    try:
        if environment.loader is not None:
            environment.loader.get_source(environment, name)
    except TemplateNotFound:
        return False
    except UnicodeDecodeError:
        return True
    return True
