"""The start of an anchored generator: its mapping learns what z means, by no picture.

Shape code, light and look of a head are functions of z that the sampler knows, so there are as many examples as one
likes, where every head with pictures has to be rendered. Once w holds them in plain sight, what is painted from w
needs few heads to be right on others.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from ...light import light_difference
from ...models.anchored_generator import AnchoredGenerator
from ...shape import HeadModel
from ...synth.assets import find_base_data
from ...synth.dataset import draw_latent
from ...synth.geometry import HeadGeometry
from ...synth.head_codes import HeadCoder
from ...synth.look import COLORS, look_numbers
from ...synth.sampler import HeadSampler
from ..losses.on_mesh import SHAPE_WEIGHT, LookLoss, ShapeLoss

_BATCH = 256
_HELD_OUT = 500


class KnownHeads(NamedTuple):
    """Random heads of the sampler, without pictures.

    Args:
        z: [N, z_dim].
        codes: [N, I + 54] shape codes.
        light: [N, 9, 3].
        look: [N, L] numbers of :mod:`geoinv.synth.look`.
    """

    z: Tensor
    codes: Tensor
    light: Tensor
    look: Tensor

    @classmethod
    def draw(cls, model: HeadModel, count: int, seed: int) -> KnownHeads:
        """Draw heads, 600 a second.

        Args:
            model: Head mesh model.
            count: Number of heads.
            seed: Seed of the heads.
        """
        sampler, geometry = HeadSampler(), HeadGeometry(find_base_data(), [])
        coder, rng = HeadCoder(model, geometry), np.random.default_rng([seed, 20])
        z, codes, light, look = [], [], [], []
        for _ in range(count):
            z.append(draw_latent(sampler, rng))
            parameters = sampler(z[-1])
            shape = geometry.shape(parameters.targets, parameters.expression)
            codes.append(coder(parameters, shape).as_vector()[0])
            light.append(parameters.light.total)
            look.append(look_numbers(parameters))
        as_tensors = (torch.from_numpy(np.stack(part)).float() for part in (z, light, look))
        drawn_z, drawn_light, drawn_look = as_tensors
        return cls(drawn_z, torch.stack(codes), drawn_light, drawn_look)

    def some(self, random: torch.Generator, device: torch.device) -> KnownHeads:
        """A random batch on a device."""
        index = torch.randint(len(self.z), (_BATCH,), generator=random)
        return KnownHeads(*(part[index].to(device) for part in self))


class Left(NamedTuple):
    """What is left on heads that were not learned from.

    Args:
        vertices: Root mean squared error of vertices, in world units.
        light: Root mean squared error of light on white surfaces, linear RGB.
        look: Mean squared error of the numbers of a look, each over its variance.
    """

    vertices: float
    light: float
    look: float


def fit_known_heads(generator: AnchoredGenerator, heads: KnownHeads, *, steps: int, seed: int) -> Left:
    """Fit mapping, shape, light and look, in place.

    Args:
        generator: The generator.
        heads: Heads to learn from; the last of them are only measured on.
        steps: Steps of 256 heads.
        seed: Seed of the batches.
    """
    device = generator.w_avg.device
    random = torch.Generator().manual_seed(seed)
    parameters = [parameter for part in generator.known_parts() for parameter in part.parameters()]
    optimizer = torch.optim.Adam(parameters, lr=2e-3, betas=(0.9, 0.99))
    schedule = torch.optim.lr_scheduler.LinearLR(optimizer, 1.0, 0.02, total_iters=steps)
    learned = KnownHeads(*(part[:-_HELD_OUT] for part in heads))
    shape_loss, look_loss = ShapeLoss(generator.anchor.model), LookLoss(learned.look, COLORS)

    def losses(some: KnownHeads) -> tuple[Tensor, Tensor, Tensor]:
        w = generator.mapping(some.z)[:, :1]
        shape = SHAPE_WEIGHT * shape_loss(generator.shape_codes(w), some.codes)
        return shape, light_difference(generator.light(w), some.light), look_loss(generator.look(w), some.look)

    for _ in range(steps):
        shape, light, look = losses(learned.some(random, device))
        optimizer.zero_grad(set_to_none=True)
        (shape + light + look).backward()
        optimizer.step()
        schedule.step()
    optimizer.zero_grad(set_to_none=True)  # else the stage, which keeps these parts, would clip by their gradients too
    with torch.no_grad():
        generator.set_painted_scale(generator.mapping(learned.z.to(device))[:, 0])
        unseen = KnownHeads(*(part[-_HELD_OUT:].to(device) for part in heads))
        w = generator.mapping(unseen.z)[:, :1]
        shape = shape_loss(generator.shape_codes(w), unseen.codes)
        light = light_difference(generator.light(w), unseen.light)
        look = look_loss.of_numbers(generator.look(w), unseen.look)
    return Left(shape.sqrt().item(), light.sqrt().item(), look.item())
