"""The files of an installation: the shipped templates with the values of one site."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

from .site import Facts, Site

HERE = Path(__file__).parent
BROTLI = Path("/etc/nginx/modules-enabled/50-mod-http-brotli-static.conf")


def rendered(site: Site, facts: Facts) -> dict[Path, tuple[str, int]]:
    """Every file that an installation writes: path, content and mode."""
    values = _values(site, facts.images, facts.static)
    files = {
        Path("/etc/tmpfiles.d") / f"{site.slug}.conf": (HERE / "kernkoa.tmpfiles", 0o644),
        site.environment_file: (HERE / "kernkoa.default", 0o640),
        Path("/etc/logrotate.d") / site.slug: (HERE / "kernkoa.logrotate", 0o644),
        site.emperor_ini: (HERE / "emperor.ini", 0o644),
        site.unit_file(site.emperor): (HERE / "emperor.uwsgi.service", 0o644),
        site.unit_file(site.worker): (HERE / "kernkoa-worker.service", 0o644),
        site.unit_file(site.beat): (HERE / "kernkoa-beat.service", 0o644),
    }
    texts = {
        path: (replaced(file.read_text(encoding="utf-8"), values), mode) for path, (file, mode) in files.items()
    }
    if not site.wheel:
        text, mode = texts[site.emperor_ini]
        texts[site.emperor_ini] = (text.partition("; pyuwsgi only")[0], mode)
    texts[site.vassal] = (render_uwsgi(site), 0o644)
    texts[site.nginx_site] = (render_nginx(site, facts), 0o644)
    return texts


def render_uwsgi(site: Site) -> str:
    """kernkoa_uwsgi.ini for this site."""
    shipped = (site.clone / "kernkoa_uwsgi.ini").read_text(encoding="utf-8")
    text = replaced(shipped, _values(site, site.clone / "images", site.clone / "static"))
    if site.processes:
        text = re.sub(r"(?m)^processes = .*$", f"processes = {site.processes}", text)
    return text


def render_nginx(site: Site, facts: Facts) -> str:
    """kernkoa_nginx.conf for this site."""
    shipped = (site.clone / "kernkoa_nginx.conf").read_text(encoding="utf-8")
    text = replaced(shipped, _values(site, facts.images, facts.static))
    text = text.replace(f"{site.current}/catalog/controller", str(site.current / facts.controllers))
    # with a domain it is one of several sites; without one it serves every host name of this port
    default = "" if site.domain else " default_server"
    for address in ("", "[::]:"):
        text = text.replace(f"listen {address}80 default_server;", f"listen {address}{site.port}{default};")
    text = text.replace("server_name localhost;", f"server_name {site.domain or 'localhost'};")
    for folder in ("images", "static"):
        text = text.replace(f"location /{folder}/ {{", f"location {facts.base}/{folder}/ {{")
    text = text.replace("client_max_body_size 76m;", f"client_max_body_size {facts.upload_bytes // 2**20 + 2}m;")
    certificate = site.certificate_files()
    if certificate:
        text = text.replace("/etc/kernkoa/fullchain.pem", str(certificate[0]))
        text = text.replace("/etc/kernkoa/privkey.pem", str(certificate[1])).replace("#tls ", "")
    if BROTLI.exists():
        text = text.replace("#brotli ", "")
    if not Path("/proc/net/if_inet6").exists():
        text = re.sub(r"(?m)^\s*(#tls )?listen \[::\].*\n", "", text)
    return text


def replaced(text: str, values: Mapping[str, str]) -> str:
    """The text with each key replaced by its value, in one pass: a value is never replaced again."""
    keys = sorted(values, key=len, reverse=True)
    return re.sub("|".join(map(re.escape, keys)), lambda match: values[match[0]], text)


def _values(site: Site, images: Path, static: Path) -> dict[str, str]:
    """Each value in the shipped files, for /usr/local/kernkoa, and its replacement for this site."""
    variable = site.slug.replace("-", "_")
    settings = " ".join(f'"{name}={value}"' for name, value in site.overrides.items())
    return {
        "/usr/local/kernkoa/venv3": str(site.venv),
        "/usr/local/kernkoa/images": str(images),
        "/usr/local/kernkoa/static": str(static),
        "/usr/local/kernkoa/pdfs": str(site.clone / "pdfs"),
        "/usr/local/kernkoa": str(site.current),
        "/var/lib/kernkoa/": f"{site.state}/",
        "/run/kernkoa/": f"{site.run}/",
        "RuntimeDirectory=kernkoa": f"RuntimeDirectory={site.slug}",
        "/var/log/uwsgi/kernkoa_uwsgi.log": str(site.uwsgi_log),
        "/var/log/celery/celery.log": str(site.worker_log),
        "/var/log/celery/beat.log": str(site.beat_log),
        "/etc/uwsgi/vassals": str(site.vassals),
        "/etc/uwsgi/emperor.ini": str(site.emperor_ini),
        "/etc/default/kernkoa": str(site.environment_file),
        "User=kernkoa": f"User={site.owner}",
        "Group=kernkoa": f"Group={site.owner}",
        "kernkoa:www-data": f"{site.owner}:www-data",
        " kernkoa kernkoa": f" {site.owner} {site.owner}",
        " kernkoa adm": f" {site.owner} adm",
        "emperor.uwsgi kernkoa-worker kernkoa-beat": " ".join(site.units),
        "Environment=KERNKOA_SETTINGS=": f"Environment={settings}",
        "/var/log/nginx/kernkoa_": f"/var/log/nginx/{site.slug}_",
        "$kernkoa_": f"${variable}_",
        "kernkoa_workers": f"{variable}_workers",
        "kernkoa_line": f"{variable}_line",
        "zone=kernkoa": f"zone={site.slug}",
        "limit_conn kernkoa": f"limit_conn {site.slug}",
        "shared:kernkoa_tls": f"shared:{variable}_tls",
    }
