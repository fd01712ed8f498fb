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


@dataclass
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

    def __post_init__(self) -> None:
        # the names of the site's files and user; a second site on a machine needs others
        self.suffix = "" if self.name == DEFAULT_NAME else f"-{self.name}"
        self.slug = f"{DEFAULT_NAME}{self.suffix}"
        self.owner = self.user or self.slug
        self.emperor = f"emperor.uwsgi{self.suffix}.service"
        self.worker = f"{self.slug}-worker.service"
        self.beat = f"{self.slug}-beat.service"
        self.units = (self.emperor, self.worker, self.beat)
        self._set_paths()

    def _set_paths(self) -> None:
        self.venv = self.clone / "venv3"
        self.python = self.venv / "bin/python3"
        self.state = Path("/var/lib") / self.slug
        self.var = self.state / "var"
        self.current = self.state / "current"
        self.run = Path("/run") / self.slug
        self.vassals = Path(f"/etc/uwsgi/vassals{self.suffix}")
        self.vassal = self.vassals / f"{self.slug}_uwsgi.ini"
        self.emperor_ini = Path(f"/etc/uwsgi/emperor{self.suffix}.ini")
        self.environment_file = Path("/etc/default") / self.slug
        nginx = Path("/etc/nginx")
        self.nginx_site, self.nginx_link = (
            nginx / "sites-available" / self.slug,
            nginx / "sites-enabled" / self.slug,
        )
        logs = Path("/var/log")
        self.uwsgi_log = logs / "uwsgi" / f"{self.slug}_uwsgi.log"
        self.worker_log, self.beat_log = (
            logs / "celery" / f"{name}{self.suffix}.log" for name in ("celery", "beat")
        )
        of_nginx = [logs / "nginx" / f"{self.slug}_{kind}.log" for kind in ("access", "error")]
        self.logs = (self.uwsgi_log, self.worker_log, self.beat_log, *of_nginx)

    @property
    def has_python(self) -> bool:
        """Whether the virtual environment exists."""
        return os.access(self.python, os.X_OK)

    @property
    def packages(self) -> Path:
        """The folder of the installed packages. Raises DeployError if there is none."""
        for folder in self.venv.glob("lib/python3*/site-packages"):
            return folder
        raise DeployError(f"{self.venv} has no packages. Create it again: sudo sh setup.sh")

    def unit_file(self, unit: str) -> Path:
        return Path("/etc/systemd/system") / unit

    def at(self, path: Path) -> Path:
        """The real path of a path of the machine: under --root if that is given."""
        return self.root / path.relative_to("/")

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
