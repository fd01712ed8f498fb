"""The commands of `python kernkoa.py`."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any, Literal

import click

from ..errors import SettingsError

ROOT = Path(__file__).resolve().parents[3]
CONFIG = Path(os.environ.get("KERNKOA_CONFIG", ROOT / "config.py"))


class Commands(click.Group):
    """Tells a wrong setting in one message and ends with 1."""

    def invoke(self, context: click.Context) -> Any:
        try:
            return super().invoke(context)
        except SettingsError as error:
            raise click.ClickException(str(error)) from error


@click.group(cls=Commands, invoke_without_command=True, context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--host", help="Address to listen on, 127.0.0.1 unless config.py says otherwise; 0.0.0.0 is all.")
@click.option("--port", type=click.IntRange(0, 65535), help="Port to listen on; 0 is any free one.")
@click.pass_context
def main(context: click.Context, host: str | None, port: int | None) -> None:
    """KernKoa: a URL is a method.

    Without a command: the development server. It takes a saved file at the next request, starts anew when the
    kernel or config.py changed, and explains errors in the browser.
    """
    if context.invoked_subcommand is not None:
        if host is not None or port is not None:
            raise click.UsageError("--host and --port belong to the development server, not to a command.")
        return
    from ..settings import is_development

    if is_development():
        from ..development.server import serve
        from ..runtime import app, settings

        serve(app, settings)
    else:
        from ..development.supervisor import supervise

        supervise(CONFIG, host, port)


@main.command()
@click.argument("word", default="")
def routes(word: str) -> None:
    """List every URL with its verbs, signature, first docstring line and place.

    With a WORD only those that mention it. Nothing is imported; what is broken or cannot be reached is marked.
    """
    from ..settings import read_settings
    from .routes import list_routes

    lines, marks = list_routes(read_settings(CONFIG), word)
    wide = max((len(line.verbs) for line in lines), default=0)
    for line in lines:
        verbs, address = click.style(line.verbs.ljust(wide), fg="green"), click.style(line.url, bold=True)
        click.echo(f"{verbs}  {address}{line.signature}")
        click.echo(f"{' ' * wide}  {click.style(line.place, dim=True)}  {line.summary}".rstrip())
    for mark in marks:
        click.echo(f"{click.style('!', fg='red', bold=True)} {mark.place}: {mark.what}")
    if not lines and not marks:
        click.echo(f"Nothing mentions {word!r}." if word else "There is no controller yet: new controller hello")


@main.command()
def check() -> None:
    """Load every library and compile every template; a line for each that is wrong.

    Ends with 1 if any is.
    """
    from ..runtime import app, settings
    from .check import check_site

    findings = check_site(app, app.catalog, settings)
    for finding in findings:
        click.echo(finding)
    if findings:
        raise SystemExit(1)
    click.echo("Every library loads and every template compiles.")


@main.command()
def openapi() -> None:
    """Print every URL as an OpenAPI 3.1 document."""
    from ..explorer.openapi import document_of
    from ..runtime import app, settings

    document = document_of(app.catalog, settings, settings.url)
    click.echo(json.dumps(document, indent=2, ensure_ascii=False))


@main.command()
@click.argument("path")
@click.argument("words", nargs=-1)
@click.option("--verb", type=click.Choice(["GET", "POST", "PUT", "PATCH", "DELETE", "HEAD"], case_sensitive=False))
@click.option("--json", "body", metavar="TEXT", help="The body, as JSON.")
def call(path: str, words: tuple[str, ...], verb: str | None, body: str | None) -> None:
    """Run a method as a request would: call shop/orders/Orders/show 42 name=x

    A word with = in it is a parameter, any other an argument. Prints the answer's body and ends with 1 where
    the answer is an error.
    """
    from ..runtime import app, settings
    from .call import call_method, show_answer, show_why

    answer = call_method(app, settings, path, words, verb, body)
    show_answer(answer)
    if answer.status_code >= 400:
        click.echo(f"\n{answer.status}", err=True)
        if answer.status_code == 404:
            show_why(app.catalog, answer.request.path.removeprefix(settings.base))
        raise SystemExit(1)


@main.group()
def new() -> None:
    """Write a starter file and print its URL: new controller shop/orders"""


def _write(kind: Literal["controller", "model"], name: str) -> None:
    from ..settings import read_settings
    from .new import write_starter

    settings = read_settings(CONFIG)
    path, url = write_starter(settings, kind, name)
    click.echo(path)
    if kind == "controller":
        click.echo(f"{settings.url}{url}")


@new.command()
@click.argument("name")
def controller(name: str) -> None:
    """A class whose methods answer URLs: new controller shop/orders"""
    _write("controller", name)


@new.command()
@click.argument("name")
def model(name: str) -> None:
    """A class for load.model: new model shop/stock"""
    _write("model", name)
