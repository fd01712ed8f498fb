"""A proxy in front of a Redis that loses a reply: the server did what was asked, and the client sees the line cut."""

from __future__ import annotations

import contextlib
import socket
import threading
from pathlib import Path


class LossyProxy:
    """Listens on a Unix socket. After `lose(word)` the next request with this word is done, and its reply is lost."""

    def __init__(self, path: Path, server: Path) -> None:
        self.path = path
        self.lost = 0
        self._server = server
        self._word = b""
        self._lock = threading.Lock()
        self._open: dict[socket.socket, threading.Event] = {}  # the connections to the server
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(str(path))
        self._listener.listen(64)
        threading.Thread(target=self._accept, daemon=True).start()

    @property
    def url(self) -> str:
        return f"unix://{self.path}"

    def lose(self, word: str) -> None:
        """Lose the reply to the next request that has this word."""
        self._word = word.encode()

    def freeze(self) -> None:
        """Never reply again over the connections that exist, as if the machine behind them were gone."""
        for server, is_frozen in tuple(self._open.items()):
            is_frozen.set()
            with contextlib.suppress(OSError):
                server.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        server = socket.socket(socket.AF_UNIX)
        with client, server, contextlib.suppress(OSError):
            server.connect(str(self._server))
            cut, is_frozen = threading.Event(), threading.Event()
            self._open[server] = is_frozen
            more = (server, client, cut, is_frozen)
            threading.Thread(target=self._forward_replies, args=more, daemon=True).start()
            while data := client.recv(65536):
                if self._takes(data):
                    cut.set()
                if not is_frozen.is_set():
                    server.sendall(data)
        self._open.pop(server, None)
        with contextlib.suppress(OSError):
            client.shutdown(socket.SHUT_RDWR)

    def _takes(self, data: bytes) -> bool:
        with self._lock:
            if not self._word or self._word not in data:
                return False
            self._word = b""
            self.lost += 1
            return True

    def _forward_replies(
        self, server: socket.socket, client: socket.socket, cut: threading.Event, is_frozen: threading.Event
    ) -> None:
        with contextlib.suppress(OSError):
            while (data := server.recv(65536)) and not cut.is_set():
                client.sendall(data)
        for end in () if is_frozen.is_set() else (client, server):
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
