"""`python kernkoa.py mcp`: the same tools for a client that starts its servers itself, over stdin and stdout.

One message a line: https://modelcontextprotocol.io/specification, basic/transports, stdio.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import BinaryIO

from werkzeug.test import create_environ

from .door import Door
from .front import PATH


def serve(door: Door, messages: Iterable[bytes], answers: BinaryIO) -> None:
    """Answer each line until there are no more; a notification gets no line."""
    local = {"REMOTE_ADDR": "127.0.0.1"}
    environ = create_environ(PATH, f"http://localhost{door.app.settings.base}/", method="POST", environ_base=local)
    for message in messages:
        if not message.strip():
            continue
        with door.app.request_context({**environ}):
            reply = door.server.answer(message, None, door.visit_from(environ))
        if reply.body is not None:
            answers.write(reply.body + b"\n")
            answers.flush()
