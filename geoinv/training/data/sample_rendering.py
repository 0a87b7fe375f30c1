"""What a generator shows of its own samples: the final pictures, and what its rays see before super-resolution."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ...camera import Camera, pixel_centres
from ...camera.surface import normals_from_depth
from ...models.generator import TriPlaneGenerator


@dataclass(frozen=True)
class Sample:
    """A head in V views, on the CPU.

    Args:
        w: [w_dim] its code, truncated as it was for these pictures.
        cam2world: [V, 4, 4].
        rgba: [V, R, R, 4] uint8 the final pictures, straight alpha; 255 all over where the generator paints background.
        color: [V, S, S, 3] float16 in [0, 1] of the ray grid, premultiplied.
        alpha: [V, S, S] float16 of the ray grid.
        depth: [V, S, S] float32 along the optical axis, 0 where alpha is not above one half.
        normals: [V, S, S, 3] float16 of that depth, world axes; 0 where unknown.
    """

    w: NDArray[np.float32]
    cam2world: NDArray[np.float32]
    rgba: NDArray[np.uint8]
    color: NDArray[Any]
    alpha: NDArray[Any]
    depth: NDArray[np.float32]
    normals: NDArray[Any]


@torch.no_grad()
def rendered_samples(generator: TriPlaneGenerator, w: Tensor, cam2world: Tensor) -> list[Sample]:
    """Render heads.

    Args:
        generator: The generator.
        w: [B, w_dim] on its device.
        cam2world: [B, V, 4, 4] on the CPU.
    """
    heads, views = cam2world.shape[:2]
    side, device = generator.config.neural_resolution, w.device
    w_plus = w[:, None].expand(-1, generator.config.num_ws, -1)
    camera = Camera(cam2world.flatten(0, 1).to(device), generator.config.orbit.focal)
    origins, directions = camera.rays(pixel_centres(side, device))  # [B * V, S * S, 3]
    cosine = (directions * camera.axis[:, None]).sum(dim=-1)
    rays = (part.reshape(heads, -1, 3) for part in (origins, directions))
    output = generator.render_rays(generator.planes(w_plus), *rays)
    features = output.features.reshape(heads * views, side, side, -1).permute(0, 3, 1, 2).contiguous()
    alpha = output.alpha.reshape(-1, 1, side, side)
    depth = output.distance.reshape(-1, 1, side, side) * cosine.reshape(-1, 1, side, side)
    depth = torch.where(alpha > 0.5, depth, 0.0)
    normals = normals_from_depth(depth, alpha, camera.cam2world, focal=camera.focal)
    codes = w_plus.repeat_interleave(views, dim=0)
    color, final_alpha = generator.superresolved(features, alpha, codes)
    straight = torch.cat([color / final_alpha.clamp_min(1e-3), final_alpha], dim=1).clamp(0.0, 1.0)

    def maps(values: Tensor) -> NDArray[Any]:
        """[B * V, C, H, H] -> [B, V, H, H, C]."""
        array: NDArray[Any] = values.permute(0, 2, 3, 1).contiguous().cpu().numpy()
        return array.reshape(heads, views, *array.shape[1:])

    parts = zip(
        w.float().cpu().numpy(),
        cam2world.float().numpy(),
        maps((straight * 255.0).round().byte()),
        maps(features[:, :3].half()),
        maps(alpha.half())[..., 0],
        maps(depth.float())[..., 0],
        maps(normals.half()),
        strict=True,
    )
    return [Sample(*part) for part in parts]
