"""Memory of a web process: four uWSGI workers with the shipped kernkoa_uwsgi.ini, after 300 requests of a kind.

    venv3/bin/python benchmarks/memory.py [--preload NAME...]

PSS: what a process has alone, and its share of what it has in common with others. `--preload` adds modules that
the master imports before it forks. Needs nginx.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks.server import memory
from tests.servers import Production, config_with, production

SITE = """
from kernkoa import *

class memory:
    def hello(self):
        return "hello"

    def rows(self):
        return {"tables": dbs["maindb"].getValue("select count(*) from sqlite_master")}

    def typed(self, number: int):
        return {"twice": 2 * number}
"""
KINDS = {"without dbs": "/hello", "with dbs": "/rows", "with dbs and a typed method": "/typed?number=2"}
LAST = "shared-pyimport = system.core.web.before_fork"


def ask(site: Production, path: str) -> None:
    for _ in range(300):
        answer = site.get(f"/memory/memory{path}")
        assert answer.status == 200, answer.text


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--preload", nargs="*", default=[])
    options = parser.parse_args()
    preload = "\n".join([*(f"shared-pyimport = {name}" for name in options.preload), LAST])
    edits = {"processes = 2": "processes = 4", LAST: preload}
    with tempfile.TemporaryDirectory() as folder:
        config = config_with(f'databases = {{"maindb": {{"driver": "sqlite", "host": "{folder}/main.db"}}}}')
        files = {"catalog/controller/memory.py": SITE, "config.py": config}
        with production(files=files, edits=edits) as site:
            for kind, path in KINDS.items():
                ask(site, path)
                print(f"{kind:28} {memory(site.workers()):5.1f} MB")


if __name__ == "__main__":
    main()
