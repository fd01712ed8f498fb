"""`python kernkoa.py mcp`: the same tools for a client that starts its servers itself, over stdin and stdout.

One message a line: https://modelcontextprotocol.io/specification, basic/transports, stdio.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable
from typing import BinaryIO

from .door import Door

# how the calls of a local client come to the site
LOCAL = {
    "SERVER_NAME": "localhost",
    "SERVER_PORT": "80",
    "SERVER_PROTOCOL": "HTTP/1.1",
    "REMOTE_ADDR": "127.0.0.1",
    "HTTP_HOST": "localhost",
    "SCRIPT_NAME": "",
    "wsgi.version": (1, 0),
    "wsgi.url_scheme": "http",
    "wsgi.multithread": False,
    "wsgi.multiprocess": False,
    "wsgi.run_once": False,
}


def serve(door: Door, messages: Iterable[bytes], answers: BinaryIO) -> None:
    """Answer each line until there are no more; a notification gets no line."""
    environ = LOCAL | {"SCRIPT_NAME": door.app.settings.base, "wsgi.errors": sys.stderr}
    for message in messages:
        if not message.strip():
            continue
        with door.app.request_context({**environ, "REQUEST_METHOD": "POST", "PATH_INFO": "/_koa/mcp"}):
            reply = door.server.answer(message, None, door.visit_from(environ))
        if reply.body is not None:
            answers.write(reply.body + b"\n")
            answers.flush()
