"""Rays of toons with what they should show, of a generator's own heads.

A ray of the head is rendered as always. What it meets lies elsewhere on the toon; the ray from the same camera to that
place is the toon's, and shows the toon's colour there. So a ray of a toon costs no more than one of the head, where
rendering through the bent space would cost forty times as much. (What bending hides or uncovers is a few millimetres at
outlines, and is left to other views.)
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np
import torch
from torch import Tensor

from ...camera import project, rays_through
from ...models.generator import TriPlaneGenerator
from ...models.latent_space import LatentSpace
from ...shape import load_head_model
from ...synth.dataset import cameras_all_around
from .head_shards import RayBatch
from .own_samples import sample_poses
from .toon_colors import ToonColors
from .toon_shape import ToonProportions, ToonShape

_TRUNCATION = (0.5, 1.1)
_SPREAD = 0.3
"""Most standard deviations that single codes of a head lie from their mean, as those of photos do."""
_NEAR_FEATURES = 0.6  # of the rays of a view
_FEATURE_SPREAD = 0.02  # of the picture's side


@dataclass(frozen=True)
class ToonViews:
    """Heads, and rays through views of them.

    Args:
        z: [H, z_dim].
        truncation: [H] how far w goes from the mean, 1 for all the way.
        spread: [H, num_ws, w_dim] what is added to codes, in standard deviations.
        cam2world: [H, V, 4, 4].
        pixels: [H, V, N, 2] normalised positions.
    """

    z: Tensor
    truncation: Tensor
    spread: Tensor
    cam2world: Tensor
    pixels: Tensor

    def w_plus(self, generator: TriPlaneGenerator, space: LatentSpace) -> Tensor:
        """Codes [H, num_ws, w_dim] of the heads."""
        with torch.no_grad():
            codes = generator.mapping(self.z)
            return (
                generator.w_avg
                + self.truncation[:, None, None] * (codes - generator.w_avg)
                + (self.spread * space.deviations)
            )


def random_views(
    generator: TriPlaneGenerator, rng: np.random.Generator, *, heads: int, views: int, rays_per_view: int
) -> ToonViews:
    """Random heads; of each, half of the views see the face, the others look from all around."""
    config, of_face = generator.config, (views + 1) // 2
    cameras = [
        np.concatenate(
            [
                sample_poses(rng, of_face).cam2world(config.orbit).float().numpy(),
                cameras_all_around(rng, views - of_face),
            ]
        )
        for _ in range(heads)
    ]
    cam2world = torch.from_numpy(np.stack(cameras))
    marks, _ = project(
        average_landmarks()[17:].expand(heads * views, -1, -1), cam2world.flatten(0, 1), focal=config.orbit.focal
    )
    near = round(_NEAR_FEATURES * rays_per_view)
    chosen = rng.integers(0, marks.shape[1], near)
    close = marks[:, chosen].numpy() + rng.normal(0.0, _FEATURE_SPREAD, (heads * views, near, 2))
    anywhere = rng.random((heads * views, rays_per_view - near, 2))
    pixels = torch.from_numpy(np.concatenate([close, anywhere], axis=1).clip(0.0, 1.0).astype(np.float32))
    spread = rng.standard_normal((heads, config.num_ws, config.w_dim)) * rng.uniform(0.0, _SPREAD, (heads, 1, 1))
    return ToonViews(
        z=torch.from_numpy(rng.standard_normal((heads, config.z_dim)).astype(np.float32)),
        truncation=torch.from_numpy(rng.uniform(*_TRUNCATION, heads).astype(np.float32)),
        spread=torch.from_numpy(spread.astype(np.float32)),
        cam2world=cam2world,
        pixels=pixels.unflatten(0, (heads, views)),
    )


@dataclass(frozen=True)
class ToonRays:
    """Rays of toons with their truth.

    Args:
        rays: Rays, colours, opacities and distances.
        features: [B, N, F - 3] what super-resolution reads beside the colour: the head's own, premultiplied.
    """

    rays: RayBatch
    features: Tensor


@torch.no_grad()
def toon_rays(generator: TriPlaneGenerator, w_plus: Tensor, views: ToonViews, proportions: ToonProportions) -> ToonRays:
    """Rays of the toons of heads [H, num_ws, w_dim], through about the pixels of the views.

    Args:
        generator: The generator of the heads, not of the toons.
        w_plus: [H, num_ws, w_dim] codes of the heads.
        views: Cameras and pixels.
        proportions: How much larger parts of toons are.
    """
    heads, marks = len(w_plus), average_landmarks().to(w_plus.device)
    planes = generator.planes(w_plus)
    through = rays_through(
        views.cam2world.flatten(0, 1), views.pixels.flatten(0, 1), focal=generator.config.orbit.focal
    )
    origins, directions = (part.reshape(heads, -1, 3).contiguous() for part in through)
    seen = generator.render_rays(planes, origins, directions)
    alpha = seen.alpha[..., None]
    is_hit = alpha > 0.5
    closest = -(origins * directions).sum(dim=-1, keepdim=True)  # to the middle of the box, of rays that meet nothing
    met = origins + directions * torch.where(is_hit, seen.distance[..., None], closest)
    straight = (seen.features[..., :3] / alpha.clamp_min(1e-3)).clamp(0.0, 1.0)
    color = ToonColors(generator, planes, w_plus, marks)(met, straight) * alpha
    way = ToonShape(generator, w_plus, marks, proportions).on_toon(met) - origins
    distance = way.norm(dim=-1, keepdim=True)
    rays = RayBatch(
        z=w_plus.mean(dim=1),
        origins=origins,
        directions=way / distance,
        color=color,
        alpha=seen.alpha,
        distance=torch.where(is_hit, distance, 0.0)[..., 0],
    )
    return ToonRays(rays, seen.features[..., 3:])


@cache
def average_landmarks() -> Tensor:
    """[68, 3] landmarks of the average head in iBUG's order, world units."""
    model = load_head_model()
    return model.landmarks68.on(model.vertices(model.mean_codes()))[0]
