"""What the size of a catalogue costs: start-up, the first and the steady request, an edit, memory.

    venv3/bin/python benchmarks/scale.py [--sizes 10 1000 100000] [--methods 10 10000] [--rounds 5]

`--sizes` are numbers of libraries of ten methods, a hundred of them in a folder; `--methods` are numbers of
methods in one class of one library. Each figure is the median of processes of their own, sizes interleaved, in CPU
time, which other programs disturb little. The start-up is that of `create_app`, after the imports, which are the
same for all. An edit is the first answer after a change of the library, in development.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
METHOD = "    def method{0}(self, params=None):\n        return 'answer {0}'\n"

PROBE = """
import json, resource, statistics, sys, time
sys.path.insert(0, {root!r})
from pathlib import Path
from peers import Case, ask
from system.core.app import create_app
from system.core.settings import Settings

def cpu(action):
    start = time.process_time_ns()
    result = action()
    return (time.process_time_ns() - start) / 1e6, result

def get(app, answer):
    assert ask(app, dict(environ))[1] == answer

environ = next(Case("", b"").environs()) | {{"PATH_INFO": "/folder0/lib0/Lib/method3"}}
site = Path({site!r})
start_ms, app = cpu(lambda: create_app(Settings(path=site, varPath=str(site / "var"))))
first_ms, _ = cpu(lambda: get(app, b"answer 3"))
memory_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
for _ in range(500):
    get(app, b"answer 3")
rounds = [cpu(lambda: [get(app, b"answer 3") for _ in range(200)])[0] * 5 for _ in range(15)]
steady_us = statistics.median(rounds)

app = create_app(Settings(path=site, varPath=str(site / "var"), development=True))
library = site / "catalog/controller/folder0/lib0.py"
edits = []
text = library.read_text()
get(app, b"answer 3")
for number in range(9):
    library.write_text(text.replace("'answer 3'", f"'edit {{number}}'"))
    edits.append(cpu(lambda: get(app, f"edit {{number}}".encode()))[0])
library.write_text(text)
edit_ms = statistics.median(edits)
names = ("start_ms", "first_ms", "steady_us", "edit_ms", "memory_mb")
print(json.dumps({{name: globals()[name] for name in names}}))
"""


def make_site(site: Path, libraries: int, methods: int) -> Path:
    text = "class Lib:\n" + "".join(METHOD.format(number) for number in range(methods))
    for number in range(libraries):
        folder = site / "catalog" / "controller" / f"folder{number // 100}"
        folder.mkdir(parents=True, exist_ok=True)
        (folder / f"lib{number}.py").write_text(text)
    return site


def probe(site: Path) -> dict[str, float]:
    code = PROBE.format(root=str(ROOT), site=str(site))
    command = [sys.executable, "-c", code]
    answer = subprocess.run(command, capture_output=True, text=True, check=True, cwd=ROOT / "benchmarks")
    figures: dict[str, float] = json.loads(answer.stdout)
    return figures


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sizes", type=int, nargs="*", default=[10, 1000, 100_000])
    parser.add_argument("--methods", type=int, nargs="*", default=[10, 10_000])
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        libraries = {f"{size:,}": make_site(Path(folder, f"libraries{size}"), size, 10) for size in options.sizes}
        methods = {f"{size:,}": make_site(Path(folder, f"methods{size}"), 1, size) for size in options.methods}
        compare("libraries", libraries, options.rounds)
        compare("methods", methods, options.rounds)


def compare(title: str, sites: dict[str, Path], rounds: int) -> None:
    """Print a row for each site: its figures, and their ratios to those of the first."""
    found: dict[str, list[dict[str, float]]] = {size: [] for size in sites}
    for _ in range(rounds):
        for size, site in sites.items():
            found[size].append(probe(site))
    base: dict[str, float] = {}
    for size, figures in found.items():
        middle = {name: statistics.median(each[name] for each in figures) for name in figures[0]}
        if not base:
            base = middle
            print(f"{title:>12}" + "".join(f"{name:>20}" for name in middle))
        row = (f"{value:>12.2f} ({value / base[name]:.2f})" for name, value in middle.items())
        print(f"{size:>12}" + "".join(row), flush=True)


if __name__ == "__main__":
    main()
