"""Serving the app until Ctrl-C, which ends it without a traceback and without half-written files."""

from __future__ import annotations

import contextlib
import signal
import socket
from collections.abc import Callable, Iterator
from types import FrameType
from typing import TYPE_CHECKING

import uvicorn

from ...errors import UsageError, reason_of
from ...files import only_one_process
from .routes import create_app
from .settings import AppSettings

if TYPE_CHECKING:
    from ...session import Session

_BACKLOG = 256
_CLOSING_S = 3  # for answers that are on their way when the app is ended
_SIGNALS = [getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP", "SIGBREAK") if hasattr(signal, name)]


class _Server(uvicorn.Server):
    """uvicorn, which ends the worker along with itself and does not pass signals on."""

    def __init__(self, config: uvicorn.Config, on_end: Callable[[], None]) -> None:
        super().__init__(config)
        self.on_end = on_end

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:  # type: ignore[override]
        """Handle signals here, until the app has ended."""
        before = {number: signal.signal(number, self.handle_exit) for number in _SIGNALS}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Begin to end; who asks twice does not wait for answers on their way."""
        self.force_exit = self.should_exit
        self.should_exit = True
        self.on_end()


def serve(session: Session, settings: AppSettings, *, on_ready: Callable[[str], None]) -> None:
    """Serve the app until the process is told to end by Ctrl-C or another signal; call it from the main thread.

    Args:
        session: Models, loaded; nothing else may use it meanwhile.
        settings: Settings of the run.
        on_ready: Called with the app's address once it can be opened.

    Raises:
        UsageError: The address cannot be listened on, or the folder is not ours to write to or in use by another app.
    """
    try:
        settings.out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UsageError(f"cannot write to {settings.out}: {reason_of(error)}", "give another --out") from error
    with only_one_process(settings.out), contextlib.closing(listening(settings)) as listener:
        app = create_app(session, settings)
        config = uvicorn.Config(
            app,
            log_config=None,
            log_level="error",
            access_log=False,
            server_header=False,
            timeout_graceful_shutdown=_CLOSING_S,
        )
        on_ready(address_of(listener, settings.host))
        _Server(config, app.state.service.worker.begin_stop).run(sockets=[listener])


def listening(settings: AppSettings) -> socket.socket:
    """A socket that listens where the settings say.

    Raises:
        UsageError: No such address here, or the port is taken.
    """
    where = f"{settings.host}:{settings.port}"
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            settings.host, settings.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        listener = socket.socket(family, kind, protocol)
        try:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.bind(address)
            listener.listen(_BACKLOG)
        except OSError:
            listener.close()
            raise
    except OSError as error:
        raise UsageError(f"cannot listen on {where}: {reason_of(error)}", "give another --port, or --host") from error
    return listener


def address_of(listener: socket.socket, host: str) -> str:
    """What to type into a browser on this machine."""
    port = listener.getsockname()[1]
    name = "localhost" if host in ("0.0.0.0", "::", "") else host
    return f"http://{f'[{name}]' if ':' in name else name}:{port}/"
