"""The supervisor of the development server: binds the socket, restarts the server when the kernel or config.py
changes, and answers with the error while the server cannot start.

    supervise            this file: socket, services, file watcher; lives as long as the terminal
    └── server           server.py: a child process, restarted at each change

The catalogue and the templates are not watched: the server reads them live.
"""

from __future__ import annotations

import contextlib
import errno
import itertools
import os
import re
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from types import FrameType

import click
from werkzeug.serving import BaseWSGIServer, WSGIRequestHandler, make_server

from ..errors import SettingsError
from ..settings import DEVELOPMENT, Settings, read_settings
from .services import Services
from .startup_error import StandIn

KERNEL = Path(__file__).resolve().parents[3]
# the ports above 1023 that browsers refuse: https://fetch.spec.whatwg.org/#port-blocking
BLOCKED_PORTS = frozenset(
    {1719, 1720, 1723, 2049, 3659, 4045, 4190, 5060, 5061, 6000, 6566, *range(6665, 6670), 6679, 6697, 10080}
)
LOOK_SECONDS = 0.25
STOP_SECONDS = 3.0
# environment variables that hand the socket, terminal and report file to the server
SOCKET = "KERNKOA_DEVELOPMENT_SOCKET"
TERMINAL = "KERNKOA_DEVELOPMENT_TERMINAL"
REPORT = "KERNKOA_DEVELOPMENT_REPORT"

# library frames, removed from the traceback that the author sees
_LIBRARY_FRAME = re.compile(r'^  File "[^"\n]*site-packages[^"\n]*".*\n(?:    .*\n)*', re.MULTILINE)

Stamps = dict[str, tuple[int, int]]


def supervise(config_file: Path, host: str | None, port: int | None) -> None:
    """Run the development server until Ctrl-C.

    Raises SettingsError if config.py is invalid or the address cannot be bound.
    """
    settings = read_settings(config_file)
    host, port = host or settings.host, settings.port if port is None else port
    signal.signal(signal.SIGTERM, _end)
    with bind(host, port) as listener, contextlib.suppress(KeyboardInterrupt):
        services = Services(settings, os.environ)
        try:
            Supervisor(settings, listener, services).run()
        finally:
            services.stop()


_is_ending = False


def _end(signum: int, frame: FrameType | None) -> None:
    global _is_ending
    _is_ending = True  # Python ignores the exception if the signal arrives in a finalizer
    raise KeyboardInterrupt


def bind(host: str, port: int) -> socket.socket:
    """A listening socket for the server to inherit. Raises SettingsError if the address cannot be bound."""
    is_v6 = ":" in host
    family = socket.AF_INET6 if is_v6 else socket.AF_INET
    try:
        listener = socket.create_server((host, port), family=family, backlog=128, dualstack_ipv6=is_v6)
    except OSError as error:
        raise SettingsError(_explain_bind(error, host, port)) from error
    listener.set_inheritable(True)
    return listener


def _explain_bind(error: OSError, host: str, port: int) -> str:
    if error.errno == errno.EADDRINUSE:
        other = port + 1 if port < 65535 else 5000
        return (
            f"Port {port} of {host} is in use, perhaps by a development server in another terminal. "
            f"Stop it, or use another port: python kernkoa.py --port {other}"
        )
    if error.errno == errno.EACCES:
        return f"Port {port} needs root. Use a port above 1023: python kernkoa.py --port 5000"
    reason = (error.strerror or "").partition(" (while")[0]  # the rest names the address again
    return f"Cannot listen on {host}:{port}: {reason}. Give an address of this machine with --host."


def show_start(settings: Settings, listener: socket.socket, services: Services) -> None:
    """Print the start-up banner."""
    host, port = listener.getsockname()[:2]
    is_open = host in ("0.0.0.0", "::")  # noqa: S104 - compared, not bound
    click.echo()
    click.echo(f"  {click.style('KernKoa', bold=True)}  {settings.name}, development server\n")
    local = {"0.0.0.0": "127.0.0.1", "::": "[::1]"}.get(host, f"[{host}]" if ":" in host else host)  # noqa: S104
    _show("Site", click.style(f"http://{local}:{port}{settings.base}/", fg="cyan", bold=True))
    if port in BLOCKED_PORTS:
        _show("Warning", f"browsers do not open port {port}. Use another: python kernkoa.py --port 5001")
    if is_open:
        _show("Network", f"http://{_own_address()}:{port}{settings.base}/  (reachable by other machines)")
    _show("Catalogue", _count(settings))
    for line in services.lines():
        _show("Tasks", line)
    _show("Debug", "on: errors are explained, to this machine only" if settings.flaskDebug else "off (flaskDebug)")
    _show("Production", "sh setup.sh")
    click.echo(click.style("\n  Press Ctrl-C to stop. Saved files take effect at the next request.\n", dim=True))


def _show(label: str, text: str) -> None:
    click.echo(f"  {click.style(label.ljust(11), dim=True)}{text}")


def _own_address() -> str:
    """This machine's address in its network. Sends nothing; nobody has the target (RFC 5737)."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))
            return str(probe.getsockname()[0])
        except OSError:
            return socket.gethostname()


def _count(settings: Settings) -> str:
    """Top-level files and folders of the controllers; counting a large tree would delay the start."""
    folder = settings.folder(settings.libs["controller"])
    try:
        entries = [entry for entry in os.scandir(folder) if not entry.name.startswith(("_", "."))]
    except OSError:
        return f"{folder} is missing: create it and put a .py file there"
    files = sum(entry.name.endswith(".py") for entry in entries)
    folders = sum(entry.is_dir() for entry in entries)
    return f"{settings.libs['controller']}: {_plural(files, 'file')}, {_plural(folders, 'folder')}"


def _plural(count: int, noun: str) -> str:
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"


class Watch:
    """Detects new, changed and deleted .py files of the kernel and beside config.py."""

    def __init__(self, settings: Settings) -> None:
        self._roots = {str(settings.path), str(KERNEL)}
        libraries = {
            kind: folder for kind, folder in settings.libs.items() if kind != "addon" or not settings.addons
        }
        live = [*libraries.values(), settings.templatePath, settings.imagePath, settings.pdfPath]
        names = [*live, settings.varPath, "tests", "benchmarks", "docs"]
        self._ignored = {str((root / name).resolve()) for name in names for root in (settings.path, KERNEL)}
        self._stamps = self._read()

    def changes(self) -> list[str]:
        """Files changed since the last call."""
        before, self._stamps = self._stamps, self._read()
        return sorted({name for name, stamp in before.items() ^ self._stamps.items()})

    def _read(self) -> Stamps:
        stamps: Stamps = {}
        for folder, folders, files in itertools.chain.from_iterable(map(os.walk, self._roots)):
            folders[:] = [name for name in folders if self._enters(folder, name)]
            for name in files:
                if name.endswith(".py"):
                    path = os.path.join(folder, name)
                    with contextlib.suppress(FileNotFoundError):
                        status = os.stat(path)
                        stamps[path] = status.st_mtime_ns, status.st_size
        return stamps

    def _enters(self, folder: str, name: str) -> bool:
        path = os.path.join(folder, name)
        hidden = name.startswith((".", "__")) or name == "node_modules"
        return not hidden and path not in self._ignored and not os.path.exists(os.path.join(path, "pyvenv.cfg"))


class Supervisor:
    """Starts and restarts the server."""

    def __init__(self, settings: Settings, listener: socket.socket, services: Services) -> None:
        self._listener = listener
        self._services = services
        self._is_shown = False
        self._watch = Watch(settings)
        self._settings = settings

    def run(self) -> None:
        """Never returns: Ctrl-C and SIGTERM raise KeyboardInterrupt."""
        with tempfile.TemporaryDirectory(prefix="kernkoa-") as folder:
            report = Path(folder) / "report"
            while True:
                failure = self._run_once(report)
                if failure is None:
                    continue
                click.echo(failure, nl=False, err=True)
                click.echo(click.style("  The server did not start. Waiting for a change.", fg="red"), err=True)
                with stand_in(self._listener, StandIn(failure, self._settings)):
                    while not self._has_changed():
                        time.sleep(LOOK_SECONDS)

    def _run_once(self, report: Path) -> str | None:
        """Run the server until a file changes or it exits. Returns its stderr if it failed to start, else None."""
        began = time.monotonic()
        with self._server(report) as server:
            self._show_start()
            while server.poll() is None:
                if self._has_changed():
                    return None
                if not report.exists():  # it serves: else a worker would fail too
                    self._services.check()
                with contextlib.suppress(subprocess.TimeoutExpired):
                    server.wait(LOOK_SECONDS)
        if report.exists():
            said = report.read_text(encoding="utf-8", errors="replace")
            return _LIBRARY_FRAME.sub("", said) or f"It exited with {server.returncode}.\n"
        if time.monotonic() - began < 1:
            return f"The server exited with status {server.returncode}; see the terminal.\n"
        click.echo(f"  The server exited with status {server.returncode}; restarting it.", err=True)
        return None

    def _show_start(self) -> None:
        """Start the services, once, while the server imports the site; they take as long."""
        if not self._is_shown:
            self._is_shown = True
            self._services.start()
            show_start(self._settings, self._listener, self._services)

    def _has_changed(self) -> bool:
        if _is_ending:
            raise KeyboardInterrupt
        changed = self._watch.changes()
        if changed:
            self._services.retire()  # now: what the new server queues needs a worker with the new code
            names = ", ".join(os.path.relpath(name, self._settings.path) for name in changed[:3])
            click.echo(click.style(f"  {names} changed: restarting", dim=True), err=True)
        return bool(changed)

    @contextlib.contextmanager
    def _server(self, report: Path) -> Iterator[subprocess.Popen[bytes]]:
        """The server's process. Its stderr goes to `report` until it serves: it may explain a failed start."""
        terminal = os.dup(sys.stderr.fileno())
        environ = os.environ | {
            DEVELOPMENT: str(os.getpid()),
            SOCKET: str(self._listener.fileno()),
            TERMINAL: str(terminal),
            REPORT: str(report),
        }
        with open(report, "wb") as said:
            command = [sys.executable, *sys.orig_argv[1:]]
            inherited = (self._listener.fileno(), terminal)
            server = subprocess.Popen(command, env=environ, stderr=said, pass_fds=inherited)  # noqa: S603
        os.close(terminal)
        try:
            yield server
        finally:
            stop(server)


def stop(process: subprocess.Popen[bytes]) -> None:
    """Terminate a process; kill it after STOP_SECONDS."""
    process.terminate()
    try:
        process.wait(STOP_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


class _QuietHandler(WSGIRequestHandler):
    def log(self, type: str, message: str, *args: object) -> None:
        """Log nothing: the error page polls until the server is back."""


@contextlib.contextmanager
def stand_in(listener: socket.socket, app: StandIn) -> Iterator[BaseWSGIServer]:
    """Serve `app` on the server's socket while the server is down."""
    host, port = listener.getsockname()[:2]
    server = make_server(host, port, app, True, request_handler=_QuietHandler, fd=listener.fileno())
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
