"""The commands of `python kernkoa.py`."""

from __future__ import annotations

import click


@click.group(invoke_without_command=True)
@click.option("--host", default=None, help="Address to listen on; 127.0.0.1 unless config.py says otherwise.")
@click.option("--port", default=None, type=int, help="Port to listen on.")
@click.pass_context
def main(context: click.Context, host: str | None, port: int | None) -> None:
    """KernKoa: a URL is a method. Without a command: the development server."""
    if context.invoked_subcommand is None:
        from .runtime import app, settings

        app.run(host or settings.host, port or settings.port)
