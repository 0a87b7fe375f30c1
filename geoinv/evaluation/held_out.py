"""The held-out heads: synthetic heads that no training saw, rendered ahead, in one file of a few megabytes.

Each head has an input view, the same camera turned by 15, 30, 45 and 60 degrees to both sides, and one behind the head,
as colour and alpha; the input view also has depth and normals. Shape code and light are known, and the input view of a
twin, which is the same person who makes another face. Files of former formats lack twins, shape and light and some of
the views: format 2 ends at 45 degrees, format 1 has the input view and 30 degrees alone. :mod:`.held_out_rendering`
makes the file.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ..errors import CheckpointError
from ..files import atomic_path
from ..images.tensors import GREY
from ..shape import HeadCodes
from .picture_codes import decode_grey, decode_rgb

FORMAT = "geoinv held-out heads 3"
_FORMAT_1, _FORMAT_2 = "geoinv held-out heads 1", "geoinv held-out heads 2"
FILE_NAME = "heldout-heads.safetensors"
HELD_OUT_SEED = 20261122
BEHIND_DEG = 180
YAWS_DEG = (0, -30, 30, -15, 15, -45, 45, -60, 60, BEHIND_DEG)
"""Yaw of each view's camera relative to that of the input view; format 1 ends after the third view, format 2 after the
seventh. The camera behind the head looks at its middle, from farther away."""

SIDE = 256
"""Side in pixels of the pictures that metrics are measured on, of held-out heads and of photos."""
_BACKGROUNDS_OF_VIEWS = 1000  # more than there are heads: no two photos stand before the same wall

DEPTH_NEAR, DEPTH_FAR = 1.5, 4.0
DEPTH_STEP = 3e-4
"""Depth is stored as a number of these steps beyond ``DEPTH_NEAR``: a ninth of a millimetre."""
_FORMER_DEPTH_STEP = (DEPTH_FAR - DEPTH_NEAR) / 65535.0


@dataclass(frozen=True, eq=False)
class KnownHeads:
    """What is known of H heads beyond their pictures.

    Args:
        shape: [H, I + 54] codes of the head mesh model.
        light: [H, 9, 3] light on them (:mod:`geoinv.light`).
        twins: [H, z_dim] the true z of their twins, who differ in expression and gaze alone.
    """

    shape: Tensor
    light: Tensor
    twins: Tensor


@dataclass(frozen=True, eq=False)
class HeldOutHeads:
    """H heads with V views each, decoded head by head.

    Args:
        latents: [H, z_dim] float32, the true z.
        cam2world: [H, V, 4, 4] float32.
        codes: Encoded pictures by kind: ``color`` and ``alpha`` [H][V], ``depth`` and ``normals`` [H] (input view), and
            ``twin_color`` and ``twin_alpha`` [H] (input view) where twins are known.
        yaws_deg: Yaws of the V views relative to the input view, which is the first.
        seed: Seed of the stream that the heads were drawn from.
        sampler_version: Version of the ``HeadSampler`` that gives z its meaning.
        known: Shape, light and twins; None in files of former formats.
        depth_step: World units of a step of depth.
    """

    latents: Tensor
    cam2world: Tensor
    codes: dict[str, list[list[bytes]]]
    yaws_deg: tuple[int, ...]
    seed: int
    sampler_version: int
    known: KnownHeads | None = None
    depth_step: float = DEPTH_STEP

    def __len__(self) -> int:
        return len(self.latents)

    def count_up_to(self, limit: int | None) -> int:
        """Number of the first heads that are measured: all of them, or at most so many."""
        return len(self) if limit is None else min(limit, len(self))

    def head(self, index: int) -> HeldOutHead:
        """The head of an index, decoded."""
        color, alpha = self._pictures("", index)
        depth = decode_grey(self.codes["depth"][index][0]).astype(np.float32)
        normals = decode_rgb(self.codes["normals"][index][0]).astype(np.float32) / 127.5 - 1.0
        return HeldOutHead(
            z=self.latents[index : index + 1],
            yaws_deg=self.yaws_deg,
            cam2world=self.cam2world[index],
            color=color,
            alpha=alpha,
            depth=torch.from_numpy(DEPTH_NEAR + depth * self.depth_step)[None, None],
            normals=torch.from_numpy(normals).permute(2, 0, 1)[None],
            known=None if self.known is None else self._known(self.known, index),
        )

    def _known(self, known: KnownHeads, index: int) -> KnownHead:
        only = slice(index, index + 1)
        shape = HeadCodes.from_vector(known.shape[only])
        return KnownHead(shape, known.light[only], known.twins[only], *self._pictures("twin_", index))

    def _pictures(self, kind: str, index: int) -> tuple[Tensor, Tensor]:
        """Colour [V, 3, 256, 256] and alpha [V, 1, 256, 256] in [0, 1] of a head, or of its twin."""
        color = np.stack([decode_rgb(code) for code in self.codes[f"{kind}color"][index]])
        alpha = np.stack([decode_grey(code) for code in self.codes[f"{kind}alpha"][index]])
        return torch.from_numpy(color).permute(0, 3, 1, 2).float() / 255.0, torch.from_numpy(alpha)[:, None] / 255.0


@dataclass(frozen=True, eq=False)
class KnownHead:
    """What is known of one head beyond its pictures.

    Args:
        shape: Its shape code, batch size 1.
        light: [1, 9, 3] light on it.
        twin_z: [1, z_dim] of its twin, who makes another face.
        twin_color: [1, 3, 256, 256] in [0, 1] over ``GREY``: the twin in the input view.
        twin_alpha: [1, 1, 256, 256] in [0, 1].
    """

    shape: HeadCodes
    light: Tensor
    twin_z: Tensor
    twin_color: Tensor
    twin_alpha: Tensor


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
        known: Shape, light and twin; None in files of former formats.
    """

    z: Tensor
    yaws_deg: tuple[int, ...]
    cam2world: Tensor
    color: Tensor
    alpha: Tensor
    depth: Tensor
    normals: Tensor
    known: KnownHead | None = None

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
            version = header.get("format")
            if version not in (FORMAT, _FORMAT_2, _FORMAT_1):
                raise CheckpointError(f"{path} is not a file of held-out heads")
            blob = file.get_tensor("pictures").numpy().tobytes()
            codes = _split(blob, header["sizes"])
            parts = (file.get_tensor(name) for name in ("shape", "light", "twins"))
            return HeldOutHeads(
                latents=file.get_tensor("z"),
                cam2world=file.get_tensor("cam2world"),
                codes=codes,
                yaws_deg=YAWS_DEG[:3] if version == _FORMAT_1 else tuple(header["yaws_deg"]),
                seed=int(header["seed"]),
                sampler_version=int(header["sampler_version"]),
                known=KnownHeads(*parts) if version == FORMAT else None,
                depth_step=DEPTH_STEP if version == FORMAT else _FORMER_DEPTH_STEP,
            )
    except (OSError, KeyError, TypeError, ValueError, SafetensorError) as error:
        raise CheckpointError(f"cannot read the held-out heads {path}: {error}", "reinstall geoinv") from error


def save_held_out(path: Path, heads: HeldOutHeads) -> None:
    """Write heads of the present format to one file, whole or not at all; the same heads make the same bytes."""
    from safetensors.torch import save

    assert heads.known is not None

    sizes = {kind: [[len(code) for code in row] for row in rows] for kind, rows in sorted(heads.codes.items())}
    blob = b"".join(code for kind in sizes for row in heads.codes[kind] for code in row)
    tensors = {
        "z": heads.latents.contiguous(),
        "cam2world": heads.cam2world.contiguous(),
        "shape": heads.known.shape.contiguous(),
        "light": heads.known.light.contiguous(),
        "twins": heads.known.twins.contiguous(),
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
