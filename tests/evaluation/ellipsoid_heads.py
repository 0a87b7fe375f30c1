"""Held-out heads made of the ellipsoid of ``tests.ellipsoid_head``, so that every figure is known."""

import math
from dataclasses import dataclass

import numpy as np
import torch
from torch import nn

from geoinv.camera import Camera, CameraPose
from geoinv.conventions import FACE_ORBIT
from geoinv.evaluation.held_out import DEPTH_NEAR, DEPTH_STEP, YAWS_DEG, HeldOutHeads, KnownHeads
from geoinv.evaluation.picture_codes import encode_png, encode_webp
from geoinv.shape import load_head_model
from tests.ellipsoid_head import NO_PLANES, EllipsoidConfig, EllipsoidGenerator

GENERATOR = EllipsoidGenerator(config=EllipsoidConfig(resolution=256, neural_resolution=128))
INPUT_YAW_RAD = 0.1


def cameras() -> Camera:
    yaws = [INPUT_YAW_RAD + math.radians(yaw) for yaw in YAWS_DEG]
    return CameraPose.from_vector(torch.tensor([[yaw, 0.05, 0.02, 0.01, 0.0, 0.1] for yaw in yaws])).camera(FACE_ORBIT)


def ellipsoid_heads(count: int, z_dim: int = 8) -> HeldOutHeads:
    """Heads of z = 0 and the mean shape; their twins, of z = 1, are upside down in their pictures."""
    full = GENERATOR.render(NO_PLANES, cameras())
    small = GENERATOR.render(NO_PLANES, cameras()[0], superresolution=False)
    color = full.over_grey().permute(0, 2, 3, 1).numpy()
    depth = ((small.depth[0, 0] - DEPTH_NEAR) / DEPTH_STEP).numpy()
    normals = GENERATOR.normals(cameras()[0], 128)[0].permute(1, 2, 0).numpy()
    color, alpha = (np.round(255.0 * views).astype(np.uint8) for views in (color, full.alpha[:, 0].numpy()))
    codes = {
        "color": [encode_webp(view) for view in color],
        "alpha": [encode_webp(view) for view in alpha],
        "depth": [encode_png(np.round(depth).astype(np.uint16))],
        "normals": [encode_webp(np.round((normals + 1.0) * 127.5).astype(np.uint8))],
        "twin_color": [encode_webp(np.ascontiguousarray(color[0, ::-1]))],
        "twin_alpha": [encode_webp(np.ascontiguousarray(alpha[0, ::-1]))],
    }
    shape = load_head_model().mean_codes(count).as_vector()
    return HeldOutHeads(
        latents=torch.zeros(count, z_dim),
        cam2world=cameras().cam2world.expand(count, len(YAWS_DEG), 4, 4),
        codes={kind: [row] * count for kind, row in codes.items()},
        yaws_deg=YAWS_DEG,
        seed=0,
        sampler_version=1,
        known=KnownHeads(shape, torch.zeros(count, 9, 3), torch.ones(count, z_dim)),
    )


@dataclass(frozen=True)
class Estimate:
    w_plus: torch.Tensor
    camera: CameraPose


class KnowingEncoder(nn.Module):
    """Predicts the true camera, off by a given yaw."""

    def __init__(self, yaw_error_rad: float = 0.0) -> None:
        super().__init__()
        self.yaw_error_rad = yaw_error_rad
        self.seen: list[torch.Tensor] = []

    def forward(self, image: torch.Tensor) -> Estimate:
        self.seen.append(image)
        vector = CameraPose.from_cam2world(cameras().cam2world[:1], FACE_ORBIT).as_vector()
        vector[:, 0] += self.yaw_error_rad
        return Estimate(torch.zeros(len(image), 3, 4), CameraPose.from_vector(vector))
