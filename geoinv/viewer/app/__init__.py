"""The app: a local page that turns photos into heads, and a REST interface for scripts.

Needs the extra ``app`` (FastAPI and uvicorn), which is imported when :func:`serve` is first asked for.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ...errors import MissingDependencyError
from .settings import AppSettings, is_loopback

if TYPE_CHECKING:
    from collections.abc import Callable

    from ...session import Session

__all__ = ["AppSettings", "check_extra", "is_loopback", "serve"]


def check_extra() -> None:
    """Raise ``MissingDependencyError`` unless the packages of the extra ``app`` are there."""
    try:
        import fastapi  # noqa: F401
        import python_multipart  # noqa: F401
        import uvicorn  # noqa: F401
    except ImportError as error:
        raise MissingDependencyError(f"the app needs the package {error.name}", "pip install 'geoinv[app]'") from error


def serve(session: Session, settings: AppSettings, *, on_ready: Callable[[str], None]) -> None:
    """Serve the app until the process is told to end; see :func:`.server.serve`.

    Raises:
        MissingDependencyError: The extra ``app`` is not installed.
    """
    check_extra()
    from .server import serve as serve_until_the_end

    serve_until_the_end(session, settings, on_ready=on_ready)
