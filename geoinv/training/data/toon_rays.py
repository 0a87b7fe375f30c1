"""Rays of toons with what they should show, of a generator's own heads.

Heads stand in the toons' proportions, so that shapes are there already; what the rays meet is given the toons' colours.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from ...camera import project, rays_through
from ...models.anchored_generator import AnchoredGenerator, LitHeads
from ...models.latent_space import LatentSpace
from ...ops.anchored_rays import read_anchor
from ...shape import ARKIT_UNITS, HeadCodes
from ...synth.dataset import cameras_all_around
from .head_shards import RayBatch
from .own_samples import sample_poses
from .toon_colors import ToonColors, average_landmarks

_TRUNCATION = (0.5, 1.1)
_SPREAD = 0.3
"""Most standard deviations that single codes of a head lie from their mean, as those of photos do."""
_NEAR_FEATURES = 0.6  # of the rays of a view
_FEATURE_SPREAD = 0.03  # of the picture's side
_BLINKS, _OPEN_MOUTHS = 0.35, 0.25  # of the heads: few of those that w means do either
_KEPT_GLOSS = 0.3


@dataclass(frozen=True)
class ToonViews:
    """Heads, and rays through views of them.

    Args:
        z: [H, z_dim].
        truncation: [H] how far w goes from the mean, 1 for all the way.
        spread: [H, num_ws, w_dim] what is added to codes, in standard deviations.
        moves: [H, 52] least weights of ARKit's units.
        cam2world: [H, V, 4, 4].
        pixels: [H, V, N, 2] normalised positions.
    """

    z: Tensor
    truncation: Tensor
    spread: Tensor
    moves: Tensor
    cam2world: Tensor
    pixels: Tensor

    def w_plus(self, generator: AnchoredGenerator, space: LatentSpace) -> Tensor:
        """Codes [H, num_ws, w_dim] of the heads."""
        with torch.no_grad():
            codes = generator.mapping(self.z)
            return (
                generator.w_avg
                + self.truncation[:, None, None] * (codes - generator.w_avg)
                + (self.spread * space.deviations)
            )

    @torch.no_grad()
    def heads(self, generator: AnchoredGenerator, w_plus: Tensor) -> LitHeads:
        """The heads of codes [H, num_ws, w_dim], which move."""
        codes: HeadCodes = generator.shape_codes(w_plus)
        moving = replace(codes, expression=torch.maximum(codes.expression, self.moves))
        return generator.heads(w_plus, codes=moving)


def random_views(
    generator: AnchoredGenerator, rng: np.random.Generator, *, heads: int, views: int, rays_per_view: int
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
        moves=_moves(rng, heads),
        cam2world=cam2world,
        pixels=pixels.unflatten(0, (heads, views)),
    )


def _moves(rng: np.random.Generator, heads: int) -> Tensor:
    """[heads, 52] weights of lids and jaws: some heads blink, some open their mouths, most do neither."""
    moves = torch.zeros(heads, len(ARKIT_UNITS))
    for units, often, least in ((("eyeBlinkLeft", "eyeBlinkRight"), _BLINKS, 0.3), (("jawOpen",), _OPEN_MOUTHS, 0.1)):
        weights = rng.uniform(least, 1.0, heads) * (rng.random(heads) < often)
        for unit in units:
            moves[:, ARKIT_UNITS.index(unit)] = torch.from_numpy(weights.astype(np.float32))
    return moves


@dataclass(frozen=True)
class ToonRays:
    """Rays of toons with their truth.

    Args:
        rays: Rays, colours without light, opacities and distances.
        features: [B, N, 4] gloss, and normals of the mesh alone, so that light shows no wrinkles; premultiplied.
    """

    rays: RayBatch
    features: Tensor


@torch.no_grad()
def toon_rays(
    generator: AnchoredGenerator, colors: ToonColors, w_plus: Tensor, heads: LitHeads, views: ToonViews
) -> ToonRays:
    """Rays through the pixels of the views of heads [H], with the colours of their toons.

    Args:
        generator: The generator of the heads, in the toons' proportions, with its own colours.
        colors: Colours of toons.
        w_plus: [H, num_ws, w_dim] codes of the heads.
        heads: The heads.
        views: Cameras and pixels.
    """
    through = rays_through(
        views.cam2world.flatten(0, 1), views.pixels.flatten(0, 1), focal=generator.config.orbit.focal
    )
    origins, directions = (part.reshape(len(w_plus), -1, 3).contiguous() for part in through)
    seen = generator.render_rays(heads.rays, origins, directions)
    alpha = seen.alpha[..., None]
    is_hit = seen.alpha > 0.5
    met = origins + directions * torch.where(is_hit, seen.distance, 0.0)[..., None]
    straight = (seen.features[..., :3] / alpha.clamp_min(1e-3)).clamp(0.0, 1.0)
    drawn = torch.where(is_hit[..., None], colors.of(heads)(met, straight), straight)
    rays = RayBatch(
        z=w_plus.mean(dim=1),
        origins=origins,
        directions=directions,
        color=drawn * alpha,
        alpha=seen.alpha,
        distance=torch.where(is_hit, seen.distance, 0.0),
    )
    gloss, normal = seen.features[..., 3:].split([1, 3], dim=-1)
    smooth = torch.where(is_hit[..., None], alpha * read_anchor(heads.rays.volumes, met)[..., 4:7], normal)
    return ToonRays(rays, torch.cat([_KEPT_GLOSS * gloss, smooth], dim=-1))
