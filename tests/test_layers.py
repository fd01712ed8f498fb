"""The plan of the kernel: eight folders, and which of them may import which."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
CORE = ROOT / "system" / "core"

# A file imports from its own folder and from those of a lower number. Folders of one number do not know each other.
LAYERS = {
    "errors": 0,
    "spelling": 0,
    "checked": 0,
    "settings": 1,
    "redaction": 2,
    "log": 2,
    "catalog": 2,
    "database": 3,
    "dispatch": 3,
    "tasks": 4,
    "explorer": 5,
    "development": 5,
    "web": 5,
    "app": 6,
    "runtime": 7,
    "commands": 8,
}


def files() -> list[str]:
    """Every file of the kernel, as folder/name or name."""
    return sorted(
        file.relative_to(CORE).with_suffix("").as_posix() for file in CORE.rglob("*.py") if file.stem != "__init__"
    )


def room_of(name: str) -> str:
    return name.split("/")[0]


def imports_of(name: str) -> Iterator[str]:
    """The files of the kernel that a file names: by import, for a type checker too, or as text for Celery."""
    for node in ast.walk(ast.parse((CORE / f"{name}.py").read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom):
            yield from _files_named(name, node)
        elif isinstance(node, ast.Import):
            yield from (_as_file(alias.name) for alias in node.names if alias.name.startswith("system.core."))
        elif isinstance(node, ast.Constant) and str(node.value).startswith("system.core."):
            yield _as_file(str(node.value).partition(":")[0])


def _as_file(module: str) -> str:
    return module.removeprefix("system.core.").replace(".", "/")


def _files_named(name: str, node: ast.ImportFrom) -> Iterator[str]:
    folder = ["system", "core", *name.split("/")[:-1]]
    base = [*folder[: len(folder) - node.level + 1], *(node.module or "").split(".")] if node.level else []
    module = ".".join(filter(None, base)) or (node.module or "")
    if not module.startswith("system.core"):
        return
    for alias in node.names:
        for candidate in (module, f"{module}.{alias.name}"):
            if (CORE / f"{_as_file(candidate)}.py").is_file():
                yield _as_file(candidate)


def test_every_file_stands_in_a_folder_of_the_plan() -> None:
    assert {room_of(name) for name in files()} == set(LAYERS)


@pytest.mark.parametrize("name", files())
def test_a_file_imports_only_from_its_own_folder_and_from_lower_ones(name: str) -> None:
    own = room_of(name)
    wrong = {
        other for other in imports_of(name) if room_of(other) != own and LAYERS[room_of(other)] >= LAYERS[own]
    }
    assert not wrong


@pytest.mark.parametrize("folder", sorted({room_of(name) for name in files() if "/" in name}))
def test_a_folder_has_no_circle_of_imports(folder: str) -> None:
    inside = [name for name in files() if room_of(name) == folder]
    graph = {name: {other for other in imports_of(name) if room_of(other) == folder} for name in inside}
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        pytest.fail(f"a circle of imports: {' -> '.join(error.args[1])}")


@pytest.mark.parametrize("file", sorted((ROOT / "system").rglob("*.py")), ids=str)
def test_nothing_in_system_imports_the_face_or_the_users_folders(file: Path) -> None:
    tree = ast.parse(file.read_text(encoding="utf-8"))
    names = {alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names}
    names |= {node.module or "" for node in ast.walk(tree) if isinstance(node, ast.ImportFrom) and not node.level}
    if file.parent.name != "addons":
        assert not {name for name in names if name.split(".")[0] in ("kernkoa", "config", "catalog")}
