"""What the size of a catalogue costs: start-up, memory, the first and the steady request.

    venv3/bin/python benchmarks/scale.py [--sizes 10 1000 10000] [--rounds 5]

Each figure is the median of processes of their own, sizes interleaved; a library has ten methods, a folder a
hundred libraries. The start-up is that of `create_app`, after the imports, which are the same for all.
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
LIBRARY = "class Lib:\n" + "".join(
    f"    def method{number}(self, params=None):\n        return 'answer {number}'\n" for number in range(10)
)

PROBE = """
import json, resource, sys, time
sys.path.insert(0, {root!r})
from pathlib import Path
from system.core.app import create_app
from system.core.settings import Settings

start = time.perf_counter()
app = create_app(Settings(path=Path({site!r})))
made = time.perf_counter() - start
client = app.test_client()
start = time.perf_counter()
assert client.get("/folder0/lib0/Lib/method3").text == "answer 3"
first = time.perf_counter() - start
memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
for _ in range(500):
    client.get("/folder0/lib0/Lib/method3")
rounds = []
for _ in range(15):
    start = time.perf_counter()
    for _ in range(200):
        client.get("/folder0/lib0/Lib/method3")
    rounds.append((time.perf_counter() - start) / 200 * 1e6)
rounds.sort()
steady = rounds[len(rounds) // 2]
print(json.dumps(dict(start_ms=made * 1e3, first_ms=first * 1e3, steady_us=steady, memory_mb=memory)))
"""


def make_site(root: Path, size: int) -> Path:
    site = root / str(size)
    for number in range(size):
        folder = site / "catalog" / "controller" / f"folder{number // 100}"
        folder.mkdir(parents=True, exist_ok=True)
        (folder / f"lib{number}.py").write_text(LIBRARY)
    return site


def probe(site: Path) -> dict[str, float]:
    code = PROBE.format(root=str(ROOT), site=str(site))
    answer = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    figures: dict[str, float] = json.loads(answer.stdout)
    return figures


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sizes", type=int, nargs="+", default=[10, 1000, 10_000])
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        sites = {size: make_site(Path(folder), size) for size in options.sizes}
        figures: dict[int, list[dict[str, float]]] = {size: [] for size in sites}
        for _ in range(options.rounds):
            for size, site in sites.items():
                figures[size].append(probe(site))
    names = list(figures[options.sizes[0]][0])
    print(f"{'libraries':>10}" + "".join(f"{name:>22}" for name in names))
    base = {name: statistics.median(each[name] for each in figures[options.sizes[0]]) for name in names}
    for size, rounds in figures.items():
        row = f"{size:>10}"
        for name in names:
            value = statistics.median(each[name] for each in rounds)
            row += f"{value:>12.2f} ({value / base[name]:.2f} x)"
        print(row)


if __name__ == "__main__":
    main()
