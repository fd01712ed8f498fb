"""Start-up: `init_app(app)` of each addon in config.addons, then `startup(app)` of catalog/startup.py.

Both run once in a process, before its first request: this is the place of Flask extensions, blueprints, error
handlers and template filters. They are not live: a change takes effect when the process starts again.
"""

from __future__ import annotations

import importlib
import os
import sys
import traceback
import types
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ..catalog.tree import Catalog
from ..errors import KernKoaError, LibraryError, SettingsError
from ..spelling import did_you_mean
from .application import KernKoa

STARTUP = "catalog/startup.py"


def start(app: KernKoa) -> None:
    """Set up the app of a site; a second call does nothing.

    Raises SettingsError, with file and line, for an addon that is not there and for every error in user code.
    """
    if app.is_started:
        return
    app.is_started = True  # before it runs: the file may import kernkoa, which calls this again
    for name in dict.fromkeys(app.settings.addons):
        _add(app, name)
    file = app.settings.folder(STARTUP)
    if os.path.lexists(file):
        _run(app, file)


def _add(app: KernKoa, name: str) -> None:
    with _explained(f"{app.catalog.roots['addon'].path}/{name}"):
        addon = _import_addon(app.catalog, name)
        if not hasattr(addon, "init_app"):
            raise SettingsError(
                f"{addon.__file__} has no function init_app(app), so config.addons cannot name it."
            )
        app.ensure_sync(addon.init_app)(app)


def _import_addon(catalog: Catalog, name: str) -> types.ModuleType:
    root, now = catalog.roots["addon"], catalog.now()
    if root.has_package(name):
        return importlib.import_module(f"{root.name}.{name}")
    root.refresh(now)
    if name in root.libraries:
        return root.libraries[name].current(now).module
    inside = os.listdir(root.path) if os.path.isdir(root.path) else ()
    near = did_you_mean(name, [*root.libraries, *filter(root.has_package, inside)])
    raise SettingsError(
        f"config.addons names {name!r}, but {root.path} has no {name}.py and no package {name}.{near}"
    )


def _run(app: KernKoa, file: Path) -> None:
    """Compiled here, not imported: a cached .pyc can be stale after two edits in one second."""
    module = types.ModuleType("catalog.startup")
    module.__file__ = str(file)
    with _explained(str(file)):
        code = compile(file.read_bytes(), str(file), "exec", dont_inherit=True)
        sys.modules[module.__name__] = module
        exec(code, vars(module))  # noqa: S102 - a file of the site
        if not callable(vars(module).get("startup")):
            raise SettingsError(f"{file} has no function startup(app). Write: def startup(app): ...")
        app.ensure_sync(vars(module)["startup"])(app)


@contextmanager
def _explained(path: str) -> Iterator[None]:
    """Raises a SettingsError with place and reason for any exception of the code at a path."""
    try:
        yield
    except SettingsError:
        raise
    except (Exception, SystemExit) as error:
        origin = (isinstance(error, LibraryError) and error.__cause__) or error
        raise SettingsError(f"{_place_of(origin, path)}: {_reason_of(origin)}") from error


def _place_of(error: BaseException, path: str) -> str:
    if isinstance(error, SyntaxError) and error.filename and error.filename.startswith(path):
        return f"{error.filename}, line {error.lineno}"
    frames = traceback.extract_tb(error.__traceback__)
    own = next((frame for frame in reversed(frames) if frame.filename.startswith(path)), None)
    return f"{own.filename}, line {own.lineno}" if own else path


def _reason_of(error: BaseException) -> str:
    if isinstance(error, ModuleNotFoundError) and error.name:
        package = error.name.partition(".")[0]
        install = f"{sys.executable} -m pip install {package}"
        return f"{error}. Install its package ({install}) and add it to requirements.txt."
    return error.detail if isinstance(error, KernKoaError) else f"{type(error).__name__}: {error}"
