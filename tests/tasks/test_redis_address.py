"""redisUrl: every way to write it, every part of it kept, a wrong one refused without its password."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from system.core.errors import SettingsError
from system.core.settings import Settings
from system.core.tasks.redis_address import parse_address, read_address


@pytest.mark.parametrize(
    ("url", "kind", "options"),
    [
        ("redis://host", "tcp", {"host": "host", "port": 6379, "db": 0}),
        ("REDIS://host:6380/3", "tcp", {"host": "host", "port": 6380, "db": 3}),
        ("valkey://host/1", "tcp", {"host": "host", "port": 6379, "db": 1}),
        ("redis://", "tcp", {"host": "127.0.0.1", "port": 6379, "db": 0}),
        ("redis://[::1]:6380/0", "tcp", {"host": "::1", "port": 6380, "db": 0}),
        ("redis://[fe80::1%25eth0]/", "tcp", {"host": "fe80::1%eth0", "port": 6379, "db": 0}),
        ("redis://h//", "tcp", {"host": "h", "port": 6379, "db": 0}),
        ("redis://h?virtual_host=/4", "tcp", {"host": "h", "port": 6379, "db": 4}),
        ("redis://h?password=p@w", "tcp", {"host": "h", "port": 6379, "db": 0, "password": "p@w"}),
        ("redis://:p%40w@h/2", "tcp", {"host": "h", "port": 6379, "db": 2, "password": "p@w"}),
        ("redis://ann:p/w@h", "tcp", {"host": "h", "port": 6379, "db": 0, "username": "ann", "password": "p/w"}),
        (
            "redis://h?db=4&password=pw&username=u",
            "tcp",
            {"host": "h", "port": 6379, "db": 4} | {"password": "pw"} | {"username": "u"},
        ),
        ("unix:///run/r.sock?db=2", "socket", {"path": "/run/r.sock", "db": 2}),
        ("redis+socket:///r.sock?virtual_host=2", "socket", {"path": "/r.sock", "db": 2}),
        ("unix://:pw@/run/r.sock", "socket", {"path": "/run/r.sock", "db": 0, "password": "pw"}),
        ("unix:///run/r.sock?password=pw", "socket", {"path": "/run/r.sock", "db": 0, "password": "pw"}),
        (
            "rediss://h/0?ssl_cert_reqs=CERT_NONE",
            "tls",
            {"host": "h", "port": 6379, "db": 0, "ssl_cert_reqs": "none"} | {"ssl_check_hostname": False},
        ),
        (
            "valkeys://h?ssl_cert_reqs=Required",
            "tls",
            {"host": "h", "port": 6379, "db": 0, "ssl_cert_reqs": "required"},
        ),
    ],
)
def test_each_spelling_of_an_address(url: str, kind: str, options: dict[str, Any]) -> None:
    found = parse_address(url)
    assert (found.kind, dict(found.options)) == (kind, options)


def test_every_part_of_an_address_over_sentinel() -> None:
    found = parse_address(
        "rediss+sentinel://ann:p%40w@a,b:26380/1?master=koa&sentinel_username=s&sentinel_password=t&ssl_cert_reqs=none"
    )
    assert found.sentinels == (("a", 26379), ("b", 26380))
    assert (found.kind, found.master) == ("tls", "koa")
    assert dict(found.options) == {
        "username": "ann",
        "password": "p@w",
        "db": 1,
        "ssl_cert_reqs": "none",
        "ssl_check_hostname": False,
    }
    assert dict(found.sentinel_options) == {
        "username": "s",
        "password": "t",
        "ssl_cert_reqs": "none",
        "ssl_check_hostname": False,
    }
    assert parse_address("sentinel://a").master == "mymaster"


def test_without_redis_url_it_is_the_embedded_server(tmp_path: Path) -> None:
    assert read_address(Settings(path=tmp_path)).options["path"] == f"{tmp_path}/var/redis.sock"


@pytest.mark.parametrize(
    ("url", "why"),
    [
        ("amqp://:s3cret@h", "must begin with"),
        ("redis://:s3cret@h:99999", "is not a host"),
        ("redis://:s3cret@h:port", "is not a host"),
        ("redis://:s3cret@h:\u0663", "is not a host"),
        ("redis://:s3cret@${HOST}/0", "is not a host"),
        ("sentinel://:s3cret@a,,b", "'' is not a host"),
        ("redis://ann:s3cret?x@h", "write ? and @ in a password as %3F and %40"),
        ("redis://ann:s3cret?x=1@h/2", "write ? and @ in a password as %3F and %40"),
        ("redis://:s3cret@h/zero", "'zero' is not the number of a database"),
        ("redis://:s3cret@h/99999999999", "'99999999999' is not the number of a database"),
        ("unix://:s3cret@/" + 100 * "a", "at most 100 bytes"),
        ("redis://:s3cret@h?db=-1", "'-1' is not the number of a database"),
        ("redis://:s3cret@a,b/0", "several hosts need Sentinel"),
        ("redis://:s3cret@h?master=x", "it has the option 'master'"),
        ("rediss://:s3cret@h?ssl_cert_reqs=maybe", "must be none, optional or required"),
        ("rediss://:s3cret@h?ssl_ca_certs=/nowhere.pem", "'/nowhere.pem' is not a file"),
        ("unix://:s3cret@run/r.sock", "with three slashes"),
    ],
)
def test_a_wrong_address_is_refused_without_its_password(url: str, why: str, tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="redisUrl") as refused:
        read_address(Settings(path=tmp_path, redisUrl=url))
    assert why in str(refused.value)
    assert "s3cret" not in str(refused.value)
