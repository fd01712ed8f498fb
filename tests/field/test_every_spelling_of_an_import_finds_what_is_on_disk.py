"""Every way that Python can spell an import gives the file as it is now, in a process that looked at nothing before."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.task_bench import bench

ROOT = Path(__file__).resolve().parents[2]
HERE = "catalog.model.shop"

# what stands at the top of the library or of its method, and the value that it gives
SPELLINGS = [
    (f"import {HERE}.prices", f"{HERE}.prices.N"),
    (f"import {HERE}.prices as p", "p.N"),
    (f"from {HERE} import prices", "prices.N"),
    (f"from {HERE} import prices as p", "p.N"),
    (f"from {HERE} import (prices, other)", "prices.N"),
    (f"from {HERE}.prices import N", "N"),
    (f"from {HERE}.prices import N as M", "M"),
    ("from catalog.model import shop", "shop.prices.N"),
    (f"import {HERE}", f"{HERE}.prices.N"),
    (f"import {HERE} as shop", "shop.prices.N"),
    ("import catalog", f"{HERE}.prices.N"),
    ("from catalog import model", "model.shop.prices.N"),
    ("from ..model.shop import prices", "prices.N"),
    ("from ..model.shop.prices import N", "N"),
    ("from ..model import shop", "shop.prices.N"),
    (f"import importlib; p = importlib.import_module('{HERE}.prices')", "p.N"),
    (f"from importlib import import_module; p = import_module('{HERE}.prices')", "p.N"),
    (f"import importlib; p = importlib.import_module('.prices', '{HERE}')", "p.N"),
    (f"p = __import__('{HERE}.prices', fromlist=['N'])", "p.N"),
    (f"p = getattr(__import__('{HERE}', fromlist=['prices']), 'prices')", "p.N"),
    ("from .near import N", "N"),
    ("from . import near", "near.N"),
    ("import near", "near.N"),
    ("from near import N", "N"),
    ("import deep.lib", "deep.lib.N"),
    ("from deep import lib", "lib.N"),
    ("from deep.lib import N", "N"),
    ("from .deep import lib", "lib.N"),
    ("from .deep.lib import N", "N"),
]
STARS = [f"from {HERE}.prices import *", "from .near import *", "from near import *", "from .deep.lib import *"]
PACKAGE_STARS = [f"from {HERE} import *", "from ..model.shop import *"]


def write_all(site: Any, value: object) -> None:
    text = f"N = {value!r}\n"
    for path in ("catalog/model/shop/prices.py", "catalog/model/shop/other.py", "near.py", "deep/lib.py"):
        site.write(path, text)


def at_top(statement: str, value: str) -> str:
    return f"{statement}\n\nclass Lib:\n    def index(self): return str({value})\n"


def in_method(statement: str, value: str) -> str:
    return f"class Lib:\n    def index(self):\n        {statement}\n        return str({value})\n"


ALL = [
    *((at_top, *spelling) for spelling in SPELLINGS),
    *((in_method, *spelling) for spelling in SPELLINGS),
    *((at_top, star, "N") for star in STARS),
    *((at_top, star, "prices.N") for star in PACKAGE_STARS),
]
NAMES = [f"{place.__name__}: {statement}" for place, statement, _ in ALL]


@pytest.mark.parametrize(("place", "statement", "value"), ALL, ids=NAMES)
@pytest.mark.parametrize("settings", [{"development": True}, {"liveSeconds": 0}], ids=["development", "live"])
def test_a_spelling_finds_the_file_and_its_next_state(
    site: Any, place: Any, statement: str, value: str, settings: dict[str, Any]
) -> None:
    write_all(site, 1)
    site.write("lib.py", place(statement, value))
    client = site.client(**settings)
    assert client.get("/lib").text == "1"
    write_all(site, 2)
    assert client.get("/lib").text == "2"


@pytest.mark.parametrize(
    "statement", [f"from {HERE} import fresh", f"import {HERE}.fresh as fresh", "import fresh"]
)
@pytest.mark.parametrize("live_seconds", [0, 3600])
def test_a_file_added_a_moment_ago_is_found(site: Any, statement: str, live_seconds: float) -> None:
    site.write("catalog/model/shop/prices.py", "N = 1\n")
    site.write("lib.py", f"class Lib:\n    def index(self):\n        {statement}\n        return str(fresh.N)\n")
    client = site.client(liveSeconds=live_seconds)
    assert client.get("/lib").status_code == 500
    site.write("catalog/model/shop/fresh.py", "N = 2\n")
    site.write("fresh.py", "N = 2\n")
    assert client.get("/lib").text == "2"


@pytest.mark.parametrize(
    ("statement", "value"),
    [
        (f"from {HERE} import prices", "prices.N"),
        (f"import {HERE}.prices as prices", "prices.N"),
        (f"from {HERE}.prices import N", "N"),
        ("from ..model.shop import prices", "prices.N"),
        (f"import importlib; prices = importlib.import_module('{HERE}.prices')", "prices.N"),
        ("import near", "near.N"),
        ("from .near import N", "N"),
        ("from . import near", "near.N"),
    ],
)
@pytest.mark.parametrize("settings", [{"development": True}, {"liveSeconds": 0}], ids=["development", "live"])
def test_a_library_that_does_without_a_file_takes_it_when_it_is_there(
    site: Any, statement: str, value: str, settings: dict[str, Any]
) -> None:
    site.write("catalog/model/shop/other.py", "N = 0\n")
    guarded = f"try:\n    {statement}\n    found = {value}\nexcept ImportError:\n    found = 'none'\n"
    site.write("lib.py", f"{guarded}\nclass Lib:\n    def index(self): return str(found)\n")
    client = site.client(**settings)
    assert client.get("/lib").text == "none"
    write_all(site, 1)
    assert client.get("/lib").text == "1"
    (site.root / "catalog/model/shop/prices.py").unlink()
    (site.controllers / "near.py").unlink()
    assert client.get("/lib").text == "none"


@pytest.mark.parametrize(
    "statement",
    [
        f"from {HERE} import prices",
        f"from {HERE}.prices import N",
        f"import {HERE}.prices",
        f"from {HERE} import *",
    ],
)
def test_a_removed_file_is_not_found(site: Any, statement: str) -> None:
    prices = site.write("catalog/model/shop/prices.py", "N = 1\n")
    call = "import importlib; importlib.import_module('catalog.controller.helper')"
    site.write("helper.py", f"{statement}\nsaid = 'there' if 'prices' in dir() or 'N' in dir() else 'gone'\n")
    site.write(
        "lib.py", f"class Lib:\n    def index(self):\n        {call}\n        import helper; return helper.said\n"
    )
    client = site.client(development=True)
    first = client.get("/lib")
    prices.unlink()
    site.write("helper.py", f"{statement}\nsaid = 'there' if 'prices' in dir() or 'N' in dir() else 'gone' \n")
    second = client.get("/lib")
    assert first.status_code == 200
    assert second.status_code == 500 or second.text == "gone"


def test_code_outside_the_catalogue_gets_the_live_module_too(site: Any) -> None:
    site.write("catalog/model/shop/prices.py", "N = 1\n")
    site.app(development=True)
    import importlib

    package = importlib.import_module(HERE)
    assert package.prices.N == 1
    site.write("catalog/model/shop/prices.py", "N = 2\n")
    assert package.prices.N == 2
    assert importlib.import_module(f"{HERE}.prices").N == 2


def test_the_commands_find_it_too(site: Any) -> None:
    write_all(site, 1)
    statements = [f"from {HERE} import prices", "from ..model import shop", "import near"]
    site.write("lib.py", at_top("\n".join(statements), "prices.N + shop.prices.N + near.N"))
    (site.root / "config.py").write_text("")
    environ = {**os.environ, "KERNKOA_CONFIG": str(site.root / "config.py")}
    for words, said in ((["check"], ""), (["call", "/lib"], "3")):
        command = [sys.executable, str(ROOT / "kernkoa.py"), *words]
        done = subprocess.run(command, env=environ, capture_output=True, text=True, timeout=60)
        assert done.returncode == 0, done.stdout + done.stderr
        assert said in done.stdout


def test_every_spelling_finds_the_file_and_its_next_state_in_a_worker(tmp_path: Path) -> None:
    def write(value: int) -> None:
        for path in (
            "model/shop/prices.py",
            "model/shop/other.py",
            "controller/near.py",
            "controller/deep/lib.py",
        ):
            file = site.root / "catalog" / path
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(f"N = {value}\n")

    with bench(tmp_path) as site:
        write(1)
        for number, (place, statement, value) in enumerate(ALL):
            text = place(statement, value).replace("index(self)", "run(self, celery_instance=None)")
            (site.root / "catalog" / "controller" / f"lib{number}.py").write_text(text)
        fresh = site.root / "catalog" / "controller" / "late.py"
        for state in (1, 2, 3):
            write(state)
            text = "from kernkoa import *\n" + in_method("import fresh", "fresh.N")
            fresh.write_text(text.replace("index(self)", "run(self, celery_instance=None)"))
            fresh.with_name("fresh.py").write_text(f"N = {state}\n")
            ids = [site.start(f"lib{number}/Lib/run") for number in range(len(ALL))]
            ids.append(site.start("late/Lib/run"))
            found = [site.end(task).get("data") for task in ids]
            wrong = [
                (name, data) for name, data in zip([*NAMES, "late"], found, strict=True) if data != str(state)
            ]
            assert not wrong
