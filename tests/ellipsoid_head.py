"""A coloured ellipsoid that stands in for a generator: density, surface, depth and normals are known by hand."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from geoinv.camera import Camera, pixel_centres
from geoinv.conventions import FACE_ORBIT, Orbit
from geoinv.heads import ViewPair
from geoinv.heads.volume import Volume
from geoinv.models.config import RenderConfig
from geoinv.models.render_output import RenderOutput

DENSITY = 2000.0
"""Per world unit: opaque within 2 mm, so that alpha is 0 or 1 and depth is the surface's."""

NO_PLANES = torch.zeros(1, 3, 1, 2, 2)


@dataclass(frozen=True)
class EllipsoidConfig:
    z_dim: int = 8
    w_dim: int = 4
    num_ws: int = 3
    resolution: int = 64
    neural_resolution: int = 32
    anchor: None = None
    crop: str = "none"
    render: RenderConfig = RenderConfig(num_samples=8, num_importance=8, limits="box")
    orbit: Orbit = FACE_ORBIT


class EllipsoidHead:
    """A head of :class:`EllipsoidGenerator`, with a volume of its own."""

    orbit = FACE_ORBIT

    def __init__(self, generator: EllipsoidGenerator | None = None, volume: Volume | None = None) -> None:
        self.generator = generator or EllipsoidGenerator()
        self.volume = volume or Volume()

    @property
    def plain(self) -> EllipsoidHead:
        return self

    def view(self, camera: Camera) -> RenderOutput:
        return self.generator.render(NO_PLANES, camera)

    def view_pair(self, camera: Camera) -> ViewPair:
        view = self.view(camera)
        return ViewPair(view, view)

    def query(self, points: Tensor) -> tuple[Tensor, Tensor]:
        return self.generator.query(NO_PLANES, points)


class EllipsoidGenerator(nn.Module):
    """An ellipsoid with the given half axes; colour is position mapped to [0, 1]; planes and latents are ignored."""

    def __init__(
        self,
        half_axes: tuple[float, float, float] = (0.2, 0.3, 0.25),
        centre: float = 0.0,
        config: EllipsoidConfig | None = None,
    ) -> None:
        super().__init__()
        self.config = config or EllipsoidConfig()
        self.anchor = nn.Parameter(torch.zeros(1))
        self.half_axes = torch.tensor(half_axes)
        self.centre = torch.tensor([0.0, centre, 0.0])
        self.w_avg = torch.zeros(self.config.w_dim)

    def mapping(self, z: Tensor, label: Tensor | None = None, *, truncation_psi: float = 1.0) -> Tensor:
        return (truncation_psi * z[:, None, : self.config.w_dim]).expand(-1, self.config.num_ws, -1)

    def planes(self, w_plus: Tensor) -> Tensor:
        return torch.zeros(len(w_plus), 3, 1, 2, 2)

    def query(self, planes: Tensor, points: Tensor, film: Tensor | None = None) -> tuple[Tensor, Tensor]:
        radius = ((points - self.centre) / self.half_axes).norm(dim=-1)
        # Steep but continuous: half of DENSITY at the surface, so that marching cubes lands on it.
        density = DENSITY * torch.sigmoid((1.0 - radius) * 60.0)
        return density, (points + 0.5).clamp(0.0, 1.0)

    def render(
        self,
        planes: Tensor,
        camera: Camera,
        *,
        w_plus: Tensor | None = None,
        resolution: int | None = None,
        superresolution: bool = True,
        film: Tensor | None = None,
    ) -> RenderOutput:
        side = self.config.resolution if superresolution else resolution or self.config.neural_resolution
        origins, directions = camera.rays(pixel_centres(side))
        distance, is_hit = self.first_hit(origins, directions)
        points = origins + distance[..., None] * directions
        depth = distance * (directions @ camera.axis[:, :, None]).squeeze(-1)
        batch = len(camera)
        alpha = is_hit.float().reshape(batch, 1, side, side)
        color = ((points + 0.5).clamp(0.0, 1.0)).transpose(1, 2).reshape(batch, 3, side, side) * alpha
        return RenderOutput(color, alpha, depth.reshape(batch, 1, side, side), camera)

    def first_hit(self, origins: Tensor, directions: Tensor) -> tuple[Tensor, Tensor]:
        """Distance along rays [B, N, 3] to the surface (3.3 where missed) and whether it is hit."""
        start, step = (origins - self.centre) / self.half_axes, directions / self.half_axes
        a, b, c = step.square().sum(-1), (start * step).sum(-1), start.square().sum(-1) - 1.0
        discriminant = b.square() - a * c
        is_hit = discriminant > 0.0
        distance = (-b - discriminant.clamp_min(0.0).sqrt()) / a
        return torch.where(is_hit, distance, torch.full_like(distance, 3.3)), is_hit

    def normals(self, camera: Camera, side: int) -> Tensor:
        """True world normals [B, 3, side, side], zero where the head is missed."""
        origins, directions = camera.rays(pixel_centres(side))
        distance, is_hit = self.first_hit(origins, directions)
        points = origins + distance[..., None] * directions - self.centre
        normals = torch.nn.functional.normalize(points / self.half_axes.square(), dim=-1) * is_hit[..., None]
        return normals.transpose(1, 2).reshape(len(camera), 3, side, side)
