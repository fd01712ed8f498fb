"""A form that a browser filled in wrongly comes back with what was typed and what is wrong with it."""

from __future__ import annotations

import html
import re
from typing import Any

import pytest

from tests.conftest import BROWSER

ORDERS = """
    from datetime import date
    from typing import Annotated, Literal

    from pydantic import AfterValidator, Field

    from kernkoa import *
    from system.core.errors import InvalidParameters

    def later(day):
        if day < date(2026, 1, 1):
            raise ValueError("Choose a day in 2026 or later")
        return day

    class Orders:
        def new(self):
            return render_template("new.html")

        @allow("POST", form="new")
        def create(
            self, customer: Annotated[str, Field(min_length=2)], count: Annotated[int, Field(ge=1, le=99)],
            day: Annotated[date, AfterValidator(later)] = date(2026, 1, 1), size: Literal["s", "m"] = "s",
            extras: list[str] = [], gift: bool = False, secret: str = "", note: str = "",
            days: list[Literal["sat", "sun"]] = [], paper: Literal["red", "blue"] = "red", batch: str = "",
        ):
            if customer == "Nobody":
                raise InvalidParameters.refused(customer="There is no such customer.")
            return redirect("orders/new", 303)
"""
PAGE = """
    {% from "kernkoa/forms.html" import faults, field, textarea, select, choices, checkbox %}
    {{ faults() }}
    <form method="post">
    {{ field("customer", "Customer", required=true, hint="As on the invoice") }}
    {{ field("count", "Number", type="number", value=1, min=1, max=99) }}
    {{ field("day", "Day", type="date", value="2026-02-01", disabled=false) }}
    {{ field("secret", "Password", type="password") }}
    {{ textarea("note", "Note", value="none", rows=3) }}
    {{ select("size", "Size", {"s": "Small", "m": "Medium"}, value="m") }}
    {{ select("extras", "Extras", ["bow", "card"], value=["bow"], multiple=true) }}
    {{ checkbox("gift", "A gift", checked=true) }}
    {{ choices("paper", "Paper", ["red", "blue"], value="red") }}
    {{ choices("days", "Days", {"sat": "Saturday", "sun": "Sunday"}, type="checkbox") }}
    {{ field("batch", "", type="hidden", value="b1") }}
    </form>
"""
TYPED = {
    "customer": "<Ann>",
    "count": "many",
    "day": "2025-01-01",
    "secret": "hunter2",
    "note": "first\nsecond & <last>",
    "size": "s",
    "extras": ["card"],
}


@pytest.fixture
def client(site: Any) -> Any:
    site.write("orders.py", ORDERS)
    site.write("templates/new.html", PAGE)
    return site.client()


def controls(page: str) -> dict[str, str]:
    """The element of each field, by name."""
    found = re.findall(r'<(?:input|textarea|select)[^>]*name="(\w+)"[^>]*>(?:[^<]*</textarea>)?', page)
    return {name: match[0] for name in found if (match := re.search(rf'<[^>]*name="{name}".*?>[^<]*', page))}


def chosen(page: str) -> list[str]:
    return re.findall(r'<option value="(\w+)" selected>', page)


def test_a_form_starts_with_its_defaults(client: Any) -> None:
    answer = client.get("/orders/new", headers=BROWSER)
    assert answer.status_code == 200
    fields = controls(answer.text)
    assert 'value=""' in fields["customer"]
    assert 'aria-describedby="customer-hint"' in fields["customer"]
    assert re.search(r" required(?!=)", fields["customer"])
    assert 'value="1" min' in fields["count"] or 'min="1" max="99" value="1"' in fields["count"]
    assert "disabled" not in fields["day"]
    assert fields["note"].endswith("\nnone")
    assert chosen(answer.text) == ["m", "bow"]
    assert " checked" in fields["gift"]
    assert "fault" not in answer.text


def test_a_browser_gets_the_form_again_with_what_was_typed_and_what_is_wrong(client: Any) -> None:
    answer = client.post("/orders/create", data=TYPED, headers=BROWSER)
    assert answer.status_code == 422
    page, fields = answer.text, controls(answer.text)
    assert 'value="&lt;Ann&gt;"' in fields["customer"]
    assert "aria-invalid" not in fields["customer"]
    assert 'value="many"' in fields["count"]
    assert 'aria-invalid="true"' in fields["count"]
    assert 'aria-describedby="count-fault"' in fields["count"]
    assert "Enter a whole number, at least 1, at most 99." in page
    assert '<p class="fault" id="day-fault">Choose a day in 2026 or later.</p>' in page
    assert html.unescape(fields["note"]).endswith("\nfirst\nsecond & <last>")
    assert chosen(page) == ["s", "card"]
    assert " checked" not in fields["gift"]
    assert "hunter2" not in page
    assert page.count('role="alert"') == 1


def test_radio_buttons_and_boxes_keep_what_was_chosen_and_show_the_fault_of_an_item(client: Any) -> None:
    first = client.get("/orders/new", headers=BROWSER).text
    assert re.findall(r'value="(\w+)"[^>]*name="paper"([^>]*)>', first) == [("red", " checked"), ("blue", "")]
    assert '<input type="hidden" id="batch" name="batch" value="b1">' in first
    sent = {"customer": "Ann", "count": "1", "paper": "blue", "days": ["sun", "mon"], "batch": "b2"}
    page = client.post("/orders/create", data=sent, headers=BROWSER).text
    assert re.findall(r'<input type="radio" value="(\w+)"[^>]* checked>', page) == ["blue"]
    assert re.findall(r'<input type="checkbox" value="(\w+)"[^>]*name="days"[^>]* checked>', page) == ["sun"]
    assert '<a href="#days">days</a>: Choose one of sat, sun.' in page
    assert '<p class="fault" id="days-fault">Choose one of sat, sun.</p>' in page
    assert 'name="batch" value="b2"' in page
    identifiers = re.findall(r' id="([^"]+)"', page)
    assert len(identifiers) == len(set(identifiers))


def test_the_first_faulty_field_gets_the_focus(client: Any) -> None:
    assert "autofocus" not in client.get("/orders/new", headers=BROWSER).text
    page = client.post("/orders/create", data=TYPED, headers=BROWSER).text
    assert page.count("autofocus") == 1
    assert " autofocus" in controls(page)["count"]


def test_a_box_that_has_to_be_ticked_says_so(site: Any) -> None:
    site.write(
        "terms.py",
        """
        from kernkoa import *
        class Terms:
            def show(self):
                return render_template("terms.html")
            @allow("POST", form="show")
            def agree(self, terms: bool):
                return "thank you"
        """,
    )
    site.write(
        "templates/terms.html", '{% from "kernkoa/forms.html" import checkbox %}{{ checkbox("terms", "I agree") }}'
    )
    page = site.client().post("/terms/agree", headers=BROWSER).text
    assert '<p class="fault" id="terms-fault">Tick this box.</p>' in page


def test_the_site_refuses_values_itself(client: Any) -> None:
    sent = {"customer": "Nobody", "count": "1"}
    answer = client.post("/orders/create", data=sent, headers=BROWSER)
    assert answer.status_code == 422
    assert "There is no such customer." in answer.text
    fault = client.post("/orders/create", data=sent).json["errors"][0]
    assert (fault["name"], fault["hint"]) == ("customer", "There is no such customer.")


def test_a_program_gets_the_faults_as_json(client: Any) -> None:
    answer = client.post("/orders/create", data=TYPED)
    assert answer.status_code == 422
    assert [error["name"] for error in answer.json["errors"]] == ["count", "day"]
    assert answer.json["errors"][1]["message"] == "Choose a day in 2026 or later."


def test_a_right_form_is_taken(client: Any) -> None:
    answer = client.post("/orders/create", data={"customer": "Ann", "count": "2"}, headers=BROWSER)
    assert (answer.status_code, answer.location) == (303, "/orders/new")


def test_the_page_of_a_form_gets_the_positional_arguments_and_the_query(site: Any) -> None:
    site.write(
        "edit.py",
        """
        from kernkoa import *
        class Edit:
            def show(self, number: int, tab: str = "main"):
                return f"{number} {tab} {request.method}"
            @allow("POST", form="show")
            def save(self, number: int, count: int):
                return "saved"
            @allow("POST", form="edit/Edit/show/5")
            def fixed(self, count: int):
                return "saved"
            @allow("POST", form="wants")
            def lost(self, count: int):
                return "saved"
            def wants(self, name: str):
                return name
        """,
    )
    client = site.client()
    answer = client.post("/edit/save/7?tab=more", data={"count": "x"}, headers=BROWSER)
    assert (answer.status_code, answer.text) == (422, "7 more POST")
    assert client.post("/edit/fixed", data={"count": "x"}, headers=BROWSER).text == "5 main POST"
    lost = client.post("/edit/lost", data={"count": "x", "name": "not of the query"}, headers=BROWSER)
    assert lost.status_code == 422
    assert "<code>count</code>" in lost.text


def test_the_guard_of_the_page_is_asked_and_what_was_written_is_taken_back(site: Any, tmp_path: Any) -> None:
    site.write(
        "safe.py",
        """
        from kernkoa import *
        from system.core.errors import InvalidParameters
        class Open:
            def before(self, params):
                g.asked = g.get("asked", 0) + 1
            def new(self):
                return f"{current_app.dbs['db'].getValue('select count(*) from t')} rows, asked {g.asked} times"
            @allow("POST", form="new")
            def create(self, count: int):
                current_app.dbs["db"].startTransaction()
                current_app.dbs["db"].query("insert into t values (1)")
                raise InvalidParameters.refused(count="Another one.")
            @allow("POST", form="safe/Closed/new")
            def other(self, count: int):
                return "saved"
        class Closed:
            def before(self, params):
                return "closed", 403
            def new(self):
                return "secret"
        """,
    )
    client = site.client(databases={"db": {"driver": "sqlite", "host": str(tmp_path / "db")}})
    client.application.dbs["db"].query("create table t (n integer)")
    assert client.post("/safe/Open/create", data={"count": "1"}, headers=BROWSER).text == "0 rows, asked 1 times"
    closed = client.post("/safe/Open/other", data={"count": "x"}, headers=BROWSER)
    assert (closed.status_code, closed.text) == (403, "closed")


def test_a_form_of_a_method_that_does_not_exist_is_a_fault_of_the_site(site: Any) -> None:
    site.write(
        "lib.py",
        """
        from kernkoa import *
        class Lib:
            @allow("POST", form="nwe")
            def create(self, count: int):
                return "saved"
        """,
    )
    app = site.app()
    assert app.test_client().post("/lib/create", data={"count": "x"}, headers=BROWSER).status_code == 500


def test_choices_are_chosen_and_all_else_is_entered(site: Any) -> None:
    site.write("form.py", FORM)
    page = site.client().post("/form/send", headers=BROWSER).text
    assert page == "size=Choose one of s, m.;tags=Choose from a, b.;day=Enter a date such as 2026-01-31.;"


FORM = """
    from datetime import date
    from typing import Literal

    from kernkoa import *
    from flask import render_template_string

    class Form:
        def show(self):
            return render_template_string("{% for name, text in form.faults.items() %}{{ name }}={{ text }};{% endfor %}")
        @allow("POST", form="show")
        def send(self, size: Literal["s", "m"], tags: list[Literal["a", "b"]], day: date):
            return "sent"
"""
