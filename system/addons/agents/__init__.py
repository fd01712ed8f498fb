"""The addon `agents`: typed or documented methods as tools for assistants, over the Model Context Protocol.

Switched on with `config.addons = ["agents"]`. The package mcp-types is imported by the first request, so that a
process that no assistant asks does not pay for it.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from functools import cache
from typing import TYPE_CHECKING

import click
from flask import Blueprint, Response
from werkzeug.exceptions import MethodNotAllowed

from system.core.errors import SettingsError
from system.core.web.application import KernKoa

from .decorators import tool
from .front import PATH, Front

if TYPE_CHECKING:
    from .door import Door

__all__ = ["init_app", "tool"]

POLICIES = ("", "off", "guarded", "public")


def init_app(app: KernKoa) -> None:
    """Add the command, and the address and the page where the setting `agents` opens them, or in development."""
    policy = getattr(app.settings, "agents", "")
    if policy not in POLICIES:
        raise SettingsError(f'config.py: agents = {policy!r} cannot be used: write "off", "guarded" or "public"')
    if policy == "off":
        return

    @cache
    def door() -> Door:
        try:
            from .door import Door
        except ImportError as error:
            if not str(error.name).startswith("mcp_types"):
                raise
            raise SettingsError("The addon agents needs mcp-types: pip install mcp-types") from error
        return Door(app, policy)

    app.cli.add_command(_command(door))
    if policy or app.settings.development:
        app.register_blueprint(_pages(door))
        app.wsgi_app = Front(app, policy, door)  # type: ignore[method-assign]


def _pages(door: Callable[[], Door]) -> Blueprint:
    pages = Blueprint("agents", __name__, template_folder="templates")
    pages.add_url_rule(PATH, "answer", lambda: door().answer(), methods=["POST"])
    pages.add_url_rule(PATH, "no_stream", _refuse_stream, methods=["GET", "DELETE"])
    pages.add_url_rule("/_koa/agents", "page", lambda: door().page())
    pages.add_url_rule("/_koa/llms.txt", "llms", lambda: door().llms())
    return pages


def _refuse_stream() -> Response:
    """The server opens no streams and keeps no sessions: basic/transports, Streamable HTTP."""
    raise MethodNotAllowed(["POST"])


def _command(door: Callable[[], Door]) -> click.Command:
    @click.command("mcp", help="Serve the site's methods to an assistant over stdin and stdout.")
    def mcp() -> None:
        from .stdio import serve

        serve(door(), sys.stdin.buffer, sys.stdout.buffer)

    return mcp
