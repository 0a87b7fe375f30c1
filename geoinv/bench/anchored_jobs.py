"""Jobs of ``mini``, the generator on the head mesh: its planes, volumes, rays and views, what the same planes cost
without the anchor, and a step of its training."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator

import torch

from ..camera import CameraPose, pixel_centres, rays_through
from ..conventions import BOX_SIDE, FACE_ORBIT
from ..models.anchored_generator import AnchoredGenerator
from ..models.precision import allow_bfloat16
from ..ops.anchored_rays import march_anchored, render_anchored
from ..ops.render_rays import DecoderWeights, render_rays
from ..training.losses.rays import guided_distances
from ..training.stages.anchored import AnchoredSettings
from .jobs import random_w_plus
from .timing import Job


def anchored_jobs(generator: AnchoredGenerator, side: int, rounds: int) -> Iterator[Job]:
    """Planes, volumes, ``side`` x ``side`` rays with and without the anchor, a view of so many, and training."""
    w_plus = random_w_plus(generator)
    with torch.no_grad():
        made = generator.heads(w_plus)
    heads, decoder, space = made.rays, generator.decoder.weights(), generator.anchor_config.space
    channels = heads.planes.shape[2]
    without = DecoderWeights(decoder.hidden_weight[:, :channels].contiguous(), *decoder[1:])
    vertices = generator.vertices(made.codes)
    three = heads.planes[:, 1:].contiguous()
    camera = CameraPose.from_angles(0.3).camera(FACE_ORBIT)
    rays = rays_through(camera.cam2world, pixel_centres(side).reshape(-1, 2), focal=generator.config.orbit.focal)
    jobs: dict[str, tuple[str, Callable[[], object]]] = {
        "mini_backbone": ("planes", lambda: generator.planes(w_plus)),
        "anchor_volumes": ("anchor volumes of a head", lambda: generator.anchor(vertices)),
        "render_mini": (
            f"{side} x {side} rays",
            lambda: render_anchored(heads, *rays, decoder, generator.sampling, space),
        ),
        "render_unanchored": (
            f"{side} x {side} rays, three of its planes without the anchor",
            lambda: render_rays(three, *rays, without, generator.sampling),
        ),
        "mini_view": (
            f"one {side} px view, from its code",
            lambda: generator.render(generator.heads(w_plus), camera, resolution=side),
        ),
    }
    for name, (label, run) in jobs.items():
        yield Job(name, f"mini: {label}", torch.no_grad()(run), rounds)
    yield from _training_jobs(generator, rays, rounds)


def _training_jobs(generator: AnchoredGenerator, rays: tuple[torch.Tensor, torch.Tensor], rounds: int) -> Iterator[Job]:
    """Rays of one head with their gradient, and a step of one head of ``geoinv train generator --anchored``, at that
    command's numbers of rays and samples and its precision."""
    generator = copy.deepcopy(generator).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    generator.requires_grad_(True)
    for part in generator.known_parts():
        part.requires_grad_(False)
    settings, space = AnchoredSettings(), generator.anchor_config.space
    random = torch.Generator().manual_seed(0)
    chosen = torch.randint(rays[0].shape[1], (settings.views_per_head * settings.rays_per_view,), generator=random)
    origins, directions = (tensor[:, chosen] for tensor in rays)
    w_plus = random_w_plus(generator)
    with torch.no_grad():
        made = generator.heads(w_plus)
        vertices = generator.vertices(made.codes)
        surface = generator.render_rays(made.rays, origins, directions)
    hit = torch.where(surface.alpha > 0.5, surface.distance, 0.0)
    distances = guided_distances(origins, directions, hit, BOX_SIDE, settings.samples, random)
    trained = made.rays._replace(planes=made.rays.planes.clone().requires_grad_())
    learns = [parameter for parameter in generator.parameters() if parameter.requires_grad]
    optimizer = torch.optim.Adam(learns, lr=0.0, fused=True)

    def march() -> None:
        seen = march_anchored(trained, origins, directions, distances, generator.decoder.weights(), space)
        (seen.features.square().mean() + seen.alpha.mean()).backward()
        trained.planes.grad = None

    @allow_bfloat16()
    def step() -> None:
        optimizer.zero_grad(set_to_none=True)
        seen = generator.march(generator.anchored(w_plus, vertices), origins, directions, distances)
        (seen.features.square().mean() + seen.alpha.mean()).backward()
        torch.nn.utils.clip_grad_norm_(learns, 1.0)
        optimizer.step()

    yield Job("render_train", "mini: training rays of one head, with gradient", march, rounds)
    yield Job("train_step", "mini: a training step of one head", step, rounds)
