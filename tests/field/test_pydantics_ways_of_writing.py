"""Every way that pydantic's documentation shows for a parameter works, or is refused with the parameter's name."""

from __future__ import annotations

from typing import Any

import pytest

from system.core.commands.check import check_site

HEAD = """
    import dataclasses
    from typing import Annotated, Any, Literal, NamedTuple, Union
    from pydantic import (AfterValidator, AliasChoices, AliasPath, BaseModel, BeforeValidator, Field, PlainValidator,
                          PrivateAttr, StringConstraints, WrapValidator, computed_field, conint, field_validator,
                          model_validator, StrictInt, PositiveInt, SecretStr, UUID4, Discriminator, Tag)

    class Cat(BaseModel):
        kind: Literal["cat"]
        lives: int
    class Dog(BaseModel):
        kind: Literal["dog"]
        age: float = 1
    class Aliased(BaseModel):
        user_name: str = Field(alias="userName")
        n: int = Field(default=1, validation_alias=AliasChoices("n", "number"))
    class Checked(BaseModel):
        n: int
        @field_validator("n")
        @classmethod
        def even(cls, value: int) -> int:
            if value % 2:
                raise ValueError("must be even")
            return value
        @model_validator(mode="after")
        def small(self):
            if self.n > 100:
                raise ValueError("too much")
            return self

    def even(value):
        if value % 2:
            raise ValueError("must be even")
        return value

    class Odd:
        pass
    class Closed(BaseModel, extra="forbid"):
        a: int
    class Pair(NamedTuple):
        x: int
        y: int = 0

    class Lib:
        def it(self, {signature}):
            return repr({value})
        def other(self):
            return "here"
        def _hidden(self, odd: Odd, nothing: "Nowhere"):
            pass

    class Later(BaseModel):
        inner: "Later | None" = None
"""


def client_of(site: Any, signature: str, value: str = "n") -> Any:
    site.write("lib.py", HEAD.replace("{signature}", signature).replace("{value}", value))
    return site.client()


@pytest.mark.parametrize(
    ("signature", "query", "answer"),
    [
        ("n: int = Field(default=5, ge=1)", "", "5"),
        ("n: int = Field(default=5, ge=1)", "n=3", "3"),
        ("n: int = Field(default=5, ge=1)", "n=-3", None),
        ("n: int = Field(5)", "", "5"),
        ("n: int = Field(ge=1)", "", None),
        ("n: int = Field(ge=1)", "n=1", "1"),
        ("n: int = Field(..., ge=1)", "n=0", None),
        ("n=Field(7)", "", "7"),
        ("n=Field(7)", "n=a", "'a'"),
        ("n: Annotated[int, Field(ge=1)] = 4", "", "4"),
        ("n: Annotated[int, Field(ge=1)] = 4", "n=0", None),
        ("n: Annotated[int, Field(default=6, ge=1)]", "", "6"),
        ("n: Annotated[int, Field(ge=1)] = Field(8, le=9)", "n=10", None),
        ("n: Annotated[int, Field(ge=1)] = Field(8, le=9)", "n=0", None),
        ("n: Annotated[int, Field(ge=1)] = Field(8, le=9)", "", "8"),
        ("n: list[int] = Field(default_factory=list)", "", "[]"),
        ("n: list[int] = Field(default_factory=list)", "n=1", "[1]"),
        ("n: Annotated[list[int], Field(default_factory=lambda: [9])]", "", "[9]"),
        ("n: int = Field(alias='number')", "number=2", "2"),
        ("n: int = Field(3, alias='number')", "n=2", "3"),
        ("n: int = Field(alias='number')", "n=2", None),
        ("n: Annotated[int, Field(alias='number')]", "number=2", "2"),
        ("n: int = Field(validation_alias='number')", "number=2", "2"),
        ("n: int = Field(validation_alias=AliasChoices('a', 'b'))", "b=2", "2"),
        ("n: int = Field(validation_alias=AliasChoices('a', 'b'))", "a=1&b=2", "1"),
        ("n: int = Field(strict=True)", "n=5", "5"),
        ("n: StrictInt", "n=5", "5"),
        ("n: PositiveInt", "n=0", None),
        ("n: conint(ge=3)", "n=2", None),
        ("n: Annotated[int, AfterValidator(even)]", "n=2", "2"),
        ("n: Annotated[int, AfterValidator(even)]", "n=3", None),
        ("n: Annotated[int, BeforeValidator(lambda text: text.strip('#'))]", "n=%235", "5"),
        ("n: Annotated[Any, PlainValidator(lambda text: text * 2)]", "n=ab", "'abab'"),
        ("n: Annotated[int, WrapValidator(lambda value, handler: handler(value) + 1)]", "n=1", "2"),
        ("n: Annotated[str, StringConstraints(to_upper=True, max_length=2)]", "n=ab", "'AB'"),
        ("n: Annotated[str, StringConstraints(to_upper=True, max_length=2)]", "n=abc", None),
        ("n: str = Field(pattern='^a')", "n=b", None),
        ("n: float = Field(multiple_of=0.5, lt=3)", "n=2.5", "2.5"),
        ("n: int = Field('12', validate_default=True)", "", "12"),
        (
            "n: Annotated[Union[Cat, Dog], Field(discriminator='kind')]",
            "kind=dog&age=2",
            "Dog(kind='dog', age=2.0)",
        ),
        ("n: Annotated[Union[Cat, Dog], Field(discriminator='kind')]", "kind=cow", None),
        ("n: Union[Cat, Dog] = Field(discriminator='kind')", "kind=cat&lives=9", "Cat(kind='cat', lives=9)"),
        ("n: Aliased", "userName=Ann", "Aliased(user_name='Ann', n=1)"),
        ("n: Aliased", "userName=Ann&number=4", "Aliased(user_name='Ann', n=4)"),
        ("n: Checked", "n=2", "Checked(n=2)"),
        ("n: Checked", "n=3", None),
        ("n: Checked", "n=102", None),
    ],
)
def test_what_pydantic_shows_for_a_parameter_works(
    site: Any, caplog: Any, signature: str, query: str, answer: str | None
) -> None:
    client = client_of(site, signature)
    got = client.get(f"/lib/it?{query}")
    assert "cannot be used" not in caplog.text
    assert (got.status_code, got.text if answer else "") == ((200, answer) if answer else (422, "")), got.text
    posted = client.post("/lib/it", data=query, content_type="application/x-www-form-urlencoded")
    assert posted.status_code == got.status_code


def test_an_alias_is_the_name_that_faults_and_hints_use(site: Any) -> None:
    client = client_of(site, "n: int = Field(alias='userNumber')")
    (fault,) = client.get("/lib/it?userNumbr=1").get_json()["errors"]
    assert (fault["name"], fault["hint"]) == ("userNumber", "You sent 'userNumbr'; did you mean 'userNumber'?")
    assert client.post("/lib/it", json={"userNumber": 4}).text == "4"
    assert client.get("/lib/it/6").text == "6"


@pytest.mark.parametrize(
    ("signature", "query", "name", "expected"),
    [
        ("n: Closed", "a=1&z=2", "z", "nothing, as there is no such field"),
        ("n: Pair", "y=1", "x", "a value"),
        ("n: UUID4", "n=5", "n", "a UUID of version 4"),
    ],
)
def test_a_fault_of_a_record_names_the_field(
    site: Any, signature: str, query: str, name: str, expected: str
) -> None:
    (fault,) = client_of(site, signature).get(f"/lib/it?{query}").get_json()["errors"]
    assert (fault["name"], fault["expected"]) == (name, expected)


def test_a_strict_field_takes_no_other_json_type(site: Any) -> None:
    client = client_of(site, "n: int = Field(strict=True)")
    assert client.post("/lib/it", json={"n": 5}).text == "5"
    assert client.post("/lib/it", json={"n": "5"}).status_code == 422


@pytest.mark.parametrize(
    "signature",
    [
        "n: int = Field(validation_alias=AliasPath('a', 0))",
        "n: int = Field(validation_alias=AliasChoices('a', AliasPath('b', 0)))",
        "n: int = Field(default_factory=lambda data: 1)",
        "n: int = PrivateAttr(1)",
        "n: list = dataclasses.field(default_factory=list)",
        "n: Annotated[int, Field(gt='x')]",
        "n: Annotated[Union[Cat, int], Field(discriminator='kind')]",
        "n: object()",
    ],
)
def test_what_cannot_work_is_refused_with_the_name_of_the_parameter(
    site: Any, caplog: Any, signature: str
) -> None:
    client = client_of(site, signature)
    assert client.get("/lib/other").text == "here"  # the library loads, and the load reports the method
    assert "lib.py, line" in caplog.text
    assert ": Lib.it has a parameter that cannot be used. n: " in caplog.text
    assert client.get("/lib/it?n=1").status_code == 500


@pytest.mark.parametrize(
    "signature",
    [
        "n: Odd",
        "n: 'Odd'",
        "n: 'Nowhere'",
        "n: 'list['",
        "n: list[Odd]",
        "n: dict[str, Odd] | None = None",
        "n: tuple[int, Odd]",
        "n: Annotated[str, Field(gt=3)]",
        "n: Annotated[int, Field(pattern='x')]",
        "n: Annotated[int, Field(min_length=2)]",
        "n: bytes = Field(b'', le=3)",
        "*, n: Odd = None",
        "*n: Odd",
        "celery_instance, n: Odd",
        "celery_instance, n: int = Field(validation_alias=AliasPath('a', 0))",
    ],
)
def test_a_parameter_that_cannot_be_used_is_reported_when_the_library_loads(
    site: Any, caplog: Any, signature: str
) -> None:
    assert client_of(site, signature).get("/lib/other").text == "here"
    assert ": Lib.it has a parameter that cannot be used. n: " in caplog.text


@pytest.mark.parametrize(
    "signature",
    [
        "n: 'Later'",
        "n: Annotated[str, Field(gt='a')]",
        "n: 'list[Later] | None' = None",
        "n: Dog = Dog(kind='dog')",
    ],
)
def test_a_parameter_that_can_be_used_is_not_reported(site: Any, caplog: Any, signature: str) -> None:
    assert client_of(site, signature).get("/lib/other").text == "here"
    assert "cannot be used" not in caplog.text


WRONG = "cannot be used: a value of type "


@pytest.mark.parametrize(
    ("model", "faults"),
    [
        ("class P(BaseModel):\n    age: str = Field(gt=3)", ["line 4: P.age {}str cannot have gt"]),
        (
            "class P(BaseModel):\n    n: int\n    a: list[Annotated[int, Field(max_length=3)]] = []",
            ["P.a {}int cannot have max_length"],
        ),
        (
            "class P(BaseModel):\n    fields: dict[str, int] = Field({}, pattern='a')",
            ["P.fields {}dict cannot have pattern"],
        ),
        (
            "class P(BaseModel):\n    type: bytes | None = Field(None, multiple_of=2)",
            ["P.type {}bytes cannot have multiple_of"],
        ),
        ("class P(RootModel):\n    root: Annotated[str, Field(ge=3)]", [" P {}str cannot have ge"]),
        (
            "@pydantic.dataclasses.dataclass\nclass P:\n    age: Annotated[str, Field(lt=3)]",
            ["P.age {}str cannot have lt"],
        ),
        (
            "class Q(BaseModel):\n    a: str = Field(gt=3)\nclass P(BaseModel):\n    q: Q\n    b: list[int] = Field(le=1)",
            ["line 4: Q.a {}str cannot have gt", "line 6: P.b {}list cannot have le"],
        ),
        ("class P(BaseModel):\n    age: int = Field(gt=3)\n    default: str = Field('a', max_length=3)", []),
        ("class P(BaseModel):\n    p: 'P | None' = None\n    later: 'Later' = 1", []),
    ],
)
def test_a_field_that_cannot_be_used_is_reported_when_its_library_loads(
    site: Any, caplog: Any, model: str, faults: list[str]
) -> None:
    imports = "import pydantic\nfrom typing import Annotated\nfrom pydantic import BaseModel, Field, RootModel\n"
    file = site.write("catalog/model/people.py", imports + model)
    site.write("lib.py", "from catalog.model.people import P\nclass Lib:\n    def other(self): return 'here'\n")
    app = site.app()
    assert app.test_client().get("/lib/other").text == "here"
    said = [record.getMessage() for record in caplog.records]
    assert len(said) == len(faults)
    assert all(fault.format(WRONG) in line and str(file) in line for fault, line in zip(faults, said, strict=True))
    found = [str(finding) for finding in check_site(app, app.catalog, app.settings) if finding.path == str(file)]
    assert len(found) == len(faults)


def test_libraries_that_import_one_another_are_reported_when_both_are_complete(site: Any, caplog: Any) -> None:
    for name, other in (("a", "b"), ("b", "a")):
        site.write(
            f"{name}.py",
            f"""
            from catalog.controller import {other}
            from pydantic import BaseModel

            class {name.upper()}:
                def it(self, n: "{other}.Model"):
                    return n.n
                def odd(self, n: "{other}.Nothing"):
                    pass

            class Model(BaseModel):
                n: int
            """,
        )
    assert site.client().get("/a/it?n=1").text == "1"
    assert "A.odd has a parameter that cannot be used. n: " in caplog.text
    assert "B.odd has a parameter that cannot be used. n: " in caplog.text
    assert ".it has" not in caplog.text


def test_a_computed_field_goes_out(site: Any) -> None:
    site.write(
        "lib.py",
        """
        from pydantic import BaseModel, Field, computed_field

        class Square(BaseModel):
            side: float = Field(serialization_alias="edge")
            hidden: int = Field(1, exclude=True)

            @computed_field
            @property
            def area(self) -> float:
                return self.side ** 2

        class Lib:
            def it(self, s: Square):
                return s
        """,
    )
    assert site.client().get("/lib/it?side=2").get_json() == {"edge": 2.0, "area": 4.0}


@pytest.mark.parametrize(
    ("annotation", "text", "value"),
    [
        ("Json[dict[str, int]]", '{"a": "1"}', {"a": 1}),
        ("Json[list[int]]", "[1, 2]", [1, 2]),
        ("Json[dict[str, int]] | None", '{"a": 1}', {"a": 1}),
        ("Annotated[Json[dict[str, int]], Field(max_length=2)]", '{"a": 1}', {"a": 1}),
        ("Json", '{"a": [1]}', {"a": [1]}),
        ("list[Json[int]]", "1", [1]),
    ],
)
def test_a_json_annotation_takes_its_text_everywhere(site: Any, annotation: str, text: str, value: object) -> None:
    site.write(
        "lib.py",
        f"""
        from typing import Annotated
        from pydantic import BaseModel, Field, Json

        class Record(BaseModel):
            v: {annotation}

        class Lib:
            def one(self, v: {annotation}): return {{"v": v}}
            def two(self, v: {annotation}, n: int = 1): return {{"v": v}}
            def record(self, r: Record): return r
        """,
    )
    client = site.client()
    sent: Any = [text] if annotation.startswith("list") else text
    for method in ("one", "two", "record"):
        for answer in (
            client.get(f"/lib/{method}", query_string={"v": text}),
            client.post(f"/lib/{method}", data={"v": text}),
            client.post(f"/lib/{method}", json={"v": sent}),
        ):
            assert (answer.status_code, answer.get_json()) == (200, {"v": value}), (method, answer.text)
        assert client.get(f"/lib/{method}", query_string={"v": "{"}).status_code == 422
