"""Drawing, rendering and writing the held-out heads; needs the assets of ``geoinv.synth``.

The data sets' seeds are whole numbers from 0 up that count heads; these heads come from streams of ``HELD_OUT_SEED``,
which is no data set's seed.
"""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ..camera import CameraPose
from ..conventions import FACE_ORBIT
from ..errors import UsageError
from ..images.tensors import GREY
from ..progress import OnCount
from .held_out import (
    BEHIND_DEG,
    DEPTH_FAR,
    DEPTH_NEAR,
    DEPTH_STEP,
    HELD_OUT_SEED,
    SIDE,
    YAWS_DEG,
    HeldOutHeads,
    KnownHeads,
    save_held_out,
)
from .picture_codes import encode_png, encode_webp

if TYPE_CHECKING:
    from ..synth.heads import Head, HeadRenderer

MAX_INPUT_YAW_RAD = math.radians(25.0)
_SUPERSAMPLE = 3

_BACK = 0.5  # world units that the camera behind the head stands farther away, so that hair is in the picture
_FINE, _FINE_VIEWS = 95, 3  # 44 dB, for the views on which sharpness is measured; the others are at 42 dB
_QUALITY = 90


def build_held_out(
    out: Path,
    heads: int = 48,
    seed: int = HELD_OUT_SEED,
    assets: Path | None = None,
    *,
    on_head: OnCount | None = None,
) -> HeldOutHeads:
    """Draw, render and write held-out heads.

    Args:
        out: The file to write.
        heads: Number of heads.
        seed: Seed of the stream; not one of a data set.
        assets: Folder of the MakeHuman assets (see ``geoinv.synth``).
        on_head: Function that is called with the number of heads drawn so far.

    Raises:
        UsageError: No heads.
        MissingDependencyError: The assets, the base mesh, moderngl or EGL is missing.
    """
    from ..shape import load_head_model
    from ..synth.dataset import draw_latent, draw_twin
    from ..synth.head_codes import HeadCoder
    from ..synth.heads import HeadRenderer
    from ..synth.sampler import SAMPLER_VERSION, HeadSampler

    if heads < 1:
        raise UsageError(f"at least one head is needed, got {heads}")
    sampler, renderer = HeadSampler(), HeadRenderer(assets, SIDE, _SUPERSAMPLE)
    coder = HeadCoder(load_head_model(), renderer.geometry)
    latents, twins, cameras, shapes, lights = [], [], [], [], []
    codes: dict[str, list[list[bytes]]] = {}
    for index in range(heads):
        rng = np.random.default_rng([seed, 0, index])
        z = draw_latent(sampler, rng)
        cam2world = held_out_cameras(rng)
        twin = draw_twin(sampler, z, np.random.default_rng([seed, 2, index]))
        parameters = sampler(z)
        head = renderer.build(parameters)
        encoded = _render(renderer, head, cam2world)
        encoded |= _render_twin(renderer, renderer.build(sampler(twin)), cam2world)
        for kind, row in encoded.items():
            codes.setdefault(kind, []).append(row)
        latents.append(z)
        twins.append(twin)
        cameras.append(cam2world)
        shapes.append(coder(parameters, head.shape).as_vector()[0])
        lights.append(torch.from_numpy(np.asarray(parameters.light.total, np.float32)))
        if on_head is not None:
            on_head(index + 1)
    known = KnownHeads(torch.stack(shapes), torch.stack(lights), torch.from_numpy(np.stack(twins)))
    result = HeldOutHeads(
        torch.from_numpy(np.stack(latents)), torch.stack(cameras), codes, YAWS_DEG, seed, SAMPLER_VERSION, known
    )
    save_held_out(out, result)
    return result


def held_out_cameras(rng: np.random.Generator) -> Tensor:
    """[V, 4, 4]: one of the data set's cameras with a yaw within 25 degrees, turned by each of ``YAWS_DEG``; the one
    behind looks at the middle of the head."""
    from ..synth.dataset import HEAD_MIDDLE, sample_cameras

    while True:
        pose = CameraPose.from_cam2world(torch.from_numpy(sample_cameras(rng, 1)), FACE_ORBIT)
        if abs(float(pose.yaw_rad)) < MAX_INPUT_YAW_RAD:
            break
    vector = pose.as_vector().repeat(len(YAWS_DEG), 1)
    vector[:, 0] += torch.tensor([math.radians(yaw) for yaw in YAWS_DEG])
    behind = YAWS_DEG.index(BEHIND_DEG)
    vector[behind, 3:] = torch.tensor([0.0, 0.0, -_BACK])
    cameras = CameraPose.from_vector(vector).cam2world(FACE_ORBIT)
    cameras[behind, :3, 3] += torch.from_numpy(HEAD_MIDDLE) - torch.tensor(FACE_ORBIT.pivot)
    return cameras


def _render(renderer: HeadRenderer, head: Head, cam2world: Tensor) -> dict[str, list[bytes]]:
    """Encoded pictures of one head."""
    views = [renderer.render(head, matrix.numpy()) for matrix in cam2world]
    qualities = [_FINE if number < _FINE_VIEWS else _QUALITY for number in range(len(views))]
    depth, normals = halved(views[0].depth, views[0].normals, views[0].rgba[..., 3])
    steps = (np.clip(depth, DEPTH_NEAR, DEPTH_FAR) - DEPTH_NEAR) / DEPTH_STEP
    return {
        "color": [_color(view.rgba, quality) for view, quality in zip(views, qualities, strict=True)],
        "alpha": [encode_webp(view.rgba[..., 3]) for view in views],
        "depth": [encode_png(np.round(steps).astype(np.uint16))],
        "normals": [encode_webp(np.round((normals + 1.0) * 127.5).astype(np.uint8))],
    }


def _render_twin(renderer: HeadRenderer, twin: Head, cam2world: Tensor) -> dict[str, list[bytes]]:
    """Encoded pictures of a head's twin in its input view."""
    rgba = renderer.render(twin, cam2world[0].numpy()).rgba
    return {"twin_color": [_color(rgba, _FINE)], "twin_alpha": [encode_webp(rgba[..., 3])]}


def _color(rgba: NDArray[np.uint8], quality: int) -> bytes:
    """Encoded colours of a picture [H, W, 4] with straight alpha, over grey."""
    alpha = rgba[..., 3:].astype(np.float32) / 255.0
    over_grey = rgba[..., :3] * alpha + 255.0 * GREY * (1.0 - alpha)
    return encode_webp(np.round(over_grey).astype(np.uint8), quality=quality)


def halved(
    depth: NDArray[np.float32],  # [H, W]
    normals: NDArray[np.float32],  # [H, W, 3]
    alpha: NDArray[np.uint8],  # [H, W]
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Depth and unit normals at half the side: means over the solid pixels of each square of four.

    Squares without a solid pixel get depth 4 and normal 0.
    """
    height, width = depth.shape
    solid = (alpha > 127).astype(np.float32)

    def sums(values: NDArray[np.float32]) -> NDArray[np.float32]:
        total: NDArray[np.float32] = values.reshape(height // 2, 2, width // 2, 2, -1).sum(axis=(1, 3))
        return total

    count = sums(solid)[..., 0]
    mean_depth = sums(depth * solid)[..., 0] / np.maximum(count, 1.0)
    normal_sum = sums(normals * solid[..., None])
    unit = normal_sum / np.maximum(np.linalg.norm(normal_sum, axis=2, keepdims=True), 1e-6)
    small_depth = np.where(count > 0.0, mean_depth, np.float32(DEPTH_FAR)).astype(np.float32)
    return small_depth, (unit * (count > 0.0)[..., None]).astype(np.float32)
