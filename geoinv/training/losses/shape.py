"""Geometry supervision of E0: how far the head of a predicted code is from the true head of the same z, as shape.

E3DGE's terms (Lan et al., CVPR 2023, section 3.2), which compare signed distances, on a tri-plane generator, which has
densities: a density is compared as the opacity of a thin slab, which is bounded as a distance near the surface is. The
teacher of densities and planes is the generator at the true z; surfaces, outlines and normals are those of the meshes.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from ...models.generator import TriPlaneGenerator
from ...ops.render_rays import RayOutput
from ..data.head_shards import RayBatch

SLAB = 0.02
"""World units (7 mm) of the slab whose opacity stands for a density."""
_NEAR = 0.03
"""Standard deviation, in world units, of points near the surface: E3DGE's, on a head of the same size."""
_STEP = 0.012
"""World units between the points whose difference is a gradient: about 1.5 pixels of mini's planes."""


def shape_losses(
    generator: TriPlaneGenerator,
    planes: Tensor,
    teacher: Tensor,
    rays: RayBatch,
    output: RayOutput,
    random: torch.Generator,
    *,
    points: int,
) -> dict[str, Tensor]:
    """Depth, density, normals and planes of predicted heads.

    Args:
        generator: Generator of both planes.
        planes: [B, 3, C, R, R] planes of the predicted codes.
        teacher: [B, 3, C, R, R] planes of the true z, without gradient.
        rays: Truth of the rays, normals among it.
        output: What the predicted heads show along these rays.
        random: Generator on the CPU for points.
        points: Number of points near the surface of each head, and as many anywhere in its box.

    Returns:
        ``depth``: error of the expected distance, in world units; ``density``: squared error of opacities near the
        surface and in free space; ``normals``: 1 - cosine at the true surface; ``planes``: squared error of features
        in units of their spread.
    """
    hit = (rays.distance > 0) & (rays.alpha > 0.5)
    near = _surface_points(rays, _chosen(hit, points, random))
    noise = torch.randn(near.shape, generator=random).to(near.device) * _NEAR
    box = generator.config.render.box_side
    anywhere = (torch.rand(near.shape, generator=random).to(near.device) - 0.5) * box
    asked = torch.cat([near + noise, anywhere], dim=1)
    with torch.no_grad():
        wanted = _opacity(generator, teacher, asked)
    return {
        "depth": (F.smooth_l1_loss(output.distance, rays.distance, beta=SLAB, reduction="none") * hit).mean(),
        "density": (_opacity(generator, planes, asked) - wanted).square().mean(),
        "normals": _normal_loss(generator, planes, rays, hit, points, random),
        "planes": (planes - teacher).square().mean() / teacher.var(),
    }


def _opacity(generator: TriPlaneGenerator, planes: Tensor, points: Tensor) -> Tensor:
    """Opacity [B, N] of a thin slab at points [B, N, 3]."""
    density, _ = generator.query(planes, points)
    return 1.0 - torch.exp(-SLAB * density)


def _chosen(hit: Tensor, count: int, random: torch.Generator) -> Tensor:
    """Numbers [B, count] of random rays that hit something, where there are any."""
    upto = (hit.float() + 1e-6).cumsum(dim=1)
    drawn = torch.rand(len(hit), count, generator=random).to(hit.device) * upto[:, -1:]
    return torch.searchsorted(upto, drawn, right=True).clamp_max(hit.shape[1] - 1)


def _surface_points(rays: RayBatch, index: Tensor) -> Tensor:
    """Points [B, count, 3] of the true surface; where no ray hits, where rays start, which is in free space."""
    rows = index[..., None].expand(-1, -1, 3)
    distance = rays.distance.gather(1, index)[..., None]
    return rays.origins.gather(1, rows) + distance * rays.directions.gather(1, rows)


def _normal_loss(
    generator: TriPlaneGenerator, planes: Tensor, rays: RayBatch, hit: Tensor, count: int, random: torch.Generator
) -> Tensor:
    """Mean of 1 - cosine between the true normal and the way in which opacity falls, by central differences."""
    assert rays.normals is not None
    index = _chosen(hit, count, random)
    batch = len(planes)
    offsets = _STEP * torch.cat([torch.eye(3, device=index.device), -torch.eye(3, device=index.device)])  # [6, 3]
    points = _surface_points(rays, index)[:, :, None] + offsets
    opacity = _opacity(generator, planes, points.reshape(batch, -1, 3)).reshape(batch, count, 2, 3)
    falls = opacity[:, :, 1] - opacity[:, :, 0]  # [B, count, 3]
    normals = rays.normals.gather(1, index[..., None].expand(-1, -1, 3))
    known = hit.gather(1, index) & (normals.norm(dim=-1) > 0.5)
    cosine = (F.normalize(falls, dim=-1, eps=1e-3) * normals).sum(dim=-1)
    loss: Tensor = ((1.0 - cosine) * known).mean()
    return loss
