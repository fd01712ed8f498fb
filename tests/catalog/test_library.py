"""Live modules: what a client sees after a file was made, changed, broken, mended, renamed or removed."""

from __future__ import annotations

import logging
import os
import sys
import threading
import time
from pathlib import Path
from typing import Any

import pytest


def source(answer: str) -> str:
    return f"class Lib:\n    def index(self):\n        return {answer!r}\n"


def test_a_new_a_changed_and_a_removed_file_count_at_the_next_request(site: Any) -> None:
    client = site.client()
    assert client.get("/lib").status_code == 404
    file = site.write("lib.py", source("one"))
    assert client.get("/lib").text == "one"
    for answer in ("two", "six", "ten"):
        file.write_text(source(answer))
        assert client.get("/lib").text == answer
    file.rename(file.with_name("other.py"))
    assert client.get("/lib").status_code == 404
    assert client.get("/other/Lib").text == "ten"
    (file.with_name("other.py")).unlink()
    assert client.get("/other/Lib").status_code == 404
    assert "catalog.controller.other" not in sys.modules


def test_a_change_of_the_same_size_and_time_stamp_counts(site: Any) -> None:
    file = site.write("lib.py", source("one"))
    client = site.client()
    assert client.get("/lib").text == "one"
    status = file.stat()
    file.write_text(source("two"))
    os.utime(file, ns=(status.st_atime_ns, status.st_mtime_ns))
    assert client.get("/lib").text == "two"


def test_a_new_folder_counts_at_the_next_request(site: Any) -> None:
    client = site.client()
    assert client.get("/shop/lib").status_code == 404
    site.write("shop/lib.py", source("new"))
    assert client.get("/shop/lib").text == "new"


def test_a_broken_file_without_an_older_version_is_a_500_not_a_404(site: Any) -> None:
    file = site.write("lib.py", "class Lib:\n    def index(self)\n        return 1\n")
    client = site.client()
    assert client.get("/lib").status_code == 500
    file.write_text(source("mended"))
    assert client.get("/lib").text == "mended"


def test_the_log_names_file_and_line_of_a_broken_library_once(site: Any, caplog: pytest.LogCaptureFixture) -> None:
    file = site.write("lib.py", source("old"))
    client = site.client()
    assert client.get("/lib").text == "old"
    file.write_text("class Lib:\n    def index(self)\n        return 1\n")
    with caplog.at_level(logging.ERROR, "kernkoa"):
        for _ in range(3):
            assert client.get("/lib").text == "old"
    assert [record.getMessage() for record in caplog.records] == [f"{file}, line 2: SyntaxError: expected ':'"]


@pytest.mark.parametrize("broken", ["class Lib(:\n", "import nowhere\n", "1 / 0\n", "raise SystemExit(3)\n"])
def test_the_last_version_that_loaded_goes_on_serving(site: Any, broken: str) -> None:
    file = site.write("lib.py", source("old"))
    client = site.client()
    assert client.get("/lib").text == "old"
    file.write_text(broken)
    assert client.get("/lib").text == "old"
    file.write_text(source("new"))
    assert client.get("/lib").text == "new"


def test_in_development_a_broken_file_is_an_error_at_once(site: Any) -> None:
    file = site.write("lib.py", source("old"))
    client = site.client(development=True)
    assert client.get("/lib").text == "old"
    file.write_text("class Lib(:\n")
    assert client.get("/lib").status_code == 500
    file.write_text(source("new"))
    assert client.get("/lib").text == "new"


def test_a_process_that_starts_while_a_file_is_broken_serves_the_version_before(site: Any) -> None:
    file = site.write("lib.py", source("old"))
    assert site.client().get("/lib").text == "old"
    file.write_text("class Lib(:\n")
    started_anew = site.client()
    assert started_anew.get("/lib").text == "old"
    file.write_text(source("new"))
    assert started_anew.get("/lib").text == "new"


@pytest.mark.parametrize("change", ["code", "name", "key", "no signature"])
def test_a_kept_version_that_was_not_signed_by_this_site_is_not_run(
    site: Any, change: str, caplog: pytest.LogCaptureFixture
) -> None:
    site.write("lib.py", source("old"))
    site.write("other.py", source("other").replace("Lib", "Other"))
    client = site.client()
    assert (client.get("/lib").text, client.get("/other").text) == ("old", "other")
    site.write("lib.py", "class Lib(:\n")
    kept = site.root / "var" / "loaded" / "catalog.controller.lib.py"
    assert site.client().get("/lib").text == "old"
    text = kept.read_text()
    if change == "code":
        kept.write_text(text.replace("old", "bad"))
    elif change == "name":
        kept.write_text(kept.with_name("catalog.controller.other.py").read_text())
    elif change == "no signature":
        kept.write_text(source("bad"))
    settings = {"secretKey": "another key"} if change == "key" else {}
    assert site.client(**settings).get("/lib").status_code == 500
    assert f"{kept} is not used" in caplog.text


def test_a_library_that_raised_is_tried_again_when_what_it_missed_is_there(
    site: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    site.write("lib.py", "import os\nos.stat(__file__ + '.data')\n" + source("ready"))
    monkeypatch.setattr("system.core.catalog.library.RETRY_SECONDS", 0)
    client = site.client()
    assert client.get("/lib").status_code == 500
    (site.controllers / "lib.py.data").touch()
    assert client.get("/lib").text == "ready"


def test_a_library_that_loads_at_its_second_try_serves_on_in_a_process_that_starts_while_it_is_broken(
    site: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = site.write("lib.py", "import os\nos.stat(__file__ + '.data')\n" + source("ready"))
    monkeypatch.setattr("system.core.catalog.library.RETRY_SECONDS", 0)
    monkeypatch.setattr("system.core.catalog.live_file.RACY_NS", 0)  # its stamp alone tells that it is the same
    client = site.client()
    assert client.get("/lib").status_code == 500
    (site.controllers / "lib.py.data").touch()
    assert client.get("/lib").text == "ready"
    file.write_text("class Lib(:\n")
    assert site.client().get("/lib").text == "ready"


def test_a_file_is_looked_at_once_in_the_interval(site: Any) -> None:
    file = site.write("lib.py", source("old"))
    client = site.client(liveSeconds=3600)
    assert client.get("/lib").text == "old"
    file.write_text(source("new"))
    assert client.get("/lib").text == "old"


def test_a_file_counts_again_when_the_interval_is_over(site: Any) -> None:
    file = site.write("lib.py", source("old"))
    client = site.client(liveSeconds=0.05)
    assert client.get("/lib").text == "old"
    file.write_text(source("new"))
    deadline = time.monotonic() + 5
    while client.get("/lib").text == "old":
        assert time.monotonic() < deadline


def test_off_never_looks_again(site: Any) -> None:
    file = site.write("lib.py", source("old"))
    client = site.client(liveSeconds="off")
    assert client.get("/lib").text == "old"
    file.write_text(source("new"))
    site.write("other.py", source("other"))
    assert client.get("/lib").text == "old"
    assert client.get("/other/Lib").status_code == 404


def test_a_request_in_flight_keeps_the_version_that_it_began_with(site: Any) -> None:
    text = """
    WORD = "{word}"

    class Lib:
        def index(self):
            yield WORD
            yield WORD
    """
    site.write("lib.py", text.format(word="old"))
    client = site.client()
    first = client.get("/lib", buffered=False)
    pieces = first.iter_encoded()
    assert next(pieces) == b"old"
    site.write("lib.py", text.format(word="new"))
    assert client.get("/lib").text == "newnew"
    assert next(pieces) == b"old"
    first.close()


def test_threads_that_load_a_library_at_the_same_time_load_it_once(site: Any, tmp_path: Path) -> None:
    record = tmp_path / "loaded"
    site.write(
        "lib.py",
        f"import time\nwith open({str(record)!r}, 'a') as record:\n    record.write('x')\ntime.sleep(0.05)\n"
        + source("here"),
    )
    app = site.app(development=True)
    answers: list[str] = []
    threads = [
        threading.Thread(target=lambda: answers.append(app.test_client().get("/lib").text)) for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert answers == ["here"] * 8
    assert record.read_text() == "x"


def test_a_half_written_file_is_not_swapped_in(site: Any) -> None:
    """A writer that empties the file and fills it in pieces: every answer is a whole old or a whole new one."""
    file = site.write("lib.py", source("old"))
    client = site.client()
    assert client.get("/lib").text == "old"
    whole = source("new") + "# the end\n" * 500
    seen: list[str] = []
    written = threading.Event()

    def write() -> None:
        with open(file, "w") as stream:
            for start in range(0, len(whole), 500):
                stream.write(whole[start : start + 500])
                stream.flush()
                time.sleep(0.002)
        written.set()

    writer = threading.Thread(target=write)
    writer.start()
    while not written.is_set():
        response = client.get("/lib")
        seen.append(response.text if response.status_code == 200 else str(response.status_code))
    writer.join()
    assert client.get("/lib").text == "new"
    assert set(seen) <= {"old", "new"}


def test_nothing_grows_with_requests(site: Any) -> None:
    site.write("lib.py", source("here"))
    client = site.client()
    client.get("/lib")
    path, modules = list(sys.path), len(sys.modules)
    for number in range(2000):
        client.get(f"/lib/nothing{number}")
        client.get("/lib")
    assert sys.path == path
    assert len(sys.modules) == modules
