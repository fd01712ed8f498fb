"""Options of uWSGI, each alone, against the shipped kernkoa_uwsgi.ini, behind the shipped nginx site.

    venv3/bin/python benchmarks/uwsgi_options.py [--rounds 5] [--seconds 2] [--connections 64]

Prints requests a second, the 99th percentile and the CPU time that the app spends on a request, and their ratios
to the shipped file. `http-raw-body` is not among them: it is an option of uWSGI's own HTTP server, and nginx
speaks the uwsgi protocol, which has no keep-alive either. Needs nginx and wrk.
"""

from __future__ import annotations

import argparse
import contextlib
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks.server import ECHO, HELLO, UNLIMITED, memory, report, take_turns
from tests.servers import production

LAST = "disable-write-exception = true"
VARIANTS = {
    "as shipped": {},
    "thunder-lock": {LAST: f"{LAST}\nthunder-lock = true"},
    "no post-buffering": {"post-buffering = 65536": ""},
    "offload-threads 1": {LAST: f"{LAST}\noffload-threads = 1"},
    "env-behavior holy": {LAST: f"{LAST}\nwsgi-env-behavior = holy"},
    "buffer-size 8192": {"buffer-size = 32768": "buffer-size = 8192"},
    "no extra threads": {"enable-threads = true": ""},
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=int, default=2)
    parser.add_argument("--connections", type=int, default=64)
    options = parser.parse_args()
    with contextlib.ExitStack() as stack:
        servers = {}
        for name, edits in VARIANTS.items():
            site = stack.enter_context(production(edits={**UNLIMITED, **edits}))
            servers[name] = (site.port, site.workers())
        for title, path in (("hello", HELLO), ("echo", ECHO)):
            rounds = take_turns(servers, path, options.rounds, options.seconds, options.connections)
            report(title, rounds, {name: memory(pids) for name, (_, pids) in servers.items()})


if __name__ == "__main__":
    main()
