"""What an edit looks like when a tool makes it: no time stamp, half a file or an empty one hides it."""

from __future__ import annotations

import os
import shutil
import threading
import time
from pathlib import Path
from typing import Any

import pytest


def source(answer: str) -> str:
    return f"class Lib:\n    def index(self):\n        return {answer!r}\n" + "# the end of the file\n" * 20


def copy_with_times(file: Path, text: str) -> None:
    """As `rsync --times` does: written aside with the old time stamp, then renamed."""
    aside = file.with_suffix(".tmp")
    aside.write_text(text)
    shutil.copystat(file, aside)
    aside.replace(file)


def write_and_touch(file: Path, text: str) -> None:
    """As `touch -r` does: written in place, the time stamp put back."""
    status = file.stat()
    file.write_text(text)
    os.utime(file, ns=(status.st_atime_ns, status.st_mtime_ns))


@pytest.mark.parametrize("edit", [copy_with_times, write_and_touch])
@pytest.mark.parametrize("days", [0, 30])
def test_an_edit_that_keeps_size_and_time_stamp_is_seen(site: Any, edit: Any, days: int) -> None:
    file = site.write("lib.py", source("one"))
    stamp = time.time() - days * 86400
    os.utime(file, (stamp, stamp))
    client = site.client()
    assert client.get("/lib").text == "one"
    edit(file, source("two"))
    assert client.get("/lib").text == "two"


def test_a_folder_whose_time_stamp_is_put_back_is_read_again(site: Any) -> None:
    site.write("shop/lib.py", source("one"))
    folder = site.controllers / "shop"
    os.utime(folder, (1e9, 1e9))
    client = site.client()
    assert client.get("/shop/lib").text == "one"
    (folder / "other.py").write_text(source("other"))
    os.utime(folder, (1e9, 1e9))
    assert client.get("/shop/other/Lib").text == "other"


def test_a_list_of_schedules_sees_an_edit_that_keeps_its_stamp(site: Any) -> None:
    from system.core.tasks.schedules import list_schedules

    text = "from kernkoa import *\nclass Lib:\n    @every('{0}m')\n    def run(self, celery_instance=None): pass\n"
    file = site.write("lib.py", text.format(5))
    catalog = site.app().catalog
    assert [one.when for one in list_schedules(catalog)] == ["5m"]
    write_and_touch(file, text.format(7))
    assert [one.when for one in list_schedules(catalog)] == ["7m"]


def ask_while(client: Any, write: Any) -> list[str]:
    """What is answered while a file is being written."""
    writer = threading.Thread(target=write)
    writer.start()
    said = []
    while writer.is_alive():
        response = client.get("/lib")
        said.append(response.text if response.status_code == 200 else str(response.status_code))
    writer.join()
    return said


SETTINGS = [{"development": True}, {}, {"liveSeconds": 0.05}, {"liveSeconds": 1}]
WRITERS = {
    "emptied first": lambda file, text, pause: (file.write_text(""), time.sleep(pause), file.write_text(text)),
    "white space first": lambda file, text, pause: (
        file.write_text("\n\n"),
        time.sleep(pause),
        file.write_text(text),
    ),
    "in two halves": lambda file, text, pause: write_in_pieces(file, text, 2, pause),
    "in four pieces": lambda file, text, pause: write_in_pieces(file, text, 4, pause / 3),
}


def write_in_pieces(file: Path, text: str, pieces: int, pause: float) -> None:
    size = len(text) // pieces + 1
    with open(file, "w") as stream:
        for start in range(0, len(text), size):
            stream.write(text[start : start + size])
            stream.flush()
            time.sleep(pause)


@pytest.mark.parametrize("writer", WRITERS)
@pytest.mark.parametrize("settings", SETTINGS, ids=str)
def test_a_file_that_is_written_in_steps_is_served_whole(site: Any, writer: str, settings: dict[str, Any]) -> None:
    file = site.write("lib.py", source("old"))
    client = site.client(**settings)
    assert client.get("/lib").text == "old"
    said = ask_while(client, lambda: WRITERS[writer](file, source("new"), 0.2))
    assert set(said) <= {"old", "new"}
    deadline = time.monotonic() + 5
    while client.get("/lib").text != "new":
        assert time.monotonic() < deadline


@pytest.mark.parametrize("settings", SETTINGS, ids=str)
@pytest.mark.parametrize("is_new", [True, False], ids=["new", "edited"])
def test_a_file_cut_at_the_end_of_a_line_is_not_taken_for_the_whole(
    site: Any, settings: dict[str, Any], is_new: bool
) -> None:
    lines = source("{0}").splitlines(keepends=True)
    text = "".join([*lines[:3], "    word = 'cut'\n", *lines[3:], "Lib.index = lambda self: '{0}'\n"])
    file = site.controllers / "lib.py"
    if not is_new:
        file.write_text(text.replace("{0}", "old"))
    client = site.client(**settings)
    assert client.get("/lib").status_code == (404 if is_new else 200)
    written = text.replace("{0}", "new").replace("return 'new'", "return 'half'")
    cut = written.rindex("Lib.index")
    begun = threading.Event()

    def write() -> None:
        with open(file, "w") as stream:
            for piece in (written[:cut], written[cut:]):
                stream.write(piece)
                stream.flush()
                begun.set()
                time.sleep(0.4)

    writer = threading.Thread(target=write)
    writer.start()
    begun.wait()
    said = []
    while writer.is_alive() or said[-1] != "new":
        said.append(client.get("/lib").text)
        assert len(said) < 100_000
    writer.join()
    assert "half" not in said
    assert is_new or set(said) <= {"old", "new"}


def test_an_editor_that_saves_while_files_are_read_is_not_disturbed(site: Any) -> None:
    file = site.write("lib.py", source("0"))
    client = site.client(development=True)
    ended = threading.Event()

    def save() -> None:
        for number in range(300):
            descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)  # waits for no lease
            os.write(descriptor, source(str(number)).encode())
            os.close(descriptor)
        ended.set()

    writer = threading.Thread(target=save)
    writer.start()
    while not ended.is_set():
        assert client.get("/lib").status_code == 200
    writer.join()
    assert client.get("/lib").text == "299"


def test_a_file_that_stays_empty_answers_nothing_in_the_end(site: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("system.core.catalog.live_file.EMPTY_SECONDS", 0.3)
    file = site.write("lib.py", source("old"))
    client = site.client()
    assert client.get("/lib").text == "old"
    file.write_text("")
    assert client.get("/lib").text == "old"
    deadline = time.monotonic() + 5
    while client.get("/lib").status_code != 404:
        assert time.monotonic() < deadline


def test_a_look_that_must_be_later_is_later_than_any_other(site: Any) -> None:
    """As a worker looks: what the sender of a task saw is there, however often was looked a moment ago."""
    file = site.write("lib.py", source("0"))
    catalog = site.app(liveSeconds=3600).catalog
    library = catalog.find("catalog.controller.lib", catalog.now())
    for number in range(1, 6):
        file.write_text(source(str(number)))
        time.sleep(0.02)
        version = library.current(catalog.policy.after_every_look())
        assert version.module.Lib().index() == str(number)
    file.write_text(source("later"))
    assert library.current(catalog.now()).module.Lib().index() == "5"
    site.write("fresh.py", source("fresh"))
    assert catalog.find("catalog.controller.fresh", catalog.policy.after_every_look()) is not None


def test_a_process_whose_file_broke_takes_the_version_that_another_process_loaded_since(site: Any) -> None:
    file = site.write("lib.py", source("one"))
    first, second = site.client(), site.client()
    assert first.get("/lib").text == "one"
    assert second.get("/lib").text == "one"
    time.sleep(0.02)
    file.write_text(source("two"))
    assert second.get("/lib").text == "two"
    file.write_text("class Lib(:\n" + "# no end\n" * 60)
    assert first.get("/lib").text == "two"
