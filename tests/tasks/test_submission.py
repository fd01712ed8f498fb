"""exeTask, a worker and /status, as a client sees them: one web process, one worker, one Redis for all of it."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Iterator
from typing import Any

import pytest

from tests.task_bench import ROOT, Bench, bench, wait_for

EXAMPLE = ROOT / "catalog" / "controller" / "celeryexample" / "asynclibrary.py"


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    files = {"celeryexample/asynclibrary.py": EXAMPLE.read_text()}
    with bench(tmp_path_factory.mktemp("tasks"), files=files) as made:
        yield made


def test_the_example_counts_to_ten_and_says_so_on_the_way(site: Bench) -> None:
    code, _, body = site.request("GET", "/celeryexample/asynclibrary/asyncclass/triggerfunction?step=0.12")
    link = re.fullmatch(
        r"<a href='http://127\.0\.0\.1:(\d+)/status/([0-9a-f-]{36})'>Async Test</a>", body.decode()
    )
    assert code == 200
    assert link
    assert link[1] == str(site.port)
    seen: list[dict[str, Any]] = []
    wait_for(lambda: seen.append(site.status(link[2])) or seen[-1]["status"] == "SUCCESS", what="the end")
    numbers = [told["state"]["number"] for told in seen if told["status"] == "inProgress" and told["state"]]
    assert numbers == sorted(numbers)
    assert len(set(numbers)) > 1
    assert set(numbers) <= set(range(1, 11))
    assert seen[-1] == {"code": 200, "status": "SUCCESS", "data": 10}


def test_the_job_of_the_readme_runs_as_it_stands(site: Bench) -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    block = re.search(r"```python\n(# catalog/controller/reports\.py\n.*?)```", readme, re.S)
    assert block
    site.place("reports.py", block[1])
    started = wait_for(
        lambda: (found := site.request("GET", "/reports/start"))[0] == 200 and found, what="the library"
    )
    told = json.loads(started[2])
    assert told["type"] == "task"
    wait_for(lambda: site.status(told["id"])["status"] == "SUCCESS")
    assert site.status(told["id"])["data"] == "done"


def test_exe_task_tells_its_id_and_where_to_look(site: Bench) -> None:
    code, _, body = site.request("POST", "/jobs/Jobs/start", {"method": "echo", "params": 1})
    told = json.loads(body)
    assert code == 200
    assert told == {
        "type": "task",
        "id": told["id"],
        "url": f"http://127.0.0.1:{site.port}/status/{told['id']}",
    }


@pytest.mark.parametrize("value", [None, "text", 7, 1.5, True, [1, [2]], {"a": {"b": [None]}}, {}, "", "Grüße €"])
def test_any_json_value_travels(site: Bench, value: object) -> None:
    assert site.run("echo", value) == {"status": "SUCCESS", "data": value}


def test_params_of_a_request_arrive_as_they_were(site: Bench) -> None:
    code, _, body = site.request("GET", "/jobs/Jobs/start_params?a=1&a=2&b=x")
    assert code == 200
    assert site.end(json.loads(body)["id"])["data"] == {
        "values": {"a": "1", "b": "x"},
        "get": {"a": "1", "b": "x"},
        "post": {},
        "many": ["1", "2"],
        "urlpath": "jobs/Jobs/start_params",
        "kind": "Params",
    }


def test_a_typed_task_method_binds_by_name(site: Bench) -> None:
    assert site.run("area", {"width": 3}) == {"status": "SUCCESS", "data": 6.0}
    code, _, body = site.request(
        "POST", "/jobs/Jobs/start", {"method": "area", "params": {"width": "wide", "height": 1}}
    )
    assert code == 422
    assert b"width" in body


def test_a_task_method_of_another_class_is_named_by_its_address(site: Bench) -> None:
    assert site.run("jobs/Jobs/echo", "hello")["data"] == "hello"


def test_what_a_task_raises_is_told_without_the_traceback(site: Bench) -> None:
    told = site.run("fail")
    assert told["status"] == "FAILURE"
    assert told["error"]["type"] == "LookupError"
    assert "no such <b>thing</b>" in told["error"]["message"]
    assert set(told["error"]) == {"type", "message"}


def test_results_that_are_nearly_json_become_so(site: Bench) -> None:
    assert site.run("nearly_json")["data"] == {
        "set": [1],
        "delta": "PT1M30S",
        "point": {"x": 1, "y": 2},
        "day": "2026-01-02T00:00:00",
        "price": "1.10",
        "nan": None,
        "lines": ["a", "b"],
    }


def test_a_result_that_is_no_json_is_a_failure_that_names_the_place(site: Bench) -> None:
    error = site.run("unjsonable")["error"]
    assert error["type"] == "ResultRefused"
    assert error["message"].startswith("result['bad'][1] is of type object,")


def test_a_big_result_is_refused_with_advice(site: Bench) -> None:
    error = site.run("big")["error"]
    assert error["type"] == "ResultRefused"
    assert "1,000,003 bytes" in error["message"]
    assert "Save it to a file" in error["message"]


def test_an_unknown_id_is_a_404_and_not_pending(site: Bench) -> None:
    assert site.status("0f4bd7dc-0000-4000-8000-000000000000")["code"] == 404
    assert site.request("GET", "/status/" + "x" * 5000)[0] == 404
    assert site.request("DELETE", "/status/nobody")[0] == 404


def test_memory_error_and_sys_exit_end_the_task_and_not_the_worker(site: Bench) -> None:
    before = site.children(site.workers[0])
    assert site.run("out_of_memory")["error"]["type"] == "OutOfMemory"
    assert site.run("leave")["error"] == {"type": "TaskExited", "message": "The task called sys.exit(3)."}
    assert site.run("echo", 1)["data"] == 1
    assert site.workers[0].poll() is None
    assert site.children(site.workers[0]) == before


def test_celerys_own_words_and_odd_reports_cost_a_task_nothing(site: Bench) -> None:
    assert site.run("reserved") == {"status": "SUCCESS", "data": "done"}


def test_reports_cost_next_to_nothing_and_the_last_one_is_seen(site: Bench) -> None:
    task_id = site.start("chatter")
    last = {"done": 299_999, "total": 300_000, "text": "working"}
    wait_for(lambda: site.status(task_id).get("state") == last, what="the last report")
    assert site.end(task_id)["data"] < 6  # a write for each would take more than a minute


def test_a_task_knows_where_it_came_from_and_no_secret(site: Bench) -> None:
    headers = {"Cookie": "session=secret", "Authorization": "Bearer secret", "X-Request-ID": "abc-123"}
    _, answered, body = site.request("POST", "/jobs/Jobs/start", {"method": "where"}, headers)
    request_id = answered["x-request-id"]
    assert request_id != "abc-123"  # nobody vouches for a client's
    assert site.end(json.loads(body)["id"])["data"] == {
        "path": "/jobs/Jobs/start",
        "url": f"http://127.0.0.1:{site.port}/",
        "for": f"http://127.0.0.1:{site.port}/x",
        "cookies": {},
        "id": request_id,
        "authorization": None,
    }
    assert f"request {request_id} of /jobs/Jobs/start" in site.log.read_text()


def test_a_message_is_json_without_headers_and_cookies(site: Bench) -> None:
    headers = {"Cookie": "session=topsecret", "Authorization": "Bearer topsecret"}
    body = {"method": "echo", "params": {"a": 1}, "delay": 30}
    _, _, answer = site.request("POST", "/jobs/Jobs/start", body, headers)
    task_id = json.loads(answer)["id"]
    stored = wait_for(lambda: site.server.client.hgetall("kernkoa:unacked"), what="the message")
    message = json.loads(next(value for value in stored.values() if task_id.encode() in value))
    assert message[0]["content-type"] == "application/json"
    record = b"".join(site.server.client.hgetall(f"kernkoa:task:{task_id}").values())
    assert b'"params":{"value":{"a":1}}' in record
    assert b"topsecret" not in b"".join(stored.values()) + record
    assert site.request("DELETE", f"/status/{json.loads(answer)['id']}")[0] == 200


def test_an_upload_is_refused_at_the_call(site: Bench) -> None:
    body = b'--x\r\nContent-Disposition: form-data; name="f"; filename="a.txt"\r\n\r\nhello\r\n--x--\r\n'
    code, _, _ = site.request(
        "POST", "/jobs/Jobs/upload", body, {"Content-Type": "multipart/form-data; boundary=x"}
    )
    assert code == 500
    assert "params.files['f'] is an upload" in (site.root / "web.log").read_text()


def test_a_task_that_reports_is_cancelled_at_its_next_report(site: Bench) -> None:
    task_id = site.start("count", {"to": 200, "step": 0.05})
    wait_for(lambda: site.status(task_id)["status"] == "inProgress")
    code, _, body = site.request("DELETE", f"/status/{task_id}")
    assert (code, json.loads(body)["status"]) == (200, "REVOKED")
    assert site.run("echo", 1)["data"] == 1
    assert site.status(task_id)["status"] == "REVOKED"
    time.sleep(0.3)
    assert site.runs(f"counted {task_id}") == 0


def test_a_task_that_is_silent_is_cancelled_too(site: Bench) -> None:
    ids = [site.start("sleep", {"seconds": 60}) for _ in range(2)]  # all the processes there are
    for task_id in ids:
        wait_for(lambda task_id=task_id: site.runs(f"sleep {task_id}"))
        site.request("DELETE", f"/status/{task_id}")
    assert site.run("echo", "free again")["data"] == "free again"
    assert [site.status(task_id)["status"] for task_id in ids] == ["REVOKED", "REVOKED"]


def test_a_queued_task_is_cancelled_before_it_runs(site: Bench) -> None:
    task_id = site.start("count", {"to": 1, "step": 0}, delay=0.6)
    assert site.status(task_id) == {"code": 200, "status": "PENDING", "state": {}}
    site.request("POST", f"/status/{task_id}/cancel")
    time.sleep(1.2)
    assert site.runs(f"count {task_id}") == 0
    assert site.status(task_id)["status"] == "REVOKED"


def test_a_task_that_ended_is_not_cancelled(site: Bench) -> None:
    task_id = site.start("echo", 5)
    site.end(task_id)
    code, _, body = site.request("DELETE", f"/status/{task_id}")
    assert (code, json.loads(body)) == (200, {"status": "SUCCESS", "data": 5})


def test_a_transaction_of_a_task_that_fails_is_rolled_back(site: Bench) -> None:
    site.place(
        "ledger.py",
        """
        from kernkoa import *

        class Ledger:
            def seen(self):
                return "yes"

            def make(self, celery_instance=None):
                dbs["maindb"].query("CREATE TABLE entries (name TEXT)", {})

            def enter(self, celery_instance, name: str, fails: bool):
                dbs["maindb"].startTransaction()
                dbs["maindb"].query("INSERT INTO entries VALUES (:name)", {"name": name})
                if fails:
                    raise ValueError(name)
                dbs["maindb"].commitTransaction()

            def entries(self, celery_instance=None):
                return dbs["maindb"].query("SELECT name FROM entries", {})
        """,
    )
    wait_for(lambda: site.request("GET", "/ledger/Ledger/seen")[0] == 200, what="the new library")
    assert site.run("ledger/Ledger/make") == {"status": "SUCCESS", "data": None}
    assert site.run("ledger/Ledger/enter", {"name": "kept", "fails": False})["status"] == "SUCCESS"
    assert site.run("ledger/Ledger/enter", {"name": "lost", "fails": True})["error"]["message"] == "lost"
    assert site.run("ledger/Ledger/entries")["data"][1:] == [["kept"]]


def test_retry_tries_again_and_finds_the_last_report(site: Bench) -> None:
    task_id = site.start("flaky", {"fails": 2})
    assert site.end(task_id)["data"] == {"tries": 2, "last": {"tries": 1}}
    assert site.runs(f"flaky {task_id}") == 3


def test_retry_gives_up_with_the_error_of_the_last_try(site: Bench) -> None:
    task_id = site.start("flaky", {"fails": 9})
    assert site.end(task_id)["error"] == {"type": "OSError", "message": "the line is down"}
    assert site.runs(f"flaky {task_id}") == 4


def test_a_queue_of_its_own(site: Bench) -> None:
    assert site.run("report")["data"] == "reports"
    assert site.run("echo", 1, queue="reports")["data"] == 1
    code, _, _ = site.request("POST", "/jobs/Jobs/start", {"method": "echo", "queue": "nowhere"})
    assert code == 500
    assert "There is no queue 'nowhere'" in (site.root / "web.log").read_text()


def test_a_change_of_the_catalogue_counts_for_the_next_task(site: Bench) -> None:
    source = """
        class Fresh:
            def seen(self):
                return "yes"

            def make(self, celery_instance=None):
                return {}
    """
    site.place("fresh.py", source.format("'old'"))
    wait_for(lambda: site.request("GET", "/fresh/Fresh/seen")[0] == 200, what="the new library")
    assert site.run("fresh/Fresh/make")["data"] == "old"
    site.place("fresh.py", source.format("'new'"))
    time.sleep(0.15)  # a file that was written this moment may still be growing
    assert site.run("fresh/Fresh/make")["data"] == "new"


def test_status_has_an_etag_and_is_not_kept(site: Bench) -> None:
    task_id = site.start("echo", 1)
    site.end(task_id)
    _, headers, _ = site.request("GET", f"/status/{task_id}")
    assert headers["cache-control"] == "no-store"
    code, _, body = site.request("GET", f"/status/{task_id}", headers={"If-None-Match": headers["etag"]})
    assert (code, body) == (304, b"")


def test_status_waits_for_a_change(site: Bench) -> None:
    task_id = site.start("sleep", {"seconds": 0.5})
    wait_for(lambda: site.runs(f"sleep {task_id}"))
    began = time.monotonic()
    assert json.loads(site.request("GET", f"/status/{task_id}?wait=10")[2])["status"] in ("SUCCESS", "inProgress")
    assert time.monotonic() - began < 5
    site.end(task_id)
    for text in ("soon", "nan", "-1", ""):
        assert site.request("GET", f"/status/{task_id}?wait={text}")[0] == 400


def test_a_url_is_run_in_the_background(site: Bench) -> None:
    code, headers, body = site.request("GET", "/jobs/Jobs/slow?n=1", headers={"Prefer": "respond-async"})
    told = json.loads(body)
    assert code == 202
    assert headers["location"] == told["url"]
    assert headers["preference-applied"] == "respond-async"
    assert site.end(told["id"])["data"] == {"n": "1"}


def test_prefer_wait_brings_the_answer_itself_when_it_comes_in_time(site: Bench) -> None:
    code, _, body = site.request("GET", "/jobs/Jobs/slow?n=2", headers={"Prefer": "respond-async, wait=10"})
    assert (code, json.loads(body)) == (200, {"n": "2"})
    code, headers, body = site.request("GET", "/jobs/Jobs/page", headers={"Prefer": 'respond-async; x, wait="10"'})
    assert (code, body) == (200, b"<h1>a page</h1>")
    assert headers["content-type"].startswith("text/html")
    code, _, _ = site.request("GET", "/jobs/Jobs/slow?n=3&seconds=3", headers={"Prefer": "respond-async, wait=1"})
    assert code == 202


def test_only_a_background_method_is_run_in_the_background(site: Bench) -> None:
    code, headers, body = site.request("GET", "/jobs/Jobs/plain", headers={"Prefer": "respond-async"})
    assert (code, body) == (200, b"now")
    assert "preference-applied" not in headers


def test_the_background_keeps_the_guards_and_the_types(site: Bench) -> None:
    prefer = {"Prefer": "respond-async, wait=10"}
    assert site.request("GET", "/jobs/Guarded/open", headers=prefer)[0] == 403
    assert site.request("GET", "/jobs/Guarded/open?key=sesame", headers=prefer)[2] == b"opened"
    assert site.request("GET", "/jobs/Jobs/typed/4", headers=prefer)[2] == b"5"
    assert site.request("GET", "/jobs/Jobs/typed/four", headers=prefer)[0] == 422


def test_an_idempotency_key_gives_the_same_task(site: Bench) -> None:
    headers = {"Prefer": "respond-async", "Idempotency-Key": "order-17"}
    first = json.loads(site.request("POST", "/jobs/Jobs/slow", {"n": 99}, headers)[2])
    again = json.loads(site.request("POST", "/jobs/Jobs/slow", {"n": 99}, headers)[2])
    assert again["id"] == first["id"]
    site.end(first["id"])
    assert site.runs("slow 99") == 1
    assert site.request("POST", "/jobs/Jobs/slow", {"n": 98}, headers)[0] == 422
    other = {**headers, "Idempotency-Key": "order-18"}
    assert json.loads(site.request("POST", "/jobs/Jobs/slow", {"n": 99}, other)[2])["id"] != first["id"]


def test_both_serve_at_once(site: Bench) -> None:
    ids = [site.start("echo", number) for number in range(40)]
    assert [site.end(task_id)["data"] for task_id in ids] == list(range(40))


def test_the_board_is_closed_in_production(site: Bench) -> None:
    assert site.request("GET", "/_koa/tasks")[0] == 404


def test_delayed_tasks_hold_up_no_others(site: Bench) -> None:
    later = [site.start("echo", 1, delay=60) for _ in range(100)]
    began = time.monotonic()
    assert site.run("echo", 2)["data"] == 2
    assert time.monotonic() - began < 10
    for task_id in later:
        site.request("DELETE", f"/status/{task_id}")
