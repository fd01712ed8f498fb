"""The addon `auth`: users, sessions, API keys and guards. Enabled with `config.addons = ["auth"]`."""

from __future__ import annotations

from typing import Any

from system.core.errors import SettingsError

try:
    from .attempts import Auth
    from .commands import users
    from .guards import login, require
    from .identity import current_user, may_use
    from .link_pages import blueprint as link_pages
    from .links import find_mailer
    from .pages import blueprint
    from .retention import read_retention
    from .store import Store
    from .throttle import LINK_LIMITS, Throttle
except ImportError as error:
    if error.name != "argon2":
        raise
    raise SettingsError(
        "The addon auth needs argon2-cffi. Install it: venv3/bin/pip install argon2-cffi"
    ) from error

__all__ = ["current_user", "init_app", "login", "require"]


def init_app(app: Any) -> None:
    """Add the pages, the commands and `current_user` in templates. The first request opens the database."""
    settings = app.settings
    database = getattr(settings, "authDatabase", settings.defaultDatabase)
    if database not in app.dbs:
        raise SettingsError(f"config.py: authDatabase = {database!r} is not one of the databases")
    find_mailer(settings)
    store, redis = Store(app.dbs[database], read_retention(settings)), app.tasks.redis
    throttle = Throttle(f"{settings.name}:auth:", redis)
    link_throttle = Throttle(f"{settings.name}:auth-links:", redis, LINK_LIMITS)
    secret_throttle = Throttle(f"{settings.name}:auth-secrets:", redis)
    app.extensions["auth"] = Auth(store, throttle, link_throttle, secret_throttle)
    app.extensions["auth.require"] = require
    app.extensions["auth.may_use"] = may_use
    app.register_blueprint(blueprint)
    app.register_blueprint(link_pages)
    app.cli.add_command(users)
    app.context_processor(lambda: {"current_user": current_user})
