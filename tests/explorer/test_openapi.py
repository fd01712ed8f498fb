"""The OpenAPI document: valid, complete, and true of what the site answers."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from openapi_spec_validator import OpenAPIV31SpecValidator
from schemathesis import GenerationMode
from schemathesis.specs.openapi import checks

from system.core.app import create_app
from system.core.settings import Settings
from tests.explorer.awkward_site import AWKWARD
from tests.shipped import needs_shipped_site
from tests.task_bench import Server

ROOT = Path(__file__).resolve().parents[2]

# of each operation; `KERNKOA_EXAMPLES=1000 pytest tests/explorer/test_openapi.py` looks harder
EXAMPLES = int(os.environ.get("KERNKOA_EXAMPLES", "8"))

MODELS = """
from dataclasses import dataclass
from decimal import Decimal
from typing import Annotated, Literal, Optional
from pydantic import BaseModel, Field
from werkzeug.datastructures import FileStorage
from system.core.dispatch.params import Params
from system.core.dispatch.decorators import allow

class Item(BaseModel):
    name: str
    price: Annotated[float, Field(ge=0)]

class Sum(BaseModel):
    whole: Decimal = Field(max_digits=5, decimal_places=2)
    places: Decimal = Field(Decimal("1.5"), decimal_places=1, gt=0)
    digits: Decimal = Field(Decimal(1), max_digits=4)

@dataclass
class Point:
    x: int
    y: int = 0

class {name}:
    "A class."

    def show(self, id: int, unit: Literal["m", "cm"] = "m", note: Optional[str] = None):
        \"\"\"Show one.

        At length.
        \"\"\"
        return {{"id": id}}

    @allow("POST", "PUT")
    def save(self, item: Item, notify: bool = False):
        return item

    @allow("PUT")
    def pay(self, amount: Sum):
        return None

    def both(self, a: Point, b: Point):
        return [a, b]

    @allow("POST")
    def photo(self, photo: FileStorage, at: Point, more: list[FileStorage] = ()):
        return "ok"

    def free(self, n: int, *rest: int, sent: Params, **others: str):
        return sent["other"]

    def old(self, params):
        return int(params["n"]) + params.get("m", 1)

    def build(self, celery_instance=None, params=None):
        return 1
"""


def document_of(site: Any, **values: Any) -> dict[str, Any]:
    document: dict[str, Any] = site.client(**{"explorer": "public", **values}).get("/_koa/openapi.json").get_json()
    OpenAPIV31SpecValidator(document).validate()
    return document


def write_models(site: Any, path: str = "shop/models.py") -> None:
    site.write(path, MODELS.format(name="Models"))


def names(parameters: list[dict[str, Any]]) -> dict[str, bool]:
    return {item["name"]: item["required"] for item in parameters}


def test_there_is_an_operation_for_every_url_and_verb(site: Any) -> None:
    write_models(site)
    site.write("index.py", "class index:\n    def index(self):\n        return 'x'\n")
    site.write("_hidden.py", "class _hidden:\n    def index(self):\n        return 'x'\n")
    paths = document_of(site)["paths"]
    operations = {(verb, path) for path, verbs in paths.items() for verb in verbs}
    both = {"show", "show/{id}", "both", "free", "free/{n}", "old"}
    assert operations == (
        {(verb, f"/shop/models/{name}") for verb in ("get", "post") for name in both}
        | {
            ("post", "/shop/models/save"),
            ("put", "/shop/models/save"),
            ("put", "/shop/models/pay"),
            ("post", "/shop/models/photo"),
        }
        | {("get", "/"), ("post", "/")}
    )
    assert "build" not in json.dumps(paths)


def test_the_digits_of_a_decimal_limit_its_number(site: Any) -> None:
    write_models(site)
    fields = document_of(site)["components"]["schemas"]["Sum"]["properties"]
    limits = ("multipleOf", "exclusiveMinimum", "exclusiveMaximum")
    assert {name: [fields[name].get(limit) for limit in limits] for name in ("whole", "places", "digits")} == {
        "whole": [0.01, -1000, 1000],
        "places": [0.1, 0, None],
        "digits": [None, -10000, 10000],
    }


def test_docstrings_are_summary_and_description(site: Any) -> None:
    write_models(site)
    operation = document_of(site)["paths"]["/shop/models/show"]["get"]
    assert operation["summary"] == "Show one."
    assert operation["description"] == "At length."


def test_parameters_come_from_the_signature_and_from_the_syntax_tree(site: Any) -> None:
    write_models(site)
    paths = document_of(site)["paths"]
    assert names(paths["/shop/models/show"]["get"]["parameters"]) == {"id": True, "unit": False, "note": False}
    by_path = paths["/shop/models/show/{id}"]["get"]["parameters"]
    assert by_path[0] == {"name": "id", "in": "path", "required": True, "schema": {"type": "integer"}}
    old = paths["/shop/models/old"]["get"]["parameters"]
    assert [item["schema"] for item in old] == [{"type": "integer"}, {"type": "integer", "default": 1}]
    assert names(paths["/shop/models/free"]["get"]["parameters"]) == {"n": True, "other": True}
    body = paths["/shop/models/show"]["post"]["requestBody"]
    assert set(body["content"]) == {
        "application/json", "application/x-www-form-urlencoded", "multipart/form-data",
    }  # fmt: skip
    assert body["required"]


def test_a_file_makes_the_body_multipart(site: Any) -> None:
    write_models(site)
    content = document_of(site)["paths"]["/shop/models/photo"]["post"]["requestBody"]["content"]
    assert set(content) == {"multipart/form-data"}
    properties = content["multipart/form-data"]["schema"]["properties"]
    assert properties["photo"] == {"type": "string", "format": "binary"}
    assert properties["at"]["contentMediaType"] == "application/json"


def test_models_stand_under_components_and_two_of_one_name_are_told_apart(site: Any) -> None:
    write_models(site)
    schemas = document_of(site)["components"]["schemas"]
    assert schemas["Item"]["required"] == ["name", "price"]
    site.write("other/models.py", MODELS.format(name="Models").replace("    name: str", "    title: str"))
    schemas = document_of(site)["components"]["schemas"]
    assert len([name for name in schemas if name.endswith("Item")]) == 2


def test_the_answers_of_a_fault_are_told(site: Any) -> None:
    write_models(site)
    site.write(
        "a.py", "class a:\n    def index(self, params):\n        if params: abort(409)\n        return '', 418\n"
    )
    paths = document_of(site)["paths"]
    typed = paths["/shop/models/show"]["get"]["responses"]
    assert {"400", "422", "default"} < set(typed)
    assert typed["422"] == {"$ref": "#/components/responses/InvalidParameters"}
    assert {"409", "418"} < set(paths["/a"]["get"]["responses"])


def test_what_does_not_load_is_left_out(site: Any, caplog: pytest.LogCaptureFixture) -> None:
    site.write("bad.py", "class bad:\n    def index(self)\n")
    site.write("worse.py", "raise OSError('gone')\nclass worse:\n    def index(self, a: int):\n        pass\n")
    site.write("unfit.py", "class unfit:\n    def index(self, a: object()):\n        pass\n")
    site.write("good.py", "class good:\n    def index(self, a: int):\n        pass\n")
    assert set(document_of(site)["paths"]) == {"/good", "/good/{a}"}
    assert "unfit" in caplog.text


def test_the_server_is_the_base_of_the_site(site: Any) -> None:
    site.write("index.py", "class index:\n    def index(self):\n        return 'x'\n")
    app = site.app(explorer="public", base="/shop")
    assert app.test_client().get("/shop/_koa/openapi.json").get_json()["servers"] == [{"url": "/shop"}]


def test_the_command_prints_the_document(site: Any) -> None:
    needs_shipped_site()
    done = subprocess.run(
        [sys.executable, str(ROOT / "kernkoa.py"), "openapi"], capture_output=True, text=True, timeout=60, cwd=ROOT
    )
    assert done.returncode == 0, done.stderr
    document = json.loads(done.stdout)
    OpenAPIV31SpecValidator(document).validate()
    assert "/examples/shapes/area" in document["paths"]


def operations() -> list[Any]:
    """Every operation of the catalogue of this repository, as it is."""
    needs_shipped_site()
    return operations_of(
        create_app(Settings(path=ROOT, varPath=os.environ["KERNKOA_VAR_PATH"], explorer="public"))
    )


def operations_of(app: Any) -> list[Any]:
    schema = schemathesis.openapi.from_wsgi("/_koa/openapi.json", app)
    return [result.ok() for result in schema.get_all_operations()]


def can_be_negated(operation: Any) -> bool:
    """Whether there is anything in a request that the document forbids."""
    return bool(operation.path_parameters or operation.query or operation.body)


def try_operation(operation: Any, mode: GenerationMode, examples: int) -> int:
    """Send requests that fit the document, or do not, and check the answers; how many were sent."""
    told = [
        checks.status_code_conformance,
        checks.content_type_conformance,
        checks.response_schema_conformance,
    ]
    is_typed = "422" in operation.definition.raw["responses"]
    if is_typed and mode is GenerationMode.POSITIVE:  # what is told of an untyped method is read between its lines
        told.append(checks.positive_data_acceptance)
    sent = 0

    @given(case=operation.as_strategy(generation_mode=mode))
    @settings(
        max_examples=examples,
        phases=[Phase.generate],
        derandomize="KERNKOA_EXAMPLES" not in os.environ,
        deadline=None,
        database=None,
        suppress_health_check=list(HealthCheck),
    )
    def answer_as_told(case: Any) -> None:
        nonlocal sent
        sent += 1
        response = case.call()
        assert response.status_code != 500, response.text
        case.validate_response(response, checks=told)

    if mode is GenerationMode.POSITIVE or can_be_negated(operation):
        answer_as_told()
    return sent


@pytest.fixture(scope="module")
def broker() -> Iterator[None]:
    """The Redis that the tasks of the examples lean on, where the app of this clone looks for it."""
    server = Server(Path(os.environ["KERNKOA_VAR_PATH"])).start()
    yield
    server.stop()
    server.socket.unlink(missing_ok=True)


@pytest.mark.parametrize("mode", [GenerationMode.POSITIVE, GenerationMode.NEGATIVE], ids=lambda mode: mode.name)
def test_the_example_site_answers_as_its_document_says(broker: None, mode: GenerationMode) -> None:
    """No 500, and no status, type or body that the document does not tell of, whatever is sent."""
    tried = 0
    for operation in operations():
        tried += try_operation(operation, mode, EXAMPLES)
    assert tried > 100


@pytest.mark.parametrize("mode", [GenerationMode.POSITIVE, GenerationMode.NEGATIVE], ids=lambda mode: mode.name)
def test_a_site_of_awkward_shapes_answers_as_its_document_says(site: Any, mode: GenerationMode) -> None:
    site.write("awkward.py", AWKWARD)
    tried = 0
    for operation in operations_of(site.app(explorer="public")):
        tried += try_operation(operation, mode, max(4, EXAMPLES // 3))
    assert tried > 50


def test_an_unchanged_document_is_the_same_and_a_change_anywhere_makes_another(site: Any) -> None:
    site.write("catalog/model/kinds.py", "from pydantic import BaseModel\nclass Kind(BaseModel):\n    name: str\n")
    site.write("a.py", "from catalog.model.kinds import Kind\nclass a:\n    def index(self, kind: Kind): pass\n")
    site.write("b.py", "class b:\n    def index(self, params): return params['x']\n")
    client = site.client(explorer="public")

    def document() -> str:
        text: str = client.get("/_koa/openapi.json").text
        return text

    first = document()
    assert document() == first
    site.write(
        "catalog/model/kinds.py", "from pydantic import BaseModel\nclass Kind(BaseModel):\n    title: str\n"
    )
    assert '"title": {' in document()
    site.write("b.py", "class b:\n    def index(self, params): return params['other']\n")
    assert '"other"' in document()
    site.write("c.py", "class c:\n    def index(self): pass\n")
    assert '"/c"' in document()
    (site.controllers / "c.py").unlink()
    assert '"/c"' not in document()


def test_a_base_that_comes_later_is_listed(site: Any) -> None:
    site.write("child.py", "from parents import Base\nclass child(Base):\n    def index(self): pass\n")
    client = site.client(development=True)
    assert set(client.get("/_koa/openapi.json").get_json()["paths"]) == {"/child"}
    site.write("parents.py", "class Base:\n    @expose\n    def shared(self): pass\n")
    paths = set(client.get("/_koa/openapi.json").get_json()["paths"])
    assert {"/child", "/child/shared"} <= paths
