"""Photos on their way in: written to disk as they come, and refused as soon as they are too large."""

from __future__ import annotations

import asyncio
import os
import shutil
import time
from pathlib import Path

from starlette.datastructures import UploadFile
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.types import Message

from ...errors import GeoinvError

_FORM_BYTES = 64 * 1024  # of a form beside its photo: boundaries, headers, short fields
_PATIENCE_S = 30.0  # between two pieces of a photo
_DISCARD_S = 5.0  # spent on reading what is refused: who is cut off while sending does not read why


class TooLarge(GeoinvError):
    """A photo above the limit."""

    def __init__(self, limit: int) -> None:
        super().__init__(
            f"the photo is larger than {limit / 1e6:g} MB", "scale it down first, or start the app with --max-upload"
        )


class NoPhoto(GeoinvError):
    """A form that holds no photo, or that is broken."""

    def __init__(self) -> None:
        super().__init__("the form holds no photo", "send it as the field `photo` of multipart/form-data")


async def save_photo(request: Request, path: Path, *, limit: int) -> None:
    """Write the photo of a form to a file that does not exist yet.

    Args:
        request: Multipart form with the field ``photo``.
        path: Place of the file; what is written of a refused photo is for the caller to remove.
        limit: Largest size of the photo in bytes.

    Raises:
        TooLarge: The photo is larger; it was not read to its end.
        NoPhoto: A form without a photo.
        ClientDisconnect: Whoever sends it has gone.
    """
    if not request.headers.get("content-type", "").startswith("multipart/form-data"):
        raise NoPhoto
    received = 0

    async def receive() -> Message:
        nonlocal received
        try:
            message = await asyncio.wait_for(request.receive(), _PATIENCE_S)
        except asyncio.TimeoutError:
            raise HTTPException(408, "the photo did not come in time") from None
        received += len(message.get("body", b""))
        if received > limit + _FORM_BYTES:
            raise TooLarge(limit)
        return message

    try:
        if int(request.headers.get("content-length", 0)) > limit + _FORM_BYTES:
            raise TooLarge(limit)
        async with Request(request.scope, receive).form(max_files=1, max_fields=8) as form:
            photo = form.get("photo")
            if not isinstance(photo, UploadFile):
                raise NoPhoto
            if (photo.size or 0) > limit:
                raise TooLarge(limit)
            await asyncio.to_thread(_copy, photo, path)
    except TooLarge:
        await _discard(request)
        raise


def _copy(photo: UploadFile, path: Path) -> None:
    with os.fdopen(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600), "wb") as file:
        shutil.copyfileobj(photo.file, file)


async def _discard(request: Request) -> None:
    """Read on for a moment and keep nothing; who waits for leave to send (``Expect``) is refused at once instead."""
    if "100-continue" in request.headers.get("expect", "").lower():
        return
    end = time.monotonic() + _DISCARD_S
    while (left := end - time.monotonic()) > 0.0:
        try:
            message = await asyncio.wait_for(request.receive(), left)
        except asyncio.TimeoutError:
            return
        if message["type"] != "http.request" or not message.get("more_body", False):
            return
