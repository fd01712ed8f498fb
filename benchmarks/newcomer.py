"""The minutes of a newcomer for the first chapter of the tutorial, carried out line by line from `git clone` on.

    python benchmarks/newcomer.py [folder for pip's cache]

Measured: the machine's seconds, with a new virtual environment whose packages come from the index (or the cache).
Estimated: 200 words a minute to read, 10 seconds to copy a block, 5 seconds for a command and a look at a page.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from tests.doc_blocks import blocks_of, run_steps
from tests.servers import free_port

CHAPTER = ROOT / "docs/tutorial/01-a-first-page.md"
WORDS_A_MINUTE = 200
SECONDS_A_BLOCK = 10
SECONDS_A_COMMAND = 5


def answers(port: int) -> bool:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=5) as page:
            return bool(page.status == 200)
    except OSError:
        return False


def follow(folder: Path, port: int) -> tuple[float, float]:
    """Seconds until the welcome page is there, and those of all files and commands after it."""
    started = time.monotonic()
    subprocess.run(["git", "clone", "--quiet", str(ROOT), "desk"], cwd=folder, check=True)
    environ = {
        name: value for name, value in os.environ.items() if not name.startswith(("KERNKOA_", "VIRTUAL_ENV"))
    }
    with (folder / "log").open("wb") as log:
        command = ["sh", "setup.sh", "dev", "--port", str(port)]
        server = subprocess.Popen(command, cwd=folder / "desk", env=environ, stdout=log, stderr=log)
    try:
        while not answers(port):
            if server.poll() is not None or time.monotonic() - started > 600:
                sys.exit((folder / "log").read_text())
            time.sleep(0.1)
        ready = time.monotonic()
        for block in blocks_of(CHAPTER):
            if block.path:
                file = folder / "desk" / block.path
                file.parent.mkdir(parents=True, exist_ok=True)
                file.write_text(block.text, encoding="utf-8")
            elif block.language == "sh":
                run_steps(block, folder / "desk", port, folder / "desk/venv3/bin")
        return ready - started, time.monotonic() - ready
    finally:
        server.terminate()
        server.wait(60)


def main() -> None:
    if len(sys.argv) > 1:
        os.environ["PIP_CACHE_DIR"] = sys.argv[1]
    with tempfile.TemporaryDirectory(prefix="newcomer-") as folder:
        start, steps = follow(Path(folder), free_port())
    text = CHAPTER.read_text(encoding="utf-8")
    prose = re.sub(r"(?ms)^```.*?^```$", "", text)
    blocks = blocks_of(CHAPTER)
    reading = 60 * len(prose.split()) / WORDS_A_MINUTE
    copying = SECONDS_A_BLOCK * sum(bool(block.path) for block in blocks)
    commands = SECONDS_A_COMMAND * (3 + 2 + sum(len([*block.steps()]) for block in blocks))
    print(f"measured   git clone to the welcome page: {start:.0f} s; files and commands after it: {steps:.1f} s")
    print(f"estimated  {len(prose.split())} words to read: {reading:.0f} s")
    print(f"estimated  blocks to copy: {copying} s; commands and looks at pages: {commands} s")
    print(f"together   {(start + steps + reading + copying + commands) / 60:.1f} minutes")


if __name__ == "__main__":
    main()
