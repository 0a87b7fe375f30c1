"""Start and method side by side on a held-out head that is a head of the tiny generator itself."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from geoinv.camera import CameraPose
from geoinv.camera.orbits import poses_at
from geoinv.conventions import FACE_ORBIT
from geoinv.errors import MissingEncoderError, PhotoError
from geoinv.evaluation.held_out import HeldOutHeads
from geoinv.evaluation.picture_codes import encode_png, encode_webp
from geoinv.evaluation.refinement import evaluate_refined_heads, evaluate_refined_photos
from geoinv.evaluation.table import compared_rows
from geoinv.images import write_image
from geoinv.images.tensors import GREY
from tests.inversion.tiny_heads import head_of, quick, tiny_generator

YAWS = (0.0, -0.5, 0.5)


@dataclass(frozen=True)
class Estimate:
    w_plus: torch.Tensor
    camera: CameraPose


class WrongEncoder(nn.Module):
    """Another head, before the right camera."""

    def forward(self, image: torch.Tensor) -> Estimate:
        return Estimate(head_of(tiny_generator(), 2).w_plus, CameraPose.from_angles(0.0))


class Aligner:
    def detect(self, image: np.ndarray) -> list:
        return []


class TinySession:
    def __init__(self, encoder: nn.Module | None) -> None:
        self.generator, self.device, self.aligner, self.seed = tiny_generator(), torch.device("cpu"), Aligner(), 0
        self._encoder = encoder
        self.generator_of_planes, self.fit_aligner = self.generator, None

    @property
    def encoder(self) -> nn.Module:
        if self._encoder is None:
            raise MissingEncoderError("no encoder")
        return self._encoder


def held_out() -> HeldOutHeads:
    """One head of the generator, seen at 256 px, with flat depth and normals that nothing here asks about."""
    generator, truth = tiny_generator(), head_of(tiny_generator(), 1)
    cameras = poses_at(YAWS).camera(FACE_ORBIT)
    views = truth.head(generator).view(cameras, superresolution=False)
    large = nn.functional.interpolate(torch.cat([views.color, views.alpha], dim=1), (256, 256))
    color = (large[:, :3] + (1.0 - large[:, 3:]) * GREY).permute(0, 2, 3, 1).numpy()
    codes = {
        "color": [encode_webp(np.round(255.0 * view).astype(np.uint8)) for view in color],
        "alpha": [encode_webp(np.round(255.0 * view).astype(np.uint8)) for view in large[:, 3].numpy()],
        "depth": [encode_png(np.full((128, 128), 30000, np.uint16))],
        "normals": [encode_webp(np.full((128, 128, 3), 200, np.uint8))],
    }
    return HeldOutHeads(
        latents=torch.zeros(1, 8),
        cam2world=cameras.cam2world[None],
        codes={kind: [row] for kind, row in codes.items()},
        yaws_deg=(0, -30, 30),
        seed=0,
        sampler_version=1,
    )


def test_heads() -> None:
    seen: list[tuple[int, int]] = []
    columns = evaluate_refined_heads(
        TinySession(WrongEncoder()), "optimise", quick(steps=15), held_out(), on_head=seen.append
    )
    assert list(columns) == ["encoder", "optimise"] and seen == [1]
    assert columns["optimise"]["input_psnr_db"] > columns["encoder"]["input_psnr_db"] + 1.0
    assert columns["optimise"]["novel_psnr_db"] > columns["encoder"]["novel_psnr_db"]
    assert columns["encoder"]["camera_deg"] == pytest.approx(0.0, abs=1e-3)
    rows = dict(compared_rows(columns))
    assert len(rows["input view, PSNR (dB)"]) == 2 and "photos" not in rows


def test_heads_without_an_encoder() -> None:
    columns = evaluate_refined_heads(TinySession(None), "optimise", quick(steps=2), held_out())
    assert list(columns) == ["mean", "optimise"]


@dataclass(frozen=True)
class Measured:
    metrics: dict[str, float]


class PhotoSession:
    """Photos whose figures are known."""

    seed = 0

    def align(self, photo: np.ndarray) -> np.ndarray:
        if photo.max() == 0:
            raise PhotoError("no face")
        return photo

    def invert(self, photo: np.ndarray, *, method: str, refinement: object) -> Measured:
        gain = float(photo[0, 0, 0])
        before = {"encoder_face_psnr_db": 10.0, "encoder_head_psnr_db": 9.0}
        after = {"face_psnr_db": 10.0 + gain, "head_psnr_db": 9.0 + 2.0 * gain}
        rest = {"encoder_identity": 0.7, "encoder_identity_side": 0.8, "identity": 0.5, "identity_side": 0.6}
        return Measured({**before, **after, **rest})


def test_photos(tmp_path: Path) -> None:
    paths = []
    for level in (0, 1, 2, 9):
        paths.append(tmp_path / f"{level}.png")
        write_image(paths[-1], np.full((64, 64, 3), level, np.uint8))
    skipped: list[str] = []
    columns = evaluate_refined_photos(
        PhotoSession(), paths, "optimise", quick(steps=1), on_skip=lambda path, error: skipped.append(path.name)
    )
    assert skipped == ["0.png"]
    after = columns["optimise"]
    assert (after["photos"], after["skipped"], after["face_gain_db"], after["head_gain_db"]) == (3, 1, 2.0, 4.0)
    assert after["face_psnr_db"] == pytest.approx(14.0) and columns["encoder"]["face_psnr_db"] == 10.0
    assert "face_gain_db" not in columns["encoder"]
    with pytest.raises(PhotoError, match="none of the 1 photos"):
        evaluate_refined_photos(PhotoSession(), paths[:1], "optimise", quick(steps=1))
