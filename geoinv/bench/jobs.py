"""Jobs that are timed: operations and whole runs of ``mini`` and of EG3D's 512 px configuration with random weights."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator

import torch
from torch import Tensor

from ..camera import Camera, CameraPose, pixel_centres
from ..camera.orbits import poses_at
from ..conventions import FACE_ORBIT
from ..models.config import GeneratorConfig, ffhq512_128
from ..models.generator import TriPlaneGenerator
from ..models.precision import allow_bfloat16
from ..models.superresolution import HybridSuperresolution
from ..training.data.head_shards import RayBatch
from ..training.engine.loop import weighted_sum
from ..training.losses.rays import guided_distances, ray_losses
from ..training.stages.generator import LOSS_WEIGHTS, GeneratorSettings
from .timing import Job

VIEWS = 8


def large_config() -> GeneratorConfig:
    """EG3D's generator for FFHQ at 512 px; its weights are random here, the work is the same."""
    return ffhq512_128()


def orbit() -> Camera:
    """8 cameras from -35 to +35 degrees."""
    return poses_at(torch.linspace(-0.6, 0.6, VIEWS).tolist()).camera(FACE_ORBIT)


def random_w_plus(generator: TriPlaneGenerator, seed: int = 0) -> Tensor:
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


def picture_jobs(generator: TriPlaneGenerator, names: dict[str, str], *, dense: bool, rounds: int) -> Iterator[Job]:
    """Backbone, rays, super-resolution and a view; ``names`` gives the JSON name of each."""
    title, side = generator.config.name, generator.config.resolution
    w_plus, camera = random_w_plus(generator), orbit()[0]
    random = torch.Generator().manual_seed(1)
    with torch.no_grad():
        planes = generator.planes(w_plus)
        if dense:  # untrained planes are even: nothing may be skipped
            planes = torch.randn(planes.shape, generator=random)
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
        "render": (f"{title}: {grid} x {grid} rays", lambda: generator.render(planes, camera, superresolution=False)),
        "superres": (f"{title}: super-resolution", superresolve),
        "view": (f"{title}: one {side} px view", view_of(generator, w_plus)),
    }
    for part, name in names.items():
        label, run = jobs[part]
        yield Job(name, label, torch.no_grad()(run), rounds)


def eight_views(generator: TriPlaneGenerator) -> Callable[[], object]:
    """Eight views of one head: planes once, then view by view, as ``geoinv render`` does."""
    w_plus, cameras = random_w_plus(generator), orbit()

    @torch.no_grad()
    def run() -> object:
        planes = generator.planes(w_plus)
        return [generator.render(planes, camera, w_plus=w_plus).color for camera in cameras]

    return run


def training_jobs(generator: TriPlaneGenerator, rounds: int) -> Iterator[Job]:
    """Rays with their gradient, and a step of ``geoinv train generator``, at that command's sizes and precision."""
    generator = copy.deepcopy(generator).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    generator.requires_grad_(True)
    settings = GeneratorSettings()
    batch = _random_rays(generator, settings)
    random = torch.Generator().manual_seed(0)
    box_side = generator.config.render.box_side
    distances = guided_distances(batch.origins, batch.directions, batch.distance, box_side, settings.samples, random)
    with torch.no_grad():
        planes = generator.planes(generator.mapping(batch.z)).requires_grad_()
    optimizer = torch.optim.Adam(generator.parameters(), lr=0.0, fused=True)

    def march() -> None:
        losses = ray_losses(generator.march(planes, batch.origins, batch.directions, distances), batch, distances)
        weighted_sum(losses, LOSS_WEIGHTS).backward()
        planes.grad = None

    @allow_bfloat16()
    def step() -> None:
        optimizer.zero_grad(set_to_none=True)
        painted = generator.planes(generator.mapping(batch.z))
        losses = ray_losses(generator.march(painted, batch.origins, batch.directions, distances), batch, distances)
        weighted_sum(losses, LOSS_WEIGHTS).backward()
        torch.nn.utils.clip_grad_norm_(generator.parameters(), 1.0)
        optimizer.step()

    title = generator.config.name
    yield Job("render_train", f"{title}: training rays, with gradient", march, rounds)
    yield Job("train_step", f"{title}: a training step", step, rounds)


def _random_rays(generator: TriPlaneGenerator, settings: GeneratorSettings) -> RayBatch:
    """Rays through random pixels of random heads, with a true surface about the middle of the box for two in three."""
    random = torch.Generator().manual_seed(2)
    heads, rays = settings.heads_per_step, settings.views_per_head * settings.rays_per_view
    cameras = Camera(orbit().cam2world[torch.randint(VIEWS, (heads,), generator=random)], FACE_ORBIT.focal)
    side = generator.config.neural_resolution
    pixels = pixel_centres(side).reshape(-1, 2)[torch.randint(side * side, (rays,), generator=random)]
    origins, directions = cameras.rays(pixels)
    hit = torch.rand(heads, rays, generator=random) < 0.67
    distance = torch.where(hit, 2.6 + 0.2 * torch.rand(heads, rays, generator=random), 0.0)
    color = torch.rand(heads, rays, 3, generator=random) * hit[..., None]
    z = torch.randn(heads, generator.config.z_dim, generator=random)
    return RayBatch(z=z, origins=origins, directions=directions, color=color, alpha=hit.float(), distance=distance)
