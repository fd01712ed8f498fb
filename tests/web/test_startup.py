"""catalog/startup.py and config.addons: what a site sets up once, and how mistakes in it are reported."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from system.core.errors import SettingsError
from system.core.web.startup import start

ROOT = Path(__file__).resolve().parents[2]
HELLO = "class Hello:\n    def index(self):\n        return 'hello'\n"


def test_startup_sets_up_routes_handlers_filters_and_blueprints(site: Any) -> None:
    site.write("lib.py", "from kernkoa import *\nclass Lib:\n    def index(self): return 1 / 0\n")
    site.write("templates/page.html", "{{ 'quiet' | loud }}")
    site.write("catalog/blueprint_templates/own/inner.html", "of the blueprint")
    site.write(
        "catalog/startup.py",
        """
        from flask import Blueprint, render_template
        from kernkoa import *

        own = Blueprint("own", __name__, url_prefix="/own", template_folder="blueprint_templates")

        @own.get("/inner")
        def inner():
            return render_template("own/inner.html")

        @own.get("/page")
        def page():
            return render_template("page.html")

        def startup(app):
            app.register_blueprint(own)
            app.add_template_filter(str.upper, "loud")
            app.register_error_handler(ZeroDivisionError, lambda error: ("divided", 400))
        """,
    )
    client = site.client()
    assert client.get("/own/page").text == "QUIET"
    assert client.get("/own/inner").text == "of the blueprint"
    assert client.get("/lib").text == "divided"


def test_startup_runs_once_and_may_use_the_catalogue(site: Any) -> None:
    site.write("catalog/model/stock.py", "class stock:\n    count = 7\n")
    site.write(
        "catalog/startup.py",
        """
        from catalog.model.stock import stock

        def startup(app):
            assert app.load.model("stock").count == stock.count
            app.config["RUNS"] = app.config.get("RUNS", 0) + 1
        """,
    )
    app = site.app()
    start(app)
    assert app.config["RUNS"] == 1


@pytest.mark.parametrize(
    ("text", "line", "said"),
    [
        ("def startup(app)\n", 1, "SyntaxError"),
        ("\nimport nothing_of_this_name\n", 2, "-m pip install nothing_of_this_name"),
        ("def startup(app):\n    return 1 / 0\n", 2, "ZeroDivisionError: division by zero"),
        ("def startup(app):\n    inner()\ndef inner():\n    raise SystemExit(3)\n", 4, "SystemExit: 3"),
        ("def setup(app): ...\n", 0, "has no function startup(app)"),
        ("startup = 3\n", 0, "has no function startup(app)"),
        ("def startup(app):\n    app.load.model('none')\n", 2, "There is no none.py"),
        ("def startup():\n    pass\n", 0, "TypeError"),
        ("def startup(app):\n    raise ValueError\n", 2, "ValueError"),
    ],
)
def test_an_error_in_startup_names_file_line_and_reason(site: Any, text: str, line: int, said: str) -> None:
    file = site.write("catalog/startup.py", text)
    with pytest.raises(SettingsError) as caught:
        site.app()
    assert said in str(caught.value)
    assert str(caught.value).startswith(f"{file}, line {line}: " if line else f"{file}")


def test_a_startup_file_that_cannot_be_read_is_an_error(site: Any) -> None:
    (site.root / "catalog" / "startup.py").symlink_to(site.root / "gone.py")
    with pytest.raises(SettingsError, match="FileNotFoundError"):
        site.app()


ADDON = """
    from flask import Blueprint

    def init_app(app):
        own = Blueprint("hits", __name__)
        own.add_url_rule("/hits", view_func=lambda: "hits")
        app.register_blueprint(own)
"""
LIBRARY = """
    from kernkoa import *
    from system.addons.auth import whoever
    from system.addons import auth
    from system.addons.auth.names import NAME

    class Lib:
        def index(self): return [whoever(), auth.whoever(), NAME, load.addon("auth", "whoever")()]
"""


def test_an_addon_that_config_names_is_set_up_and_others_are_not(site: Any) -> None:
    site.write("system/addons/hits.py", ADDON)
    site.write("system/addons/other.py", "def init_app(app): raise AssertionError\n")
    assert site.client().get("/hits").status_code == 404
    assert site.client(addons=["hits", "hits"]).get("/hits").text == "hits"


def test_an_addon_may_be_a_package(site: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    import kernkoa

    site.write("system/addons/auth/names.py", "NAME = 'ann'\n")
    site.write(
        "system/addons/auth/__init__.py",
        """
        from .names import NAME

        __all__ = ["whoever"]

        def whoever():
            return NAME

        def init_app(app):
            app.config["WHO"] = whoever()
        """,
    )
    site.write("lib.py", LIBRARY)
    app = site.app(addons=["auth"])
    monkeypatch.setattr(kernkoa, "load", app.load)
    assert app.config["WHO"] == "ann"
    assert app.test_client().get("/lib").get_json() == ["ann"] * 4


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("hitz", "config.addons names 'hitz'.*Did you mean hits"),
        ("empty", "empty.py has no function init_app"),
        ("needy", r"needy.py, line 1: .*-m pip install nothing_of_this_name"),
        ("late", r"late.py, line 3: .*-m pip install nothing_of_this_name"),
        ("packed", r"packed/__init__.py, line 2: RuntimeError: no luck"),
        ("own", "^it needs Redis$"),
    ],
)
def test_an_addon_that_cannot_be_switched_on_says_why(site: Any, name: str, said: str) -> None:
    site.write("system/addons/hits.py", ADDON)
    site.write("system/addons/empty.py", "")
    site.write("system/addons/needy.py", "import nothing_of_this_name\n")
    site.write("system/addons/late.py", "\ndef init_app(app):\n    import nothing_of_this_name\n")
    site.write("system/addons/packed/__init__.py", "def init_app(app):\n    raise RuntimeError('no luck')\n")
    site.write(
        "system/addons/own.py",
        "from system.core.errors import SettingsError\ndef init_app(app): raise SettingsError('it needs Redis')\n",
    )
    with pytest.raises(SettingsError, match=f"(?s){said}"):
        site.app(addons=[name])


def test_an_addon_without_the_folder_of_addons_is_named_too(site: Any) -> None:
    with pytest.raises(SettingsError, match=r"names 'hits', but .*addons has no hits\.py"):
        site.app(addons=["hits"])


@pytest.mark.parametrize("call", ["app.route('/x')(print)", "app.before_request(print)", "app.add_url_rule('/x')"])
def test_a_library_that_sets_up_flask_is_told_where_that_belongs(
    site: Any, call: str, caplog: pytest.LogCaptureFixture
) -> None:
    site.write("hello.py", HELLO)
    site.write("lib.py", f"from flask import current_app as app\n{call}\nclass Lib: ...\n")
    client = site.client()
    for _ in range(2):
        assert client.get("/lib").status_code == 500
        assert client.get("/hello").status_code == 200
    assert "lib.py loads" in caplog.text
    assert "catalog/startup.py" in caplog.text


def test_a_set_up_method_after_the_first_request_is_an_error(site: Any) -> None:
    site.write(
        "lib.py",
        "from flask import current_app\nclass Lib:\n    def index(self): current_app.route('/x')(print)\n",
    )
    app = site.app()
    client = app.test_client()
    assert client.get("/lib").status_code == 500
    with pytest.raises(
        AssertionError, match=r"setup method 'route'.* after the first request.*def startup\(app\)"
    ):
        app.route("/y")


COMMANDS = """
    import click

    from kernkoa import app as same

    def startup(app):
        assert app is same

        @app.cli.command("greet")
        @click.argument("name")
        def greet(name):
            "Greet somebody."
            from flask import current_app
            click.echo(f"hello {name} of {current_app.settings.name}")
"""


def run(site: Any, *words: str) -> subprocess.CompletedProcess[str]:
    clean = {name: value for name, value in os.environ.items() if not name.startswith("KERNKOA_")}
    (site.root / "config.py").write_text("secretKey = 'x' * 32\nname = 'shop'\n")
    return subprocess.run(
        [sys.executable, *words],
        cwd=ROOT,
        env=clean | {"KERNKOA_CONFIG": str(site.root / "config.py")},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_commands_of_the_site_are_commands_of_kernkoa(site: Any) -> None:
    site.write("catalog/startup.py", COMMANDS)
    assert run(site, "kernkoa.py", "greet", "ann").stdout == "hello ann of shop\n"
    help_text = run(site, "kernkoa.py", "--help").stdout
    assert "Greet somebody." in help_text
    assert "routes" in help_text


def test_an_error_in_startup_is_one_message_of_every_command_but_the_help_remains(site: Any) -> None:
    site.write("catalog/startup.py", "def startup(app):\n    raise ValueError('no luck')\n")
    checked = run(site, "kernkoa.py", "check")
    assert checked.returncode == 1
    assert "startup.py, line 2: ValueError: no luck" in checked.stderr
    assert "Traceback" not in checked.stderr
    shown = run(site, "kernkoa.py", "--help")
    assert "routes" in shown.stdout
    assert "no luck" in shown.stderr


def test_web_and_worker_run_startup_once(site: Any) -> None:
    site.write(
        "catalog/startup.py", "from kernkoa import *\ndef startup(app):\n    print('started', dbs is app.dbs)\n"
    )
    for module in ("from kernkoa import app", "from kernkoa import celery", "import kernkoa, system.core.runtime"):
        assert run(site, "-c", module).stdout == "started True\n"
