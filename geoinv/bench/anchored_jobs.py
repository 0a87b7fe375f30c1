"""Jobs of the generator on the head mesh: its volumes, its rays, and what the same planes cost without the anchor.

Its weights are random. It begins with the density of the mesh, so its rays end where those of a trained head do; space
about the mesh is made as empty as training makes it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import torch

from ..camera import CameraPose, pixel_centres, rays_through
from ..conventions import BOX_SIDE, FACE_ORBIT
from ..models.anchored_generator import AnchoredGenerator
from ..models.layers import Linear
from ..ops.anchored_rays import march_anchored, render_anchored
from ..ops.render_rays import DecoderWeights, render_rays
from ..training.losses.rays import guided_distances
from ..training.stages.anchored import AnchoredSettings
from ..training.stages.mini_model import anchored_for_heads
from .timing import Job

_EMPTY = -0.4  # the decoder's own density; at a gain of 20 the raw one is -12, as about trained heads


def anchored_jobs(side: int, rounds: int) -> Iterator[Job]:
    """Volumes, ``side`` x ``side`` rays with and without the anchor, and a training step's rays with their gradient."""
    torch.manual_seed(0)
    generator = AnchoredGenerator(anchored_for_heads()).eval().requires_grad_(False)
    output = generator.decoder.net[2]
    assert isinstance(output, Linear)
    output.bias[0] = _EMPTY
    w_plus = generator.mapping(torch.randn(1, generator.config.z_dim))
    made = generator.heads(w_plus)
    heads, decoder, space = made.rays, generator.decoder.weights(), generator.anchor_config.space
    channels = heads.planes.shape[2]
    without = DecoderWeights(decoder.hidden_weight[:, :channels].contiguous(), *decoder[1:])
    vertices = generator.vertices(made.codes)
    three = heads.planes[:, 1:].contiguous()
    camera = CameraPose.from_angles(0.3).cam2world(FACE_ORBIT)
    rays = rays_through(camera, pixel_centres(side).reshape(-1, 2), focal=generator.config.orbit.focal)
    jobs: dict[str, tuple[str, Callable[[], object]]] = {
        "anchor_volumes": ("anchor volumes of a head", lambda: generator.anchor(vertices)),
        "render_anchored": (
            f"{side} x {side} rays, anchored planes",
            lambda: render_anchored(heads, *rays, decoder, generator.sampling, space),
        ),
        "render_unanchored": (
            f"{side} x {side} rays, three of its planes without the anchor",
            lambda: render_rays(three, *rays, without, generator.sampling),
        ),
    }
    for name, (label, run) in jobs.items():
        yield Job(name, f"anchored: {label}", torch.no_grad()(run), rounds)

    settings = AnchoredSettings()
    chosen = torch.randint(side * side, (settings.views_per_head * settings.rays_per_view,))
    origins, directions = (tensor[:, chosen] for tensor in rays)
    with torch.no_grad():
        surface = render_anchored(heads, origins, directions, decoder, generator.sampling, space)
    hit = torch.where(surface.alpha > 0.5, surface.distance, 0.0)
    random = torch.Generator().manual_seed(0)
    distances = guided_distances(origins, directions, hit, BOX_SIDE, settings.samples, random)
    trained = heads._replace(planes=heads.planes.clone().requires_grad_())

    def march() -> None:
        seen = march_anchored(trained, origins, directions, distances, decoder, space)
        (seen.features.square().mean() + seen.alpha.mean()).backward()
        trained.planes.grad = None

    yield Job("march_anchored", "anchored: training rays of one head, with gradient", march, rounds)
