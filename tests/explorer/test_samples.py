"""The samples of code that the explorer shows: each is run, and each sends the same request."""

from __future__ import annotations

import base64
import contextlib
import io
import json
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest

from tests.conftest import Site
from tests.programs import find_program
from tests.serving import serving

SAMPLES = Path(__file__).resolve().parents[2] / "system" / "core" / "assets" / "samples.js"
ECHO = """
    import base64
    from flask import request
    from system.core.dispatch.decorators import allow

    class echo:
        @allow("GET", "POST", "PUT", "DELETE")
        def index(self):
            files = [[name, file.filename, file.read().decode()] for name, file in request.files.items(multi=True)]
            form = sorted(map(list, request.form.items(multi=True)))
            raw = "" if form or files else base64.b64encode(request.get_data()).decode()
            return {
                "verb": request.method, "query": list(map(list, request.args.items(multi=True))), "form": form,
                "files": files, "raw": raw, "type": (request.content_type or "").split(";")[0],
                "key": request.headers.get("X-Key"), "authorization": request.headers.get("Authorization"),
            }
"""
HOSTILE = 'it\'s "q" $HOME `id` \\n \\ %41 é 日本 {a} [b] #c &d ;e <f> | * ?\nline'
FORM = "application/x-www-form-urlencoded"
CALLS: list[dict[str, Any]] = [
    {"verb": "GET"},
    {"verb": "GET", "query": [["a", HOSTILE], ["a", "2"]], "headers": {"X-Key": 'it\'s $1 "x"'}},
    {"verb": "POST", "form": [["a", HOSTILE], ["b", "@file"], ["c", ""]], "query": [["q", "1"]]},
    {"verb": "POST", "json": {"a": HOSTILE, "b": [1, None]}, "headers": {"Authorization": "Bearer a.b-c"}},
    {"verb": "PUT", "json": [1], "query": [["q", HOSTILE]]},
    {"verb": "POST", "parts": [["a", [HOSTILE], []], ["f", [], ["a b.txt", "c.txt"]]], "headers": {"X-Key": "k"}},
    {"verb": "POST", "parts": [['"n"', ["1", "2"], []], ["f", [], ["c.txt"]]]},
    {"verb": "POST", "parts": [["a", [HOSTILE], []], ["f", [], ["a b.txt"]]]},
    {"verb": "DELETE", "query": [["a", "1"]]},
    {"verb": "POST", "raw": f"@{HOSTILE}", "type": "text/plain"},
    {"verb": "POST"},
]


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    made = Site(tmp_path_factory.mktemp("echo"))
    made.write("echo.py", ECHO)
    (made.root / "config.py").write_text("")
    for name in ("a b.txt", "c.txt"):
        (made.root / name).write_text(f"content of {name}")
    yield made
    made.close()


@pytest.fixture(scope="module")
def address(site: Site) -> Iterator[str]:
    with serving(site.app()) as address:
        yield address


@pytest.fixture(scope="module")
def samples(site: Site, address: str) -> list[dict[str, str]]:
    """The samples of all calls, by language."""
    (site.root / "samples.mjs").write_text(SAMPLES.read_text())
    program = f"""import {{ LANGUAGES }} from "./samples.mjs";
const calls = {json.dumps([as_call(call, address) for call in CALLS])};
for (const call of calls) if (call.body === null) call.body = undefined;
console.log(JSON.stringify(calls.map((call) => Object.fromEntries(Object.entries(LANGUAGES).map(([name, make]) => [name, make(call)])))));"""
    found: list[dict[str, str]] = json.loads(run(site, [find_program("node"), "--input-type=module"], program))
    return found


def as_call(call: dict[str, Any], address: str) -> dict[str, Any]:
    """What the page makes of a call: a whole URL, a text body, the parts of a form with files."""
    query = f"?{urlencode([*map(tuple, call['query'])])}" if "query" in call else ""
    kind, body = "", None
    if "json" in call:
        kind, body = "application/json", json.dumps(call["json"], ensure_ascii=False)
    elif "form" in call:
        kind, body = FORM, urlencode([*map(tuple, call["form"])])
    elif "raw" in call:
        kind, body = call["type"], call["raw"]
    headers = ({"Content-Type": kind} if kind else {}) | call.get("headers", {})
    parts = [
        {"name": name, "values": values, "files": [{"name": file} for file in files]}
        for name, values, files in call.get("parts", [])
    ]
    return {
        "verb": call["verb"],
        "url": f"{address}/echo{query}",
        "headers": headers,
        "body": body,
        "parts": parts,
    }


def run(site: Site, command: list[str], program: str = "") -> str:
    done = subprocess.run(
        command, input=program, cwd=site.root, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, (command, program, done.stderr)
    return done.stdout


def run_python(site: Site, sample: str) -> str:
    if "open(" in sample:  # which the end of the program closes
        return run(site, [sys.executable, "-"], sample)
    out = io.StringIO()
    with contextlib.chdir(site.root), contextlib.redirect_stdout(out):
        exec(compile(sample, "sample", "exec"), {})
    return out.getvalue()


def expected(call: dict[str, Any]) -> dict[str, Any]:
    made = as_call(call, "")
    raw = made["body"] if "json" in call or "raw" in call else ""
    parts = call.get("parts", [])
    return {
        "verb": call["verb"],
        "query": call.get("query", []),
        "form": sorted(call.get("form", [[name, value] for name, values, _ in parts for value in values])),
        "files": [[name, file, f"content of {file}"] for name, _, files in parts for file in files],
        "raw": base64.b64encode(raw.encode()).decode(),
        "type": "multipart/form-data" if parts else made["headers"].get("Content-Type", ""),
        "key": call.get("headers", {}).get("X-Key"),
        "authorization": call.get("headers", {}).get("Authorization"),
    }


def test_every_language_sends_the_same_request(site: Site, samples: list[dict[str, str]]) -> None:
    runners = {
        "curl": lambda sample: run(site, ["sh", "-c", f"{sample} --silent --show-error --fail"]),
        "Python": lambda sample: run_python(site, sample),
        "JavaScript": lambda sample: run(site, [find_program("node"), "--input-type=module"], sample),
        "PHP": lambda sample: run(site, [find_program("php")], sample),
    }
    for call, made in zip(CALLS, samples, strict=True):
        for language, runner in runners.items():
            wanted = expected(call)
            got = json.loads(runner(made[language]))
            assert {**got, "form": no_crlf(got["form"])} == wanted, (language, made[language])


def no_crlf(form: Any) -> Any:
    """HTML, section 4.10.21: a form's line ends are CR and LF where FormData is sent as multipart."""
    return [[name, value.replace("\r\n", "\n")] for name, value in form]


@pytest.mark.parametrize("number", [1, 2, 3, 5, 9])
def test_the_command_sends_the_same_request(site: Site, samples: list[dict[str, str]], number: int) -> None:
    sample = samples[number]["kernkoa.py"]
    if "raw" in CALLS[number]:
        assert "sends forms, files and JSON" in sample
        return
    python, program, *words = shlex.split(sample)
    assert (python, program) == ("python", "kernkoa.py")
    done = site.kernkoa(*words)
    assert done.returncode == 0, (sample, done.stderr)
    got = json.loads(done.stdout)
    assert got == {**expected(CALLS[number]), "raw": got["raw"]}
    if "json" in CALLS[number]:
        assert json.loads(base64.b64decode(got["raw"])) == CALLS[number]["json"]


def test_a_sample_is_short(samples: list[dict[str, str]], address: str) -> None:
    assert re.sub(r":\d+", "", samples[0]["curl"]) == "curl http://127.0.0.1/echo"
    assert samples[0]["kernkoa.py"] == "python kernkoa.py call /echo"
