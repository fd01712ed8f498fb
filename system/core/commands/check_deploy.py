"""`python kernkoa.py check --deploy`: settings that are fine on your own machine and unsafe on the internet."""

from __future__ import annotations

from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

from ..catalog.folder import GUARD
from ..explorer.access import PUBLIC
from ..explorer.listing import Listing
from ..settings import Settings
from ..web.application import KernKoa

SHORTEST_KEY = 32
FEWEST_CHARACTERS = 5


def check_deploy(app: KernKoa, config_file: Path) -> Iterator[str]:
    """A sentence for each setting to think about before clients can reach the site."""
    settings = app.settings
    yield from _check_origin(settings)
    yield from _check_protection(settings)
    yield from _check_addons(settings)
    if _has_readable_password(settings, config_file):
        yield (
            f"databases: {config_file} holds a password and every user can read it. "
            "Put the setting into KERNKOA_DATABASES, or run: chmod 640 config.py"
        )
    if not settings.redisUrl and _has_tasks(app):
        yield "redisUrl: the site has tasks, and the embedded server runs in development only. Set redisUrl."


def _check_origin(settings: Settings) -> Iterator[str]:
    if not settings.hosts:
        yield (
            "hosts: every Host header is accepted, and links follow it. Name the site's hosts, "
            "such as ['example.com']."
        )
    if not settings.site_url.startswith("https://"):
        yield "url: it does not begin with https://, so cookies are not Secure. Get a certificate, then set it."
    elif not settings.hstsSeconds:
        yield (
            "hstsSeconds: browsers may come by http first. Once https works for good, set it to 31536000 (a year)."
        )
    if "*" in settings.origins:
        yield "origins: '*' lets the pages of every other site use this one. Name the sites that may."


def _check_protection(settings: Settings) -> Iterator[str]:
    keys = filter(None, (settings.secretKey, *settings.secretKeys))
    if any(len(key) < SHORTEST_KEY or len(set(key)) < FEWEST_CHARACTERS for key in keys):
        yield (
            "secretKey: a key is short or simple, and could be guessed. "
            f"Use {SHORTEST_KEY} random characters or more."
        )
    guard = settings.folder(settings.libs["controller"]) / f"{GUARD}.py"
    if settings.explorer is True and not guard.exists():
        yield f"explorer: it is closed, as there is no guard {guard}. Write one, or name a role of auth."
    if settings.explorer == PUBLIC:
        yield "explorer: everyone may read it, and start, see and cancel tasks. Name a role of auth instead."
    if not any(name.lower() == "content-security-policy" for name in settings.headers):
        yield "headers: no Content-Security-Policy limits what an injected script can do on the site's pages."


def _check_addons(settings: Settings) -> Iterator[str]:
    if "limits" not in settings.addons:
        yield "limits: the addon is off, so a client may log in, post and start tasks as often as nginx lets it."
    elif not settings.redisUrl:
        yield "limits: the addon counts in Redis, and there is none: set redisUrl."
    elif find_spec("flask_limiter") is None:
        yield "limits: the addon does nothing without its package: venv3/bin/pip install Flask-Limiter"
    if "auth" in settings.addons and not settings.redisUrl:
        yield "auth: the addon counts guesses in Redis, and without one logins answer 503: set redisUrl."


def _has_readable_password(settings: Settings, config_file: Path) -> bool:
    """Whether config.py holds a database's password in plain text and other users may read the file."""
    try:
        text, mode = config_file.read_text(encoding="utf-8"), config_file.stat().st_mode
    except OSError:
        return False
    passwords = [str(entry["password"]) for entry in settings.databases.values() if entry.get("password")]
    return bool(mode & 0o004) and any(password in text for password in passwords)


def _has_tasks(app: KernKoa) -> bool:
    listing = Listing(app.catalog, app.settings.home)
    return any(method.is_task for library in listing.walk(app.catalog.now()) for method in library.methods)
