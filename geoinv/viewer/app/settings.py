"""Settings of the app: where it listens, what it keeps, and what it refuses."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass
from pathlib import Path

from ...errors import UsageError

DEFAULT_PORT = 8765
DEFAULT_MAX_UPLOAD_MB = 32
DEFAULT_KEEP_MINUTES = 120


def is_loopback(host: str) -> bool:
    """Whether an address, or localhost, is reached from this machine alone."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host.lower() == "localhost"


@dataclass(frozen=True)
class AppSettings:
    """Settings of one run of the app.

    Args:
        out: Folder of all that it writes, a folder for each photo.
        host: Address or name to listen on. Anything but this machine itself must be asked for.
        port: Port to listen on; 0 takes a free one.
        max_upload_bytes: Largest photo.
        keep_s: Seconds that a photo's results are kept after their last use.
        max_waiting: Number of photos that may wait; further ones are refused.
        max_kept: Number of photos whose results are kept; beyond it, those that were not used for longest go first.

    Raises:
        UsageError: A number out of range.
    """

    out: Path
    host: str = "127.0.0.1"
    port: int = DEFAULT_PORT
    max_upload_bytes: int = DEFAULT_MAX_UPLOAD_MB * 1_000_000
    keep_s: float = 60.0 * DEFAULT_KEEP_MINUTES
    max_waiting: int = 64
    max_kept: int = 200

    def __post_init__(self) -> None:
        if not 0 <= self.port <= 65535:
            raise UsageError(f"port must be 0 to 65535, got {self.port}", "0 takes a free one")
        for name in ("max_upload_bytes", "keep_s", "max_waiting", "max_kept"):
            if getattr(self, name) <= 0:
                raise UsageError(f"{name} must be above 0, got {getattr(self, name)}")
