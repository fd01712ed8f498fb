"""The commands of `python kernkoa.py`, each as a process of its own where the process is the point."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from system.core.commands import cli

ROOT = Path(__file__).resolve().parents[2]
ADDONS = f"libs = {{'addon': {str(ROOT / 'system/addons')!r}}}"


@pytest.fixture
def kernkoa(site: Any) -> Any:
    """Runs a command on the site of the test."""
    (site.root / "config.py").write_text("secretKey = 'x' * 32\n")
    return site.kernkoa


@pytest.fixture
def command(site: Any, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Runs a command that needs no app, in this process."""
    config = site.root / "config.py"
    config.write_text("secretKey = 'x' * 32\n")
    monkeypatch.setattr(cli, "CONFIG", config)
    return lambda *words: CliRunner().invoke(cli.main, words)


ORDERS = '''
    """Orders of the shop."""
    from kernkoa import *

    print("loaded", file=sys.stderr)


    class Orders:
        def index(self):
            """All orders."""
            return "all"

        def show(self, number: int, params=None):
            """Show one order.

            And more.
            """
            return {"number": number, "name": params.get("name"), "names": params.getlist("name")}

        @allow("POST")
        def add(self, name: str):
            return "added " + name

        def fails(self):
            return 1 / 0

        def stream(self):
            yield "one "
            yield "two"

        def build(self, celery_instance=None):
            """Build."""

        def selfless():
            pass

        def _private(self):
            pass
'''


def test_help_lists_the_commands_and_needs_no_config(kernkoa: Any, site: Any) -> None:
    (site.root / "config.py").write_text("port = (")
    done = kernkoa("--help")
    assert done.returncode == 0
    for word in ("--host", "--port", "routes", "new", "call", "check"):
        assert word in done.stdout
    assert kernkoa("call", "--help").returncode == 0


@pytest.mark.parametrize("words", [("routes",), ("check",), ()])
def test_a_wrong_setting_is_one_message_and_no_traceback(kernkoa: Any, words: tuple[str, ...]) -> None:
    done = kernkoa(*words, KERNKOA_PORT="many")
    assert done.returncode == 1
    assert done.stderr.startswith("Error: KERNKOA_PORT: port = 'many' cannot be used")
    assert len(done.stderr.splitlines()) == 1


def test_an_unknown_command_and_an_option_out_of_place_are_told(kernkoa: Any) -> None:
    assert kernkoa("rotes").returncode == 2
    done = kernkoa("--port", "1", "routes")
    assert done.returncode == 2
    assert "options of the development server" in done.stderr


def test_routes_shows_verbs_url_signature_docstring_and_place_and_runs_nothing(kernkoa: Any, site: Any) -> None:
    site.write("shop/orders.py", ORDERS)
    done = kernkoa("routes")
    assert done.returncode == 0
    assert done.stderr == ""
    lines = [line.strip() for line in done.stdout.splitlines()]
    shown = lines.index("GET POST  /shop/orders/Orders/show = /shop/orders/show(self, number: int, params=None)")
    assert lines[shown + 1] == "catalog/controller/shop/orders.py:13  Show one order."
    assert "POST      /shop/orders/Orders/add = /shop/orders/add(self, name: str)" in lines
    assert "GET POST  /shop/orders/Orders/index = /shop/orders(self)" in lines
    assert any(line.startswith("TASK") and "Orders/build" in line for line in lines)
    assert "_private" not in done.stdout


def test_routes_of_a_word(command: Any, site: Any) -> None:
    site.write("shop/orders.py", ORDERS)
    site.write("hello.py", "class Hello:\n    def index(self):\n        pass\n")
    assert "hello" not in command("routes", "ORDERS").stdout
    assert "No route contains 'nothing'" in command("routes", "nothing").stdout


def test_routes_marks_what_cannot_be_reached(command: Any, site: Any) -> None:
    site.write("broken.py", "class Broken:\n    def x(self:\n")
    site.write("images/x.py", "")
    site.write("catalog/controller/images/x.py", "")
    site.write("sales.py", "class Sales:\n    def index(self):\n        pass\n")
    site.write("sales/inner.py", "")
    marks = [line for line in command("routes").stdout.splitlines() if line.startswith("!")]
    assert any("broken.py:2: SyntaxError" in mark for mark in marks)
    assert any("the name images is reserved" in mark for mark in marks)
    assert any("sales.py: a folder sales is beside it" in mark for mark in marks)


def test_a_new_controller_answers_its_url(command: Any, site: Any) -> None:
    done = command("new", "controller", "shop/order_items")
    assert done.exit_code == 0
    path, url = done.stdout.split()
    assert path == str(site.controllers / "shop" / "order_items.py")
    assert url == "http://127.0.0.1:5000/shop/order_items"
    client = site.client()
    assert client.get("/shop/order_items").text == "OrderItems works."
    assert client.get("/shop/order_items/OrderItems/show/42").get_json() == {"number": 42}


def test_a_new_index_answers_its_folder(command: Any, site: Any) -> None:
    assert command("new", "controller", "shop/index").stdout.split()[1] == "http://127.0.0.1:5000/shop"
    assert site.client().get("/shop").status_code == 200


def test_a_new_model_is_found_by_load(command: Any, site: Any) -> None:
    assert command("new", "model", "shop/stock").exit_code == 0
    assert site.app().load.model("stock", "shop").list() == []


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("shop/2x", "'2x' cannot be part of a URL"),
        ("_shop/x", "'_shop' cannot be"),
        ("../x", "'..' cannot be"),
        ("/etc//x", "'' cannot be"),
        ("shop/class", "'class' is a keyword of Python"),
        ("bücher", "'bücher' cannot be"),
        ("images/x", "The name images is reserved"),
        ("there", "exists already; nothing was written"),
        ("there.py/x", "'there.py' cannot be"),
    ],
)
def test_new_refuses_what_could_not_work(command: Any, site: Any, name: str, said: str) -> None:
    there = site.write("there.py", "kept = True\n")
    done = command("new", "controller", name)
    assert done.exit_code == 1
    assert said in done.stderr
    assert there.read_text() == "kept = True\n"
    assert [file for file in site.root.rglob("*.py") if file.name not in ("there.py", "config.py")] == []


def test_call_runs_a_method_with_arguments_and_parameters(kernkoa: Any, site: Any) -> None:
    site.write("shop/orders.py", ORDERS)
    done = kernkoa("call", "shop/orders/Orders/show", "42", "name=x y", "name=z")
    assert done.returncode == 0
    assert json.loads(done.stdout) == {"number": 42, "name": "x y", "names": ["x y", "z"]}


def test_call_takes_the_verb_that_the_method_takes(kernkoa: Any, site: Any) -> None:
    site.write("shop/orders.py", ORDERS)
    assert kernkoa("call", "shop/orders/Orders/add", "name=x").stdout == "added x\n"
    assert kernkoa("call", "shop/orders/Orders/add", "--json", '{"name": "y"}').stdout == "added y\n"
    refused = kernkoa("call", "shop/orders/Orders/add", "name=x", "--verb", "get")
    assert (refused.returncode, "405" in refused.stderr) == (1, True)


def test_call_streams_and_keeps_the_sub_path(kernkoa: Any, site: Any) -> None:
    site.write("shop/orders.py", ORDERS)
    assert kernkoa("call", "shop/orders/stream", KERNKOA_BASE="/sub/path").stdout == "one two\n"


def test_call_of_a_failing_method_ends_with_1_and_shows_the_trace(kernkoa: Any, site: Any) -> None:
    site.write("shop/orders.py", ORDERS)
    done = kernkoa("call", "shop/orders/Orders/fails")
    assert done.returncode == 1
    assert "ZeroDivisionError" in done.stderr
    assert "500" in done.stderr
    assert json.loads(done.stdout)["status"] == 500


def test_call_of_nothing_says_why(kernkoa: Any, site: Any) -> None:
    site.write("shop/orders.py", ORDERS)
    done = kernkoa("call", "shop/orders/Orders/shw", "4")
    assert done.returncode == 1
    assert "Orders has no method shw" in done.stderr
    assert "shop/orders/Orders/show/4" in done.stderr


def test_check_of_a_site_in_order_says_so(kernkoa: Any, site: Any) -> None:
    site.write("hello.py", "class Hello:\n    def index(self):\n        pass\n")
    site.write("templates/page.html", "{% include 'part.html' %}")
    site.write("templates/part.html", "{{ name | upper }}")
    (site.root / "templates" / "picture.png").write_bytes(b"\x89PNG\xff\xfe{{")
    done = kernkoa("check")
    assert (done.returncode, done.stderr) == (0, "")


def test_check_names_every_fault_with_file_and_line(kernkoa: Any, site: Any) -> None:
    site.write("broken.py", "class Broken:\n    def x(self:\n")
    site.write("importer.py", "from .broken import Broken\n")
    site.write("raises.py", "\nlimit = int('many')\n")
    site.write("leaves.py", "raise SystemExit(3)\n")
    site.write("selfless.py", "class Selfless:\n    def x():\n        pass\n")
    site.write("status/x.py", "")
    site.write("catalog/model/bad.py", "import no_such_module\n")
    site.write("templates/bad.html", "one\n{% if %}\n")
    site.write("templates/filter.html", "{{ x | nosuch }}")
    site.write("templates/include.html", "one\ntwo\n{% include 'gone.html' %}\n")
    done = kernkoa("check")
    assert done.returncode == 1
    found = [line.removeprefix(f"{site.root}/") for line in done.stdout.splitlines()]
    assert found == sorted(found)
    for start in (
        "catalog/controller/broken.py:2: SyntaxError: ",
        "catalog/controller/leaves.py:1: SystemExit: 3",
        "catalog/controller/raises.py:2: ValueError: ",
        "catalog/controller/selfless.py:2: Selfless.x has no self",
        "catalog/controller/status: not reachable: the name status is reserved",
        "catalog/model/bad.py:1: ModuleNotFoundError: ",
        "templates/bad.html:2: TemplateSyntaxError: ",
        "templates/filter.html:1: TemplateAssertionError: ",
        "templates/include.html:3: there is no template gone.html",
    ):
        assert sum(line.startswith(start) for line in found) == 1, (start, found)
    assert len(found) == 9


def test_check_finds_forms_that_no_method_shows(kernkoa: Any, site: Any) -> None:
    site.write(
        "entries.py",
        """
        from kernkoa import *
        class Entries:
            def new(self): return "a form"
            @allow("POST", form="new")
            def own(self, count: int): return "kept"
            @allow("POST", form="entries/Entries/new")
            def path(self, count: int): return "kept"
            @allow("POST", form="nwe")
            def wrong(self, count: int): return "kept"
            @allow("POST", form="/entries/nwe")
            def lost(self, count: int): return "kept"
        """,
    )
    done = kernkoa("check")
    assert done.returncode == 1
    found = [line.rpartition("entries.py:")[2].partition(" that")[0] for line in done.stdout.splitlines()]
    assert found == ["9: @allow finds no method nwe", "11: @allow finds no method /entries/nwe"]


def test_check_finds_a_file_that_broke_after_a_version_of_it_ran(kernkoa: Any, site: Any) -> None:
    file = site.write("hello.py", "class Hello:\n    def index(self):\n        return 'hello'\n")
    assert kernkoa("check").returncode == 0
    file.write_text("class Hello(:\n")
    done = kernkoa("check")
    assert done.returncode == 1
    assert "hello.py:1: SyntaxError" in done.stdout


@pytest.mark.parametrize(
    ("config", "name"),
    [
        ("", "hosts"),
        ("url = 'http://example.com/'", "url"),
        ("url = 'https://example.com/'", "hstsSeconds"),
        ("secretKey = 'short'", "secretKey"),
        ("secretKey = 'ab' * 40", "secretKey"),
        ("origins = ['*']", "origins"),
        ("explorer = True", "explorer"),
        ("explorer = 'public'", "explorer"),
        ("", "headers"),
        ("databases = {'maindb': {'driver': 'mysql', 'host': 'x', 'password': 'hunter2'}}", "databases"),
        ("", "redisUrl"),
        ("addons = []", "limits"),
        (f"addons = ['limits']\n{ADDONS}", "limits"),
        (f"addons = ['auth']\n{ADDONS}", "auth"),
    ],
)
def test_check_deploy_warns_of_settings_for_ones_own_machine(
    kernkoa: Any, site: Any, config: str, name: str
) -> None:
    site.write("jobs.py", "class Jobs:\n    def run(self, celery_instance=None):\n        pass\n")
    with (site.root / "config.py").open("a") as file:
        file.write(config + "\n")
    done = kernkoa("check", "--deploy")
    assert done.returncode == 0
    assert f"warning: {name}: " in done.stdout
    assert "warning" not in kernkoa("check").stdout


def test_check_says_that_the_explorer_is_open_to_everyone(kernkoa: Any, site: Any) -> None:
    with (site.root / "config.py").open("a") as file:
        file.write("explorer = 'public'\n")
    assert "everyone can read the explorer" in kernkoa("check").stderr


def test_key_makes_another_key_each_time_that_the_settings_accept(kernkoa: Any) -> None:
    first, second = (kernkoa("key").stdout.strip() for _ in range(2))
    assert re.fullmatch("[0-9a-f]{64}", first)
    assert first != second


def test_check_deploy_of_a_careful_site_warns_of_nothing(kernkoa: Any, site: Any) -> None:
    site.write("hello.py", "class Hello:\n    def index(self):\n        return 'hello'\n")
    (site.root / "config.py").write_text(
        "secretKey = '0123456789abcdef' * 2\nhosts = ['example.com']\nurl = 'https://example.com/'\n"
        f"addons = ['limits']\n{ADDONS}\nredisUrl = 'redis://127.0.0.1:6379'\n"
        "hstsSeconds = 31536000\nheaders = {'Content-Security-Policy': \"default-src 'self'\"}\n"
    )
    assert "warning" not in kernkoa("check", "--deploy").stdout
