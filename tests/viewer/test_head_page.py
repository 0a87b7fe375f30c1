"""The page of ``geoinv view`` in a real browser: from a file, with the network off."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from geoinv.avatar.glb import avatar_glb
from geoinv.shape import ARKIT_UNITS
from geoinv.viewer import write_head_page
from tests.avatar.people import an_avatar
from tests.chromium import Chromium, Page, needs_chromium

from .conftest import READY
from .toy_head import packed, toy_head, triangle

pytestmark = needs_chromium

# How far each slider moves the vertices, in metres, as three.js computes them on the CPU.
_MOVES = """(names => {
  const places = () => geoinv.view.stage.meshes.flatMap(mesh => {
    const found = [], place = new THREE.Vector3();
    for (let i = 0; i < mesh.geometry.attributes.position.count; i += 1)
      found.push(...mesh.getVertexPosition(i, place).toArray());
    return found;
  });
  const rest = places();
  return Object.fromEntries(names.map(name => {
    const slider = document.querySelector(`[data-name="${name}"]`);
    const set = value => { slider.value = value; slider.dispatchEvent(new Event('input', {bubbles: true})); };
    set(1);
    const moved = places();
    set(0);
    return [name, moved.reduce((most, value, i) => Math.max(most, Math.abs(value - rest[i])), 0)];
  }));
})"""

_SET = """((name, value) => { const slider = document.querySelector(`[data-name="${name}"]`);
  slider.value = value; slider.dispatchEvent(new Event('input', {bubbles: true})); })"""


def picture(page: Page, path: Path | None = None) -> NDArray[np.int16]:
    """What the canvas shows, as [H, W, 3]."""
    page.evaluate("new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))")
    return np.asarray(Image.open(io.BytesIO(page.screenshot(path))).convert("RGB"), np.int16)


def canvas_of(shot: NDArray[np.int16]) -> NDArray[np.int16]:
    """Where only the head is drawn: between the bars, beside the panel."""
    return shot[70:420, 20:520]


def test_it_opens_without_network_or_trouble(at_rest: Page) -> None:
    assert at_rest.troubles == []
    assert [address.split(":")[0] for address in at_rest.requested] == ["file"]
    assert at_rest.evaluate("document.title") == "Ada · geoinv"
    shot = canvas_of(picture(at_rest))
    assert shot.std() > 20  # a head before a plain ground


def test_there_is_a_slider_for_each_of_arkits_units_in_its_group(at_rest: Page) -> None:
    groups = at_rest.evaluate(
        "Object.fromEntries([...document.querySelectorAll('.group')].map(group => [group.querySelector('summary')"
        ".firstChild.textContent, [...group.querySelectorAll('input[data-name]')].map(one => one.dataset.name)]))"
    )
    faces = {title: names for title, names in groups.items() if title not in ("View", "Light")}
    assert {title: len(names) for title, names in faces.items()} == {
        **{"Eyes": 14, "Brows": 5, "Jaw": 4, "Mouth": 23},
        **{"Cheeks": 3, "Nose": 2, "Tongue": 1},
    }
    assert sorted(name for names in faces.values() for name in names) == sorted(ARKIT_UNITS)


def test_every_slider_moves_vertices(at_rest: Page) -> None:
    moves = at_rest.evaluate(f"{_MOVES}({json.dumps(ARKIT_UNITS)})")
    assert len(moves) == 52
    assert {name for name, metres in moves.items() if metres < 2e-4} == set(), moves


def test_an_avatar_moves_by_all_its_expressions_and_visemes(show: Callable[..., Page], tmp_path: Path) -> None:
    page = show(avatar_glb(an_avatar()))
    names = page.evaluate("geoinv.view.face.names")
    assert set(ARKIT_UNITS) < set(names) and len(names) == 52 + 15
    moves = page.evaluate(f"{_MOVES}({json.dumps(names)})")
    still = {name for name, metres in moves.items() if metres < 2e-4}
    assert still <= {"viseme_sil"}, moves  # silence is a face at rest
    page.evaluate("document.querySelector('[data-preset=surprise]').click()")
    page.wait_for("!geoinv.view.face.isMoving")
    page.screenshot(tmp_path / "surprise.png")
    assert 0.2 < page.evaluate("geoinv.view.stage.facts.size[1]") < 0.4  # metres
    assert page.evaluate("geoinv.view.stage.hasSeen") is True
    assert page.troubles == []


@pytest.mark.parametrize("name", ["jawOpen", "browInnerUp", "mouthSmileLeft", "cheekPuff", "tongueOut"])
def test_a_slider_changes_the_picture(at_rest: Page, name: str, tmp_path: Path) -> None:
    before = canvas_of(picture(at_rest))
    at_rest.evaluate(f"{_SET}('{name}', 1)")
    moved = canvas_of(picture(at_rest, tmp_path / f"{name}.png"))
    at_rest.evaluate(f"{_SET}('{name}', 0)")
    assert (np.abs(moved - before).max(axis=2) > 4).sum() > 30
    assert np.array_equal(canvas_of(picture(at_rest)), before)


def test_presets(at_rest: Page, tmp_path: Path) -> None:
    weight = "geoinv.view.face.weight"
    at_rest.evaluate("document.querySelector('[data-preset=smile]').click()")
    at_rest.wait_for(f"{weight}('mouthSmileLeft') === 0.85 && !geoinv.view.face.isMoving")
    assert at_rest.evaluate("document.querySelector('[data-name=mouthSmileLeft]').value") == "0.85"
    assert at_rest.evaluate("document.querySelector('[data-preset=smile]').ariaPressed") == "true"
    at_rest.screenshot(tmp_path / "smile.png")
    at_rest.press("3", "3")
    at_rest.wait_for(f"{weight}('browInnerUp') === 0.9 && {weight}('mouthSmileLeft') === 0")
    at_rest.press("1", "1")
    at_rest.wait_for(f"{weight}('browInnerUp') === 0 && {weight}('jawOpen') === 0")
    assert at_rest.evaluate("document.querySelectorAll('#presets [aria-pressed=true]').length") == 0


def test_a_blink_closes_and_opens(at_rest: Page) -> None:
    weights = at_rest.evaluate(
        "(face => { const now = performance.now() / 1000; document.querySelector('[data-preset=blink]').click();"
        "return [0.12, 1].map(later => { face.step(now + later); return face.weight('eyeBlinkLeft'); }); })"
        "(geoinv.view.face)"
    )
    assert weights[0] > 0.9
    assert weights[1] == 0
    lids = at_rest.evaluate("[0, 0.1, 0.12, 0.25, 0.31].map(geoinv.face.lidsAfter)")
    assert lids[:3] == [0, 1, 1]
    assert 0 < lids[3] < 1
    assert lids[4] is None


def test_talk_moves_the_jaw_until_it_is_ended(at_rest: Page) -> None:
    at_rest.press("5", "5")
    at_rest.wait_for("geoinv.view.face.weight('jawOpen') > 0.1")
    assert at_rest.evaluate("document.querySelector('[data-preset=talk]').ariaPressed") == "true"
    at_rest.press("5", "5")
    assert at_rest.evaluate("geoinv.view.face.isMoving") is False
    assert at_rest.evaluate("geoinv.view.face.weight('jawOpen')") == 0


def test_speech_is_of_visemes_that_run_into_each_other(at_rest: Page) -> None:
    moments = at_rest.evaluate("Array.from({length: 300}, (_, i) => geoinv.face.visemesAt(i * 0.01))")
    names = {name for moment in moments for name in moment}
    assert names == {"sil", "kk", "E", "nn", "O", "aa", "I", "SS", "DD", "U", "PP"}
    assert all(0 < weight <= 1 for moment in moments for weight in moment.values())
    assert max(len(moment) for moment in moments) in (2, 3)


def test_talk_uses_visemes_where_there_are_any(show: Callable[..., Page]) -> None:
    page = show(triangle(["viseme_aa", "viseme_O", "eyeBlinkLeft", "Custom"]))
    page.press("5", "5")
    page.wait_for("geoinv.view.face.weight('viseme_O') > 0.5")
    titles = "[...document.querySelectorAll('summary')].map(one => one.firstChild.textContent)"
    assert page.evaluate(titles) == ["View", "Light", "Eyes", "Visemes", "Other"]
    disabled = "[...document.querySelectorAll('[data-preset]')].filter(b => b.disabled).map(b => b.dataset.preset)"
    assert page.evaluate(disabled) == ["smile", "surprise"]


def test_seen_and_guessed(at_rest: Page, tmp_path: Path) -> None:
    at_rest.evaluate("geoinv.view.stage.turn(6, 0)")
    plain = canvas_of(picture(at_rest))
    at_rest.press("g", "g")
    tinted = canvas_of(picture(at_rest, tmp_path / "guessed.png"))
    assert at_rest.evaluate("document.getElementById('legend').hidden") is False
    changed = np.abs(tinted - plain).max(axis=2) > 30
    assert 0.05 < changed.mean() < 0.6
    red, green, blue = tinted[changed].mean(axis=0)
    assert blue > red > green + 30  # violet
    at_rest.press("g", "g")
    assert at_rest.evaluate("document.getElementById('legend').hidden") is True
    assert np.array_equal(canvas_of(picture(at_rest)), plain)


def test_the_legend_names_what_is_not_told(show: Callable[..., Page]) -> None:
    whole = toy_head()
    length = int.from_bytes(whole[12:16], "little")
    document = json.loads(whole[20 : 20 + length])
    told = document["meshes"][0]["primitives"][0]
    untold = {**told, "attributes": {"POSITION": told["attributes"]["POSITION"]}}
    document["meshes"].append({"name": "hair", "primitives": [untold], "extras": document["meshes"][0]["extras"]})
    document["nodes"].append({"mesh": 1})
    document["scenes"] = [{"nodes": [0, 1]}]
    page = show(packed(json.dumps(document).encode(), whole[20 + length + 8 :]))
    assert "Not told of hair." in page.evaluate("document.getElementById('legend').textContent")
    assert page.troubles == []


def test_without_seen_the_switch_says_why(show: Callable[..., Page]) -> None:
    page = show(toy_head(with_seen=False, with_morphs=False))
    switch = "[...document.querySelectorAll('.switch')][1]"
    assert page.evaluate(f"{switch}.querySelector('input').disabled") is True
    assert "no _SEEN attribute" in page.evaluate(f"{switch}.textContent")
    page.press("g", "g")
    assert "no _SEEN attribute" in page.evaluate("document.getElementById('message').textContent")
    assert "no morph targets" in page.evaluate("document.getElementById('controls').textContent")
    assert page.evaluate("[...document.querySelectorAll('[data-preset]')].every(button => button.disabled)") is True
    assert page.troubles == []


def test_wireframe(at_rest: Page, tmp_path: Path) -> None:
    before = canvas_of(picture(at_rest))
    at_rest.press("w", "w")
    wires = canvas_of(picture(at_rest, tmp_path / "wireframe.png"))
    assert at_rest.evaluate("document.querySelector('.switch input').checked") is True
    at_rest.press("w", "w")
    assert (np.abs(wires - before).max(axis=2) > 10).mean() > 0.05
    assert np.array_equal(canvas_of(picture(at_rest)), before)


def test_light(at_rest: Page, tmp_path: Path) -> None:
    halves = {}
    for azimuth in (-80, 80):
        at_rest.evaluate(f"{_SET}('strength', 1.5); {_SET}('soft', 0.2); {_SET}('azimuth', {azimuth})")
        shot = canvas_of(picture(at_rest, tmp_path / f"light{azimuth}.png"))
        face = shot[100:200, 224:284].mean(axis=(0, 2))
        halves[azimuth] = face[:30].mean() - face[30:].mean()
    assert halves[-80] > 20  # from image left
    assert halves[80] < -20
    at_rest.evaluate(f"{_SET}('strength', 0.25); {_SET}('soft', 0.85); {_SET}('azimuth', 35)")


def test_mouse_and_keys_turn_the_head(at_rest: Page) -> None:
    side = "geoinv.view.stage.camera.position.x - geoinv.view.stage.controls.target.x"
    assert abs(at_rest.evaluate(side)) < 1e-6
    at_rest.drag((200, 250), (300, 250))
    assert at_rest.evaluate(side) < -0.05  # the head follows the mouse: its left side comes to the front
    at_rest.press("r", "r")
    at_rest.evaluate("document.getElementById('canvas').focus()")
    at_rest.press("ArrowRight")
    assert at_rest.evaluate(side) > 0.05
    length = "geoinv.view.stage.camera.position.distanceTo(geoinv.view.stage.controls.target)"
    far = at_rest.evaluate(length)
    at_rest.press("+", "+")
    assert at_rest.evaluate(length) == pytest.approx(0.9 * far)


def test_keys_leave_sliders_and_the_browser_their_own(at_rest: Page) -> None:
    at_rest.evaluate("document.querySelectorAll('.group')[4].open = true")
    at_rest.evaluate("document.querySelector('[data-name=jawOpen]').focus()")
    at_rest.press("ArrowRight")
    assert at_rest.evaluate("geoinv.view.face.weight('jawOpen')") == 0.01
    assert at_rest.evaluate("geoinv.view.stage.camera.position.x") == pytest.approx(0, abs=1e-6)


def test_help_and_panel(at_rest: Page) -> None:
    at_rest.press("?", "?")
    assert at_rest.evaluate("document.getElementById('help').open") is True
    facts = at_rest.evaluate("document.getElementById('facts').textContent")
    assert "m (width, height, depth)" in facts and "Morph targets52" in facts
    at_rest.press("Escape")
    assert at_rest.evaluate("document.getElementById('help').open") is False
    panel = "document.querySelector('.page').dataset.panel"
    at_rest.press("c", "c")
    assert at_rest.evaluate(panel) == "closed"
    assert at_rest.evaluate("document.getElementById('panel-button').ariaExpanded") == "false"
    at_rest.press("c", "c")
    assert at_rest.evaluate(panel) == "open"


def test_all_can_be_reached_by_tab_and_has_a_name(at_rest: Page) -> None:
    at_rest.evaluate("document.querySelectorAll('.group').forEach(group => { group.open = true })")
    names: list[list[str]] = []
    wanted = {"canvas", "help-button", "panel-button", "screenshot-button", "smile", "azimuth", *ARKIT_UNITS}
    while len(names) < 160 and not wanted <= {name for name, _ in names}:
        at_rest.press("Tab")
        where = at_rest.evaluate(
            "(one => [one.dataset.name || one.dataset.preset || one.id || one.tagName, (one.ariaLabel || (one.labels "
            "&& one.labels[0] || one).textContent).trim()])(document.activeElement)"
        )
        names.append(where)
    assert wanted <= {name for name, _ in names}
    assert all(text for name, text in names if name != "BODY")


def test_a_picture_is_saved(at_rest: Page, tmp_path: Path) -> None:
    at_rest.send("Browser.setDownloadBehavior", behavior="allow", downloadPath=str(tmp_path))
    at_rest.press("s", "s")
    at_rest.wait_for("document.getElementById('message').textContent === 'Saved Ada.png'")
    path = tmp_path / "Ada.png"
    for _ in range(100):
        if path.exists() and path.stat().st_size:
            break
        at_rest.evaluate("new Promise(done => setTimeout(done, 50))")
    saved = np.asarray(Image.open(path).convert("RGB"), np.int16)
    assert saved.shape[:2] == tuple(at_rest.evaluate("[canvas.height, canvas.width]"))
    assert saved.std() > 20


@pytest.mark.parametrize("is_dark", [False, True])
def test_on_a_phone_the_panel_is_a_sheet_that_opens_by_touch(
    show: Callable[..., Page], tmp_path: Path, is_dark: bool
) -> None:
    page = show(toy_head(), width=390, height=844, is_phone=True, is_dark=is_dark)
    page.screenshot(tmp_path / "phone.png")
    assert page.evaluate("document.querySelector('.page').dataset.panel") == "closed"
    page.evaluate("document.getElementById('panel-button').click()")
    page.wait_for("document.getElementById('panel').getBoundingClientRect().top < innerHeight - 300")
    page.screenshot(tmp_path / "phone-open.png")
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth") is True
    bottom = page.evaluate("document.getElementById('canvas').getBoundingClientRect().bottom")
    assert bottom <= page.evaluate("document.getElementById('panel').getBoundingClientRect().top") + 1
    outside = page.evaluate(
        "[...document.querySelectorAll('.bar button, .stage-foot button')].filter(one => { const box = "
        "one.getBoundingClientRect(); return box.left < 0 || box.right > innerWidth || box.height < 44 }).length"
    )
    assert outside == 0
    page.drag((100, 200), (250, 200), is_touch=True)
    assert page.evaluate("geoinv.view.stage.camera.position.x") < -0.05
    ground = page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert ground == ("rgb(18, 20, 24)" if is_dark else "rgb(235, 232, 226)")


def test_text_of_a_file_is_text(show: Callable[..., Page]) -> None:
    bad = "<img src=x onerror=alert(1)>"
    asset = {"version": "2.0", "generator": bad, "extras": {"licence": bad}}
    page = show(triangle([bad], asset=asset), f"{bad}</title>\"'")
    assert page.evaluate("document.querySelectorAll('img').length") == 0
    assert page.evaluate("document.getElementById('name').textContent") == f"{bad}</title>\"'"
    assert page.evaluate("document.getElementById('facts').textContent").count(bad) == 2
    assert page.evaluate("[...document.querySelectorAll('.slider label')].pop().textContent") == bad
    assert page.troubles == []


def test_a_head_that_cannot_be_read_is_told(show: Callable[..., Page]) -> None:
    page = show(triangle(accessors=[]))
    assert page.evaluate("document.getElementById('trouble').hidden") is False
    assert page.evaluate("document.getElementById('trouble-text').textContent")
    assert page.evaluate("document.getElementById('spinner').hidden") is True


def test_a_browser_without_webgl_is_told(browser: Chromium, tmp_path: Path) -> None:
    write_head_page(tmp_path / "head.html", triangle(), "Ada")
    page = browser.page()
    page.send("Page.addScriptToEvaluateOnNewDocument", source="HTMLCanvasElement.prototype.getContext = () => null")
    page.open((tmp_path / "head.html").as_uri(), READY)
    assert "WebGL 2 is missing" in page.evaluate("document.getElementById('trouble-text').textContent")
    assert page.evaluate("document.getElementById('foot').hidden") is True
