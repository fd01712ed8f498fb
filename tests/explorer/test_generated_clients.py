"""Clients that generators make of the document: without a warning, and with typed answers."""

from __future__ import annotations

import importlib
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from system.core.app import create_app
from system.core.settings import Settings
from tests.programs import find_program
from tests.serving import serving
from tests.shipped import needs_shipped_site

ROOT = Path(__file__).resolve().parents[2]

DESK = '''
"""Orders of a shop."""
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from enum import Enum
from typing import Annotated, Literal
from pydantic import BaseModel, Field
from system.core.dispatch.decorators import allow
from system.core.dispatch.responses import Task

class Size(Enum):
    SMALL = "s"
    LARGE = "l"

@dataclass
class Line:
    name: str
    amount: int = 1

class Order(BaseModel):
    number: int
    lines: list[Line] = []
    size: Size = Size.SMALL
    day: date | None = None
    total: Decimal = Decimal("0.00")

class Totals(BaseModel):
    orders: int
    by_size: dict[str, int]

class Desk:
    """The desk."""

    def show(self, number: int) -> Order:
        """Show an order."""
        return Order(number=number, lines=[Line("tea", 2)], day=date(2026, 1, 31), total=Decimal("3.50"))

    def orders(self, limit: Annotated[int, Field(ge=1)] = 2) -> list[Order]:
        return [Order(number=number) for number in range(limit)]

    @allow("POST")
    def save(self, order: Order) -> tuple[Order, Literal[201]]:
        return order, 201

    @allow("DELETE")
    def cancel(self, number: int) -> None:
        return None

    def totals(self) -> Totals:
        return Totals(orders=2, by_size={"s": 2})

    def count(self) -> int:
        return 7

    def names(self) -> list[str]:
        return ["tea", "milk"]

    def size(self, size: Size = Size.LARGE) -> dict[str, Size]:
        return {"size": size}

    def page(self) -> str:
        return "<h1>Desk</h1>"

    @allow("POST")
    def report(self) -> Task[Totals]:
        return exeTask(self, "made")

    @allow("PUT")
    def move(self, number: int, day: date) -> Order | None:
        return Order(number=number, day=day)
'''


def generate(address: str, folder: Path) -> str:
    """Make a Python client of the document at an address; what the generator printed."""
    done = subprocess.run(
        [sys.executable, "-m", "openapi_python_client", "generate", "--url", f"{address}/_koa/openapi.json",
         "--meta", "none", "--output-path", str(folder)],
        capture_output=True, text=True, timeout=120,
        env={**os.environ, "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"},
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The shipped catalogue with the order desk beside it."""
    needs_shipped_site()
    root = tmp_path_factory.mktemp("site")
    (root / "catalog" / "controller").mkdir(parents=True)
    for name in ("controller", "model", "language"):
        (root / "catalog" / name).exists() or (root / "catalog" / name).mkdir()
    for file in (ROOT / "catalog").rglob("*.py"):
        copy = root / "catalog" / file.relative_to(ROOT / "catalog")
        copy.parent.mkdir(parents=True, exist_ok=True)
        copy.write_bytes(file.read_bytes())
    (root / "catalog" / "controller" / "desk.py").write_text(DESK)
    app = create_app(Settings(path=root, explorer="public"))
    with serving(app) as address:
        yield address
    app.catalog.close()


@pytest.fixture(scope="module")
def client(served: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """A generated client of that site, and a way to call an operation of it."""
    folder = tmp_path_factory.mktemp("generated") / "desk_client"
    printed = generate(served, folder)
    assert "warning" not in printed.lower(), printed
    sys.path.insert(0, str(folder.parent))
    caller = importlib.import_module("desk_client").Client(base_url=served)
    yield lambda name, **values: importlib.import_module(f"desk_client.api.desk.{name}").sync_detailed(
        client=caller, **values
    )
    sys.path.remove(str(folder.parent))


def test_a_generated_client_returns_typed_objects(client: Any) -> None:
    from desk_client import models  # type: ignore[import-not-found]

    order = client("get_desk_desk_show", number=5).parsed
    assert isinstance(order, models.Order)
    assert (order.number, order.lines[0].name, order.day.isoformat(), order.total) == (
        5,
        "tea",
        "2026-01-31",
        "3.50",
    )
    assert client("get_desk_desk_show_by_path", number=6).parsed.number == 6
    orders = client("get_desk_desk_orders", limit=3).parsed
    assert [each.number for each in orders] == [0, 1, 2]
    totals = client("get_desk_desk_totals").parsed
    assert (totals.orders, totals.by_size["s"]) == (2, 2)
    assert client("get_desk_desk_count").parsed == 7
    assert client("get_desk_desk_names").parsed == ["tea", "milk"]
    assert client("get_desk_desk_size").parsed["size"].value == "l"
    assert client("get_desk_desk_page").parsed == "<h1>Desk</h1>"
    sent = models.OrderInput(number=9, size=models.Size.L)
    saved = client("post_desk_desk_save", body=sent)
    assert (saved.status_code, saved.parsed.number, saved.parsed.size.value) == (201, 9, "l")
    assert client("delete_desk_desk_cancel", number=1).status_code == 204


def test_a_generated_client_reads_what_a_task_returns(client: Any) -> None:
    from desk_client import models

    status = models.StatusOfTotals.from_dict({"status": "SUCCESS", "data": {"orders": 2, "by_size": {"s": 1}}})
    assert (status.data.orders, status.data.by_size["s"]) == (2, 1)


PROGRAM = """
import type { components, paths } from "./api";

type Answer<Path extends keyof paths> = paths[Path] extends
  { get: { responses: { 200: { content: { "application/json": infer Body } } } } } ? Body : never;
const order: Answer<"/desk/show"> = { number: 1, lines: [{ name: "tea", amount: 2 }], size: "s", day: null, total: "1.50" };
const orders: Answer<"/desk/orders"> = [order];
const count: Answer<"/desk/count"> = 7;
const status: components["schemas"]["StatusOfTotals"] = { status: "SUCCESS", data: { orders: 1, by_size: { s: 1 } } };
// @ts-expect-error: a number is no text
const wrong: Answer<"/desk/show"> = { ...order, number: "1" };
export { count, orders, status, wrong };
"""
# kept beside the packages of Python: 44 MB
TOOLS = Path(sys.prefix) / "typescript"


@pytest.fixture(scope="module")
def tools() -> Path:
    """openapi-typescript and the compiler, from npm."""
    npm = find_program("npm")
    if not (TOOLS / "node_modules").is_dir():
        packages = ("openapi-typescript@7", "typescript@5")
        command = [npm, "install", "--prefix", str(TOOLS), "--no-audit", "--no-fund", *packages]
        done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
        assert done.returncode == 0, f"npm cannot install openapi-typescript: {done.stderr}"
    return TOOLS / "node_modules"


def test_the_types_of_openapi_typescript_fit_without_a_warning(served: str, tools: Path, tmp_path: Path) -> None:
    def run(script: str, *words: str) -> str:
        command = [find_program("node"), str(tools / script), *words]
        done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=120, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout + done.stderr

    made = run("openapi-typescript/bin/cli.js", f"{served}/_koa/openapi.json", "-o", "api.d.ts")
    assert "warn" not in made.lower(), made
    (tmp_path / "program.ts").write_text(PROGRAM)
    run(
        "typescript/bin/tsc",
        "--noEmit",
        "--strict",
        "--module",
        "esnext",
        "--moduleResolution",
        "bundler",
        "program.ts",
    )


def test_a_generated_client_knows_the_faults_of_a_request(client: Any) -> None:
    answer = client("get_desk_desk_orders", limit=0)
    assert answer.status_code == 422
    assert answer.parsed.errors[0].name == "limit"
