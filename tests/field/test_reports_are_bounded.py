"""What is reported of a wrong request is bounded, and costs little more than a request that passes."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest

LIBRARY = """
    from typing import Annotated
    from pydantic import BaseModel, Field
    class Item(BaseModel):
        n: int
        s: str = ""
    class Lib:
        def floats(self, sides: list[float]): return len(sides)
        def items(self, items: list[Item]): return len(items)
        def numbers(self, numbers: dict[str, int]): return len(numbers)
        def limited(self, numbers: Annotated[dict[str, int], Field(min_length=4_500)]): return len(numbers)
        def one(self, wanted: int): return wanted
        def others(self, **others: int): return len(others)
        def item(self, item: Item): return item.n
        def several(self, SEVERAL): return "ok"
""".replace("SEVERAL", ", ".join(f"{'n' * 60}{n:02}: int" for n in range(20)))


@pytest.fixture
def client(site: Any) -> Any:
    site.write("lib.py", LIBRARY)
    return site.client()


def cost(client: Any, url: str, body: str) -> tuple[float, Any]:
    """CPU seconds of the best of three requests, and the answer."""
    best = 1e9
    for _ in range(3):
        start = time.process_time()
        answer = client.post(url, data=body, content_type="application/json")
        best = min(best, time.process_time() - start)
    return best, answer


@pytest.mark.parametrize(
    ("url", "good", "bad"),
    [
        ("floats", {"sides": [1.5] * 90_000}, {"sides": ["x"] * 90_000}),
        ("floats", [1.5] * 90_000, ["x"] * 90_000),
        ("items", [{"n": 1}] * 30_000, [{"n": "x"}] * 30_000),
        ("items", [{"n": 1}] * 30_000, [{"m": 1}] * 30_000),
        ("one", {"wanted": 1} | {f"w{n}": 1 for n in range(50_000)}, {f"wante{n}": 1 for n in range(50_000)}),
        ("floats", {"sides": [1.5] * 500}, {"sides": ["x" * 100] * 500}),
        ("floats", {"sides": [1.5] * 3_000}, {"sides": ["x"] * 3_000}),
        ("numbers", {f"n{n}": n for n in range(900)}, {f"n{n}": "x" for n in range(900)}),
        ("numbers", {f"n{n}": n for n in range(40_000)}, {f"n{n}": "x" for n in range(40_000)}),
        ("several", {f"{'n' * 60}{n:02}": 1 for n in range(20)}, {f"{'n' * 60}0{n}": 1 for n in range(900)}),
    ],
)
def test_a_refused_body_costs_at_most_about_twice_the_one_that_passes(
    client: Any, url: str, good: Any, bad: Any
) -> None:
    passing, answer = cost(client, f"/lib/{url}", json.dumps(good))
    assert answer.status_code == 200
    refused, answer = cost(client, f"/lib/{url}", json.dumps(bad))
    assert answer.status_code == 422
    assert len(answer.get_json()["errors"]) <= 50
    assert len(answer.data) < 50_000
    assert refused < 2 * passing + 0.002


def test_of_very_many_faults_the_first_is_listed_and_the_others_are_counted(client: Any) -> None:
    document = client.post("/lib/floats", json={"sides": [1.5, *["x"] * 1_999]}).get_json()
    assert [fault["name"] for fault in document["errors"]] == ["sides.1"]
    assert document["more"] == 1_998


def test_a_long_dict_is_checked_whole_and_keeps_its_limits(client: Any) -> None:
    good = {f"n{n}": str(n) for n in range(5_000)}
    assert client.post("/lib/numbers", json=good).text == "5000"
    faults = client.post("/lib/numbers", json=good | {"last": "x"}).get_json()["errors"]
    assert [fault["name"] for fault in faults] == ["last"]
    assert client.post("/lib/limited", json=good).text == "5000"
    faults = client.post("/lib/limited", json={f"n{n}": n for n in range(4_000)}).get_json()["errors"]
    assert [fault["name"] for fault in faults] == ["numbers"]


def test_many_faults_are_counted(client: Any) -> None:
    answer = client.post("/lib/floats", json={"sides": ["x"] * 500})
    document = answer.get_json()
    assert len(document["errors"]) == 50
    assert document["more"] == 450
    assert document["detail"].endswith("and 450 more. See errors for each.")


@pytest.mark.parametrize("name", ["n" * 20_000, "\x00" * 1000, "ñ" * 4_000])
def test_long_names_and_values_are_cut(client: Any, name: str) -> None:
    for url, body in (
        ("others", {name: "x"}),
        ("numbers", {name: "x"}),
        ("item", {"n": name}),
        ("one", {"wanted": [name] * 20}),
        ("one", {"wanted": {name: name}}),
    ):
        answer = client.post(f"/lib/{url}", json=body)
        assert answer.status_code == 422
        assert len(answer.data) < 4000, url


def test_more_than_the_limit_of_values_is_refused_at_once(client: Any) -> None:
    body = json.dumps({"sides": ["x"] * 700_000})
    seconds, answer = cost(client, "/lib/floats", body)
    assert answer.status_code == 413
    assert seconds < 1


def test_a_method_may_take_more_or_fewer_values_than_the_site(site: Any) -> None:
    site.write(
        "lib.py",
        """
        from kernkoa import limit

        class Lib:
            @limit(values=2_000)
            def many(self, numbers: list[int]): return len(numbers)
            @limit(values=10)
            def few(self, params): return len(params)
        """,
    )
    client = site.client(maxJsonValues=100)
    assert client.post("/lib/many", json=[1] * 1_900).get_json() == 1_900
    assert client.post("/lib/many", json=[1] * 2_100).status_code == 413
    assert client.post("/lib/few", json={str(n): n for n in range(20)}).status_code == 413
    assert client.post("/lib/few", data={str(n): n for n in range(20)}).status_code == 413
    assert client.post("/lib/few", data={str(n): n for n in range(9)}).get_json() == 9
