"""One installed site: its options and the paths of its files."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import Any

from .errors import DeployError

DEFAULT_NAME = "kernkoa"
# characters that systemd, nginx and uWSGI accept without quotes
PLAIN_PATH = re.compile(r"/[A-Za-z0-9._/+-]*")


@dataclass(frozen=True)
class Site:
    """The options of `sh setup.sh`, and the paths derived from them.

    Paths are those of the running machine; `at` converts one for --root.
    """

    clone: Path
    name: str = DEFAULT_NAME
    user: str = ""
    domain: str = ""
    port: int = 80
    base: str = ""
    processes: int = 0
    redis: bool = True
    frozen: bool = False
    certificate: str = ""
    wheel: bool = True
    root: Path = Path("/")

    # --- names ---

    @property
    def slug(self) -> str:
        """The name of the site's files and user; a second site on a machine needs another one."""
        return DEFAULT_NAME if self.name == DEFAULT_NAME else f"{DEFAULT_NAME}-{self.name}"

    @property
    def suffix(self) -> str:
        return "" if self.name == DEFAULT_NAME else f"-{self.name}"

    @property
    def owner(self) -> str:
        return self.user or self.slug

    @property
    def emperor(self) -> str:
        return f"emperor.uwsgi{self.suffix}.service"

    @property
    def worker(self) -> str:
        return f"{self.slug}-worker.service"

    @property
    def beat(self) -> str:
        return f"{self.slug}-beat.service"

    @property
    def units(self) -> tuple[str, str, str]:
        return (self.emperor, self.worker, self.beat)

    # --- paths ---

    @property
    def venv(self) -> Path:
        return self.clone / "venv3"

    @property
    def python(self) -> Path:
        return self.venv / "bin/python3"

    @property
    def has_python(self) -> bool:
        """Whether the virtual environment exists."""
        return os.access(self.python, os.X_OK)

    @property
    def state(self) -> Path:
        return Path("/var/lib") / self.slug

    @property
    def var(self) -> Path:
        return self.state / "var"

    @property
    def current(self) -> Path:
        return self.state / "current"

    @property
    def run(self) -> Path:
        return Path("/run") / self.slug

    @property
    def vassals(self) -> Path:
        return Path(f"/etc/uwsgi/vassals{self.suffix}")

    @property
    def vassal(self) -> Path:
        return self.vassals / f"{self.slug}_uwsgi.ini"

    @property
    def emperor_ini(self) -> Path:
        return Path(f"/etc/uwsgi/emperor{self.suffix}.ini")

    @property
    def environment_file(self) -> Path:
        return Path("/etc/default") / self.slug

    @property
    def nginx_site(self) -> Path:
        return Path("/etc/nginx/sites-available") / self.slug

    @property
    def nginx_link(self) -> Path:
        return Path("/etc/nginx/sites-enabled") / self.slug

    @property
    def uwsgi_log(self) -> Path:
        return Path("/var/log/uwsgi") / f"{self.slug}_uwsgi.log"

    @property
    def worker_log(self) -> Path:
        return Path("/var/log/celery") / f"celery{self.suffix}.log"

    @property
    def beat_log(self) -> Path:
        return Path("/var/log/celery") / f"beat{self.suffix}.log"

    @property
    def logs(self) -> tuple[Path, ...]:
        nginx = Path("/var/log/nginx")
        kinds = (nginx / f"{self.slug}_access.log", nginx / f"{self.slug}_error.log")
        return (self.uwsgi_log, self.worker_log, self.beat_log, *kinds)

    def unit_file(self, unit: str) -> Path:
        return Path("/etc/systemd/system") / unit

    def at(self, path: Path) -> Path:
        """The real path of a path of the machine: under --root if that is given."""
        return self.root / path.relative_to("/")

    # --- settings for the kernel ---

    @property
    def overrides(self) -> dict[str, str]:
        """The environment of every process of the site, in addition to config.py."""
        found = {"KERNKOA_NAME": self.name} if self.name != DEFAULT_NAME else {}
        if self.base:
            found["KERNKOA_BASE"] = self.base
        if self.redis:
            found["KERNKOA_REDIS_URL"] = "redis://127.0.0.1:6379/0"
        if self.domain:
            found["KERNKOA_HOSTS"] = self.domain
        if self.frozen:
            found["KERNKOA_LIVE_SECONDS"] = "off"
        return found

    def certificate_files(self) -> tuple[Path, Path] | None:
        """The certificate of the domain and its key, if there are any."""
        folder = Path(self.certificate or f"/etc/letsencrypt/live/{self.domain}")
        files = (folder / "fullchain.pem", folder / "privkey.pem")
        if self.domain and all(self.at(file).is_file() for file in files):
            return files
        return None

    def address(self, base: str) -> str:
        """The site's URL, for messages."""
        secure = self.certificate_files() is not None
        port = "" if self.port == 80 or secure else f":{self.port}"
        return f"{'https' if secure else 'http'}://{self.domain or 'localhost'}{port}{base}/"


@dataclass(frozen=True)
class Facts:
    """The settings of config.py and the environment that an installation needs."""

    base: str
    images: Path
    static: Path
    upload_bytes: int
    redis_url: str
    controllers: Path = Path("catalog/controller")


def check_options(site: Site) -> None:
    """Raises DeployError for an option that would break a configuration file."""
    rules = {
        "--name": (site.name, r"[a-z][a-z0-9-]{0,20}", "small letters, digits and hyphens"),
        "--user": (site.owner, r"[a-z_][a-z0-9_-]{0,31}", "the name of a system user"),
        "--domain": (site.domain, r"([A-Za-z0-9-]+\.)*[A-Za-z0-9-]*", "a host name such as www.example.org"),
        "--base": (site.base, r"(/[A-Za-z0-9_.~-]+)*", "a path such as /shop, with no slash at its end"),
    }
    for option, (value, pattern, meaning) in rules.items():
        if not re.fullmatch(pattern, value):
            raise DeployError(f"{option} {value!r} cannot be used: it should be {meaning}.")
    if not 0 < site.port < 65536:
        raise DeployError(f"--port {site.port} cannot be used: it should be 1 to 65535.")
    for path in (site.clone, Path(site.certificate or "/")):
        if not PLAIN_PATH.fullmatch(str(path)):
            raise DeployError(
                f"The folder {path} cannot be used: nginx, uWSGI and systemd need letters, digits, . _ + and -. "
                "Move it, for example to /srv/kernkoa."
            )


def recall(clone: Path, root: Path, name: str | None) -> Site:
    """The site that was installed from this clone, or a new one with the defaults."""
    for file in sorted((root / "var/lib").glob(f"{DEFAULT_NAME}*/site.json")):
        saved: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
        if saved["clone"] == str(clone) and name in (None, saved["name"]):
            known = {field.name for field in fields(Site)}
            options = {key: value for key, value in saved.items() if key in known}
            return Site(**{**options, "clone": clone, "root": root})
    return Site(clone=clone, name=name or DEFAULT_NAME, root=root)


def remembered(site: Site) -> str:
    """Save the options for the next run."""
    options = {key: value for key, value in asdict(site).items() if key != "root"}
    return json.dumps(options, indent=1, default=str) + "\n"


def changed(site: Site, options: Mapping[str, Any]) -> Site:
    """The site with the options of this run."""
    return replace(site, **{key: value for key, value in options.items() if value is not None})
