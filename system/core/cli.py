"""The commands of `python kernkoa.py`."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import click

from .errors import SettingsError

ROOT = Path(__file__).resolve().parents[2]
CONFIG = Path(os.environ.get("KERNKOA_CONFIG", ROOT / "config.py"))


class Commands(click.Group):
    """Tells a wrong setting in one message and ends with 1."""

    def invoke(self, context: click.Context) -> Any:
        try:
            return super().invoke(context)
        except SettingsError as error:
            raise click.ClickException(str(error)) from error


@click.group(cls=Commands, invoke_without_command=True)
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
    from .settings import is_development

    if is_development():
        from .runtime import app, settings
        from .serving import serve

        serve(app, settings)
    else:
        from .development import supervise

        supervise(CONFIG, host, port)
