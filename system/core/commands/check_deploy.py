"""`python kernkoa.py check --deploy`: settings that are fine on your own machine and unsafe on the internet."""

from __future__ import annotations

from collections.abc import Callable, Iterator
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
    for name, rule in _RULES.items():
        advice = rule(settings)
        if advice:
            yield f"{name}: {advice}"
    if _has_readable_password(settings, config_file):
        yield (
            f"databases: {config_file} holds a password and every user can read it. "
            "Put the setting into KERNKOA_DATABASES, or run: chmod 640 config.py"
        )
    if not settings.redisUrl and _has_tasks(app):
        yield "redisUrl: the site has tasks, and the embedded server runs in development only. Set redisUrl."


def _check_hosts(settings: Settings) -> str:
    if settings.hosts:
        return ""
    return "every Host header is accepted, and links follow it. Name the site's hosts, such as ['example.com']."


def _check_url(settings: Settings) -> str:
    if settings.site_url.startswith("https://"):
        return ""
    return "it does not begin with https://, so cookies are not Secure. Get a certificate, then set it."


def _check_hsts(settings: Settings) -> str:
    if settings.hstsSeconds or not settings.site_url.startswith("https://"):
        return ""
    return "browsers may come by http first. Once https works for good, set it to 31536000 (a year)."


def _check_keys(settings: Settings) -> str:
    for key in filter(None, (settings.secretKey, *settings.secretKeys)):
        if len(key) < SHORTEST_KEY or len(set(key)) < FEWEST_CHARACTERS:
            return f"a key is short or simple, and could be guessed. Use {SHORTEST_KEY} random characters or more."
    return ""


def _check_origins(settings: Settings) -> str:
    if "*" not in settings.origins:
        return ""
    return "'*' lets the pages of every other site use this one. Name the sites that may."


def _check_explorer(settings: Settings) -> str:
    guard = settings.folder(settings.libs["controller"]) / f"{GUARD}.py"
    if settings.explorer is True and not guard.exists():
        return f"it is closed to everyone, as there is no guard {guard}. Write one, or name a role of auth."
    return "everyone may read it. Name a role of the addon auth instead." if settings.explorer == PUBLIC else ""


def _check_limits(settings: Settings) -> str:
    if "limits" not in settings.addons:
        return "the addon limits is off, so a client may log in, post and start tasks as often as nginx lets it."
    if not settings.redisUrl:
        return "the addon limits counts in Redis, and there is none: set redisUrl."
    if find_spec("flask_limiter") is None:
        return "the addon limits does nothing without its package: venv3/bin/pip install Flask-Limiter"
    return ""


def _check_auth(settings: Settings) -> str:
    if "auth" not in settings.addons or settings.redisUrl:
        return ""
    return "the addon auth counts guesses in Redis, and without one logins answer 503: set redisUrl."


def _check_headers(settings: Settings) -> str:
    if any(name.lower() == "content-security-policy" for name in settings.headers):
        return ""
    return "the site's pages have no Content-Security-Policy, which limits what an injected script can do."


_RULES: dict[str, Callable[[Settings], str]] = {
    "hosts": _check_hosts,
    "url": _check_url,
    "hstsSeconds": _check_hsts,
    "secretKey": _check_keys,
    "origins": _check_origins,
    "explorer": _check_explorer,
    "headers": _check_headers,
    "limits": _check_limits,
    "auth": _check_auth,
}


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
