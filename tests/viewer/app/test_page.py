"""The app's page in a browser: from a photo to a head that moves, sliders, comparison, downloads, phones."""

from __future__ import annotations

import base64
import io
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.chromium import Chromium, Page, needs_chromium

from .conftest import EXAMPLES, Running, wait_until

ROOT = Path(__file__).parents[3]
READY = "window.geoinv && geoinv.app"
AT_REST = "geoinv.app.head.isResting"

pytestmark = needs_chromium


def choose(page: Page, *files: Path) -> None:
    """Choose files as a person does with the button."""
    root = page.send("DOM.getDocument")["root"]["nodeId"]
    field = page.send("DOM.querySelector", nodeId=root, selector="#file")["nodeId"]
    page.send("DOM.setFileInputFiles", nodeId=field, files=[str(file) for file in files])


def picture(page: Page) -> np.ndarray:
    """What the stage shows over black, [H, W, 3]."""
    url = page.evaluate("document.getElementById('canvas').toDataURL()")
    shown = np.asarray(Image.open(io.BytesIO(base64.b64decode(url.partition(",")[2])))).astype(float)
    return shown[..., :3] * shown[..., 3:] / 255.0


def move(page: Page, attribute: str, strength: float) -> None:
    """Move a slider as a person does, and wait until the picture rests."""
    page.evaluate(
        f"(() => {{ const one = geoinv.app.sliders.get('{attribute}'); "
        f"one.set({strength}); one.input.dispatchEvent(new Event('input')); }})()"
    )
    page.wait_for(AT_REST)


def opened(browser: Chromium, address: str, width: int = 1000, height: int = 700, **options: bool) -> Page:
    page = browser.page(width, height, **options)
    page.open(address, READY)
    return page


class TestThePage:
    @pytest.fixture
    def page(self, browser: Chromium, running: Running) -> Page:
        page = opened(browser, running.address)
        choose(page, EXAMPLES / "woman.jpg")
        page.wait_for(AT_REST)
        return page

    def test_loads_from_the_app_alone(self, page: Page, running: Running) -> None:
        assert page.troubles == []
        own = (running.address, "blob:", "data:", "about:")
        assert [address for address in page.requested if not address.startswith(own)] == []

    def test_drag_keys_and_buttons_turn_the_head(self, page: Page) -> None:
        front = picture(page)
        page.drag((300, 300), (420, 300))
        page.wait_for("geoinv.app.head.look.yaw < -20 && " + AT_REST)
        assert np.abs(picture(page) - front).max() > 20
        page.evaluate("document.getElementById('canvas').focus()")
        page.press("ArrowLeft")
        assert page.evaluate("geoinv.app.head.look.yaw") == pytest.approx(-0.35 * 120 + 6, abs=0.5)
        page.press("r", "r")
        page.wait_for("Math.abs(geoinv.app.head.look.yaw) < 0.001 && " + AT_REST)
        assert np.abs(picture(page) - front).max() < 4

    def test_sliders_change_the_head_and_reset_brings_it_back(self, page: Page) -> None:
        front = picture(page)
        assert page.evaluate("document.getElementById('compare-button').hidden")
        move(page, "smile", 2)
        assert np.abs(picture(page) - front).max() > 20
        page.evaluate("document.getElementById('reset-button').click()")
        page.wait_for(AT_REST)
        assert np.abs(picture(page) - front).max() < 4

    def test_comparison_shows_both_sides(self, page: Page) -> None:
        front = picture(page)
        move(page, "smile", 2)
        edited = picture(page)
        page.press("b", "b")
        page.wait_for("geoinv.app.head.pictures.before && " + AT_REST)
        both = picture(page)
        middle = both.shape[1] // 2
        assert np.abs(both[:, : middle - 30] - front[:, : middle - 30]).max() < 4
        assert np.abs(both[:, middle + 30 :] - edited[:, middle + 30 :]).max() < 4

    def test_files_are_downloaded(self, page: Page, tmp_path: Path) -> None:
        page.send("Browser.setDownloadBehavior", behavior="allow", downloadPath=str(tmp_path / "down"))
        page.evaluate("document.querySelector('[data-file=\"head.geoinv\"]').click()")
        wait_until(lambda: (tmp_path / "down" / "head.geoinv").is_file(), 20)

    def test_bad_and_large_files_are_explained(self, page: Page, tmp_path: Path) -> None:
        (tmp_path / "text.jpg").write_text("hello")
        choose(page, tmp_path / "text.jpg")
        page.wait_for("!document.getElementById('trouble').hidden")
        assert "is a text file" in page.evaluate("document.getElementById('trouble').textContent")
        (tmp_path / "large.jpg").write_bytes(bytes(33_000_000))
        choose(page, tmp_path / "large.jpg")
        page.wait_for("document.getElementById('trouble').textContent.includes('larger than 32 MB')")
        page.evaluate("document.querySelector('.photo-show').click()")  # back to the first
        page.wait_for("!document.getElementById('canvas').hidden")

    def test_photos_outlive_a_reload_and_can_be_removed(self, page: Page, running: Running) -> None:
        page.open(running.address, READY)
        page.wait_for(AT_REST)
        page.evaluate("document.querySelector('.photo [aria-label=\"Remove photo 1\"]').click()")
        page.wait_for("!document.getElementById('start').hidden")
        wait_until(lambda: list(running.out.iterdir()) == [])

    def test_another_head_is_asked_for_alone_and_in_small_first(self, page: Page) -> None:
        first = page.evaluate("geoinv.app.head.job")
        choose(page, EXAMPLES / "woman.jpg")
        page.wait_for(f"geoinv.app.head.job && geoinv.app.head.job !== '{first}' && {AT_REST}")
        before = len(page.requested)
        page.evaluate("document.querySelector('.photo-show').click()")
        page.wait_for(AT_REST)
        views = [address for address in page.requested[before:] if "/view." in address]
        assert all(first in address for address in views)
        assert "draft=true" in views[0] and "draft=false" in views[-1]

    def test_a_hidden_head_asks_for_nothing(self, page: Page) -> None:
        turns = page.evaluate(
            "(async head => { let count = 0; const work = head.work.bind(head); head.work = () => { count += 1; "
            "return work(); }; head.turn(1, 0); head.hide(); await new Promise(done => setTimeout(done, 500)); "
            "return count; })(geoinv.app.head)"
        )
        assert turns <= 2

    def test_fits_phones(self, browser: Chromium, running: Running) -> None:
        page = opened(browser, running.address, 390, 844, is_phone=True, is_dark=True)
        choose(page, EXAMPLES / "woman.jpg")
        page.wait_for(AT_REST)
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
        page.drag((200, 300), (120, 300), is_touch=True)
        page.wait_for("geoinv.app.head.look.yaw > 10")


def test_the_camera_takes_a_photo(running: Running) -> None:
    with Chromium("--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream") as browser:
        page = opened(browser, running.address)
        page.evaluate("document.getElementById('camera-button').click()")
        page.wait_for("!document.getElementById('shutter-button').disabled")
        page.evaluate("document.getElementById('shutter-button').click()")
        page.wait_for("!document.getElementById('trouble').hidden")  # Chromium's test picture shows nobody
        assert "no face" in page.evaluate("document.getElementById('trouble-text').textContent").lower()
        page.wait_for("document.getElementById('video').srcObject === null")


def test_the_description_is_readable_offline(browser: Chromium, running: Running) -> None:
    page = browser.page()
    page.open(f"{running.address}/docs", "document.querySelectorAll('#operations section').length >= 6")
    assert "smile:1" in page.evaluate("document.body.textContent")
    assert page.troubles == []
    assert all(address.startswith(running.address) for address in page.requested if "://" in address)


@pytest.mark.slow
class TestWithMini:
    """The shipped model, as a user starts it."""

    @pytest.fixture(scope="class")
    def address(self, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
        out = tmp_path_factory.mktemp("app")
        process = subprocess.Popen(
            [sys.executable, "-m", "geoinv", "app", "--port", "0", "--out", str(out)],
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            stdout=subprocess.PIPE,
            text=True,
        )
        assert process.stdout is not None
        yield process.stdout.readline().split()[-1]
        process.terminate()
        assert process.wait(30) == 0

    @pytest.fixture(scope="class")
    def page(self, browser: Chromium, address: str) -> Page:
        page = opened(browser, address, 1280, 800)
        page.wait_for("fetch('/api').then((answer) => answer.json()).then((info) => info.is_ready)", 120)
        return page

    def test_from_photo_to_moving_head_in_15_seconds(self, page: Page) -> None:
        began = time.monotonic()
        choose(page, EXAMPLES / "woman.jpg")
        page.wait_for("geoinv.app.head.frames.draft >= 3", 60)
        assert time.monotonic() - began < 15
        page.wait_for(AT_REST)

    @pytest.mark.parametrize("attribute", ["smile", "age", "blond-hair", "face-fat"])
    def test_sliders_change_the_head(self, page: Page, attribute: str) -> None:
        page.evaluate("document.getElementById('reset-button').click()")
        page.wait_for(AT_REST)
        before = picture(page)
        move(page, attribute, 1.5)
        assert np.abs(picture(page) - before).mean() > 0.3
