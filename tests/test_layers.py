"""The house: a file of system/core imports only from the layers below it."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
CORE = ROOT / "system" / "core"

LAYERS = (
    ("errors", "outline", "schema", "guard", "marks"),
    ("settings", "params", "sessions", "library", "database_engine", "declared"),
    ("catalog", "wsgi", "signature", "database", "editor", "masking", "inferred", "broker", "parcels", "lifeline"),
    ("routing", "loader", "slots", "databases", "traces", "hints", "records", "schedules", "reading"),
    ("typed", "inheritance", "checking", "backend", "reporting", "worker", "embedded"),
    ("addresses",),
    ("listing",),
    ("calling", "remedies", "choices", "routes", "forms", "finding"),
    ("problems", "walk", "starter", "visitors", "openapi", "tasks"),
    ("running", "background", "status", "beat", "pages", "standin", "shell", "explorer"),
    ("views", "board"),
    ("app",),
    ("runtime", "development"),
    ("serving",),
    ("cli",),
)
LAYER_OF = {name: number for number, names in enumerate(LAYERS) for name in names}


def imports_of(file: Path) -> Iterator[str]:
    """The kernel's files that a file imports when it runs; what only a type checker reads does not count."""
    tree = ast.parse(file.read_text(encoding="utf-8"))
    skipped = {
        id(inner)
        for node in ast.walk(tree)
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"
        for inner in ast.walk(node)
    }
    for node in ast.walk(tree):
        if id(node) in skipped:
            continue
        if isinstance(node, ast.ImportFrom) and node.level == 1 and node.module:
            yield node.module.split(".")[0]
        elif isinstance(node, ast.ImportFrom) and node.level == 1:
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and (node.module or "").startswith("system.core."):
            yield (node.module or "").split(".")[2]


def files() -> list[str]:
    return sorted(file.stem for file in CORE.glob("*.py") if file.stem != "__init__")


def test_every_file_has_a_layer() -> None:
    assert files() == sorted(LAYER_OF)


@pytest.mark.parametrize("name", files())
def test_a_file_imports_only_from_the_layers_below_it(name: str) -> None:
    above = {other for other in imports_of(CORE / f"{name}.py") if LAYER_OF[other] >= LAYER_OF[name]}
    assert not above


@pytest.mark.parametrize("file", sorted((ROOT / "system").rglob("*.py")), ids=str)
def test_nothing_in_system_imports_the_face_or_the_users_folders(file: Path) -> None:
    tree = ast.parse(file.read_text(encoding="utf-8"))
    names = {alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names}
    names |= {node.module or "" for node in ast.walk(tree) if isinstance(node, ast.ImportFrom) and not node.level}
    if file.parent.name != "addons":
        assert not {name for name in names if name.split(".")[0] in ("kernkoa", "config", "catalog")}
