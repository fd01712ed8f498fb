"""The commands of `python kernkoa.py`."""

from __future__ import annotations

import json
import os
import sys
import tomllib
from importlib.metadata import version
from pathlib import Path
from typing import Any, Literal

import click

from ..errors import BrokerUnavailable, SettingsError, TaskError

ROOT = Path(__file__).resolve().parents[3]
CONFIG = Path(os.environ.get("KERNKOA_CONFIG", ROOT / "config.py"))


class Commands(click.Group):
    """The kernel's commands and those of `app.cli`. Reports a SettingsError and exits with 1."""

    def list_commands(self, context: click.Context) -> list[str]:
        own = sorted([*super().list_commands(context), "tasks"])
        try:
            return [*own, *_site_commands().list_commands(context)]
        except SettingsError as error:  # the help works with a broken config.py
            click.echo(f"The site's own commands are not listed: {error}", err=True)
            return own

    def get_command(self, context: click.Context, name: str) -> click.Command | None:
        if name == "tasks":
            from .tasks import tasks  # a command that needs none of it starts faster

            return tasks
        return super().get_command(context, name) or _site_commands().get_command(context, name)

    def invoke(self, context: click.Context) -> Any:
        try:
            return super().invoke(context)
        except (SettingsError, TaskError, BrokerUnavailable) as error:
            raise click.ClickException(str(error)) from error


def _site_commands() -> click.Group:
    """The commands in `app.cli`; none for a site without a start-up file or addons, and its app is not made."""
    from flask.cli import ScriptInfo

    from ..settings import read_settings

    settings = read_settings(CONFIG)
    if not settings.addons and not settings.folder("catalog/startup.py").exists():
        return click.Group()
    from ..runtime import start

    app = start()
    click.get_current_context().obj = ScriptInfo(create_app=lambda: app)
    return app.cli


def _show_version(context: click.Context, _parameter: click.Parameter, wanted: bool) -> None:
    if not wanted or context.resilient_parsing:
        return
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    python = ".".join(map(str, sys.version_info[:3]))
    click.echo(f"KernKoa {project['version']}, Flask {version('flask')}, Python {python}")
    context.exit()


@click.group(cls=Commands, invoke_without_command=True, context_settings={"help_option_names": ["-h", "--help"]})
@click.option(
    "--version", is_flag=True, is_eager=True, expose_value=False, callback=_show_version, help="The versions."
)
@click.option("--host", help="Address to listen on (default 127.0.0.1); 0.0.0.0 means all.")
@click.option("--port", type=click.IntRange(0, 65535), help="Port to listen on (default 5000); 0 picks any.")
@click.pass_context
def main(context: click.Context, host: str | None, port: int | None) -> None:
    """KernKoa: a URL is a method.

    Without a command: the development server. It uses a saved file from the next request on, restarts when the
    kernel or config.py changes, and explains errors in the browser.
    """
    if context.invoked_subcommand is not None:
        if host is not None or port is not None:
            raise click.UsageError("--host and --port are options of the development server, not of a command.")
        return
    from ..settings import is_development

    if is_development():
        from ..development.server import serve
        from ..runtime import start

        app = start()
        serve(app, app.settings, app.catalog)
    else:
        from ..development.supervisor import supervise

        supervise(CONFIG, host, port)


@main.command()
@click.argument("word", default="")
def routes(word: str) -> None:
    """List every URL: verbs, signature, file, line.

    With a WORD, only those that contain it. Imports nothing; broken and unreachable files are marked with !.
    """
    from ..settings import read_settings
    from .routes import list_routes

    lines, faults = list_routes(read_settings(CONFIG), word)
    wide = max((len(line.verbs) for line in lines), default=0)
    for line in lines:
        verbs, address = click.style(line.verbs.ljust(wide), fg="green"), click.style(line.url, bold=True)
        click.echo(f"{verbs}  {address}{line.signature}")
        click.echo(f"{' ' * wide}  {click.style(line.place, dim=True)}  {line.summary}".rstrip())
    for fault in faults:
        click.echo(f"{click.style('!', fg='red', bold=True)} {fault}")
    if not lines and not faults:
        click.echo(
            f"No route contains {word!r}."
            if word
            else "There is no controller yet. Write one: python kernkoa.py new controller hello"
        )


@main.command()
@click.option("--deploy", is_flag=True, help="Also warn of settings that are wrong on the internet.")
def check(deploy: bool) -> None:
    """Find what would fail at request time.

    Loads every library and compiles every template. Prints a line per fault, and exits with 1 if there is any;
    lines that begin with "warning:" do not count.
    """
    from ..runtime import start
    from .check import check_site, find_notes
    from .check_deploy import check_deploy

    app = start()
    findings = check_site(app, app.catalog, app.settings)
    for note in find_notes(app.catalog, app.settings):
        click.echo(f"Note: {note}", err=True)
    for finding in findings:
        click.echo(finding)
    for warning in (*app.settings.warnings, *(check_deploy(app, CONFIG) if deploy else ())):
        click.echo(f"warning: {warning}")
    if findings:
        raise SystemExit(1)
    click.echo("Every library loads and every template compiles.")


@main.command()
def key() -> None:
    """Print a new secret key.

    secretKeys = ["the new key", "the old key"] in config.py signs with the first and accepts both. Remove the old
    one when session_timeout has passed.
    """
    from ..settings import make_key

    click.echo(make_key())


@main.command()
@click.option("--diff", "before", type=click.Path(exists=True, dir_okay=False, path_type=Path), metavar="OLD.JSON")
def openapi(before: Path | None) -> None:
    """Print every URL as an OpenAPI 3.1 document.

    With --diff, print what would break the clients of an older document; ends with 1 if anything would.
    """
    from ..explorer.openapi import document_of
    from ..runtime import start

    app = start()
    document = document_of(app.catalog, app.settings, app.settings.url)
    if before is None:
        click.echo(json.dumps(document, indent=2, ensure_ascii=False))
        return
    from ..explorer.changes import breaking_changes

    found = breaking_changes(_read_document(before), document)
    for change in found:
        click.echo(change)
    if found:
        raise SystemExit(1)
    click.echo("Nothing that a client uses has changed.")


def _read_document(path: Path) -> dict[str, Any]:
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise click.ClickException(f"{path} is not an OpenAPI document: {error}") from error
    if not isinstance(document, dict) or "paths" not in document:
        raise click.ClickException(f"{path} is not an OpenAPI document: it has no paths.")
    return document


@main.command()
def shell() -> None:
    """A Python prompt with the site in hand."""
    from ..runtime import start
    from .shell import run_shell

    run_shell(start())


@main.command()
@click.argument("path")
@click.argument("words", nargs=-1)
@click.option("--verb", type=click.Choice(["GET", "POST", "PUT", "PATCH", "DELETE", "HEAD"], case_sensitive=False))
@click.option("--json", "body", metavar="TEXT", help="JSON body.")
@click.option(
    "-H", "--header", "headers", multiple=True, metavar="'NAME: VALUE'", help="A header; may be repeated."
)
def call(path: str, words: tuple[str, ...], verb: str | None, body: str | None, headers: tuple[str, ...]) -> None:
    """Send a request: call shop/orders/show 42 name=x

    PATH is a path or a URL, with or without a query. A word with = is a parameter, name=@file.csv uploads a file,
    any other word is a further segment of the path. Prints the body of the response, and exits with 1 if its
    status is 400 or above.
    """
    from ..runtime import start
    from .call import Call, call_method, show_answer, show_why

    app = start()
    answer = call_method(app, app.settings, Call(path, words, headers, verb, body))
    show_answer(answer)
    if answer.status_code >= 400:
        click.echo(answer.status, err=True)
        if answer.status_code == 404:
            show_why(app.catalog, answer.request.path.removeprefix(app.settings.base))
        raise SystemExit(1)


@main.command(context_settings={"ignore_unknown_options": True})
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
def test(arguments: tuple[str, ...]) -> None:
    """Run the tests of the site: those of tests/site.

    ARGUMENTS are files, folders and options of pytest: test tests/site/shop -k orders
    """
    from ..settings import read_settings
    from .test import run_tests

    raise SystemExit(run_tests(read_settings(CONFIG), arguments))


@main.group()
def new() -> None:
    """Write a starter file: new controller shop/orders"""


def _add_starter(kind: Literal["controller", "model", "test"], words: str) -> None:
    @new.command(kind, help=words)
    @click.argument("name")
    def write(name: str) -> None:
        from ..settings import read_settings
        from .new import write_starter

        settings = read_settings(CONFIG)
        path, url = write_starter(settings, kind, name)
        click.echo(path)
        if kind == "controller":
            click.echo(f"{settings.url}{url}")


_add_starter("controller", "A class whose methods answer URLs.")
_add_starter("model", "A class for load.model.")
_add_starter("test", "A test of a URL.")
