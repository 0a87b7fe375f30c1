"""``geoinv app``: a local page that turns photos into heads."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from . import console
from .options import DEFAULT_OUT, DeviceOpt, ModelOpt, QuietOpt, SeedOpt, finite


def app_page(
    out: Annotated[
        Path, typer.Option("--out", "-o", help="Folder for photos and results; each gets a folder in it.")
    ] = DEFAULT_OUT / "app",
    port: Annotated[
        int, typer.Option("--port", min=0, max=65535, help="Port to listen on; 0 takes a free one.")
    ] = 8765,
    host: Annotated[
        str,
        typer.Option(
            "--host",
            help="Address to listen on. 0.0.0.0 lets every machine in the network in; there is no password.",
        ),
    ] = "127.0.0.1",
    max_upload: Annotated[
        float, typer.Option("--max-upload", min=0.1, max=1000.0, callback=finite, help="Largest photo in MB.")
    ] = 32.0,
    keep: Annotated[
        float,
        typer.Option("--keep", min=1.0, callback=finite, help="Minutes that results are kept after their last use."),
    ] = 120.0,
    model: ModelOpt = "mini",
    device: DeviceOpt = "auto",
    seed: SeedOpt = 0,
    quiet: QuietOpt = False,
) -> None:
    """Serve a local page: drop a photo, turn the head, edit it, download everything.

    Only this machine can open it unless --host says otherwise. Scripts use the same address; /docs describes how.
    Ctrl-C ends it.
    """
    console.command(quiet, False)

    from ..viewer.app import AppSettings, check_extra, is_loopback, serve

    check_extra()
    settings = AppSettings(out, host, port, max_upload_bytes=round(max_upload * 1e6), keep_s=60.0 * keep)

    from ..session import Session
    from .targets import check_writable

    check_writable(out)
    session = Session.load(model, device, seed)
    session.check_crop()
    _ = session.encoder, session.directions  # the app inverts and edits: what is missing is said now, not to the page

    def ready(address: str) -> None:
        console.line(f"geoinv app: {address}")
        if not is_loopback(host):
            console.warn("every machine that reaches this address can use the app; there is no password")
        console.talk(f"model {session.info.name} on {session.device}; Ctrl-C ends the app")

    serve(session, settings, on_ready=ready)
    console.talk("the app has ended")
