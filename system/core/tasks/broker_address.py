"""The address of RabbitMQ: the setting brokerUrl, read and checked once."""

from __future__ import annotations

import re
from urllib.parse import urlsplit

from ..errors import SettingsError

_HOST = re.compile(r"[\w.:-]+")


def split_broker_url(url: str) -> list[str]:
    """The URL of each host of `amqp://user:password@host1,host2:5673/vhost`, for Celery. Raises SettingsError."""
    scheme, _, rest = url.partition("://")
    login, at, places = rest.rpartition("@")
    hosts, slash, vhost = places.partition("/")
    shown = f"{scheme}://{'***@' if login else ''}{places}"
    if scheme.lower() not in ("amqp", "amqps"):
        raise SettingsError(f"brokerUrl = {shown!r} cannot be used: it must begin with amqp:// or amqps://.")
    urls = [f"{scheme.lower()}://{login}{at}{host}{slash}{vhost}" for host in hosts.split(",")]
    for made in urls:
        try:
            named = _HOST.fullmatch(urlsplit(made).hostname or "") and urlsplit(made).port != 0
        except ValueError:
            named = False
        if not named:
            raise SettingsError(
                f"brokerUrl = {shown!r} cannot be used: write host or host:port, several with commas."
            )
    return urls
