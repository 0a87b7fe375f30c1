"""README's gallery: ``python -m tests.viewer.gallery docs/gallery.jpg``, a minute on two cores.

Everything in it is made by the commands: avatars are seen on the page of ``geoinv view`` in a headless Chromium, the
bust by its triangles. Needs the extra for printing and a Chromium.
"""

from __future__ import annotations

import base64
import io
import json
import math
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import torch
import trimesh
from numpy.typing import NDArray
from PIL import Image

from geoinv.camera import CameraPose
from geoinv.conventions import FACE_ORBIT
from geoinv.present.mesh_pictures import shaded_mesh
from geoinv.present.sheets import row, stack
from geoinv.shape import ARKIT_UNITS
from geoinv.viewer import write_head_page
from tests.chromium import Chromium, Page

from .conftest import READY

EXAMPLES = Path(__file__).parents[2] / "examples"
SIDE = 240
_TURNS_DEG = (0, 35, -35, 90)
_EXPRESSIONS: tuple[dict[str, float], ...] = (
    {},
    {"mouthSmileLeft": 0.8, "mouthSmileRight": 0.8, "cheekSquintLeft": 0.5, "cheekSquintRight": 0.5},
    {"jawOpen": 0.7},
    {"eyeBlinkLeft": 1.0, "eyeBlinkRight": 1.0},
    {"mouthPucker": 0.9, "browInnerUp": 0.8},
)
_BUST_POSES = ((0.0, 0.0), (0.6, 0.1), (math.pi / 2, 0.0), (math.pi, 0.1))  # yaw and pitch in radians

_LOOK = """((turn, values) => {
  const stage = geoinv.view.stage;
  stage.resetView();
  const arm = stage.camera.position.clone().sub(stage.controls.target);
  arm.applyAxisAngle(new THREE.Vector3(0, 1, 0), turn);
  stage.camera.position.copy(stage.controls.target).add(arm.multiplyScalar(1.2)); // pages are wider than squares
  stage.controls.update();
  for (const [name, value] of Object.entries(values)) {
    const slider = document.querySelector(`[data-name="${name}"]`);
    slider.value = value;
    slider.dispatchEvent(new Event('input', {bubbles: true}));
  }
  stage.invalidate();
})"""

_SHOT = """(() => {
  const { renderer, scene, camera } = geoinv.view.stage;
  renderer.render(scene, camera);
  return renderer.domElement.toDataURL("image/png");
})()"""
_GROUND = (190, 195, 206, 255)

Shot = NDArray[np.uint8]


def seen(page: Page, turn_deg: float, values: dict[str, float]) -> Shot:
    """What the stage shows from one side, square."""
    page.to_front()
    page.evaluate(f"{_LOOK}({math.radians(turn_deg)}, {json.dumps(dict.fromkeys(ARKIT_UNITS, 0.0) | values)})")
    page.evaluate("new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))")
    url = page.evaluate(_SHOT)
    picture = Image.open(io.BytesIO(base64.b64decode(url.split(",")[1]))).convert("RGBA")
    ground = Image.new("RGBA", picture.size, _GROUND)
    picture = Image.alpha_composite(ground, picture).convert("RGB")
    side = min(picture.size)
    left, top = (picture.width - side) // 2, (picture.height - side) // 2
    return np.asarray(picture.crop((left, top, left + side, top + side)).resize((SIDE, SIDE), Image.Resampling.LANCZOS))


def bust_from(path: Path, yaw: float, pitch: float) -> Shot:
    """A printed bust in grey from one side."""
    bust = trimesh.load(path, force="mesh")
    high = bust.bounds[1] - bust.bounds[0]
    places = (np.asarray(bust.vertices) - bust.bounds.mean(axis=0)) / high.max() * 0.62
    turned = np.stack([places[:, 0], places[:, 2], -places[:, 1]], axis=1)  # printers have z up, we y
    camera = CameraPose.from_vector(torch.tensor([[yaw, pitch, 0.0, 0.0, 0.0, 0.0]])).camera(FACE_ORBIT)
    turned = turned + np.asarray(FACE_ORBIT.pivot)
    normals = np.stack([bust.vertex_normals[:, 0], bust.vertex_normals[:, 2], -bust.vertex_normals[:, 1]], axis=1)
    large = shaded_mesh(
        turned.astype(np.float32), np.asarray(bust.faces, np.int64), normals.astype(np.float32), camera, 2 * SIDE
    )
    return np.asarray(Image.fromarray(large).resize((SIDE, SIDE), Image.Resampling.LANCZOS))


def photo(name: str) -> Shot:
    with Image.open(EXAMPLES / name) as picture:
        side = min(picture.size)
        return np.asarray(
            picture.convert("RGB").crop((0, 0, side, side)).resize((SIDE, SIDE), Image.Resampling.LANCZOS)
        )


def main(out: Path) -> None:
    with tempfile.TemporaryDirectory() as name, Chromium() as browser:
        folder = Path(name)

        def geoinv(*arguments: str | Path) -> None:
            subprocess.run([sys.executable, "-m", "geoinv", *map(str, arguments), "--quiet"], check=True)

        geoinv("invert", EXAMPLES / "woman.jpg", EXAMPLES / "man.jpg", "--out", folder, "--no-turntable")
        pages = {}
        for person in ("woman", "man"):
            source = EXAMPLES / f"{person}.jpg"
            glb = folder / f"{person}.glb"
            geoinv("export-avatar", folder / f"{person}.geoinv", "--photo", source, "--out", glb)
            page = browser.page(900, 900)
            write_head_page(folder / f"{person}.html", glb.read_bytes(), person)
            page.open((folder / f"{person}.html").as_uri(), READY)
            pages[person] = page
        bust = folder / "man.stl"
        geoinv("export-avatar", folder / "man.geoinv", "--photo", EXAMPLES / "man.jpg", "--for", "print", "--out", bust)
        turning = [seen(pages["woman"], turn, {}) for turn in _TURNS_DEG]
        moving = [seen(pages["man"], 0, values) for values in _EXPRESSIONS]
        standing = [bust_from(bust, *pose) for pose in _BUST_POSES]
        sheet = stack([row([photo("woman.jpg"), *turning]), row(moving), row([photo("man.jpg"), *standing])])
        Image.fromarray(sheet).save(out, quality=88, optimize=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
