"""The held-out heads: synthetic heads that no training saw, rendered ahead, in one file of a few megabytes.

Each head has an input view and the same camera turned by 15, 30 and 45 degrees to both sides, as colour and alpha; the
input view also has depth and normals. Files of format 1 have the input view and 30 degrees alone. The data set's seeds
are whole numbers from 0 up that count heads; these heads come from streams of ``HELD_OUT_SEED``, which is no data set's
seed.
"""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ..camera import CameraPose
from ..conventions import FACE_ORBIT
from ..errors import CheckpointError, UsageError
from ..files import atomic_path
from ..images.tensors import GREY
from ..progress import OnCount
from .picture_codes import decode_grey, decode_rgb, encode_jpeg, encode_png

if TYPE_CHECKING:
    from ..synth.heads import HeadRenderer
    from ..synth.sampler import HeadSampler

FORMAT = "geoinv held-out heads 2"
_FORMAT_1 = "geoinv held-out heads 1"
FILE_NAME = "heldout-heads.safetensors"
HELD_OUT_SEED = 20261122
YAWS_DEG = (0, -30, 30, -15, 15, -45, 45)
"""Yaw of each view's camera relative to that of the input view; format 1 ends after the third view."""

SIDE = 256
"""Side in pixels of the pictures that metrics are measured on, of held-out heads and of photos."""
GEOMETRY_SIDE = 128
_BACKGROUNDS_OF_VIEWS = 1000  # more than there are heads: no two photos stand before the same wall
MAX_INPUT_YAW_RAD = math.radians(25.0)

# The views that format 1 had keep its quality, so metrics stay comparable; the others are smaller, still near 40 dB.
_JPEG_QUALITY, _JPEG_QUALITY_OF_ADDED = 92, 85
_DEPTH_NEAR, _DEPTH_FAR = 1.5, 4.0  # 16 bits over this: 0.04 thousandths of a unit


@dataclass(frozen=True, eq=False)
class HeldOutHeads:
    """H heads with V views each, decoded head by head.

    Args:
        latents: [H, z_dim] float32, the true z.
        cam2world: [H, V, 4, 4] float32.
        codes: Encoded pictures by kind: ``color`` and ``alpha`` [H][V], ``depth`` and ``normals`` [H] (input view).
        yaws_deg: Yaws of the V views relative to the input view, which is the first.
        seed: Seed of the stream that the heads were drawn from.
        sampler_version: Version of the ``HeadSampler`` that gives z its meaning.
    """

    latents: Tensor
    cam2world: Tensor
    codes: dict[str, list[list[bytes]]]
    yaws_deg: tuple[int, ...]
    seed: int
    sampler_version: int

    def __len__(self) -> int:
        return len(self.latents)

    def count_up_to(self, limit: int | None) -> int:
        """Number of the first heads that are measured: all of them, or at most so many."""
        return len(self) if limit is None else min(limit, len(self))

    def head(self, index: int) -> HeldOutHead:
        """The head of an index, decoded."""
        color = np.stack([decode_rgb(code) for code in self.codes["color"][index]])
        alpha = np.stack([decode_grey(code) for code in self.codes["alpha"][index]])
        depth = decode_grey(self.codes["depth"][index][0]).astype(np.float32) / 65535.0
        normals = decode_rgb(self.codes["normals"][index][0]).astype(np.float32) / 127.5 - 1.0
        return HeldOutHead(
            z=self.latents[index : index + 1],
            yaws_deg=self.yaws_deg,
            cam2world=self.cam2world[index],
            color=torch.from_numpy(color).permute(0, 3, 1, 2).float() / 255.0,
            alpha=torch.from_numpy(alpha)[:, None].float() / 255.0,
            depth=torch.from_numpy(_DEPTH_NEAR + depth * (_DEPTH_FAR - _DEPTH_NEAR))[None, None],
            normals=torch.from_numpy(normals).permute(2, 0, 1)[None],
        )


@dataclass(frozen=True, eq=False)
class HeldOutHead:
    """One head, in V views.

    Args:
        z: [1, z_dim].
        yaws_deg: Yaws of the V views relative to the input view, which is the first.
        cam2world: [V, 4, 4].
        color: [V, 3, 256, 256] in [0, 1] over ``GREY``.
        alpha: [V, 1, 256, 256] in [0, 1].
        depth: [1, 1, 128, 128] depth of the input view in world units; near the far end where it is empty.
        normals: [1, 3, 128, 128] world normals of the input view, of about unit length; meaningless where empty.
    """

    z: Tensor
    yaws_deg: tuple[int, ...]
    cam2world: Tensor
    color: Tensor
    alpha: Tensor
    depth: Tensor
    normals: Tensor

    def views_at(self, *angles_deg: int) -> list[int]:
        """Indices of the views that are turned by one of these angles, to either side."""
        return [view for view, yaw in enumerate(self.yaws_deg) if abs(yaw) in angles_deg]

    def photo(self, index: int, view: int = 0) -> Tensor:
        """The input view, or another, as a photo [1, 3, 256, 256] in [0, 1], in front of a background that ``index``
        and the view decide."""
        alpha = self.alpha[view : view + 1]
        behind = soft_background(index + _BACKGROUNDS_OF_VIEWS * view, self.color.shape[-1])
        return (self.color[view : view + 1] + (1.0 - alpha) * (behind - GREY)).clamp(0.0, 1.0)


def soft_background(index: int, side: int) -> Tensor:
    """[1, 3, side, side] in [0, 1]: a blurred wall of a few colours, the same for the same index on any machine."""
    rng = np.random.default_rng([HELD_OUT_SEED, 1, index])
    level, tint = rng.uniform(0.15, 0.85), rng.uniform(-0.12, 0.12, (1, 3, 1, 1))
    spots = rng.uniform(-0.2, 0.2, (1, 1, 4, 4)) + rng.uniform(-0.06, 0.06, (1, 3, 4, 4))
    coarse = torch.from_numpy((level + tint + spots).astype(np.float32))
    return torch.nn.functional.interpolate(coarse, (side, side), mode="bicubic", align_corners=True).clamp(0.0, 1.0)


def load_held_out(path: Path | None = None) -> HeldOutHeads:
    """The shipped heads, or those of another file.

    Raises:
        CheckpointError: The file is missing, damaged, or not one of held-out heads.
    """
    from safetensors import SafetensorError, safe_open

    if path is None:
        from ..checkpoints.store import weights_dir

        path = weights_dir() / FILE_NAME
    try:
        with safe_open(path, framework="pt") as file:
            header: dict[str, Any] = json.loads((file.metadata() or {}).get("geoinv", "{}"))
            if header.get("format") not in (FORMAT, _FORMAT_1):
                raise CheckpointError(f"{path} is not a file of held-out heads")
            blob = file.get_tensor("pictures").numpy().tobytes()
            codes = _split(blob, header["sizes"])
            return HeldOutHeads(
                latents=file.get_tensor("z"),
                cam2world=file.get_tensor("cam2world"),
                codes=codes,
                yaws_deg=YAWS_DEG[:3] if header["format"] == _FORMAT_1 else tuple(header["yaws_deg"]),
                seed=int(header["seed"]),
                sampler_version=int(header["sampler_version"]),
            )
    except (OSError, KeyError, TypeError, ValueError, SafetensorError) as error:
        raise CheckpointError(f"cannot read the held-out heads {path}: {error}", "reinstall geoinv") from error


def save_held_out(path: Path, heads: HeldOutHeads) -> None:
    """Write heads to one file, whole or not at all; the same heads make the same bytes."""
    from safetensors.torch import save

    sizes = {kind: [[len(code) for code in row] for row in rows] for kind, rows in sorted(heads.codes.items())}
    blob = b"".join(code for kind in sizes for row in heads.codes[kind] for code in row)
    tensors = {
        "z": heads.latents.contiguous(),
        "cam2world": heads.cam2world.contiguous(),
        "pictures": torch.from_numpy(np.frombuffer(blob, np.uint8).copy()),
    }
    header = {
        "format": FORMAT,
        "seed": heads.seed,
        "sampler_version": heads.sampler_version,
        "yaws_deg": list(heads.yaws_deg),
        "sizes": sizes,
    }
    with atomic_path(path) as temporary:
        temporary.write_bytes(save(tensors, metadata={"geoinv": json.dumps(header, sort_keys=True)}))


def build_held_out(
    out: Path,
    heads: int = 48,
    seed: int = HELD_OUT_SEED,
    assets: Path | None = None,
    *,
    on_head: OnCount | None = None,
) -> HeldOutHeads:
    """Draw, render and write held-out heads; needs the assets of ``geoinv.synth``.

    Args:
        out: The file to write.
        heads: Number of heads.
        seed: Seed of the stream; not one of a data set.
        assets: Folder of the MakeHuman assets (see ``geoinv.synth``).
        on_head: Function that is called with the number of heads drawn so far.
    """
    from ..synth.heads import HeadRenderer
    from ..synth.sampler import SAMPLER_VERSION, HeadSampler

    if heads < 1:
        raise UsageError(f"at least one head is needed, got {heads}")
    sampler, renderer = HeadSampler(), HeadRenderer(assets, SIDE, 3)
    latents, cameras = [], []
    codes: dict[str, list[list[bytes]]] = {kind: [] for kind in ("color", "alpha", "depth", "normals")}
    for index in range(heads):
        rng = np.random.default_rng([seed, 0, index])
        z = rng.standard_normal(sampler.z_dim).astype(np.float32)
        cam2world = held_out_cameras(rng)
        for kind, row in _render(sampler, renderer, z, cam2world).items():
            codes[kind].append(row)
        latents.append(z)
        cameras.append(cam2world)
        if on_head is not None:
            on_head(index + 1)
    result = HeldOutHeads(
        torch.from_numpy(np.stack(latents)), torch.stack(cameras), codes, YAWS_DEG, seed, SAMPLER_VERSION
    )
    save_held_out(out, result)
    return result


def held_out_cameras(rng: np.random.Generator) -> Tensor:
    """[V, 4, 4]: one of the data set's cameras with a yaw within 25 degrees, turned by each of ``YAWS_DEG``."""
    from ..synth.dataset import sample_cameras

    while True:
        pose = CameraPose.from_cam2world(torch.from_numpy(sample_cameras(rng, 1)), FACE_ORBIT)
        if abs(float(pose.yaw_rad)) < MAX_INPUT_YAW_RAD:
            break
    vector = pose.as_vector().repeat(len(YAWS_DEG), 1)
    vector[:, 0] += torch.tensor([math.radians(yaw) for yaw in YAWS_DEG])
    return CameraPose.from_vector(vector).cam2world(FACE_ORBIT)


def _render(
    sampler: HeadSampler, renderer: HeadRenderer, z: NDArray[np.float32], cam2world: Tensor
) -> dict[str, list[bytes]]:
    """Encoded pictures of one head."""
    built = renderer.build(sampler(z))
    views = [renderer.render(built, matrix.numpy()) for matrix in cam2world]
    codes: dict[str, list[bytes]] = {"color": [], "alpha": []}
    for number, view in enumerate(views):
        quality = _JPEG_QUALITY if number < 3 else _JPEG_QUALITY_OF_ADDED
        alpha = view.rgba[..., 3:].astype(np.float32) / 255.0
        over_grey = view.rgba[..., :3] * alpha + 255.0 * GREY * (1.0 - alpha)
        codes["color"].append(encode_jpeg(np.round(over_grey).astype(np.uint8), quality=quality))
        codes["alpha"].append(encode_png(view.rgba[..., 3]))
    depth, normals = halved(views[0].depth, views[0].normals, views[0].rgba[..., 3])
    levels = np.clip((depth - _DEPTH_NEAR) / (_DEPTH_FAR - _DEPTH_NEAR), 0.0, 1.0)
    codes["depth"] = [encode_png(np.round(levels * 65535.0).astype(np.uint16))]
    codes["normals"] = [encode_png(np.round((normals + 1.0) * 127.5).astype(np.uint8))]
    return codes


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
    small_depth = np.where(count > 0.0, mean_depth, np.float32(_DEPTH_FAR)).astype(np.float32)
    return small_depth, (unit * (count > 0.0)[..., None]).astype(np.float32)


def _split(blob: bytes, sizes: dict[str, list[list[int]]]) -> dict[str, list[list[bytes]]]:
    """Encoded pictures by kind, cut out of one run of bytes."""
    codes: dict[str, list[list[bytes]]] = {}
    offset = 0
    for kind in sorted(sizes):
        codes[kind] = []
        for row in sizes[kind]:
            ends = (np.cumsum([0, *row]) + offset).tolist()
            codes[kind].append([blob[start:end] for start, end in zip(ends[:-1], ends[1:], strict=True)])
            offset = ends[-1]
    if offset != len(blob):
        raise ValueError(f"{len(blob)} bytes of pictures, {offset} expected")
    return codes
