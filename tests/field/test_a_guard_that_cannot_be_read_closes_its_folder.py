"""A `_folder.py` that is there, or was there, and cannot be read closes its folder: 503, and a line in the log."""

from __future__ import annotations

import os
import shutil
import threading
import time
from pathlib import Path
from typing import Any

import pytest

GUARD = "def before(self, params):\n    if params.get('key') != 'open':\n        return 'closed', 403\n"
DESK = """
from kernkoa import allow

class Desk:
    def index(self): return "at the desk"

    @allow("POST")
    def save(self): return "saved"
"""


@pytest.fixture
def guard(site: Any) -> Path:
    site.write("office/desk.py", DESK)
    site.write("office/broken.py", "class Broken(\n")
    site.write("office/deep/desk.py", DESK)
    path: Path = site.write("office/_folder.py", GUARD)
    return path


def link_outside(path: Path) -> None:
    outside = path.parents[4] / "outside.py"
    outside.write_text("")
    path.unlink()
    path.symlink_to(outside)


def link_to_nothing(path: Path) -> None:
    path.unlink()
    path.symlink_to("nothing.py")


def link_to_itself(path: Path) -> None:
    path.unlink()
    path.symlink_to(path.name)


def link_to_a_folder(path: Path) -> None:
    path.unlink()
    path.symlink_to("deep")


def link_to_endless_bytes(path: Path) -> None:
    path.unlink()
    path.symlink_to("/dev/zero")


def make_pipe(path: Path) -> None:
    path.unlink()
    os.mkfifo(path)


def make_folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


def make_socket(path: Path) -> None:
    import socket

    path.unlink()
    place = os.getcwd()
    os.chdir(path.parent)  # the address of a socket may not be long
    try:
        with socket.socket(socket.AF_UNIX) as made:
            made.bind(path.name)
    finally:
        os.chdir(place)


def write_no_text(path: Path) -> None:
    path.write_bytes(b"\xff\xfe\0def before")


def rename_to_capitals(path: Path) -> None:
    path.rename(path.with_suffix(".PY"))


DAMAGES = [
    link_outside,
    link_to_nothing,
    link_to_itself,
    link_to_a_folder,
    link_to_endless_bytes,
    make_pipe,
    make_folder,
    make_socket,
    rename_to_capitals,
    Path.unlink,
]


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_guard_that_becomes_unreadable_closes_the_folder(
    site: Any, guard: Path, damage: Any, caplog: pytest.LogCaptureFixture
) -> None:
    client = site.client()
    assert client.get("/office/desk").status_code == 403
    assert client.get("/office/desk?key=open").text == "at the desk"
    damage(guard)
    for path in ("/office/desk?key=open", "/office/deep/desk", "/office/nothing", "/office/broken", "/office"):
        assert client.get(path).status_code == 503
    assert len([line for line in caplog.messages if f"{guard} cannot be read" in line]) == 1
    shutil.rmtree(guard) if guard.is_dir() and not guard.is_symlink() else guard.unlink(missing_ok=True)
    guard.write_text(GUARD)
    assert client.get("/office/desk?key=open").text == "at the desk"
    assert client.get("/office/desk").status_code == 403


@pytest.mark.parametrize("damage", DAMAGES[:-2])  # what is away was never there
def test_a_guard_that_was_never_readable_closes_the_folder(site: Any, guard: Path, damage: Any) -> None:
    damage(guard)
    assert site.client().get("/office/desk?key=open").status_code == 503


@pytest.mark.parametrize(
    "text", ["def before(self, params)\n", "1 / 0\n", "import nothing_of_this_name\n", "raise SystemExit\n"]
)
@pytest.mark.parametrize("development", [True, False])
def test_a_guard_that_does_not_load_closes_the_folder(
    site: Any, guard: Path, text: str, development: bool
) -> None:
    guard.write_text(text)
    client = site.client(development=development)
    assert client.get("/office/desk?key=open").status_code == 503
    guard.write_text(GUARD)
    assert client.get("/office/desk?key=open").text == "at the desk"


def test_a_guard_that_breaks_leaves_the_one_before_on_guard(site: Any, guard: Path) -> None:
    client = site.client()
    assert client.get("/office/desk").status_code == 403
    guard.write_text("def before(self, params)\n")
    assert client.get("/office/desk").status_code == 403
    assert client.get("/office/desk?key=open").text == "at the desk"


def test_an_emptied_guard_opens_the_folder_after_a_moment(
    site: Any, guard: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = site.client()
    assert client.get("/office/desk").status_code == 403
    guard.write_text("")
    assert client.get("/office/desk").status_code == 403
    monkeypatch.setattr("system.core.catalog.live_file.EMPTY_SECONDS", 0)
    assert client.get("/office/desk").text == "at the desk"


def test_a_removed_guard_keeps_the_folder_closed_in_processes_that_start_later_too(site: Any, guard: Path) -> None:
    assert site.client().get("/office/desk").status_code == 403
    guard.unlink()
    later = site.client()
    assert later.get("/office/desk?key=open").status_code == 503
    assert site.kernkoa("check").returncode == 1
    guard.write_text(GUARD)
    assert later.get("/office/desk?key=open").text == "at the desk"
    assert site.client().get("/office/desk").status_code == 403


def test_an_empty_guard_opens_the_folder_and_can_then_be_removed(site: Any, guard: Path) -> None:
    assert site.client().get("/office/desk").status_code == 403
    guard.write_text("")
    assert site.client().get("/office/desk").status_code == 503, "its content may come with the next write"
    old = time.time() - 60
    os.utime(guard, (old, old))
    assert site.client().get("/office/desk").text == "at the desk"
    guard.unlink()
    assert site.client().get("/office/desk").text == "at the desk"


def test_a_folder_that_is_taken_away_and_put_back_without_its_guard_stays_closed(site: Any, guard: Path) -> None:
    client = site.client()
    assert client.get("/office/desk").status_code == 403
    shutil.move(guard.parent, guard.parents[4] / "aside")
    assert client.get("/office/desk").status_code == 404
    site.write("office/desk.py", DESK)
    assert client.get("/office/desk").status_code == 503
    guard.write_text(GUARD)
    assert client.get("/office/desk").status_code == 403


def replace_by_removal(guard: Path) -> None:
    guard.unlink()
    guard.write_text(GUARD)


def replace_by_renaming(guard: Path) -> None:
    aside = guard.with_suffix(".new")
    aside.write_text(GUARD)
    aside.replace(guard)


def rewrite(guard: Path) -> None:
    guard.write_text(GUARD)


@pytest.mark.parametrize("replace", [replace_by_removal, replace_by_renaming, rewrite])
def test_no_request_passes_while_a_guard_is_replaced(site: Any, guard: Path, replace: Any) -> None:
    app = site.app()
    client = app.test_client()
    assert client.get("/office/desk").status_code == 403
    ended = threading.Event()

    def replace_again_and_again() -> None:
        for _ in range(200):
            replace(guard)
        ended.set()

    writer = threading.Thread(target=replace_again_and_again)
    writer.start()
    seen = set()
    while not ended.is_set():
        seen.add(client.get("/office/desk").status_code)
    writer.join()
    assert seen <= ({403, 503} if replace is replace_by_removal else {403})


@pytest.mark.parametrize("method", ["GET", "HEAD", "POST", "OPTIONS", "PUT", "DELETE"])
@pytest.mark.parametrize(
    "path", ["/office/desk", "/office/desk/save", "/office/desk/none", "/office/none", "/office/broken"]
)
@pytest.mark.parametrize("prefer", [{}, {"Prefer": "respond-async"}])
def test_nothing_is_told_of_what_is_behind_a_guard(
    site: Any, guard: Path, method: str, path: str, prefer: dict[str, str]
) -> None:
    response = site.client().open(path, method=method, headers=prefer)
    assert response.status_code == 403
    assert "Allow" not in response.headers


def test_behind_an_open_guard_all_is_as_without_one(site: Any, guard: Path) -> None:
    client = site.client()
    assert client.options("/office/desk/save?key=open").headers["Allow"] == "OPTIONS, POST"
    assert client.get("/office/desk/save?key=open").status_code == 405
    assert client.get("/office/none?key=open").status_code == 404
    assert client.get("/office/broken?key=open").status_code == 500


@pytest.mark.parametrize(("before", "status"), [(GUARD, 403), ("# open\n", 503), ("import os\n", 503)])
def test_a_guard_that_does_not_load_keeps_the_one_before_if_there_was_one(
    site: Any, guard: Path, before: str, status: int
) -> None:
    """The version that loaded last continues to serve, but not one that lets everyone in."""
    guard.write_text(before)
    app = site.app(liveSeconds=0)
    client = app.test_client()
    assert client.get("/office/desk").status_code == (403 if before == GUARD else 200)
    for broken in ("def before(self, params)\n", "raise OSError('no')\n", "import nothing_like_it\n"):
        guard.write_text(broken)
        assert client.get("/office/desk").status_code == status, broken
        assert site.app(liveSeconds=0).test_client().get("/office/desk").status_code == status, broken
    guard.write_text(GUARD)
    assert client.get("/office/desk").status_code == 403
    assert client.get("/office/desk?key=open").status_code == 200
