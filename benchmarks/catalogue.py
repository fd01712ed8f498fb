"""What many methods cost: the OpenAPI document, the explorer's pages, its search, `routes` and `check`.

    venv3/bin/python benchmarks/catalogue.py [--methods 5000 10000] [--runs 3] [--typed]

The methods stand in libraries of ten, and in one class. Each figure is CPU time in milliseconds, the least of
some runs; "again" is the same with nothing changed. The last column is the larger size over the smaller: linear is
the ratio of the sizes.
"""

from __future__ import annotations

import argparse
import gc
import json
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from system.core.app import create_app
from system.core.commands.check import check_site
from system.core.commands.routes import list_routes
from system.core.settings import Settings

UNTYPED = '    def method{0}(self, params):\n        "Method {0}."\n        return params["name"]\n'
TYPED = '    def method{0}(self, name: str, n: int = 1):\n        "Method {0}."\n        return name * n\n'


def make_site(root: Path, methods: int, shape: str, typed: bool) -> Path:
    """A site of so many methods, in libraries of ten (`many`) or in one class (`one`)."""
    folder = root / "catalog" / "controller"
    folder.mkdir(parents=True)
    per_library = 10 if shape == "many" else methods
    text = TYPED if typed else UNTYPED
    for number in range(methods // per_library):
        inner = folder / f"folder{number // 100}"
        inner.mkdir(exist_ok=True)
        body = "".join(text.format(index) for index in range(per_library))
        (inner / f"lib{number}.py").write_text(f'"Library {number}."\n\n\nclass Lib:\n{body}')
    return root


def cpu(action: Callable[[], object]) -> float:
    """CPU milliseconds of an action."""
    gc.collect()
    start = time.process_time()
    action()
    return (time.process_time() - start) * 1e3


def measure(site: Path) -> dict[str, float]:
    """The figures of one site, in this process."""
    settings = Settings(path=site, varPath=str(site / "var"), explorer=True, development=True)
    app = create_app(settings)
    client = app.test_client()

    def page(path: str) -> Callable[[], object]:
        def get() -> None:
            response = client.get(f"/_koa/{path}")
            assert response.status_code == 200, (path, response.text[:500])

        return get

    pages = {
        "folder page": "at/folder0",
        "library page": "at/folder0/lib0",
        "method page": "at/folder0/lib0/Lib/method7",
        "search": "find?q=method7",
        "document": "openapi.json",
    }
    found = {}
    for name, path in pages.items():
        found[name] = cpu(page(path))
        found[f"{name} again"] = min(cpu(page(path)) for _ in range(3))
    found["routes"] = cpu(lambda: list_routes(settings))
    found["check"] = cpu(lambda: check_site(app, app.catalog, settings))
    found["memory MiB"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    app.catalog.close()
    return found


def measure_apart(shape: str, methods: int, typed: bool) -> dict[str, float]:
    """The figures of a site, in a process of its own."""
    with tempfile.TemporaryDirectory() as folder:
        site = make_site(Path(folder) / "site", methods, shape, typed)
        command = [sys.executable, __file__, "--site", str(site)]
        done = subprocess.run(command, check=True, capture_output=True, text=True)
    figures: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return figures


def main() -> None:
    """Measure every shape and size, and print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--methods", type=int, nargs="+", default=[5000, 10000])
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--typed", action="store_true", help="methods with typed parameters")
    parser.add_argument("--site", type=Path, help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.site:
        print(json.dumps(measure(asked.site)))
        return
    for shape in ("many", "one"):
        runs = [[measure_apart(shape, size, asked.typed) for size in asked.methods] for _ in range(asked.runs)]
        figures = [{name: min(run[name] for run in each) for name in each[0]} for each in zip(*runs, strict=True)]
        print(
            f"\n{'libraries of ten' if shape == 'many' else 'one class':20}"
            + "".join(f"{n:>12}" for n in asked.methods)
        )
        for name in figures[0]:
            values = [each[name] for each in figures]
            ratio = values[-1] / values[0]
            print(f"{name:20}" + "".join(f"{value:12.1f}" for value in values) + f"{ratio:8.2f}")


if __name__ == "__main__":
    main()
