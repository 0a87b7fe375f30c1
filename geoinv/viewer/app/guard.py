"""Who may talk to the app: pages of other sites may not, whatever name or form they use.

A page of another site can send requests to any address of this machine, and by a name of its own that suddenly points
here (DNS rebinding) it could read the answers. So the name in ``Host`` must be one that nobody else can own, and a
request that changes something must not come from another page. There is no CORS: other pages read nothing.
"""

from __future__ import annotations

import ipaddress
import socket
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

_READING = ("GET", "HEAD", "OPTIONS")
_HEADERS = {
    # The pages need nothing from elsewhere, and nobody may put them into a frame.
    "content-security-policy": "default-src 'self'; img-src 'self' blob: data:; media-src 'self' blob:; "
    "object-src 'none'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'",
    "cross-origin-resource-policy": "same-origin",
    "cross-origin-opener-policy": "same-origin",
    "referrer-policy": "no-referrer",
    "x-content-type-options": "nosniff",
    "cache-control": "no-store",  # faces
}


def own_names(host: str) -> frozenset[str]:
    """Names in ``Host`` that are this machine's, besides addresses: localhost, its own name, and the one it listens on.

    Args:
        host: Address or name that the app listens on.
    """
    machine = socket.gethostname().lower()
    return frozenset({"localhost", machine, f"{machine}.local", host.lower()})


def is_own(host: str, names: frozenset[str]) -> bool:
    """Whether the value of a ``Host`` header is an address or one of ``names``; a port may follow.

    An address is nobody's name: a browser that sends it was pointed at this machine by its user.
    """
    try:
        address = urlsplit(f"//{host}")
        name = (address.hostname or "").rstrip(".")
        _ = address.port  # ValueError where it is no number
    except ValueError:
        return False
    if name in names:
        return True
    try:
        ipaddress.ip_address(name.partition("%")[0])
    except ValueError:
        return False
    return True


class Guard:
    """Refuses what comes from elsewhere, and tells browsers to be careful with the rest.

    Args:
        app: The application.
        host: Address or name that it listens on.
    """

    def __init__(self, app: ASGIApp, host: str) -> None:
        self.app = app
        self.names = own_names(host)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return

        async def send_carefully(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in _HEADERS.items():
                    headers.setdefault(name, value)
            await send(message)

        refusal = self._refusal(scope["method"], Headers(scope=scope))
        if refusal is not None:
            await JSONResponse(refusal, status_code=403)(scope, receive, send_carefully)
            return
        await self.app(scope, receive, send_carefully)

    def _refusal(self, method: str, headers: Headers) -> dict[str, str] | None:
        host = headers.get("host", "")
        if not is_own(host, self.names):
            return {
                "message": "this name is not the app's",
                "hint": "open it by the address that it printed, or by the name given with --host",
            }
        origin = headers.get("origin")
        is_foreign = origin is not None and urlsplit(origin).netloc != host
        if method not in _READING and (is_foreign or headers.get("sec-fetch-site") in ("cross-site", "same-site")):
            return {"message": "the request comes from another page", "hint": "send it from the app's own page"}
        return None
