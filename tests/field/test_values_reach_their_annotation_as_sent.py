"""A value reaches its annotation as it was sent: exact decimals, ISO 8601 dates, defaults of each request's own."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

LIBRARY = """
    from datetime import date, datetime, time, timedelta
    from decimal import Decimal
    from pydantic import BaseModel
    import dataclasses

    class Line(BaseModel):
        price: Decimal
        note: float = 0

    class Order(BaseModel):
        total: Decimal
        lines: list[Line] = []

    @dataclasses.dataclass
    class Mark:
        names: list = dataclasses.field(default_factory=list)

    SHARED = Mark()

    class Lib:
        def total(self, total: Decimal): return str(total)
        def order(self, order: Order): return [str(order.total), [str(line.price) for line in order.lines]]
        def prices(self, prices: list[Decimal]): return [str(price) for price in prices]
        def mixed(self, total: Decimal, n: float, any, params): return [type(n).__name__, n, any]
        def date(self, when: date): return when
        def datetime(self, when: datetime): return when
        def time(self, when: time): return when
        def timedelta(self, when: timedelta): return when
        def tags(self, tag: str, tags: list[str] = []):
            tags.append(tag)
            return tags
        def dicts(self, tag: str, seen: dict = {"old": [1]}):
            seen["old"].append(tag)
            return seen
        def models(self, tag: str, mark: Mark = SHARED):
            mark.names.append(tag)
            return mark.names
        def rest(self, tag, tags=[], *more):
            tags.append(tag)
            return tags
"""


@pytest.fixture
def client(site: Any) -> Any:
    site.write("lib.py", LIBRARY)
    return site.client()


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(number=st.decimals(allow_nan=False, allow_infinity=False, min_value=-(10**30), max_value=10**30))
def test_a_decimal_of_json_has_every_digit_that_was_sent(client: Any, number: Decimal) -> None:
    text = format(number, "f")
    for method, body, got in (
        ("total", f'{{"total": {text}}}', lambda answer: answer.text),
        ("total", f'{{"total": "{text}"}}', lambda answer: answer.text),
        ("prices", f"[{text}]", lambda answer: answer.get_json()[0]),
        ("order", f'{{"total": 1, "lines": [{{"price": {text}}}]}}', lambda answer: answer.get_json()[1][0]),
    ):
        answer = client.post(f"/lib/{method}", data=body, content_type="application/json")
        assert answer.status_code == 200, answer.text
        assert Decimal(got(answer)) == number


def test_other_numbers_beside_a_decimal_are_plain_floats(client: Any) -> None:
    body = '{"total": 12345678901234567.89, "n": 1.5, "any": 2.5}'
    answer = client.post("/lib/mixed", data=body, content_type="application/json")
    assert answer.get_json() == ["float", 1.5, 2.5]


GOOD = {
    "date": ["2026-01-31"],
    "datetime": ["2026-01-31T14:30:00", "2026-01-31T14:30:00Z", "2026-01-31 14:30", "2026-01-31"],
    "time": ["14:30", "14:30:15"],
    "timedelta": ["PT90S", "P1DT2H", "-PT5M"],
}
BAD = {
    "date": ["20260131", "1769817600", "0", "31.01.2026", "2026-02-30", "now", "1e9"],
    "datetime": ["20260131", "1769817600", "1769817600.5", "-5", "tomorrow", "2026-01-31T25:00"],
    "time": ["52200", "1430", "14", "25:00", "1.5"],
    "timedelta": ["90", "1.5", "1:30", "-3", "1 day"],
}


@pytest.mark.parametrize(("kind", "text"), [(kind, text) for kind, texts in GOOD.items() for text in texts])
def test_iso_8601_text_is_a_date(client: Any, kind: str, text: str) -> None:
    assert client.get(f"/lib/{kind}", query_string={"when": text}).status_code == 200
    assert client.post(f"/lib/{kind}", json={"when": text}).status_code == 200


@pytest.mark.parametrize(("kind", "text"), [(kind, text) for kind, texts in BAD.items() for text in texts])
def test_nothing_else_is_a_date(client: Any, kind: str, text: str) -> None:
    answer = client.get(f"/lib/{kind}", query_string={"when": text})
    assert answer.status_code == 422, answer.text
    assert answer.get_json()["errors"][0]["expected"].startswith("a ")
    assert client.post(f"/lib/{kind}", json={"when": text}).status_code == 422
    assert client.get(f"/lib/{kind}/{text}").status_code == 422


@pytest.mark.parametrize("kind", GOOD)
@pytest.mark.parametrize("value", [20260131, 1769817600, 1.5, True])
def test_a_json_number_is_no_date(client: Any, kind: str, value: Any) -> None:
    assert client.post(f"/lib/{kind}", json={"when": value}).status_code == 422


@pytest.mark.parametrize(
    ("method", "first", "second"),
    [
        ("tags", ["a"], ["b"]),
        ("dicts", {"old": [1, "a"]}, {"old": [1, "b"]}),
        ("models", ["a"], ["b"]),
        ("rest", ["a"], ["b"]),
    ],
)
def test_a_default_that_can_be_changed_is_new_for_every_request(
    client: Any, method: str, first: Any, second: Any
) -> None:
    assert client.get(f"/lib/{method}?tag=a").get_json() == first
    assert client.get(f"/lib/{method}?tag=b").get_json() == second
