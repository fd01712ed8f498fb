"""The code blocks of the documentation: reading them, writing their files, running their commands."""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parents[1]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
FOLDERS = "catalog|templates|system|static|migrations|tests"


class Block(NamedTuple):
    language: str
    text: str
    page: Path
    line: int

    @property
    def place(self) -> str:
        return f"{self.page.relative_to(ROOT)}, line {self.line}"

    @property
    def path(self) -> str:
        """The file of a site that the block contains: its first line is a comment with the path."""
        named = re.match(rf"(?:# |\{{# |/\* )((?:(?:{FOLDERS})/\S+)|config\.py|alembic\.ini)", self.text)
        return named[1] if named else ""

    def steps(self) -> Iterator[tuple[str, str]]:
        """The commands of a console block ("$ command"), each with the output that follows it."""
        for part in re.split(r"(?m)^\$ ", self.text)[1:]:
            command, _, output = re.sub(r"\\\n\s*", "", part).partition("\n")
            yield command, output


def blocks_of(page: Path) -> list[Block]:
    text = page.read_text(encoding="utf-8")
    found = re.finditer(r"^```(\w*)\n(.*?)^```$", text, re.M | re.S)
    return [Block(match[1], match[2], page, text.count("\n", 0, match.start()) + 1) for match in found]


def run_steps(block: Block, folder: Path, port: int, programs: Path) -> None:
    """Run the commands of a console block in a folder; each must succeed and print what is below it.

    http://127.0.0.1:5000 becomes the port of the server; "…" in the output stands for any text.
    """
    places = {"PATH": f"{programs}:{os.environ['PATH']}", "PYTHONWARNINGS": "ignore"}
    for command, expected in block.steps():
        command = command.replace("127.0.0.1:5000", f"127.0.0.1:{port}").replace("venv3/bin/", "")
        done = subprocess.run(
            ["bash", "-c", command],
            cwd=folder,
            env={**os.environ, **places},
            capture_output=True,
            text=True,
            timeout=60,
        )
        printed = (done.stdout + done.stderr).replace(f"127.0.0.1:{port}", "127.0.0.1:5000")
        assert done.returncode == 0, f"{block.place}: {command}\n{printed}"
        assert is_like(printed, expected), f"{block.place}: {command}\n{printed}"


def is_like(printed: str, expected: str) -> bool:
    """Whether a text is the expected one, apart from white space; "…" matches any text."""
    parts: Sequence[str] = ["".join(part.split()) for part in expected.split("…")]
    return bool(re.fullmatch(".*?".join(map(re.escape, parts)), "".join(printed.split()), re.S))
