"""A headless Chromium for tests of pages, driven over the pipe of its DevTools protocol: no package is needed.

    with Chromium() as browser:
        page = browser.page(390, 844, is_phone=True, is_dark=True)
        page.open(path.as_uri())
        page.evaluate("document.title")

Protocol: https://chromedevtools.github.io/devtools-protocol/.
"""

from __future__ import annotations

import base64
import fcntl
import json
import os
import select
import shutil
import signal
import subprocess
import tempfile
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

_NAMES = ("chromium", "chromium-browser", "google-chrome", "chrome")
_FLAGS = (
    "--headless=new",
    "--no-sandbox",  # which containers lack, and root may not use
    "--remote-debugging-pipe",
    "--use-angle=swiftshader",  # WebGL without a graphics card
    "--enable-unsafe-swiftshader",
    "--hide-scrollbars",
    "--mute-audio",
    "--no-first-run",
    "--disable-extensions",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-dev-shm-usage",
)
_PATIENCE_SECONDS = 60.0

KEY_CODES = {"ArrowLeft": 37, "ArrowUp": 38, "ArrowRight": 39, "ArrowDown": 40, "Tab": 9, "Enter": 13, "Escape": 27}


def find_chromium() -> str | None:
    """The program, from GEOINV_CHROMIUM or by its usual names."""
    given = os.environ.get("GEOINV_CHROMIUM")
    return given or next((path for path in map(shutil.which, _NAMES) if path), None)


needs_chromium = pytest.mark.skipif(find_chromium() is None, reason="no Chromium: install it, or set GEOINV_CHROMIUM")


class Chromium:
    """A browser process with a profile of its own, which end with the block."""

    def __init__(self, *flags: str) -> None:
        self._profile = tempfile.TemporaryDirectory(prefix="chromium-", ignore_cleanup_errors=True)
        to_browser, self._commands = os.pipe()
        self._answers, from_browser = os.pipe()

        def as_3_and_4() -> None:  # the numbers that the browser expects
            first, second = (fcntl.fcntl(end, fcntl.F_DUPFD, 20) for end in (to_browser, from_browser))
            os.dup2(first, 3)
            os.dup2(second, 4)

        program = find_chromium()
        assert program is not None
        self._process = subprocess.Popen(
            [program, *_FLAGS, f"--user-data-dir={self._profile.name}", *flags, "about:blank"],
            preexec_fn=as_3_and_4,
            close_fds=False,
            start_new_session=True,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        os.close(to_browser)
        os.close(from_browser)
        self._unread = b""
        self._last_id = 0
        self.events: list[dict[str, Any]] = []

    def __enter__(self) -> Chromium:
        return self

    def __exit__(self, *_: object) -> None:
        with suppress(Exception):
            self.send("Browser.close")
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(10)
        with suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()
        os.close(self._commands)
        os.close(self._answers)
        self._profile.cleanup()

    def send(self, method: str, session: str | None = None, **parameters: Any) -> dict[str, Any]:
        """Send one command and wait for its answer; events that come before it are kept in ``events``."""
        self._last_id += 1
        command: dict[str, Any] = {"id": self._last_id, "method": method, "params": parameters}
        if session is not None:
            command["sessionId"] = session
        self._write(json.dumps(command).encode() + b"\0")
        number = self._last_id
        while True:
            message = self._read()
            if message.get("id") != number:
                self.events.append(message)
            elif "error" in message:
                raise RuntimeError(f"{method}: {message['error']['message']}")
            else:
                result = message["result"]
                assert isinstance(result, dict)
                return result

    def page(self, width: int = 1280, height: int = 800, *, is_phone: bool = False, is_dark: bool = False) -> Page:
        """Open an empty page of a size in CSS pixels."""
        target = self.send("Target.createTarget", url="about:blank")["targetId"]
        session = self.send("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        return Page(self, session, width, height, is_phone=is_phone, is_dark=is_dark)

    def _write(self, data: bytes) -> None:
        while data:
            data = data[os.write(self._commands, data) :]

    def _read(self) -> dict[str, Any]:
        while b"\0" not in self._unread:
            ready, _, _ = select.select([self._answers], [], [], _PATIENCE_SECONDS)
            chunk = os.read(self._answers, 1 << 20) if ready else b""
            if not chunk:
                raise RuntimeError("Chromium does not answer" if not ready else "Chromium has ended")
            self._unread += chunk
        text, _, self._unread = self._unread.partition(b"\0")
        message = json.loads(text)
        assert isinstance(message, dict)
        return message


class Page:
    """One tab."""

    def __init__(
        self, browser: Chromium, session: str, width: int, height: int, *, is_phone: bool, is_dark: bool
    ) -> None:
        self._browser = browser
        self._session = session
        for domain in ("Page", "Runtime", "Network", "Log"):
            self.send(f"{domain}.enable")
        self.resize(width, height, is_phone=is_phone)
        scheme = {"name": "prefers-color-scheme", "value": "dark" if is_dark else "light"}
        self.send("Emulation.setEmulatedMedia", features=[scheme])
        if is_phone:
            self.send("Emulation.setTouchEmulationEnabled", enabled=True, maxTouchPoints=2)

    def send(self, method: str, **parameters: Any) -> dict[str, Any]:
        """Send a command to this page."""
        return self._browser.send(method, self._session, **parameters)

    def resize(self, width: int, height: int, *, is_phone: bool = False) -> None:
        """Set the size in CSS pixels; a phone has two of its own for each."""
        self.send(
            "Emulation.setDeviceMetricsOverride",
            width=width,
            height=height,
            deviceScaleFactor=2 if is_phone else 1,
            mobile=is_phone,
        )

    def to_front(self) -> None:
        """Make this the tab that is seen: browsers draw no frames of others."""
        self.send("Page.bringToFront")

    def go_offline(self) -> None:
        """Take the network away."""
        self.send("Network.emulateNetworkConditions", offline=True, latency=0, downloadThroughput=0, uploadThroughput=0)

    def open(self, url: str, until: str = "document.readyState === 'complete'") -> None:
        """Go to a page and wait until an expression holds."""
        self.send("Page.navigate", url=url)
        self.wait_for(until)

    def evaluate(self, expression: str) -> Any:
        """Value of a JavaScript expression, awaited if it is a promise.

        Raises:
            RuntimeError: It throws.
        """
        answer = self.send("Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True)
        if "exceptionDetails" in answer:
            details = answer["exceptionDetails"]
            raise RuntimeError(details.get("exception", {}).get("description", details["text"]))
        return answer["result"].get("value")

    def wait_for(self, expression: str, seconds: float = 30.0) -> None:
        """Wait until an expression is true."""
        end = time.monotonic() + seconds
        while not self.evaluate(f"Boolean({expression})"):
            if time.monotonic() > end:
                raise TimeoutError("; ".join([f"not in {seconds:g} s: {expression}", *self.troubles]))
            time.sleep(0.05)

    def press(self, key: str, text: str = "") -> None:
        """Press and release a key: ``ArrowLeft``, or a character with its text."""
        code = KEY_CODES.get(key) or ord(key.upper())
        self.send("Input.dispatchKeyEvent", type="keyDown", key=key, windowsVirtualKeyCode=code, text=text)
        self.send("Input.dispatchKeyEvent", type="keyUp", key=key, windowsVirtualKeyCode=code)

    def drag(self, start: tuple[float, float], end: tuple[float, float], *, is_touch: bool = False) -> None:
        """Drag with the mouse or a finger, in CSS pixels."""
        steps = [tuple(a + (b - a) * part / 4 for a, b in zip(start, end, strict=True)) for part in range(5)]
        for index, (x, y) in enumerate(steps):
            if is_touch:
                kind = "touchMove" if index else "touchStart"
                self.send("Input.dispatchTouchEvent", type=kind, touchPoints=[{"x": x, "y": y}])
            else:
                kind = "mouseMoved" if index else "mousePressed"
                self.send("Input.dispatchMouseEvent", type=kind, x=x, y=y, button="left", buttons=1, clickCount=1)
        if is_touch:
            self.send("Input.dispatchTouchEvent", type="touchEnd", touchPoints=[])
        else:
            x, y = end
            self.send("Input.dispatchMouseEvent", type="mouseReleased", x=x, y=y, button="left", clickCount=1)

    def screenshot(self, path: Path | None = None) -> bytes:
        """PNG of what is seen; also written to ``path``."""
        data = base64.b64decode(self.send("Page.captureScreenshot", format="png")["data"])
        if path is not None:
            path.write_bytes(data)
        return data

    @property
    def troubles(self) -> list[str]:
        """Errors and warnings that the page has written to the console, and exceptions that it has thrown."""
        self.evaluate("0")  # lets what is on its way arrive
        found = []
        for event in self._own_events():
            values = event["params"]
            if event["method"] == "Runtime.exceptionThrown":
                found.append(values["exceptionDetails"]["text"])
            elif event["method"] == "Runtime.consoleAPICalled" and values["type"] in ("error", "warning"):
                found.append(" ".join(str(part.get("value", part.get("description"))) for part in values["args"]))
            elif event["method"] == "Log.entryAdded" and values["entry"]["level"] in ("error", "warning"):
                found.append(values["entry"]["text"])
        return found

    @property
    def requested(self) -> list[str]:
        """Addresses that the page has asked for."""
        self.evaluate("0")
        events = [event for event in self._own_events() if event["method"] == "Network.requestWillBeSent"]
        return [event["params"]["request"]["url"] for event in events]

    def _own_events(self) -> list[dict[str, Any]]:
        return [event for event in self._browser.events if event.get("sessionId") == self._session]
