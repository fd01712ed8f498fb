"""var/loaded: only what this site signed, under this name, is used."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from system.core.catalog.last_good import LastGood

KEY, NAME, SOURCE = "a key of this site", "catalog.controller.lib", b"class Lib: ...\n"


@pytest.fixture
def kept(tmp_path: Path) -> Path:
    LastGood(tmp_path, KEY).keep(NAME, SOURCE)
    return tmp_path / f"{NAME}.py"


def read(kept: Path, key: str = KEY, since: float = 0) -> bytes | None:
    return LastGood(kept.parent, key).read(NAME, since)


def test_what_was_kept_is_read(kept: Path) -> None:
    assert read(kept) == SOURCE


FORGED = [
    b"",
    b"# \n" + SOURCE,
    SOURCE,
    b"#\n#\n" + SOURCE,
    b"# x.y.z\n" + SOURCE,
    b"# " + b"A" * 27 + b"\n" + SOURCE,
    b"# " + b"\xff" * 27 + b"\n" + SOURCE,
    b"# " + b"A" * 1_000_000 + b"\n" + SOURCE,
    b"\n" + SOURCE,
    b"\0" * 100,
]


@pytest.mark.parametrize("content", FORGED, ids=lambda content: repr(content[:12]))
def test_a_file_that_somebody_wrote_there_is_not_used(kept: Path, content: bytes) -> None:
    kept.write_bytes(content)
    assert read(kept) is None


CHANGES = [
    lambda signed: signed + b"\n",
    lambda signed: signed[:-1],
    lambda signed: signed.replace(b"Lib", b"Bad"),
    lambda signed: signed.replace(b"\n", b"\r\n"),
    lambda signed: signed.replace(b"\n", b"\n\n", 1),
    lambda signed: signed.replace(b"# ", b"", 1) + b" ",
    lambda signed: signed[:2] + signed[3:],
    lambda signed: signed[:4].swapcase() + signed[4:],
    lambda signed: signed + signed,
]


@pytest.mark.parametrize("number", range(len(CHANGES)))
def test_a_signed_file_that_somebody_changed_is_not_used(kept: Path, number: int) -> None:
    kept.write_bytes(CHANGES[number](kept.read_bytes()))
    assert read(kept) is None


@pytest.mark.parametrize("key", ["", "a key of this site ", "A key of this site", "another"])
def test_another_sites_signature_is_none(kept: Path, key: str) -> None:
    LastGood(kept.parent, key).keep(NAME, SOURCE)
    assert read(kept) is None
    assert read(kept, key) == SOURCE


@pytest.mark.parametrize(
    "name", ["catalog.controller.other", "catalog.model.lib", "catalog.controller.lib.py", ""]
)
def test_the_signature_holds_for_one_name(kept: Path, name: str) -> None:
    LastGood(kept.parent, KEY).keep(name, SOURCE)
    os.replace(kept.with_name(f"{name}.py"), kept)
    assert read(kept) is None


def test_an_older_version_is_not_used_for_a_file_that_was_edited_since(kept: Path) -> None:
    old = kept.read_bytes()
    edited = kept.stat().st_mtime + 10
    assert read(kept, since=edited) is None
    kept.write_bytes(old)
    os.utime(kept, (edited - 1, edited - 1))
    assert read(kept, since=edited) is None


@pytest.mark.parametrize("damage", ["folder", "nothing", "loop", "zero"])
def test_what_is_no_file_is_none(kept: Path, damage: str) -> None:
    kept.unlink()
    if damage == "folder":
        kept.mkdir()
    elif damage == "loop":
        kept.symlink_to(kept.name)
    elif damage == "zero":
        kept.symlink_to("/dev/null")
    assert read(kept) is None
