"""The message board behind uWSGI with two processes: over HTTP, and in Chromium with and without scripts."""

from __future__ import annotations

import http.client
import json
import re
import sqlite3
import threading
from collections.abc import Iterator
from html import escape, unescape
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode

import pytest
from selenium.common.exceptions import WebDriverException
from selenium.webdriver.common.by import By
from selenium.webdriver.support.wait import WebDriverWait

from tests.browser import chromium
from tests.database_servers import MariaDB, PostgreSQL
from tests.database_servers import Server as Database
from tests.deploy.test_uwsgi import Server
from tests.shipped import needs_shipped_site

ROOT = Path(__file__).resolve().parents[1]
BOARD = "/message/message/message/index"
INSERT = "/message/message/message/insert"
FORM = {"Content-Type": "application/x-www-form-urlencoded", "Accept": "text/html,*/*;q=0.8"}
SCRIPT = {"Content-Type": "application/x-www-form-urlencoded", "Accept": "application/json"}
HOSTILE = "<script>document.title = 'owned'</script> \"quoted\" 'single' & ñ € 🎉 {{ 7 * 7 }}"


class Board:
    """A board of its own: the example site with a database in a temporary folder."""

    def __init__(self, folder: Path, entry: dict[str, Any] | None = None) -> None:
        needs_shipped_site()
        self.file = folder / "board.db"
        entry = entry or {"driver": "sqlite", "host": str(self.file)}
        config = folder / "config.py"
        config.write_text(
            f"path = {str(ROOT)!r}\nvarPath = {str(folder)!r}\npdfPath = {str(folder)!r}\n"
            f"databases = {{'maindb': {entry!r}}}\n"
        )
        self.server = Server(config, folder / "log")
        self.url = f"http://127.0.0.1:{self.server.port}"

    def ask(
        self, path: str, values: dict[str, str] | None = None, headers: dict[str, str] | None = None
    ) -> tuple[int, str, http.client.HTTPMessage]:
        connection = http.client.HTTPConnection("127.0.0.1", self.server.port, timeout=20)
        try:
            verb, body = ("GET", None) if values is None else ("POST", urlencode(values))
            connection.request(verb, path, body, headers or {})
            response = connection.getresponse()
            return response.status, response.read().decode(), response.headers
        finally:
            connection.close()

    def post(self, nickname: str, message: str) -> Any:
        status, text, _ = self.ask(INSERT, {"nickname": nickname, "message": message}, SCRIPT)
        assert status == 201, text
        return json.loads(text)

    def messages(self, query: str = "") -> list[tuple[str, str]]:
        """Nickname and text of each message of a page, as a reader sees them."""
        _, page, _ = self.ask(BOARD + query, headers=FORM)
        found = re.findall(r"<strong>(.*?)</strong>.*?<p>(.*?)</p></li>", page[page.index("<ol") :], re.S)
        return [(unescape(nickname), unescape(text)) for nickname, text in found]

    def clear(self) -> None:
        with sqlite3.connect(self.file, timeout=20) as connection:
            connection.execute("delete from messages")
        connection.close()


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Board]:
    made = Board(tmp_path_factory.mktemp("board"))
    made.ask(BOARD)  # makes the table
    yield made
    made.server.stop()


@pytest.fixture
def board(shared: Board) -> Board:
    shared.clear()
    return shared


def test_two_processes_and_eight_threads_make_the_table_and_lose_no_message(tmp_path: Path) -> None:
    board = Board(tmp_path)
    try:
        start = threading.Barrier(8)

        def write(writer: int) -> None:
            start.wait()
            for number in range(250):
                board.post(f"writer {writer}", f"message {number}")

        threads = [threading.Thread(target=write, args=(writer,)) for writer in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        with sqlite3.connect(board.file) as connection:
            kept = connection.execute(
                "select nickname, count(distinct message) from messages group by 1"
            ).fetchall()
        connection.close()
        assert sorted(kept) == [(f"writer {writer}", 250) for writer in range(8)]
        assert len(set(re.findall(r"\[pid: (\d+)\|.*POST", board.server.log.read_text()))) == 2
    finally:
        board.server.stop()


@pytest.mark.parametrize("kind", [PostgreSQL, MariaDB])
def test_the_board_runs_on_a_server_too(kind: type[Database], tmp_path: Path) -> None:
    database = kind()
    board = None
    try:
        board = Board(tmp_path, database.entry)
        for number in range(52):
            board.post("Ana" if number % 2 else "Bob", f"{HOSTILE} {number}")
        assert board.messages("?page=2") == [("Ana", f"{HOSTILE} 1"), ("Bob", f"{HOSTILE} 0")]
        assert len(board.messages("?search=aNa")) == 26
    finally:
        if board:
            board.server.stop()
        database.remove()


def test_what_is_posted_comes_back_as_it_was_typed(board: Board) -> None:
    assert board.post(HOSTILE, HOSTILE)["message"] == HOSTILE
    assert board.messages() == [(HOSTILE, HOSTILE)]
    assert "<script>document" not in board.ask(BOARD)[1]


def test_lines_stay_lines(board: Board) -> None:
    board.post("ana", "one\r\ntwo\n\nfour")
    assert board.messages() == [("ana", "one\ntwo\n\nfour")]


def test_a_form_is_answered_with_a_redirect_to_the_board(board: Board) -> None:
    status, _, headers = board.ask(INSERT, {"nickname": "ana", "message": "hi"}, FORM)
    assert status == 303
    assert headers["Location"] == BOARD


def test_a_script_is_answered_with_the_message_as_json(board: Board) -> None:
    status, text, headers = board.ask(INSERT, {"nickname": "ana", "message": "hi"}, SCRIPT)
    assert status == 201
    assert headers["Content-Type"] == "application/json"
    entry = json.loads(text)
    assert (entry["nickname"], entry["message"]) == ("ana", "hi")
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", entry["posted"])


@pytest.mark.parametrize(
    ("nickname", "message", "faults"),
    [
        ("", "hi", ["nickname"]),
        (" \t ", "hi", ["nickname"]),
        ("x" * 101, "hi", ["nickname"]),
        ("ana", "", ["message"]),
        ("ana", "🎉" * 1001, ["message"]),
        ("", "x" * 1001, ["nickname", "message"]),
    ],
)
def test_too_long_or_empty_is_a_422_that_names_the_field(
    board: Board, nickname: str, message: str, faults: list[str]
) -> None:
    values = {"nickname": nickname, "message": message}
    status, text, headers = board.ask(INSERT, values, SCRIPT)
    assert status == 422
    assert headers["Content-Type"] == "application/problem+json"
    assert [error["name"] for error in json.loads(text)["errors"]] == faults
    status, page, _ = board.ask(INSERT, values, FORM)
    assert status == 422
    for field in ("nickname", "message"):
        assert (f'id="{field}-fault" role="alert" hidden' not in page) == (field in faults)
        assert escape(values[field]) in page  # what was typed
    assert board.messages() == []


def test_the_longest_of_both_is_taken(board: Board) -> None:
    board.post("🎉" * 100, "ñ" * 1000)
    assert board.messages() == [("🎉" * 100, "ñ" * 1000)]


@pytest.mark.parametrize("value", [[], {}, None, 5, True, ""])
def test_what_is_no_text_is_a_422(board: Board, value: Any) -> None:
    body = json.dumps({"nickname": "ana", "message": value})
    status, text = board.server.ask("POST", INSERT, body, {"Content-Type": "application/json"})
    assert (status, [error["name"] for error in json.loads(text)["errors"]]) == (422, ["message"])


def test_line_ends_count_once(board: Board) -> None:
    text = "\n" * 998 + "x"
    board.post("ana", "x" + text.replace("\n", "\r\n"))
    assert board.messages() == [("ana", "x" + text)]


def test_an_insert_is_a_post(board: Board) -> None:
    status, _, headers = board.ask(INSERT + "?nickname=a&message=b")
    assert status == 405
    assert "POST" in headers["Allow"]
    assert board.messages() == []


def test_pages_of_fifty_the_newest_first(board: Board) -> None:
    for number in range(1, 62):
        board.post("ana", f"message {number}")
    assert [text for _, text in board.messages()] == [f"message {number}" for number in range(61, 11, -1)]
    assert [text for _, text in board.messages("?page=2")] == [f"message {number}" for number in range(11, 0, -1)]
    assert board.messages("?page=99") == board.messages("?page=2")
    assert board.messages("?page=-1") == board.messages("?page=0") == board.messages()
    status, text, _ = board.ask(BOARD + "?page=two")
    assert (status, [error["name"] for error in json.loads(text)["errors"]]) == (422, ["page"])
    _, first, _ = board.ask(BOARD + "?search=ana")
    assert 'rel="next" href="/message/message/message/index?page=2&amp;search=ana"' in first
    assert 'rel="prev"' not in first


def test_a_search_finds_nicknames_and_texts(board: Board) -> None:
    board.post("Ana", "about cats")
    board.post("Bob", "Ana was here")
    board.post("Carl", "100% of_this")
    assert [name for name, _ in board.messages("?search=ana")] == ["Bob", "Ana"]
    assert [name for name, _ in board.messages("?search=%25")] == ["Carl"]
    assert [name for name, _ in board.messages("?search=f_t")] == ["Carl"]
    assert board.messages("?search=a_a") == []
    assert board.messages("?search=" + quote("' or 1=1 --")) == []


def test_the_language_is_the_browsers_until_it_is_chosen(board: Board) -> None:
    spanish = {"Accept-Language": "es-MX,es;q=0.9,en;q=0.5"}
    _, page, headers = board.ask(BOARD, headers=spanish)
    assert '<html lang="es"' in page
    assert "Accept-Language" in headers["Vary"]
    _, page, headers = board.ask(BOARD + "?language=english", headers=spanish)
    assert '<html lang="en"' in page
    cookie = headers["Set-Cookie"].split(";")[0]
    assert '<html lang="en"' in board.ask(BOARD, headers={**spanish, "Cookie": cookie})[1]
    assert '<html lang="en"' in board.ask(BOARD, headers={"Accept-Language": "fi"})[1]
    assert '<html lang="en"' in board.ask(BOARD + "?language=klingon")[1]


def fill(browser: Any, nickname: str, message: str) -> None:
    for name, text in (("nickname", nickname), ("message", message)):
        field = browser.find_element(By.ID, name)
        field.clear()
        # the driver types no letter beyond the basic plane: those are set
        browser.execute_script("arguments[0].value = arguments[1]", field, text)
    browser.find_element(By.CSS_SELECTOR, "#post button").click()


def shown(browser: Any) -> Any:
    """The texts of the messages, asked in one question: a page may be on its way out."""
    return browser.execute_script(
        "return [...document.querySelectorAll('#messages li p')].map((item) => item.innerText)"
    )


@pytest.mark.parametrize("scripts", [True, False], ids=["scripts", "no scripts"])
def test_the_board_in_a_browser(board: Board, tmp_path: Path, scripts: bool) -> None:
    with chromium(tmp_path, scripts=scripts) as browser:
        wait = WebDriverWait(browser, 10, 0.05, [WebDriverException])
        browser.get(board.url + BOARD)
        page = browser.find_element(By.TAG_NAME, "html")
        fill(browser, "ana", HOSTILE)
        wait.until(lambda _: shown(browser) == [HOSTILE])
        assert browser.title == "Message board"
        assert browser.current_url.endswith(BOARD)
        stayed = page == browser.find_element(By.TAG_NAME, "html")
        assert stayed == scripts  # with a script the page is not loaded again

        fill(browser, "ana", "x" * 1001)
        wait.until(lambda _: browser.find_element(By.ID, "message-fault").is_displayed())
        assert not browser.find_element(By.ID, "nickname-fault").is_displayed()
        assert browser.find_element(By.ID, "message").get_property("value") == "x" * 1001
        fill(browser, "ana", "second")
        wait.until(lambda _: shown(browser)[:1] == ["second"])
        assert browser.find_element(By.ID, "total").text == "2"

        search = browser.find_element(By.NAME, "search")
        search.send_keys("secon")
        search.submit()
        wait.until(lambda _: shown(browser) == ["second"])
        assert browser.find_element(By.ID, "total").text == "1"
