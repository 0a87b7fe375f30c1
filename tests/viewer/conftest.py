"""One browser for all pages, and a page of the toy head in it."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from geoinv.viewer import write_head_page
from tests.chromium import Chromium, Page

from .toy_head import toy_head

READY = "window.geoinv && (geoinv.view || !document.getElementById('trouble').hidden)"


@pytest.fixture(scope="session")
def browser() -> Iterator[Chromium]:
    with Chromium() as started:
        yield started


@pytest.fixture(scope="session")
def show(browser: Chromium, tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Page]:
    """Opens a GLB's page from its file, with the network off, and waits until the head is there."""

    def shown(glb: bytes, title: str = "Ada", *, width: int = 900, height: int = 560, **options: bool) -> Page:
        path = tmp_path_factory.mktemp("page") / "head.html"
        write_head_page(path, glb, title)
        page = browser.page(width, height, **options)
        page.go_offline()
        page.open(path.as_uri(), READY)
        return page

    return shown


@pytest.fixture(scope="session")
def toy_page(show: Callable[..., Page]) -> Page:
    """The toy head on a desk; tests bring it back to rest."""
    return show(toy_head())


@pytest.fixture
def at_rest(toy_page: Page) -> Page:
    """The toy head's page with all sliders at 0, the panel open and the camera in front."""
    toy_page.to_front()
    toy_page.evaluate("document.querySelector('dialog').close(); document.activeElement.blur()")
    toy_page.press("1", "1")
    toy_page.press("r", "r")
    toy_page.wait_for("!geoinv.view.face.isMoving")
    return toy_page
