"""Panoramas and named lights: where light comes from, and how much."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from geoinv.errors import ShapeError, UsageError
from geoinv.light import LIGHTS, environment_light, light_named, shade

SIDES = torch.tensor([[[-1.0, 0.0, 0.0], [1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, -1.0, 0.0], [0.0, 0.0, 1.0]]])


def test_even_surroundings_by_hand() -> None:
    """A white sky all around: every side of a surface gets the same, the level of photos."""
    light = environment_light(np.full((16, 32, 3), 7.0, np.float32))
    torch.testing.assert_close(shade(light, SIDES), torch.full((1, 5, 3), 0.75), atol=2e-3, rtol=0.0)


@pytest.mark.parametrize(("rows", "columns", "side"), [(slice(0, 8), slice(None), 2), (slice(8, 16), slice(None), 3)])
def test_sky_is_above(rows: slice, columns: slice, side: int) -> None:
    panorama = np.zeros((16, 32, 3), np.float32)
    panorama[rows, columns] = 1.0
    assert int(shade(environment_light(panorama), SIDES)[0, :, 0].argmax()) == side


def test_middle_is_before_the_face_and_the_right_half_at_its_right_hand() -> None:
    panorama = np.zeros((16, 32, 3), np.float32)
    panorama[:, 12:20] = 1.0
    assert int(shade(environment_light(panorama), SIDES)[0, :, 0].argmax()) == 4
    panorama = np.zeros((16, 32, 3), np.float32)
    panorama[:, 22:26] = 1.0  # a quarter turn to the right of who looks at the middle: -x, image left
    assert int(shade(environment_light(panorama), SIDES)[0, :, 0].argmax()) == 0


def test_names_say_where_the_lamp_is() -> None:
    brightest = {name: int(shade(light_named(name), SIDES)[0, :, 0].argmax()) for name in LIGHTS if name != "behind"}
    assert brightest == {"left": 0, "right": 1, "above": 2, "below": 3, "front": 4}
    assert all(float(shade(light_named(name), SIDES).min()) > 0.0 for name in LIGHTS)


def test_files(tmp_path: Path) -> None:
    panorama = np.zeros((8, 16, 3), np.float32)
    panorama[:4, :, 0] = 2.0  # a red sky
    cv2.imwrite(str(tmp_path / "sky.hdr"), panorama[:, :, ::-1])
    red = light_named(str(tmp_path / "sky.hdr"))
    torch.testing.assert_close(red, environment_light(panorama), atol=0.02, rtol=0.0)
    cv2.imwrite(str(tmp_path / "square.hdr"), panorama[:, :8])
    (tmp_path / "text.hdr").write_text("nothing", encoding="utf-8")
    for name in ("square.hdr", "text.hdr"):
        with pytest.raises(UsageError, match="no panorama"):
            light_named(str(tmp_path / name))
    with pytest.raises(UsageError, match="no such file"):
        light_named(str(tmp_path / "none.exr"))


def test_exr(tmp_path: Path) -> None:
    package = pytest.importorskip("OpenEXR")
    panorama = np.zeros((8, 16, 3), np.float32)
    panorama[:4, :, 0] = 2.0
    header = {"compression": package.ZIP_COMPRESSION, "type": package.scanlineimage}
    package.File(header, {"RGB": panorama}).write(str(tmp_path / "sky.exr"))
    torch.testing.assert_close(light_named(str(tmp_path / "sky.exr")), environment_light(panorama))
    (tmp_path / "cut.exr").write_bytes((tmp_path / "sky.exr").read_bytes()[:100])
    with pytest.raises(UsageError, match="no panorama"):
        light_named(str(tmp_path / "cut.exr"))


def test_rejects_what_gives_no_light() -> None:
    with pytest.raises(ShapeError, match="panorama must be"):
        environment_light(np.zeros((8, 8, 3), np.float32))
    with pytest.raises(UsageError, match="no light"):
        environment_light(np.zeros((8, 16, 3), np.float32))
    with pytest.raises(UsageError, match="unknown light 'lefft'") as error:
        light_named("lefft")
    assert error.value.hint == "did you mean left?"
