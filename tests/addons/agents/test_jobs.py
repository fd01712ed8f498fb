"""Long jobs of assistants, on a real worker: started, followed, cancelled."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.task_bench import Bench, wait_for


def call(jobs: Bench, tool: str, **arguments: Any) -> dict[str, Any]:
    message = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": tool, "arguments": arguments}}
    status, _, body = jobs.request("POST", "/_koa/mcp", message, {"MCP-Protocol-Version": "2025-11-25"})
    assert status == 200, body
    return dict(json.loads(body)["result"])


def follow(jobs: Bench, task_id: str, status: str) -> Any:
    return wait_for(
        lambda: (told := call(jobs, "task_status", id=task_id)["structuredContent"])["status"] == status and told,
        what=f"the status {status}",
    )


@pytest.mark.parametrize(
    ("tool", "arguments", "result"),
    [
        ("reports_Reports_start", {"pages": 3}, {"pages": 3}),
        ("reports_Reports_build", {"pages": 4}, {"pages": 4}),
        ("reports_Reports_later", {"number": 5}, {"number": 5}),
    ],
)
def test_a_job_answers_with_its_handle_and_then_with_its_result(
    jobs: Bench, tool: str, arguments: dict[str, Any], result: dict[str, Any]
) -> None:
    started = call(jobs, tool, **arguments)
    assert started["structuredContent"]["type"] == "task"
    assert "task_status" in started["content"][-1]["text"]
    assert follow(jobs, started["structuredContent"]["id"], "SUCCESS")["data"] == result


def test_a_job_reports_how_far_it_is_and_can_be_cancelled(jobs: Bench) -> None:
    task_id = call(jobs, "reports_Reports_build", pages=100)["structuredContent"]["id"]
    reported = wait_for(lambda: call(jobs, "task_status", id=task_id)["structuredContent"].get("state"))
    assert reported == {"page": 1, "of": 100}
    call(jobs, "task_cancel", id=task_id)
    follow(jobs, task_id, "REVOKED")


def test_wrong_arguments_of_a_job_start_nothing(jobs: Bench) -> None:
    result = call(jobs, "reports_Reports_build", pages="many")
    assert result["isError"] is True
    assert "pages" in result["content"][0]["text"]


@pytest.mark.parametrize("task_id", ["nothing", "", "../../images", "x" * 1000])
def test_an_unknown_task_is_an_error_of_the_tool(jobs: Bench, task_id: str) -> None:
    assert call(jobs, "task_status", id=task_id)["isError"] is True
