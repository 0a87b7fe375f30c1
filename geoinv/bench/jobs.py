"""Jobs that are timed: operations and whole runs of EG3D's 512 px configuration with random weights."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import torch
from torch import Tensor

from ..camera import Camera, CameraPose
from ..camera.orbits import poses_at
from ..conventions import FACE_ORBIT
from ..heads import plain_head
from ..models.config import GeneratorConfig
from ..models.families import OfPlanes
from ..models.generator import TriPlaneGenerator
from ..models.plane_generator import PlaneGenerator
from ..models.presets import ffhq512_128
from ..models.superresolution import HybridSuperresolution
from .timing import Job

VIEWS = 8


def large_config() -> GeneratorConfig:
    """EG3D's generator for FFHQ at 512 px; its weights are random here, the work is the same."""
    return ffhq512_128()


def orbit() -> Camera:
    """8 cameras from -35 to +35 degrees."""
    return poses_at(torch.linspace(-0.6, 0.6, VIEWS).tolist()).camera(FACE_ORBIT)


def random_w_plus(generator: PlaneGenerator, seed: int = 0) -> Tensor:
    """[1, num_ws, w_dim] of a head that nobody has seen."""
    z = torch.randn(1, generator.config.z_dim, generator=torch.Generator().manual_seed(seed))
    label = None
    if generator.config.mapping.label_dim:
        camera = CameraPose.from_angles(0.0).cam2world(FACE_ORBIT).flatten(1)
        label = torch.cat([camera, camera.new_zeros(1, generator.config.mapping.label_dim - 16)], dim=1)
    with torch.no_grad():
        return generator.mapping(z, label)


def view_of(generator: TriPlaneGenerator, w_plus: Tensor) -> Callable[[], object]:
    """One view of one head, from its code."""
    camera = orbit()[VIEWS // 2]
    return torch.no_grad()(lambda: generator.render(generator.planes(w_plus), camera, w_plus=w_plus).color)


def picture_jobs(generator: TriPlaneGenerator, rounds: int) -> Iterator[Job]:
    """Backbone, rays, super-resolution and a view."""
    title, side = generator.config.name, generator.config.resolution
    w_plus, camera = random_w_plus(generator), orbit()[0]
    random = torch.Generator().manual_seed(1)
    with torch.no_grad():
        # untrained planes are even: nothing may be skipped
        planes = torch.randn(generator.planes(w_plus).shape, generator=random)
        rays = generator.render(planes, camera, superresolution=False)
    grid = generator.config.neural_resolution
    features = torch.rand(1, generator.config.feature_channels, grid, grid, generator=random)

    def superresolve() -> object:
        if isinstance(generator.superresolution, HybridSuperresolution):
            return generator.superresolution(features[:, :3], features, w_plus[:, -1])
        assert generator.superresolution is not None
        return generator.superresolution(features, rays.alpha)

    jobs: dict[str, tuple[str, Callable[[], object]]] = {
        "backbone": (f"{title}: planes", lambda: generator.planes(w_plus)),
        "render_dense": (
            f"{title}: {grid} x {grid} rays",
            lambda: generator.render(planes, camera, superresolution=False),
        ),
        "superres": (f"{title}: super-resolution", superresolve),
        "view512": (f"{title}: one {side} px view", view_of(generator, w_plus)),
    }
    for name, (label, run) in jobs.items():
        yield Job(name, label, torch.no_grad()(run), rounds)


def eight_views(generator: OfPlanes, side: int | None = None) -> Callable[[], object]:
    """Eight views of one head, of ``side`` x ``side`` rays or the generator's own: the head once, then view by view, as
    ``geoinv render`` does."""
    w_plus, cameras = random_w_plus(generator), orbit()

    @torch.no_grad()
    def run() -> object:
        head = plain_head(generator, w_plus)
        head = head if side is None else head.with_rays(side)
        return [head.view(camera).color for camera in cameras]

    return run
